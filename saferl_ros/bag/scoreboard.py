"""
The scoreboard of a recorded shadow run: what the street did, and what the policy would have asked.

Messages are counted as they are read. What is kept grows with the hours of the record, not with
its states; of each answer of the policy two numbers stay, for exact quantiles.
"""

from __future__ import annotations

from array import array
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
import heapq
import itertools
import math
from pathlib import Path
from typing import Any, NamedTuple

from saferl_ros.bag.cadence import Cadence
from saferl_ros.bag.description import JunctionDescription
from saferl_ros.bag.files import is_whole, read_messages, segment_folders
from saferl_ros.bag.street import follows_in_time
from saferl_ros.env.junction import DECISION_S
from saferl_ros.errors import BagError

HOUR_S = 3600.0
PAUSE_S = 10.0  # wall clock without a state that counts as a hole, beyond one tick
GAPS_KEPT = 200  # the longest ones; all are counted
TOPICS = (
    *('signal_state', 'detectors', 'shadow_request', 'shadow_decision'),
    *('policy_status', 'description'),
)
_ROOT = 'saferl'
_KEPT_S = 60.0  # of states, for answers that were recorded after later states
_WAITING = 1000  # answers that may wait for their state


class GapKind(Enum):
    """How the record was interrupted."""

    STATES_MISSING = 'states missing'  # their numbers jump within a run
    NEW_RUN = 'new run'  # the bridge began anew
    CLOCK = 'clock jumped'  # the junction's, between two states that follow each other
    PAUSE = 'pause'  # the next state came much later than its tick


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """An interruption."""

    kind: GapKind
    run_id: str  # of the last state before
    after_s: float  # the junction's time of that state
    recorded_s: float  # its wall clock [s since 1970]
    length_s: float  # by the junction's time if states are missing, else by the wall clock
    n_missing: int  # states; 0 if not known


@dataclass(slots=True)
class HourCount:
    """One hour of one run, by the junction's time."""

    run_id: str
    start_s: float
    covered_s: float = 0.0  # with states
    read_s: float = 0.0  # with detector readings
    standing_veh_s: float = 0.0  # vehicles standing on the detectors, integrated
    n_answers: int = 0
    n_compared: int = 0  # answers with the incumbent's choice on record
    n_agreed: int = 0
    n_verdicts: int = 0
    n_vetoes: int = 0
    n_out_of_distribution: int = 0
    n_due: int = 0  # decisions at which an answer was due
    n_unanswered: int = 0

    @property
    def standing_veh(self) -> float:
        """Vehicles standing on the detectors on average, that is [veh-h per hour]."""
        return self.standing_veh_s / self.read_s if self.read_s else math.nan


@dataclass(slots=True)
class StageCount:
    """The answers while one stage showed."""

    n_compared: int = 0
    n_agreed: int = 0
    n_policy_left: int = 0  # the policy wanted another stage
    n_incumbent_left: int = 0
    n_both_left: int = 0  # to the same stage or not


@dataclass(slots=True)
class JunctionScore:
    """All that a record says of one junction."""

    junction_id: str
    decision_s: float
    description: JunctionDescription | None = None
    hours: dict[tuple[str, int], HourCount] = field(default_factory=dict)
    stages: dict[int, StageCount] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)  # of the shield, 'policy' included
    policies: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    # algorithm, checksum of the bundle's manifest, source: how many statuses
    latencies_s: array[float] = field(default_factory=lambda: array('f'))
    odd_scores: array[float] = field(default_factory=lambda: array('f'))
    gaps: list[Gap] = field(default_factory=list)  # the longest, in the order of time
    gap_counts: Counter[GapKind] = field(default_factory=Counter)
    gap_s: float = 0.0  # of all gaps
    n_states: int = 0
    n_missing: int = 0
    n_unmatched: int = 0  # answers to a state that was not recorded
    flash_s: float = 0.0
    fallback_s: float = 0.0
    first_recorded_s: float = math.nan  # wall clock
    last_recorded_s: float = math.nan

    def total(self, name: str) -> float:
        """Return a count summed over the hours."""
        return float(sum(getattr(hour, name) for hour in self.hours.values()))


class _State(NamedTuple):
    """What of a state an answer is compared with."""

    sequence: int
    now_s: float
    stage: int
    legal: tuple[bool, ...]
    is_flash: bool


