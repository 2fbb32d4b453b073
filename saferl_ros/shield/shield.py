"""Stands between any policy and the sequencer: whatever is proposed, something sound is asked."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
import math
from numbers import Real
from operator import index as as_index
from typing import Protocol

from saferl_ros.errors import UsageError
from saferl_ros.shield.clock import read_clock
from saferl_ros.shield.decision import Proposal, ShieldDecision, ShieldReason
from saferl_ros.shield.fallback import FixedTimeProgram
from saferl_ros.signals import SignalPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class ShieldLimits:
    """
    How late, how early and how often a policy may speak.

    :raises UsageError: if a limit is negative or no number: nothing would ever exceed it.
    """

    max_age_s: float = 2.0  # a proposal made longer ago is about another traffic
    max_future_s: float = 0.5  # two clocks of one cabinet differ by less
    patience_s: float = 5.0  # a decision waits so long for a good proposal: one decision period
    max_per_s: int = 20  # proposals in any second; a policy needs one every five

    def __post_init__(self) -> None:
        for name in ('max_age_s', 'max_future_s', 'patience_s', 'max_per_s'):
            if not 0 <= (value := getattr(self, name)) < math.inf:
                raise UsageError(f'{name} = {value} must be zero or more, and finite')


class Alarm(Protocol):
    """What the shield asks of an out-of-distribution guard."""

    @property
    def is_alarmed(self) -> bool:
        """Whether traffic is unlike what the policy learned from."""


class ObservingAlarm(Alarm, Protocol):
    """An alarm with what its owner feeds it."""

    def update(self, observation: object, now_s: float) -> bool:
        """Take the observation of one decision, and say whether there is an alarm."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A sound proposal in numbers of our own, which its sender cannot change any more."""

    stamp_s: float
    choice: int | tuple[float, ...]  # a stage, or (n_stages,) scores


