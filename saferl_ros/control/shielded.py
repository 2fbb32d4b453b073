"""A learned policy behind the shield, so that what is judged is what is deployed."""

from __future__ import annotations

from collections import Counter
from typing import Protocol

import numpy as np
import numpy.typing as npt

from saferl_ros.control.controller import Decision, Moment
from saferl_ros.env.junction import DECISION_S
from saferl_ros.shield import ObservingAlarm, Proposal, Shield, ShieldReason

FALLBACK_HOLD_S = 1.0  # the program is asked every second, as in a cabinet


class StageScorer(Protocol):
    """Anything that scores stages: a loaded bundle, or a network in training."""

    def scores(self, observation: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return one score per stage, higher is better, shape ``(n_stages,)``."""


class Shielded:
    """
    Passes a policy's scores through the shield, decision by decision, as a cabinet does.

    One object plays one episode: the shield remembers what latched it, and its clock never goes
    back. Under fallback, and while a good proposal is waited for, the next question comes a second
    later, so that the program is followed to the second; the policy and the guard are still asked
    at their own pace. A policy that raises has said nothing.

    :param scorer: the policy.
    :param shield: of the junction's plan; with the guard as its alarm, if there is one.
    :param guard: an out-of-distribution guard; fed here with every decision's observation.
    :param decision_s: time between decisions while a stage is kept [s].
    """

    def __init__(
        self,
        scorer: StageScorer,
        shield: Shield,
        guard: ObservingAlarm | None = None,
        *,
        decision_s: float = DECISION_S,
    ) -> None:
        self.shield = shield
        self.n_decisions = 0  # that fell due for the policy
        self.n_fallbacks = 0  # of them, those that the program made
        self.n_policy_errors = 0
        self.policy_error: Exception | None = None  # the last one
        self._scorer = scorer
        self._guard = guard
        self._decision_s = decision_s
        self._n_proposals = 0
        self._stage: int | None = None  # that showed at the last decision that fell due
        self._asked_s = 0.0  # when anything was last decided
        self._due_s = 0.0  # from when on the policy is to be asked again while it is kept

    @property
    def refusals(self) -> Counter[ShieldReason]:
        """Refusals, alarms and latches by reason."""
        return self.shield.counts

    @property
    def fallback_share(self) -> float:
        """Share of the policy's decisions that the fixed-time program made."""
        return self.n_fallbacks / self.n_decisions if self.n_decisions else 0.0

    def decide(self, moment: Moment) -> Decision:
        """Return what the shield makes of the policy's choice."""
        signal, now_s, shield = moment.signal, moment.now_s, self.shield
        if signal.stage != self._stage:
            # a bound has made the decision that was open, in the second after it was asked about
            shield.withdraw(min(now_s, self._asked_s + FALLBACK_HOLD_S))
        is_open = shield.is_waiting
        is_new = not is_open and (signal.stage != self._stage or now_s >= self._due_s - 1e-6)
        if is_new or is_open:
            self._ask_policy(moment, is_new=is_new)
        decision = shield.decide(
            now_s, now_s, stage=signal.stage, legal=signal.legal, is_due=is_new or is_open
        )
        if (is_new or is_open) and not shield.is_waiting:
            self.n_decisions += 1
            self.n_fallbacks += decision.is_fallback
            self._stage = signal.stage
            self._due_s = now_s + self._decision_s if decision.is_fallback else now_s
        self._asked_s = now_s
        is_policys = decision.reason is ShieldReason.POLICY
        return Decision(
            stage=decision.applied_stage, hold_s=None if is_policys else FALLBACK_HOLD_S
        )

    def _ask_policy(self, moment: Moment, *, is_new: bool) -> None:
        observation = moment.observe()
        if self._guard is not None and is_new:
            self._guard.update(observation, moment.now_s)
        try:
            scores = self._scorer.scores(observation)
        except Exception as error:  # noqa: BLE001 - a policy may fail in any way it likes
            self.policy_error = error
            self.n_policy_errors += 1
            return
        self._n_proposals += 1
        proposal = Proposal(
            junction_id=self.shield.plan.junction_id,
            sequence=self._n_proposals,
            stamp_s=moment.now_s,
            scores=scores,  # type: ignore[arg-type]  # an array is as good as a sequence
        )
        self.shield.receive(proposal, moment.now_s)