class Tally:
    """
    Counts the messages of one junction.

    When answers are due follows from the states (``Cadence``), from the policy's first answer on
    and, after a gap, from the next change of stage on; an answer within ``decision_s`` will do.

    An answer to the state at time ``t`` is compared with the incumbent's own choice: the stage
    that the junction shows, or is being cleared for, ``decision_s`` later, which is when the
    policy would be asked again. Without an unbroken record up to there, or under flashing, it is
    not compared.

    :param decision_s: time between decisions while a stage is kept [s].
    """

    def __init__(self, junction_id: str, decision_s: float = DECISION_S) -> None:
        self.score = JunctionScore(junction_id=junction_id, decision_s=decision_s)
        self._run_id = ''
        self._before: Any = None  # the last state
        self._recorded_s = 0.0
        self._states: deque[_State] = deque()  # without a gap
        self._waiting: deque[Any] = deque()  # answers not compared yet
        self._cadence: Cadence | None = None  # unknown until a stage has begun on record
        self._due: deque[tuple[str, float]] = deque()  # run and time of those not answered yet
        self._answered: deque[tuple[str, float]] = deque(maxlen=_WAITING)  # as they were recorded
        self._tick_s = 0.0
        self._read: tuple[str, int] = ('', 0)  # run and number of the last readings
        self._past_runs: set[str] = set()
        self._longest: list[tuple[float, int, Gap]] = []  # a heap, the shortest gap first

    def take(self, name: str, message: Any, recorded_s: float) -> None:
        """
        Count one message.

        :param name: the last part of its topic.
        :param recorded_s: wall clock [s since 1970].
        """
        if name == 'signal_state':
            self._on_state(message, recorded_s)
        elif name == 'detectors':
            self._on_readings(message)
        elif name == 'shadow_request':
            self._on_answer(message)
        elif name == 'shadow_decision' and message.is_shadow:
            is_veto = message.reason != 'policy'
            hour = self._hour(message.run_id, _seconds(message.stamp))
            hour.n_verdicts += 1
            hour.n_vetoes += is_veto
            self.score.reasons[message.reason] += 1
        elif name == 'policy_status':
            self.score.policies[message.algorithm, message.bundle_sha256, message.source] += 1

    def finish(self) -> JunctionScore:
        """Return the score; call it once, after the last message."""
        if self._before is not None:
            self._give_up_on(self._run_id, _seconds(self._before.stamp) - self.score.decision_s)
        self.score.gaps = [gap for _, _, gap in sorted(self._longest, key=lambda kept: kept[1])]
        return self.score

    def _hour(self, run_id: str, now_s: float) -> HourCount:
        n = math.floor(now_s / HOUR_S)
        found = self.score.hours.get((run_id, n))
        if found is None:
            found = self.score.hours[run_id, n] = HourCount(run_id, n * HOUR_S)
        return found

    def _on_state(self, state: Any, recorded_s: float) -> None:
        score, before, now_s = self.score, self._before, _seconds(state.stamp)
        if before is not None:
            is_told_again = state.run_id == self._run_id and state.sequence <= before.sequence
            if is_told_again and now_s <= _seconds(before.stamp):
                return  # a recorder that begins anew hears the last state once more
            self._look_for_gap(before, state, now_s, recorded_s)
        else:
            score.first_recorded_s = recorded_s
        self._before, self._run_id, self._recorded_s = state, state.run_id, recorded_s
        self._tick_s = float(state.tick_s)
        score.last_recorded_s = recorded_s
        score.n_states += 1
        self._hour(state.run_id, now_s).covered_s += self._tick_s
        is_flash = int(state.mode) != 0
        score.flash_s += self._tick_s * is_flash
        score.fallback_s += self._tick_s * bool(state.is_fallback)
        legal = tuple(map(bool, state.legal_stages))
        self._look_whether_due(before, state, now_s, legal)
        self._states.append(_State(int(state.sequence), now_s, int(state.stage), legal, is_flash))
        while self._states[0].now_s < now_s - _KEPT_S - score.decision_s:
            self._states.popleft()
        self._compare()

    def _look_whether_due(
        self, before: Any, state: Any, now_s: float, legal: tuple[bool, ...]
    ) -> None:
        """Note a decision that falls due with this state, and those that are answered no more."""
        self._give_up_on(state.run_id, now_s - HOUR_S)  # topics may be recorded far apart
        stage, is_clearing = int(state.stage), bool(state.is_clearing)
        if before is not None and stage != int(before.stage) and self._cadence is None:
            self._cadence = Cadence(self.score.decision_s)
        if self._cadence is None:
            return
        is_due = self._cadence.is_due(now_s, stage, legal, is_clearing=is_clearing)
        if not is_due or not self._answered:
            return
        until_s = now_s + self.score.decision_s
        if any(run == state.run_id and now_s <= s < until_s for run, s in self._answered):
            self._hour(state.run_id, now_s).n_due += 1  # its answer was recorded first
        else:
            self._due.append((state.run_id, now_s))

    def _give_up_on(self, run_id: str, until_s: float) -> None:
        """Count the decisions up to a time, and those of earlier runs, as never answered."""
        while self._due and (self._due[0][0] != run_id or self._due[0][1] <= until_s):
            hour = self._hour(*self._due.popleft())
            hour.n_due += 1
            hour.n_unanswered += 1

    def _look_for_gap(self, before: Any, state: Any, now_s: float, recorded_s: float) -> None:
        wall_s = recorded_s - self._recorded_s
        after_s = _seconds(before.stamp)
        n_missing = 0
        passed_s = now_s - after_s
        if state.run_id != self._run_id or state.sequence <= before.sequence:
            kind, length_s = GapKind.NEW_RUN, wall_s
        elif state.sequence > before.sequence + 1:
            kind, n_missing = GapKind.STATES_MISSING, int(state.sequence - before.sequence - 1)
            length_s = max(now_s - after_s - float(before.tick_s), 0.0)
        elif not follows_in_time(after_s, now_s, float(before.tick_s)):
            kind, length_s = GapKind.CLOCK, abs(passed_s)
        elif wall_s > PAUSE_S + float(before.tick_s):
            kind, length_s = GapKind.PAUSE, wall_s
        else:
            return
        score = self.score
        score.gap_counts[kind] += 1
        score.gap_s += length_s
        score.n_missing += n_missing
        gap = Gap(
            kind=kind, run_id=self._run_id, after_s=after_s, recorded_s=self._recorded_s,
            length_s=length_s, n_missing=n_missing,
        )  # fmt: skip
        heapq.heappush(self._longest, (length_s, score.gap_counts.total(), gap))
        if len(self._longest) > GAPS_KEPT:
            heapq.heappop(self._longest)
        if kind is not GapKind.PAUSE:  # after a pause the states go on as if nothing had been
            self._break(before)
        if kind is GapKind.NEW_RUN:
            self._read = ('', 0)
        if state.run_id != self._run_id:
            self._past_runs.add(self._run_id)

    def _break(self, last: Any) -> None:
        """Give up the answers whose comparison needs the states that are missing."""
        self._states.clear()
        self._cadence = None
        self._waiting = deque(
            answer
            for answer in self._waiting
            if answer.run_id != last.run_id or answer.state_sequence > last.sequence
        )

    def _on_readings(self, readings: Any) -> None:
        key = readings.run_id, int(readings.sequence)
        if key[0] == self._read[0] and key[1] <= self._read[1]:
            return
        self._read = key
        standing_veh = float(readings.queue_veh.sum() + readings.advance_queue_veh.sum())
        if self._tick_s > 0 and math.isfinite(standing_veh):
            hour = self._hour(readings.run_id, _seconds(readings.stamp))
            hour.read_s += self._tick_s
            hour.standing_veh_s += standing_veh * self._tick_s

    def _on_answer(self, answer: Any) -> None:
        score, hour = self.score, self._hour(answer.run_id, _seconds(answer.stamp))
        hour.n_answers += 1
        now_s = _seconds(answer.stamp)
        self._answered.append((answer.run_id, now_s))
        while self._due and self._due[0][0] == answer.run_id and self._due[0][1] <= now_s:
            run_id, due_s = self._due.popleft()
            due = self._hour(run_id, due_s)
            due.n_due += 1
            due.n_unanswered += now_s >= due_s + score.decision_s
        hour.n_out_of_distribution += bool(answer.is_out_of_distribution)
        if math.isfinite(answer.latency_s):
            score.latencies_s.append(answer.latency_s)
        if math.isfinite(answer.out_of_distribution_score):
            score.odd_scores.append(answer.out_of_distribution_score)
        self._waiting.append(answer)
        if len(self._waiting) > _WAITING:
            self._waiting.popleft()
            score.n_unmatched += 1
        self._compare()

    def _compare(self) -> None:
        """Compare the answers that wait, as far as the record has come."""
        states = self._states
        while self._waiting and states:
            answer = self._waiting[0]
            at = int(answer.state_sequence) - states[0].sequence
            if answer.run_id in self._past_runs or (answer.run_id == self._run_id and at < 0):
                self._waiting.popleft()  # too late: its state is gone
                self.score.n_unmatched += 1
                continue
            if answer.run_id != self._run_id or at >= len(states):
                return  # its state is still to come
            due_s = states[at].now_s + self.score.decision_s - 1e-6
            if states[-1].now_s < due_s:
                return
            self._waiting.popleft()
            then = next(s for s in itertools.islice(states, at, None) if s.now_s >= due_s)
            if not (states[at].is_flash or then.is_flash):
                self._count(answer, states[at], then.stage)

    def _count(self, answer: Any, state: _State, turned_to: int) -> None:
        wanted = best_legal(answer.scores, state.legal, default=int(answer.stage))
        hour = self._hour(answer.run_id, state.now_s)
        stage = self.score.stages.setdefault(state.stage, StageCount())
        for count in (hour, stage):
            count.n_compared += 1
            count.n_agreed += wanted == turned_to
        stage.n_policy_left += wanted != state.stage
        stage.n_incumbent_left += turned_to != state.stage
        stage.n_both_left += wanted != state.stage and turned_to != state.stage