class Shield:
    """
    Turns proposals into requests, and falls back to the fixed-time program.

    **Refusals.** A proposal that is malformed, not finite, of the wrong shape, out of range, for
    another junction, stale, from the future, a duplicate, one of a flood, or for a stage that is
    not legal now, is refused and counted by its reason.

    **Fallback.** A decision that gets no good proposal within ``patience_s`` latches the fallback:
    from then on the junction's fixed-time program chooses, in step with its coordination clock,
    until an operator calls ``rearm``. A policy that comes back does not regain control by itself.
    While the guard sees traffic unlike the recorded one, the program chooses too, and hands back
    when the guard is quiet again: its hysteresis and minimum dwell keep that from flapping.

    Nothing here raises, whatever is proposed, whatever the clocks tell and whatever the guard
    does, and memory is constant.

    :param plan: the junction.
    :param limits: see ``ShieldLimits``.
    :param guard: an out-of-distribution guard, updated by its owner.
    """

    def __init__(
        self,
        plan: SignalPlan,
        *,
        limits: ShieldLimits | None = None,
        guard: Alarm | None = None,
    ) -> None:
        self.program = FixedTimeProgram(plan)
        self.counts: Counter[ShieldReason] = Counter()  # refusals, alarms and latches by reason
        self.latched_by: ShieldReason | None = None
        self.plan = plan
        self._limits = limits or ShieldLimits()
        self._guard = guard
        self._was_alarmed = False
        self._pending: _Waiting | None = None
        self._last_sequence: int | None = None
        self._last_refusal: ShieldReason | None = None
        self._asked_at_s: float | None = None  # when a due decision was last left open
        self._unanswered_s = 0.0  # how long decisions have been open without a good proposal
        self._now_s = -math.inf
        self._lately_s: deque[float] = deque(maxlen=self._limits.max_per_s)  # when some were heard

    @property
    def is_latched(self) -> bool:
        """Whether the fixed-time program has the junction until somebody re-arms."""
        return self.latched_by is not None

    @property
    def is_waiting(self) -> bool:
        """Whether a decision that fell due is still open, for lack of a good proposal."""
        return self._asked_at_s is not None

    def latch(self, reason: ShieldReason) -> None:
        """
        Give the junction to the fixed-time program until ``rearm``.

        :param reason: counted in any case; ``latched_by`` keeps the first one.
        """
        self.counts[reason] += 1
        if self.latched_by is None:
            self.latched_by = reason
        self._forget_question()

    def rearm(self) -> None:
        """Let the policy speak again: for an operator, never for a program."""
        self.latched_by, self._last_refusal = None, None
        self._last_sequence = None
        self._forget_question()

    def _forget_question(self) -> None:
        self._pending, self._asked_at_s, self._unanswered_s = None, None, 0.0

    def receive(self, proposal: object, now_s: float) -> ShieldReason:
        """
        Take a proposal, or refuse it.

        :param proposal: a ``Proposal``; anything else is refused as malformed.
        :param now_s: this moment, on a clock that does not jump [s].
        :returns: ``POLICY`` if it waits for the next decision, else why it was refused.
        """
        judged = self._judge(proposal, read_clock(now_s))
        if isinstance(judged, _Waiting):
            self._pending = judged
            return ShieldReason.POLICY
        self._last_refusal = judged
        self.counts[judged] += 1
        return judged

    def _judge(self, proposal: object, now_s: float) -> _Waiting | ShieldReason:
        if math.isnan(now_s):
            return ShieldReason.CLOCK
        if self._is_flood(now_s):
            return ShieldReason.FLOOD
        if type(proposal) is not Proposal:  # isinstance would ask the object itself
            return ShieldReason.MALFORMED
        try:
            return self._judge_fields(proposal, now_s)
        except Exception:  # noqa: BLE001 - a field may do anything when looked at
            return ShieldReason.MALFORMED

    def _is_flood(self, now_s: float) -> bool:
        heard_s = self._lately_s
        if heard_s and now_s < heard_s[-1]:  # the clock was set back
            heard_s.clear()
        if len(heard_s) == heard_s.maxlen and (not heard_s or now_s < heard_s[0] + 1.0):
            return True
        heard_s.append(now_s)
        return False

    def _judge_fields(self, proposal: Proposal, now_s: float) -> _Waiting | ShieldReason:
        if proposal.junction_id != self.plan.junction_id:
            return ShieldReason.UNKNOWN_JUNCTION
        if not isinstance(proposal.stamp_s, Real):
            return ShieldReason.MALFORMED
        stamp_s = float(proposal.stamp_s)
        reason = self._judge_age(now_s - stamp_s)
        if reason is not None:
            return reason
        sequence = as_index(proposal.sequence)
        if self._last_sequence is not None and sequence <= self._last_sequence:
            return ShieldReason.DUPLICATE
        choice = self._judge_choice(proposal)
        if isinstance(choice, ShieldReason):
            return choice
        self._last_sequence = sequence
        return _Waiting(stamp_s, choice)

    def _judge_age(self, age_s: float) -> ShieldReason | None:
        if not math.isfinite(age_s):
            return ShieldReason.NOT_FINITE
        if age_s > self._limits.max_age_s:
            return ShieldReason.STALE
        if age_s < -self._limits.max_future_s:
            return ShieldReason.FROM_THE_FUTURE
        return None

    def _judge_choice(self, proposal: Proposal) -> int | tuple[float, ...] | ShieldReason:
        n_stages = self.plan.n_stages
        if proposal.scores is not None:
            scores = list(islice(proposal.scores, n_stages + 1))  # they may have no end
            if len(scores) != n_stages:
                return ShieldReason.WRONG_SHAPE
            if not all(math.isfinite(score) for score in scores):
                return ShieldReason.NOT_FINITE
            return tuple(map(float, scores))
        if proposal.stage is None:
            return ShieldReason.MALFORMED
        if isinstance(proposal.stage, float) and not math.isfinite(proposal.stage):
            return ShieldReason.NOT_FINITE
        stage = as_index(proposal.stage)
        return stage if 0 <= stage < n_stages else ShieldReason.OUT_OF_RANGE

    def decide(
        self,
        now_s: float,
        clock_s: float,
        *,
        stage: int,
        legal: Sequence[bool],
        is_due: bool = True,
    ) -> ShieldDecision:
        """
        Return what to ask the sequencer for.

        :param now_s: this moment, on the clock of ``receive`` [s].
        :param clock_s: the coordination clock [s].
        :param stage: the stage that shows.
        :param legal: which stages may be requested now, shape ``(n_stages,)``.
        :param is_due: whether a decision of the policy is due; the program is asked at all times.
        """
        now_s, clock_s = read_clock(now_s), read_clock(clock_s)
        if self.latched_by is None and not now_s > self._now_s:  # NaN too
            self.latch(ShieldReason.CLOCK)
        self._now_s = self._now_s if math.isnan(now_s) else now_s
        if self.latched_by is None and self._is_unlike_the_record():
            self._forget_question()
            return self._fallback(clock_s, stage, legal, ShieldReason.OUT_OF_DISTRIBUTION)
        if self.latched_by is None and is_due:
            decision = self._from_policy(now_s, stage, legal)
            if decision is not None:
                return decision
        if self.latched_by is not None:
            return self._fallback(clock_s, stage, legal, self.latched_by)
        self.withdraw(now_s)
        return ShieldDecision(applied_stage=stage, reason=ShieldReason.HOLD, is_fallback=False)

    def withdraw(self, now_s: float) -> None:
        """
        Take note that no decision is open now: a bound or an emergency vehicle has made it.

        Patience counts while a decision is open, not while nobody is asked; what an unanswered
        one has used up of it stays used up until the next good proposal.
        """
        if self._asked_at_s is not None:
            open_s = read_clock(now_s) - self._asked_at_s
            self._unanswered_s += open_s if open_s > 0 else 0.0  # NaN: no time that counts
            self._asked_at_s = None

    def _is_unlike_the_record(self) -> bool:
        """Whether the guard is alarmed; one that fails guards nothing, which is an alarm too."""
        try:
            is_alarmed = self._guard is not None and bool(self._guard.is_alarmed)
        except Exception:  # noqa: BLE001 - whatever fails in it
            is_alarmed = True
        if is_alarmed and not self._was_alarmed:
            self.counts[ShieldReason.OUT_OF_DISTRIBUTION] += 1
        self._was_alarmed = is_alarmed
        return is_alarmed

    def _from_policy(
        self, now_s: float, stage: int, legal: Sequence[bool]
    ) -> ShieldDecision | None:
        """Return the policy's choice, or to hold while there is none; latch when it is late."""
        self.withdraw(now_s)
        self._asked_at_s = now_s
        waiting, self._pending = self._pending, None
        chosen = None if waiting is None else self._choose(waiting, now_s, legal)
        if isinstance(chosen, int):
            self._asked_at_s, self._unanswered_s, self._last_refusal = None, 0.0, None
            return ShieldDecision(
                applied_stage=chosen, reason=ShieldReason.POLICY, is_fallback=False
            )
        if chosen is not None:
            self._last_refusal = chosen
            self.counts[chosen] += 1
        if self._unanswered_s >= self._limits.patience_s - 1e-9:
            self.latch(self._last_refusal or ShieldReason.SILENT)
            return None
        reason = chosen or ShieldReason.HOLD
        return ShieldDecision(applied_stage=stage, reason=reason, is_fallback=False)

    def _choose(
        self, waiting: _Waiting, now_s: float, legal: Sequence[bool]
    ) -> int | ShieldReason:
        """Return the stage that a proposal means now, or why it means none."""
        reason = self._judge_age(now_s - waiting.stamp_s)
        if reason is not None:
            return reason
        if isinstance(waiting.choice, int):
            return waiting.choice if legal[waiting.choice] else ShieldReason.MASKED
        scored = [
            (score, -n)
            for n, (score, is_legal) in enumerate(zip(waiting.choice, legal, strict=True))
            if is_legal
        ]
        return -max(scored)[1] if scored else ShieldReason.MASKED

    def _fallback(
        self, clock_s: float, stage: int, legal: Sequence[bool], reason: ShieldReason
    ) -> ShieldDecision:
        # without a coordination clock the program runs on its own, as a controller's does
        wanted = self.program.stage_at(self._now_s if math.isnan(clock_s) else clock_s)
        if not legal[wanted]:
            wanted = stage  # a bound or a running interval comes first; the sequencer sees to it
        return ShieldDecision(applied_stage=wanted, reason=reason, is_fallback=True)
