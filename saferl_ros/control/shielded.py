"""A policy behind the shield, as it ships: what evaluation scores."""

from __future__ import annotations

import math

from saferl_ros.control.bundled import StageScorer
from saferl_ros.control.controller import Decision, Moment
from saferl_ros.shield import Proposal, Shield
from saferl_ros.shield.shield import ObservingAlarm

PROGRAM_HOLD_S = 1.0  # the fixed-time program is followed to the second


class Shielded:
    """
    Passes a policy's scores through the shield; under fallback the fixed-time program decides.

    :param scorer: the policy.
    :param shield: of the same junction.
    :param guard: the shield's own guard, which is updated here once a decision.
    """

    def __init__(
        self, scorer: StageScorer, shield: Shield, guard: ObservingAlarm | None = None
    ) -> None:
        self._scorer = scorer
        self._guard = guard
        self._guarded_at_s = -math.inf
        self.shield = shield
        self.n_decisions = 0
        self.n_fallbacks = 0  # decisions that the fixed-time program made

    def decide(self, moment: Moment) -> Decision:
        """Return the shield's answer to the policy's proposal."""
        signal, now_s = moment.signal, moment.now_s
        observation = moment.observe()
        if self._guard is not None and now_s >= self._guarded_at_s + 5.0 - 1e-9:
            self._guard.update(observation, now_s)
            self._guarded_at_s = now_s
        self.n_decisions += 1
        proposal = Proposal(
            junction_id=self.shield.plan.junction_id,
            sequence=self.n_decisions,
            stamp_s=now_s,
            scores=self._scorer.scores(observation).tolist(),
        )
        self.shield.receive(proposal, now_s)
        decision = self.shield.decide(now_s, now_s, stage=signal.stage, legal=signal.legal)
        self.n_fallbacks += decision.is_fallback
        return Decision(
            stage=decision.applied_stage,
            hold_s=PROGRAM_HOLD_S if decision.is_fallback else None,
        )
