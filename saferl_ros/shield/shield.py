"""Stands between any policy and the sequencer: whatever is proposed, something sound is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
import math
from operator import index as as_index
from typing import Protocol

from saferl_ros.shield.decision import Proposal, ShieldDecision, ShieldReason
from saferl_ros.shield.fallback import FixedTimeProgram
from saferl_ros.signals import SignalPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class ShieldLimits:
    """How late, how early and how often a policy may speak."""

    max_age_s: float = 2.0  # a proposal made longer ago is about another traffic
    max_future_s: float = 0.5  # two clocks of one cabinet differ by less
    patience_s: float = 5.0  # a decision waits so long for a good proposal: one decision period
    max_per_s: int = 20  # proposals in any second; a policy needs one every five


class Alarm(Protocol):
    """What the shield asks of an out-of-distribution guard."""

    @property
    def is_alarmed(self) -> bool:
        """Whether traffic is unlike what the policy learned from."""


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

    Nothing here raises, whatever it is given, and memory is constant.

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
        self.counts: Counter[ShieldReason] = Counter()  # refusals and latches by reason
        self.latched_by: ShieldReason | None = None
        self._plan = plan
        self._limits = limits or ShieldLimits()
        self._guard = guard
        self._pending: Proposal | None = None
        self._last_sequence: int | None = None
        self._last_refusal: ShieldReason | None = None
        self._asked_at_s: float | None = None  # when a due decision was last left open
        self._unanswered_s = 0.0  # how long decisions have been open without a good proposal
        self._now_s = -math.inf
        self._second = -math.inf  # start of the second in which proposals are counted
        self._n_in_second = 0

    @property
    def is_latched(self) -> bool:
        """Whether the fixed-time program has the junction until somebody re-arms."""
        return self.latched_by is not None

    def latch(self, reason: ShieldReason) -> None:
        """Give the junction to the fixed-time program until ``rearm``."""
        if self.latched_by is None:
            self.latched_by = reason
            self.counts[reason] += 1
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
        reason = self._judge(proposal, now_s)
        if reason is ShieldReason.POLICY and isinstance(proposal, Proposal):
            self._pending = proposal
        else:
            self._last_refusal = reason
            self.counts[reason] += 1
        return reason

    def _judge(self, proposal: object, now_s: float) -> ShieldReason:
        if self._is_flood(now_s):
            return ShieldReason.FLOOD
        if not isinstance(proposal, Proposal):
            return ShieldReason.MALFORMED
        try:
            return self._judge_fields(proposal, now_s)
        except Exception:  # noqa: BLE001 - a field may do anything when looked at
            return ShieldReason.MALFORMED

    def _is_flood(self, now_s: float) -> bool:
        if not self._second <= now_s < self._second + 1.0:
            self._second, self._n_in_second = now_s, 0
        self._n_in_second = min(self._n_in_second + 1, self._limits.max_per_s + 1)
        return self._n_in_second > self._limits.max_per_s

    def _judge_fields(self, proposal: Proposal, now_s: float) -> ShieldReason:
        if proposal.junction_id != self._plan.junction_id:
            return ShieldReason.UNKNOWN_JUNCTION
        age_s = float(now_s) - float(proposal.stamp_s)
        if not math.isfinite(age_s):
            return ShieldReason.NOT_FINITE
        if age_s > self._limits.max_age_s:
            return ShieldReason.STALE
        if age_s < -self._limits.max_future_s:
            return ShieldReason.FROM_THE_FUTURE
        sequence = as_index(proposal.sequence)
        if self._last_sequence is not None and sequence <= self._last_sequence:
            return ShieldReason.DUPLICATE
        reason = self._judge_choice(proposal)
        if reason is ShieldReason.POLICY:
            self._last_sequence = sequence
        return reason

    def _judge_choice(self, proposal: Proposal) -> ShieldReason:
        if proposal.scores is not None:
            if len(proposal.scores) != self._plan.n_stages:
                return ShieldReason.WRONG_SHAPE
            if not all(math.isfinite(score) for score in proposal.scores):
                return ShieldReason.NOT_FINITE
            return ShieldReason.POLICY
        if proposal.stage is None:
            return ShieldReason.MALFORMED
        if isinstance(proposal.stage, float) and not math.isfinite(proposal.stage):
            return ShieldReason.NOT_FINITE
        if not 0 <= as_index(proposal.stage) < self._plan.n_stages:
            return ShieldReason.OUT_OF_RANGE
        return ShieldReason.POLICY

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
        if not now_s > self._now_s:  # NaN too
            self.latch(ShieldReason.CLOCK)
        self._now_s = now_s if math.isfinite(now_s) else self._now_s
        if self.latched_by is None and self._guard is not None and self._guard.is_alarmed:
            self._forget_question()
            return self._fallback(clock_s, stage, legal, ShieldReason.OUT_OF_DISTRIBUTION)
        if self.latched_by is None and is_due:
            decision = self._from_policy(now_s, stage, legal)
            if decision is not None:
                return decision
        if self.latched_by is not None:
            return self._fallback(clock_s, stage, legal, self.latched_by)
        self._asked_at_s = None
        return ShieldDecision(applied_stage=stage, reason=ShieldReason.HOLD, is_fallback=False)

    def _from_policy(
        self, now_s: float, stage: int, legal: Sequence[bool]
    ) -> ShieldDecision | None:
        """Return the policy's choice, ``None`` while there is none; latch when it is late."""
        if self._asked_at_s is not None:
            self._unanswered_s += now_s - self._asked_at_s
        self._asked_at_s = now_s
        proposal, self._pending = self._pending, None
        chosen = None if proposal is None else self._choose(proposal, now_s, legal)
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
        self, proposal: Proposal, now_s: float, legal: Sequence[bool]
    ) -> int | ShieldReason:
        """Return the stage that the proposal means now, or why it means none."""
        try:
            if now_s - proposal.stamp_s > self._limits.max_age_s:
                return ShieldReason.STALE
            if proposal.scores is not None:
                scored = [
                    (score, -n)
                    for n, (score, is_legal) in enumerate(zip(proposal.scores, legal, strict=True))
                    if is_legal
                ]
                return -max(scored)[1] if scored else ShieldReason.MASKED
            wanted = as_index(proposal.stage)  # type: ignore[arg-type]
            return wanted if legal[wanted] else ShieldReason.MASKED
        except Exception:  # noqa: BLE001 - fields may change after they were judged
            return ShieldReason.MALFORMED

    def _fallback(
        self, clock_s: float, stage: int, legal: Sequence[bool], reason: ShieldReason
    ) -> ShieldDecision:
        wanted = self.program.stage_at(clock_s)
        if not legal[wanted]:
            wanted = stage  # a bound or a running interval comes first; the sequencer sees to it
        return ShieldDecision(applied_stage=wanted, reason=reason, is_fallback=True)
