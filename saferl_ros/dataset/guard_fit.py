"""
Fits the out-of-distribution guard to recorded episodes.

One part of the episodes says what is usual, the other one how odd ordinary traffic gets: the
threshold is a split-conformal quantile of its scores. Episodes are split, never decisions, since
the decisions of one hour resemble each other. For the same reason the stated false-alarm rate
holds for an ordinary hour on average; a single hour may have many false alarms or none, and fewer
than some thirty episodes are too few to tell (``benchmarks/guard.py`` measures it).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from saferl_ros.dataset.schema import Episode
from saferl_ros.errors import DatasetError, UsageError
from saferl_ros.observation import ObservationSpec
from saferl_ros.shield.guard import calibration_rank, GuardedDetector, GuardModel

Floats = npt.NDArray[np.float64]

FALSE_ALARM_RATE = 0.01
RIDGE = 0.01  # added to the correlations: readings that always agree must not divide by zero
LEAST_SPREAD = 0.03  # of a reading's range; below it a deviation is noise
LEAST_STILLNESS = 10  # decisions of average traffic that any detector may stay unchanged
LANE_PARTS = ('queue', 'moving', 'occupancy', 'waiting', 'density')
APPROACH_PARTS = ('advance_queue', 'advance_moving')
VEHICLE_PARTS = {  # of an observation kind: what counts vehicles, none of them twice
    'detector': ('queue', 'moving', *APPROACH_PARTS),
    'neighbours': ('queue', 'moving', *APPROACH_PARTS),
    'ideal': ('queue', 'moving', *APPROACH_PARTS),
    'sumo_rl': ('density',),
}


def observed_parts(spec: ObservationSpec, owner: str, parts: Sequence[str]) -> dict[str, int]:
    """Return part to index of the features that a lane or an approach has."""
    index = {feature.name: n for n, feature in enumerate(spec.features())}
    names = {part: f'{owner}_{part}' for part in parts}
    return {part: index[name] for part, name in names.items() if name in index}


def _detectors(spec: ObservationSpec) -> list[GuardedDetector]:
    """Return every lane's detector, then every approach's advance ones, with nothing learned."""
    owners: list[tuple[str, str, Sequence[str]]] = [
        (lane.lane_id, lane.lane_id, LANE_PARTS) for lane in spec.lanes
    ]
    owners += [(f'{a.edge_id} advance', a.edge_id, APPROACH_PARTS) for a in spec.approaches]
    blank = []
    for name, owner, all_parts in owners:
        parts = observed_parts(spec, owner, all_parts)
        vehicles = [parts[part] for part in VEHICLE_PARTS[spec.kind] if part in parts]
        blank.append(
            GuardedDetector(
                name=name,
                readings=tuple(parts.values()),
                vehicles=tuple(vehicles),
                weights=(),
                usual_stillness=1.0,
            )
        )
    return blank


def _readings(detectors: Sequence[GuardedDetector]) -> list[int]:
    return [n for detector in detectors for n in detector.readings]


def guard_obstacle(
    episodes: Sequence[Episode],
    spec: ObservationSpec,
    *,
    false_alarm_rate: float = FALSE_ALARM_RATE,
) -> str:
    """Return why no guard can be fitted to these episodes; empty if one can."""
    if len(episodes) < 2:
        return f'{len(episodes)} episodes; at least 2 are needed, to fit and to calibrate'
    if not spec.lanes:
        return f"the observation '{spec.kind}' has no detectors"
    if any(episode.observations.shape[1:] != (spec.size,) for episode in episodes):
        return f'observations must have the {spec.size} features of the spec'
    fewest = sum(sorted(len(e.observations) for e in episodes)[: len(episodes) - _n_fit(episodes)])
    if calibration_rank(fewest, false_alarm_rate) > fewest:
        return (
            f'{fewest} decisions to calibrate on; a false-alarm rate of {false_alarm_rate:g} '
            f'needs {int(np.ceil(1 / false_alarm_rate)) - 1}, record more episodes'
        )
    return ''


def _n_fit(episodes: Sequence[Episode]) -> int:
    return max(1, len(episodes) // 3)  # the threshold needs more episodes than the regression


def fit_guard(
    episodes: Sequence[Episode],
    spec: ObservationSpec,
    *,
    false_alarm_rate: float = FALSE_ALARM_RATE,
    seed: int = 0,
) -> GuardModel:
    """
    Return the guard of a junction.

    Half of the allowed rate goes to readings that do not fit each other, half, in equal shares, to
    the stillness of the detectors; the threshold sees to it that their sum is right.

    :param episodes: recorded behaviour, at least two.
    :param spec: what they observed.
    :param false_alarm_rate: share of ordinary observations that may score above the threshold.
    :param seed: of the split into episodes to fit and episodes to calibrate.
    :raises UsageError: if the rate is not between 0 and 1.
    :raises DatasetError: if the episodes are too few, see ``guard_obstacle``.
    """
    if not 0 < false_alarm_rate < 1:
        raise UsageError(f'false_alarm_rate = {false_alarm_rate} must lie between 0 and 1')
    obstacle = guard_obstacle(episodes, spec, false_alarm_rate=false_alarm_rate)
    if obstacle:
        raise DatasetError(f'no out-of-distribution guard can be fitted: {obstacle}')
    order = np.random.default_rng([seed, 17]).permutation(len(episodes))
    fitting, calibrating = np.split(order, [_n_fit(episodes)])
    seen = [episodes[n].observations.astype(np.float64) for n in fitting]
    n_calibration = sum(len(episodes[n].observations) for n in calibrating)
    blank = _learn(seen, spec, false_alarm_rate, n_calibration)
    scores = np.concatenate([guard_scores(blank, episodes[n].observations) for n in calibrating])
    return replace(blank, threshold=conformal_threshold(scores, false_alarm_rate))


def _learn(
    seen: list[Floats], spec: ObservationSpec, false_alarm_rate: float, n_calibration: int
) -> GuardModel:
    """Return what is usual in some episodes' observations, with a threshold of one."""
    flat, detectors = np.concatenate(seen), _detectors(spec)
    columns = _readings(detectors)
    spread = LEAST_SPREAD * (spec.high() - spec.low())[columns].astype(np.float64)
    mean, weights = _regression(flat[:, columns], spread)
    still = np.concatenate([_stillness(observations, detectors) for observations in seen])
    usual = np.quantile(still, 1 - false_alarm_rate / 2 / len(detectors), axis=0)
    vehicles = flat[:, [n for detector in detectors for n in detector.vehicles]]
    least = LEAST_STILLNESS * max(float(vehicles.sum(axis=1).mean()), 0.1)
    n_scored = len(_readings(detectors[: len(spec.lanes)]))  # see shield.guard; lanes come first
    residuals = np.abs((flat[:, columns] - mean) @ weights[:n_scored].T).max(axis=1)
    learned = []
    for n, detector in enumerate(detectors):
        start = len(_readings(detectors[:n]))
        rows = weights[start : min(start + len(detector.readings), n_scored)].tolist()
        learned.append(
            replace(
                detector,
                weights=tuple(map(tuple, rows)),
                usual_stillness=max(float(usual[n]), least),
            )
        )
    return GuardModel(
        n_features=spec.size,
        detectors=tuple(learned),
        mean=tuple(mean.tolist()),
        usual_residual=max(1.0, float(np.quantile(residuals, 1 - false_alarm_rate / 2))),
        threshold=1.0,
        false_alarm_rate=false_alarm_rate,
        n_calibration=n_calibration,
        spec_fingerprint=spec.fingerprint(),
    )


