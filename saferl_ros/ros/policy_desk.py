"""One policy at one junction: states and readings in, an opinion out. No ROS in here."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
import math
from typing import Protocol

import numpy as np
import numpy.typing as npt

from saferl_ros.bag.cadence import Cadence
from saferl_ros.observation import DetectorReadings, FeatureVector, ObservationSpec, SignalView
from saferl_ros.shield import Proposal, Shield, ShieldDecision, ShieldReason
from saferl_ros.shield.guard import Guard, GuardModel
from saferl_ros.signals import SignalPlan

_LATENCIES_KEPT = 1000


class Policy(Protocol):
    """What a loaded bundle offers."""

    plan: SignalPlan
    spec: ObservationSpec
    guard_model: GuardModel | None

    def scores(self, observation: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return one score per stage, shape ``(n_stages,)``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One state of the junction, as far as a decision depends on it."""

    now_s: float  # the junction's time [s]
    signal: SignalView
    is_clearing: bool
    is_request_due: bool  # the bridge takes a request before its next tick


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What the policy wants, and what a shield would make of it."""

    scores: tuple[float, ...]  # (n_stages,); empty if the policy failed
    stage: int  # the best legal stage
    is_out_of_distribution: bool
    out_of_distribution_score: float
    verdict: ShieldDecision
    failure: str  # what the policy raised; empty if it did not


class PolicyDesk:
    """
    Asks a policy at the pace at which it learned, and keeps count.

    A policy that commands is asked when the bridge is due. Beside a controller it is asked when it
    would be: when the minimum green is over, and every ``decision_s`` while the stage is kept.

    Every opinion is also put before a shield of its own: what that would refuse is what the shield
    at the street would refuse. A latch of it is opened again at once, because nobody is there to.

    :param policy: a loaded bundle.
    :param decision_s: time between decisions while a stage is kept [s].
    """

    def __init__(self, policy: Policy, *, decision_s: float) -> None:
        self.policy = policy
        self.plan = policy.plan
        self._decision_s = decision_s
        self._features = FeatureVector(policy.spec)
        self.restart()

    def restart(self) -> None:
        """Begin anew: counts, guard, and everything remembered."""
        self.n_decisions = self.n_vetoes = self.n_out_of_distribution = 0
        self.last_score = 0.0
        self.last_reason: ShieldReason | None = None  # what the shield said of the last opinion
        self.failure = ''
        self._latencies_s: deque[float] = deque(maxlen=_LATENCIES_KEPT)
        self._open_street(None)

    def _open_street(self, run_id: str | None) -> None:
        """Forget what was seen of another run; the counts go on."""
        model = self.policy.guard_model
        self._guard = None if model is None else Guard(model)
        self._shield = Shield(self.plan, guard=self._guard)
        self._run_id = run_id
        self._cadence = Cadence(self._decision_s)
        self._is_new = False  # not a state that was asked about before
        self._last_now_s = -math.inf
        self._sequence = 0

    @property
    def is_alarmed(self) -> bool:
        """Whether traffic is unlike what the policy learned from."""
        return self._guard is not None and self._guard.is_alarmed

    def see(self, run_id: str, now_s: float) -> bool:
        """
        Take note of a new state's run and time.

        :returns: whether the street began anew: another run, or its clock went back.
        """
        is_new = run_id != self._run_id or now_s < self._last_now_s
        if is_new:
            self._open_street(run_id)
        self._last_now_s = now_s
        return is_new

    def is_due(self, moment: Moment, *, commands: bool) -> bool:
        """
        Whether the policy is to be asked now; call it once a state.

        :param commands: whether its answers command; then the bridge says when.
        """
        signal = moment.signal
        self._is_new = self._cadence.is_due(
            moment.now_s, signal.stage, signal.legal, is_clearing=moment.is_clearing
        )
        return moment.is_request_due if commands else self._is_new

    def ask(self, moment: Moment, readings: DetectorReadings) -> Opinion:
        """Return the policy's opinion. Whatever fails in the policy is told, not raised."""
        signal, now_s = moment.signal, moment.now_s
        scores: tuple[float, ...] = ()
        self.failure = ''
        try:
            observation = self._features(readings, signal)
            if self._guard is not None and self._is_new:  # at the pace of the record
                self._guard.update(observation, now_s)
            scores = tuple(map(float, self.policy.scores(observation)))
        except Exception as error:  # noqa: BLE001 - a policy may fail in any way it likes
            self.failure = f'{type(error).__name__}: {error}'
        verdict = self._judge(signal, now_s, scores)
        is_odd, self.last_reason = self.is_alarmed, verdict.reason
        self.last_score = self._guard.last_score if self._guard is not None else 0.0
        self.n_decisions += 1
        self.n_out_of_distribution += is_odd
        self.n_vetoes += verdict.reason is not ShieldReason.POLICY
        return Opinion(
            scores=scores,
            stage=_best(scores, signal.legal) if scores else signal.stage,
            is_out_of_distribution=is_odd,
            out_of_distribution_score=self.last_score,
            verdict=verdict,
            failure=self.failure,
        )

    def _judge(
        self, signal: SignalView, now_s: float, scores: tuple[float, ...]
    ) -> ShieldDecision:
        if not scores:
            return ShieldDecision(
                applied_stage=signal.stage, reason=ShieldReason.SILENT, is_fallback=True
            )
        self._shield.rearm()  # beside a controller nobody does, and each verdict stands by itself
        self._sequence += 1
        proposal = Proposal(
            junction_id=self.plan.junction_id,
            sequence=self._sequence,
            stamp_s=now_s,
            scores=scores,
        )
        received = self._shield.receive(proposal, now_s)
        decision = self._shield.decide(now_s, now_s, stage=signal.stage, legal=signal.legal)
        if decision.reason is ShieldReason.HOLD:
            return replace(decision, reason=received)
        return decision

    def note_latency(self, latency_s: float) -> None:
        """Take note of the time from the arrival of a state to the answer [s]."""
        self._latencies_s.append(latency_s)

    def latency_s(self, quantile: float) -> float:
        """Return a quantile of the last 1000 latencies [s]; zero before the first."""
        kept = sorted(self._latencies_s)
        return kept[min(len(kept) - 1, int(quantile * len(kept)))] if kept else 0.0


def _best(scores: tuple[float, ...], legal: tuple[bool, ...]) -> int:
    """Return the legal stage with the highest score; the first one among equals."""
    return max(
        (n for n, is_legal in enumerate(legal) if is_legal and not math.isnan(scores[n])),
        key=lambda n: (scores[n], -n),
        default=legal.index(True),
    )