def best_legal(scores: Sequence[float], legal: Sequence[bool], *, default: int) -> int:
    """
    Return the legal stage with the highest score, the first one among equals.

    :param default: returned if there is not one score per stage, or none that is a number.
    """
    if len(scores) != len(legal):
        return default
    return max(
        (n for n, is_legal in enumerate(legal) if is_legal and not math.isnan(scores[n])),
        key=lambda n: (scores[n], -n),
        default=default,
    )


def _seconds(stamp: Any) -> float:
    return float(stamp.sec) + float(stamp.nanosec) * 1e-9


def unfinished_segments(path: Path) -> list[str]:
    """Return the names of the segments that were never finished, or are damaged."""
    return [f.name for f in segment_folders(path) if not is_whole(f)]


def score_bag(
    path: Path,
    *,
    junction_id: str | None = None,
    decisions_s: Mapping[str, float] | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[JunctionScore]:
    """
    Return the score of every junction of a recording, in the order of their names.

    :param junction_id: only this one.
    :param decisions_s: the policies' decision intervals [s] by junction, where they are known.
    :param progress: called with (segments read, segments in all).
    :raises BagError: if there is no bag, one is damaged, it holds no such junction, or nobody was
        asked in shadow.
    """
    tallies: dict[str, Tally] = {}
    descriptions: dict[str, JunctionDescription] = {}
    folders = segment_folders(path)
    for n, folder in enumerate(folders):
        progress(n, len(folders))
        for one in read_messages(folder, TOPICS):
            name = one.topic.rsplit('/', 1)[-1]
            if f'/{_ROOT}/' not in one.topic:
                continue
            if name == 'description':
                description = JunctionDescription.from_text(one.message.data)
                descriptions[description.junction_id] = description
                continue
            of = one.message.junction_id
            if of not in tallies:
                tallies[of] = Tally(of, (decisions_s or {}).get(of, DECISION_S))
            tallies[of].take(name, one.message, one.stamp_ns * 1e-9)
    progress(len(folders), len(folders))
    scores = [tallies[of].finish() for of in sorted(tallies)]
    _require(path, scores, junction_id)
    for score in scores:
        score.description = descriptions.get(score.junction_id)
    return [s for s in scores if junction_id in (None, s.junction_id)]


def _require(path: Path, scores: list[JunctionScore], junction_id: str | None) -> None:
    known = ', '.join(score.junction_id for score in scores)
    if not any(score.n_states for score in scores):
        raise BagError(
            f"bag '{path}' holds no state of a junction (no topic .../signal_state); was it "
            'recorded by the shadow_recorder, beside a bridge?'
        )
    if junction_id is not None and junction_id not in known.split(', '):
        raise BagError(f"bag '{path}' holds no junction '{junction_id}'; it has: {known}")
    asked = [s for s in scores if s.total('n_answers') and junction_id in (None, s.junction_id)]
    if not asked:
        raise BagError(
            f"bag '{path}' holds no answer of a policy in shadow (topic .../shadow_request) for "
            f"{known if junction_id is None else junction_id}; start the node 'policy' in mode "
            'shadow, and record again'
        )