def conformal_threshold(scores: Floats, false_alarm_rate: float) -> float:
    """
    Return the ceil((n + 1)(1 - rate))-th smallest of n calibration scores.

    :param scores: shape ``(n,)``, enough of them for the rate.
    :returns: above zero, however dull the scores are.
    """
    rank = calibration_rank(len(scores), false_alarm_rate)
    return max(float(np.sort(scores)[rank - 1]), 1e-6)


def _regression(readings: Floats, least: Floats) -> tuple[Floats, Floats]:
    """
    Return the mean, and the weights that turn deviations from it into residuals.

    Row i of the inverse correlation matrix, divided by the root of its diagonal, is what is left
    of reading i after the best linear prediction from all others, in standard deviations.
    """
    mean = readings.mean(axis=0)
    spread = np.maximum(readings.std(axis=0), least)
    scaled = (readings - mean) / spread
    correlation = scaled.T @ scaled / len(scaled) + RIDGE * np.eye(len(mean))
    inverse = np.linalg.inv(correlation)
    return mean, inverse / np.sqrt(np.diag(inverse))[:, None] / spread


def _stillness(observations: Floats, detectors: Sequence[GuardedDetector]) -> Floats:
    """Return what the others reported since each detector changed, shape (T, n_detectors)."""
    counts = np.stack([observations[:, list(d.vehicles)].sum(axis=1) for d in detectors], axis=1)
    others = np.maximum(counts.sum(axis=1, keepdims=True) - counts, 0.0)
    is_new = np.ones(counts.shape, dtype=np.bool_)
    for n, detector in enumerate(detectors):
        is_new[1:, n] = (np.diff(observations[:, list(detector.readings)], axis=0) != 0).any(
            axis=1
        )
    so_far = np.cumsum(others, axis=0)
    at_change: Floats = np.maximum.accumulate(np.where(is_new, so_far, 0.0), axis=0)
    return so_far - at_change


def guard_scores(model: GuardModel, observations: npt.NDArray[np.floating]) -> Floats:
    """
    Return the scores that a ``Guard`` would give, one after the other.

    :param observations: one episode's, shape ``(T, n_features)``, finite.
    :returns: shape ``(T,)``.
    """
    values = observations.astype(np.float64)
    off = values[:, _readings(model.detectors)] - np.array(model.mean)
    weights = np.array([row for detector in model.detectors for row in detector.weights])
    residual = np.abs(off @ weights.T).max(axis=1) / model.usual_residual
    usual = np.array([detector.usual_stillness for detector in model.detectors])
    still = _stillness(values, model.detectors) / usual
    scores: Floats = np.maximum(residual, still.max(axis=1))
    return scores
