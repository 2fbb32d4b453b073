"""
Notices observations unlike those the policy learned from, such as a stuck detector's.

The score looks only at the detectors, never at the signal: a better policy shows other greens than
the recorded one and must not be an alarm. It asks two questions of every detector, and 1 means
'as odd as it gets in the recorded traffic'.

**Does it fit the others now?** Each reading of a lane is predicted from all the other readings, by
linear regression. The residual is counted in standard deviations, and the largest one is the
score. A lane that is all covered while nobody stands on it, or that is packed while its neighbour
and the road before it are empty, shows at once. The advance detectors only help to predict: a
queue that reaches them is rare, real, and no fault.

**Does it still move?** How many vehicles the other detectors have reported since this one's
readings last changed. Any live detector changes sooner or later; one stuck off, stuck on or frozen
never does. Counting in vehicles instead of seconds forgives the quiet of a quiet night. A single
look cannot do this: an empty lane is the most ordinary reading of all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import islice
import math
from numbers import Real
from operator import mul
from typing import Any, Self

from saferl_ros.errors import BundleError, UsageError
from saferl_ros.shield.clock import read_clock

GUARD_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardedDetector:
    """One detector (a lane's, or the advance detectors of an approach) in the observation."""

    name: str
    readings: tuple[int, ...]  # indices of all its features
    vehicles: tuple[int, ...]  # those of them that count vehicles
    weights: tuple[tuple[float, ...], ...]  # (n_rows, n_readings of all), a row per residual
    usual_stillness: float  # what the others report, at most, while this one does not change


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardModel:
    """
    What is usual at one junction, and from which score on an observation is unlike it.

    ``mean`` and the rows of weights are in the order of the detectors' readings, one detector
    after the other. A row times (readings - ``mean``) is the residual of one reading.

    :raises BundleError: if anything is inconsistent.
    """

    n_features: int  # length of the observation
    detectors: tuple[GuardedDetector, ...]
    mean: tuple[float, ...]  # (n_readings,)
    usual_residual: float  # the largest residual there is, at most [standard deviations]
    threshold: float  # a higher score is out of distribution
    false_alarm_rate: float  # stated share of recorded observations above the threshold
    n_calibration: int  # observations that the threshold was read from
    spec_fingerprint: str  # of the observation spec
    version: int = GUARD_VERSION

    def __post_init__(self) -> None:
        problem = self._problem()
        if problem:
            raise BundleError(f'out-of-distribution guard: {problem}; train the bundle again')

    def _problem(self) -> str:
        """Return what is wrong; empty if nothing is."""
        if self.version != GUARD_VERSION:
            return f'version {self.version}; this release reads version {GUARD_VERSION}'
        if not isinstance(self.spec_fingerprint, str) or not self.spec_fingerprint:
            return 'spec_fingerprint is missing'
        vehicles = [n for detector in self.detectors for n in detector.vehicles]
        whole = (self.n_features, self.n_calibration, *self._indices(), *vehicles)
        if any(type(number) is not int or number < 0 for number in whole):
            return 'sizes and indices must be whole numbers from zero on'
        if not all(_is_finite(x) for row in (self.mean, *self._rows()) for x in row):
            return 'mean and weights must be finite numbers'
        for name, value in (
            ('threshold', self.threshold),
            ('usual_residual', self.usual_residual),
            *((f'usual_stillness of {d.name!r}', d.usual_stillness) for d in self.detectors),
        ):
            if not _is_finite(value) or value <= 0:
                return f'{name} must be above zero, it is {value}'
        if not _is_finite(self.false_alarm_rate) or not 0 < self.false_alarm_rate < 1:
            return f'false_alarm_rate must lie between 0 and 1, it is {self.false_alarm_rate}'
        return self._misfit()

    def _misfit(self) -> str:
        """Return which sizes do not fit each other; empty if all do."""
        indices = self._indices()
        if not self.detectors or not all(d.readings for d in self.detectors):
            return 'there must be a detector, and each must have a reading'
        if len(set(indices)) < len(indices) or max(indices) >= self.n_features:
            return f'readings must be distinct and below {self.n_features}'
        for detector in self.detectors:
            if not isinstance(detector.name, str) or not set(detector.vehicles) <= set(
                detector.readings
            ):
                return f'detector {detector.name!r} counts vehicles that it does not read'
        if {len(indices)} != {len(self.mean), *map(len, self._rows())}:
            return f'mean and weights must have the size of the {len(indices)} readings'
        if calibration_rank(self.n_calibration, self.false_alarm_rate) > self.n_calibration:
            return f'{self.n_calibration} observations cannot support its false-alarm rate'
        return ''

    def _indices(self) -> list[int]:
        return [n for detector in self.detectors for n in detector.readings]

    def _rows(self) -> list[tuple[float, ...]]:
        return [row for detector in self.detectors for row in detector.weights]

    def to_json(self) -> dict[str, Any]:
        """Return the model as JSON-ready data; ``from_json`` is its inverse."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """
        Return the model that ``to_json`` wrote.

        :raises BundleError: if a field is missing, unknown or inconsistent.
        """
        try:
            return cls(
                **{
                    **data,
                    'mean': tuple(data['mean']),
                    'detectors': tuple(
                        GuardedDetector(
                            **{
                                **detector,
                                'readings': tuple(detector['readings']),
                                'vehicles': tuple(detector['vehicles']),
                                'weights': tuple(tuple(row) for row in detector['weights']),
                            }
                        )
                        for detector in data['detectors']
                    ),
                }
            )
        except (KeyError, TypeError, AttributeError, OverflowError) as error:
            raise BundleError(f'not an out-of-distribution guard: {error}') from error

    def numbers(self, observation: object) -> list[float] | None:
        """
        Return the observation as floats, ``None`` if it is malformed. Never raises.

        Well-formed is a list, a tuple or an array of ``n_features`` finite numbers.
        """
        try:
            if not isinstance(observation, list | tuple):
                observation = observation.tolist()  # type: ignore[attr-defined]
                if not isinstance(observation, list):
                    return None
            if len(observation) != self.n_features:
                return None
            first = islice(observation, self.n_features + 1)  # a list may lie about its length
            values = [float(x) for x in first if isinstance(x, Real)]
            if len(values) != self.n_features or not all(map(math.isfinite, values)):
                return None
        except Exception:  # noqa: BLE001 - an object may do anything when looked at
            return None
        return values

    def score(self, observation: object) -> float:
        """
        Return how ill the readings of one moment fit each other. Never raises.

        ``Guard`` adds what time shows: its score is this one or a higher one.

        :param observation: shape ``(n_features,)``.
        :returns: 1 for the most that is usual; infinity for anything malformed.
        """
        values = self.numbers(observation)
        return math.inf if values is None else self.misfit(values)[0]

    def misfit(self, values: Sequence[float]) -> tuple[float, str]:
        """
        Return the score of one moment and the detector that causes it.

        :param values: well-formed, see ``numbers``.
        """
        readings = (values[n] for d in self.detectors for n in d.readings)
        off = [reading - mean for reading, mean in zip(readings, self.mean, strict=True)]
        worst, name = 0.0, ''
        for detector in self.detectors:
            for row in detector.weights:
                residual = abs(sum(map(mul, row, off)))
                if not residual <= worst:  # NaN, of overflows, is worse than anything
                    worst, name = residual, detector.name
        return worst / self.usual_residual if math.isfinite(worst) else math.inf, name


def calibration_rank(n_calibration: int, false_alarm_rate: float) -> int:
    """
    Return which of the sorted calibration scores is the threshold, counted from one.

    A new score exceeds it with at most the stated rate if it is exchangeable with the calibration
    scores. Source: V. Vovk, A. Gammerman, G. Shafer, Algorithmic Learning in a Random World
    (2005).

    :returns: above ``n_calibration`` if there are too few scores for the rate.
    """
    return math.ceil((n_calibration + 1) * (1 - false_alarm_rate) - 1e-9)


def _is_finite(x: object) -> bool:
    return type(x) in (int, float) and math.isfinite(x)  # type: ignore[arg-type]


class Guard:
    """
    Raises an alarm while observations are unlike the recorded ones, and cannot flap.

    **In:** when k of the last n observations scored above the threshold, or at once when one is
    malformed. **Out:** after an unbroken run of ``leave`` quiet observations, and not before
    ``min_dwell_s`` in alarm. The dwell starts anew when the clock goes backwards and rests while
    it is not a number: a broken clock never ends an alarm.

    Nothing here raises, whatever it is given, and memory is constant.

    :param model: what is usual.
    :param enter: k and n, ``1 <= k <= n``.
    :param leave: not below n, so that no old observation counts after an alarm.
    :param min_dwell_s: shortest alarm [s].
    :raises UsageError: if a setting is out of its range.
    """

    def __init__(
        self,
        model: GuardModel,
        *,
        enter: tuple[int, int] = (3, 5),
        leave: int = 12,
        min_dwell_s: float = 60.0,
    ) -> None:
        self._k, self._n = enter
        if not 1 <= self._k <= self._n <= leave:
            raise UsageError(f'enter={enter}, leave={leave}: 1 <= k <= n <= leave must hold')
        if not 0 <= min_dwell_s < math.inf:
            raise UsageError(f'min_dwell_s = {min_dwell_s} must be zero or more, and finite')
        self._model = model
        self._leave, self._min_dwell_s = leave, float(min_dwell_s)
        self._last_readings: list[tuple[float, ...]] = []  # by detector
        self._stillness = [0.0] * len(model.detectors)
        self._recent = 0  # one bit per observation, the latest lowest; 1 is above the threshold
        self._n_quiet = 0
        self._is_alarmed = False
        self._since_s = math.nan  # start of the dwell, NaN until the clock tells one
        self._now_s = -math.inf
        self._n_updates = self._n_over = 0
        self._last_score = 0.0
        self._suspect = ''

    @property
    def is_alarmed(self) -> bool:
        """Whether traffic is unlike what the policy learned from."""
        return self._is_alarmed

    @property
    def n_updates(self) -> int:
        """How many observations there were."""
        return self._n_updates

    @property
    def n_over(self) -> int:
        """How many of them scored above the threshold."""
        return self._n_over

    @property
    def last_score(self) -> float:
        """Score of the latest observation, infinity if it was malformed."""
        return self._last_score

    @property
    def suspect(self) -> str:
        """The detector that made the latest score; empty if the observation was malformed."""
        return self._suspect

    def update(self, observation: object, now_s: float) -> bool:
        """
        Take the observation of one decision, and say whether there is an alarm. Never raises.

        Call it once a decision, the pace of the record: the stillness of a detector counts what
        the others report at each of them.

        :param observation: shape ``(n_features,)``; anything else counts as malformed.
        :param now_s: a clock that does not jump [s].
        """
        values = self._model.numbers(observation)
        if values is None:
            self._last_score, self._suspect = math.inf, ''
        else:
            self._last_score, self._suspect = max(self._model.misfit(values), self._still(values))
        is_over = self._last_score > self._model.threshold
        self._n_updates += 1
        self._n_over += is_over
        self._recent = (self._recent << 1 | is_over) & ((1 << self._n) - 1)
        self._n_quiet = 0 if is_over else min(self._n_quiet + 1, self._leave)
        now = read_clock(now_s)
        if now < self._now_s or math.isnan(self._since_s):
            self._since_s = now
        if not math.isnan(now):
            self._now_s = now
        if not self._is_alarmed:
            self._is_alarmed = values is None or self._recent.bit_count() >= self._k
            self._since_s = now
        elif self._n_quiet >= self._leave and now - self._since_s >= self._min_dwell_s:
            self._is_alarmed = False
        return self._is_alarmed

    def _still(self, values: list[float]) -> tuple[float, str]:
        """Return the score of the stillest detector, and which it is."""
        detectors = self._model.detectors
        readings = [tuple(values[n] for n in d.readings) for d in detectors]
        vehicles = [sum(values[n] for n in d.vehicles) for d in detectors]
        everywhere = sum(vehicles)
        for n, now in enumerate(readings):
            if not self._last_readings or now != self._last_readings[n]:
                self._stillness[n] = 0.0
            else:
                self._stillness[n] += max(0.0, everywhere - vehicles[n])
        self._last_readings = readings
        return max(
            (still / d.usual_stillness, d.name)
            for still, d in zip(self._stillness, detectors, strict=True)
        )
