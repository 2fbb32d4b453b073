"""A recorded bag of the incumbent as a dataset: real historical data, no simulator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from saferl_ros import __version__
from saferl_ros.bag.cadence import Cadence
from saferl_ros.bag.description import JunctionDescription
from saferl_ros.bag.street import (
    follows_in_time,
    read_descriptions,
    read_street,
    READING_ARRAYS,
    StreetMoment,
)
from saferl_ros.dataset.schema import Episode, FORMAT_VERSION, Record
from saferl_ros.env.cost import COST_NAMES
from saferl_ros.env.junction import DECISION_S
from saferl_ros.errors import BagError
from saferl_ros.observation import FeatureVector
from saferl_ros.record.revision import git_revision
from saferl_ros.scenario import DemandVariation, Split

EPISODE_S = 3600.0  # so that some hours can be held out
REWARD = 'stopped_delay'
N_NAMED = 3  # reasons to leave moments out


class EpisodeCutter:
    """
    Cuts one junction's moments into decisions, and its decisions into episodes.

    A decision is where a policy would have been asked: when the minimum green was over, every
    ``decision_s`` after, and in the last tick before a change that came between. Its action is the
    stage that the incumbent turned to. The reward is minus the standing vehicles on the detectors,
    integrated over time: a street knows no more [vehicle-seconds].
    """

    def __init__(self, description: JunctionDescription, decision_s: float) -> None:
        self.episodes: list[Episode] = []
        self.left_out: Counter[str] = Counter()  # why: how many moments
        self._description = description
        self._features = FeatureVector(description.spec)
        self._plan, self._spec = description.plan.fingerprint(), description.spec.fingerprint()
        self._decision_s = decision_s
        self._begin()

    def _begin(self) -> None:
        self._cadence = Cadence(self._decision_s)
        self._rows: list[tuple[StreetMoment, npt.NDArray[np.float32]]] = []
        self._actions: list[int] = []
        self._rewards: list[float] = []
        self._lost = 0.0  # since the last decision [vehicle-seconds]
        self._action: int | None = None  # what was turned to since then
        self._before: StreetMoment | None = None
        self._was_due = False

    def add(self, moment: StreetMoment) -> None:
        """
        Take the next moment; one that does not follow the last begins a new episode.

        Flashing is left out, and so is what goes by another plan or observation than the
        description, or has a reading that is no number.
        """
        before = self._before
        if before is not None and not _follows(before, moment):
            self.finish()
            before = None
        if moment.is_flash:
            self.finish()
            return
        if reason := self._foreign(moment) or _unknown(moment, self._description):
            self.left_out[reason] += 1
            self.finish()
            return
        if before is not None:
            if moment.signal.stage != before.signal.stage:
                self._note_change(before, moment.signal.stage)
            self._lost += before.halting_veh * moment.tick_s
        signal = moment.signal
        self._was_due = self._cadence.is_due(
            moment.now_s, signal.stage, signal.legal, is_clearing=moment.is_clearing
        )
        if self._was_due:
            self._decide(moment)
            if moment.now_s - self._rows[0][0].now_s >= EPISODE_S:
                self.finish()
                self._decide(moment)
        self._before = moment

    def _foreign(self, moment: StreetMoment) -> str:
        """Return what another plan or observation it goes by; empty if it is the one described."""
        for what, said, known in (
            ('signal plan', moment.plan_fingerprint, self._plan),
            ('observation', moment.spec_fingerprint, self._spec),
        ):
            if said not in ('', known):
                return f'{what} {said[:12]} instead of {known[:12]}, which was described last'
        return ''

    def _note_change(self, before: StreetMoment, stage: int) -> None:
        """The incumbent left its stage: in the last decision, or in one that we put before it."""
        if not self._rows:
            return
        if not self._was_due and sum(before.signal.legal) > 1:
            self._decide(before)
        if sum(before.signal.legal) > 1 and self._action is None:
            self._action = stage  # otherwise a bound forced it: it belongs to what was chosen

    def _decide(self, moment: StreetMoment) -> None:
        if self._rows:
            shown = self._rows[-1][0].signal.stage
            self._actions.append(shown if self._action is None else self._action)
            self._rewards.append(-self._lost)
        self._rows.append((moment, self._features(moment.readings, moment.signal)))
        self._lost, self._action = 0.0, None

    def finish(self) -> None:
        """Close the running episode; what follows its last decision is not known."""
        rows, n = self._rows, len(self._actions)
        if n:
            moments = [moment for moment, _ in rows]
            actions = np.array(self._actions, dtype=np.int64)
            times_s = np.array([moment.now_s for moment in moments])
            demand = DemandVariation(split=Split.RECORD, seed=len(self.episodes))
            self.episodes.append(
                Episode(
                    observations=np.array([features for _, features in rows], dtype=np.float32),
                    legal=np.array([moment.signal.legal for moment in moments], dtype=np.bool_),
                    stage=np.array([m.signal.stage for m in moments], dtype=np.int64),
                    green_elapsed_s=np.array(
                        [m.signal.green_elapsed_s for m in moments], dtype=np.float32
                    ),
                    requested_stage=actions,
                    applied_stage=actions,
                    behaviour_prob=np.ones(n, dtype=np.float32),
                    reward=np.array(self._rewards, dtype=np.float32),
                    elapsed_s=np.diff(times_s).astype(np.float32),
                    cost=np.zeros((n, len(COST_NAMES)), dtype=np.float32),
                    family='net',
                    demand=demand.to_json(),
                    metrics={},
                )
            )
        self._begin()


def _follows(before: StreetMoment, moment: StreetMoment) -> bool:
    is_next = before.run_id == moment.run_id and moment.sequence == before.sequence + 1
    return is_next and follows_in_time(before.now_s, moment.now_s, before.tick_s)


def _unknown(moment: StreetMoment, description: JunctionDescription) -> str:
    """Return which reading is no number; empty if all are."""
    spec = description.spec
    for name in READING_ARRAYS:
        values = getattr(moment.readings, name)
        owners = (
            [approach.edge_id for approach in spec.approaches]
            if name.startswith('advance')
            else [lane.lane_id for lane in spec.lanes]
        )
        for owner, value in zip(owners, values, strict=False):
            if not math.isfinite(value):
                return f"{name} of '{owner}' is no number"
    return ''


def record_from_bag(
    path: Path,
    *,
    junction_id: str | None = None,
    decision_s: float = DECISION_S,
    progress: Callable[[float], None] = lambda hours: None,
) -> Record:
    """
    Return a recorded bag as a record that ``saferl train`` takes.

    Costs are zero because a street does not count them.

    :param junction_id: which junction, where the bag has several.
    :param decision_s: time between decisions while a stage is kept [s].
    :param progress: called with the hours read so far.
    :raises BagError: if there is no such bag or junction, or it holds no decision.
    """
    descriptions = read_descriptions(path)
    description = _pick(path, descriptions, junction_id)
    episodes = EpisodeCutter(description, decision_s)
    read_s = 0.0
    for moment in read_street(path):
        if moment.junction_id == description.junction_id:
            episodes.add(moment)
            read_s += moment.tick_s
            if read_s % 60.0 < moment.tick_s:
                progress(read_s / 3600)
    episodes.finish()
    if not episodes.episodes:
        why = '; left out: ' + in_words(episodes.left_out) if episodes.left_out else ''
        raise BagError(
            f"bag '{path}' holds no decision of junction '{description.junction_id}'{why}; record "
            'longer, at least a few cycles'
        )
    return Record(
        manifest=_manifest(description, episodes),
        plan=description.plan,
        spec=description.spec,
        episodes=episodes.episodes,
    )


def in_words(left_out: Mapping[str, int]) -> str:
    """Return which moments were left out, those of the commonest reasons."""
    most = sorted(left_out.items(), key=lambda reason: -reason[1])
    named = [f'{n} moments ({reason})' for reason, n in most[:N_NAMED]]
    more = f', and for {len(most) - N_NAMED} more reasons' if len(most) > N_NAMED else ''
    return ', '.join(named) + more


def _pick(
    path: Path, descriptions: dict[str, JunctionDescription], junction_id: str | None
) -> JunctionDescription:
    known = ', '.join(sorted(descriptions))
    if junction_id is None:
        if len(descriptions) > 1:
            raise BagError(
                f"bag '{path}' holds {len(descriptions)} junctions; name one with --junction: "
                f'{known}'
            )
        return next(iter(descriptions.values()))
    if junction_id not in descriptions:
        raise BagError(f"bag '{path}' holds no junction '{junction_id}'; it has: {known}")
    return descriptions[junction_id]


def _manifest(description: JunctionDescription, cutter: EpisodeCutter) -> dict[str, Any]:
    return {
        'format_version': FORMAT_VERSION,
        'package_version': __version__,
        'git_revision': git_revision(),
        'sumo_version': None,
        'scenario': description.scenario,
        'plan_fingerprint': description.plan.fingerprint(),
        'spec_fingerprint': description.spec.fingerprint(),
        'split': Split.RECORD.name.lower(),
        'source': 'bag',
        'episodes': len(cutter.episodes),
        'left_out': dict(cutter.left_out),  # why: how many moments
        'reward': REWARD,
        'family': {'plans': 'net'},
    }
