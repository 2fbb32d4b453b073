"""A policy at one junction: when it is asked, and what a shield would make of its answers."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from small import crossing, crossing_readings, crossing_spec

from saferl_ros.bag.cadence import Cadence
from saferl_ros.observation import SignalView
from saferl_ros.ros.policy_desk import Moment, PolicyDesk
from saferl_ros.shield import ShieldReason as R

PLAN = crossing()
N = PLAN.n_stages


@dataclass
class StubPolicy:
    """Answers with what it is told to."""

    scored: object = field(default_factory=lambda: np.arange(N, dtype=np.float32))
    plan = PLAN
    spec = crossing_spec()
    guard_model = None

    def scores(self, observation):
        if isinstance(self.scored, Exception):
            raise self.scored
        return self.scored


def moment(now_s: float, stage: int = 0, *, legal=(True,) * N, **more: bool) -> Moment:
    signal = SignalView(
        stage=stage, green_elapsed_s=10.0, since_served_s=(0.0,) * N, legal=tuple(legal),
        is_min_green_over=True,
    )  # fmt: skip
    return Moment(
        now_s=now_s, signal=signal,
        **{'is_clearing': False, 'is_request_due': False, **more},
    )  # fmt: skip


def test_beside_a_controller_a_policy_is_asked_when_it_would_be():
    cadence = Cadence(5.0)
    only_one = (True,) + (False,) * (N - 1)
    asked = []
    for second in range(40):
        is_clearing = 20 <= second < 26
        stage = 0 if second < 20 else 1
        legal = only_one if second < 5 or is_clearing or (second < 31 and stage) else (True,) * N
        if cadence.is_due(float(second), stage, legal, is_clearing=is_clearing):
            asked.append(second)
    assert asked == [5, 10, 15, 31, 36]


def test_in_command_the_bridge_says_when():
    desk = PolicyDesk(StubPolicy(), decision_s=5.0)
    desk.see('run', 0.0)
    assert not desk.is_due(moment(1.0), commands=True)
    assert desk.is_due(moment(2.0, is_request_due=True), commands=True)


def ask(desk: PolicyDesk, now_s: float = 1.0, **more: object):
    desk.see('run', now_s)
    now = moment(now_s, **more)
    desk.is_due(now, commands=False)
    return desk.ask(now, crossing_readings())


def test_the_best_legal_stage_is_taken_and_the_first_among_equals():
    assert ask(PolicyDesk(StubPolicy(), decision_s=5.0)).stage == N - 1
    legal = (True,) * (N - 1) + (False,)
    assert ask(PolicyDesk(StubPolicy(), decision_s=5.0), legal=legal).stage == N - 2
    even = StubPolicy(np.zeros(N, dtype=np.float32))
    assert ask(PolicyDesk(even, decision_s=5.0)).stage == 0


@pytest.mark.parametrize(
    ('scored', 'reason'),
    [
        (np.arange(N, dtype=np.float32), R.POLICY),
        (np.full(N, np.nan, dtype=np.float32), R.NOT_FINITE),
        (np.zeros(N + 1, dtype=np.float32), R.WRONG_SHAPE),
        (RuntimeError('broken'), R.SILENT),
    ],
)
def test_every_answer_is_put_before_a_shield_and_counted(scored, reason):
    desk = PolicyDesk(StubPolicy(scored), decision_s=5.0)
    opinions = [ask(desk, now_s) for now_s in (1.0, 6.0, 11.0)]
    assert {opinion.verdict.reason for opinion in opinions} == {reason}
    assert desk.n_decisions == 3
    assert desk.n_vetoes == (0 if reason is R.POLICY else 3)
    assert ('broken' in desk.failure) == isinstance(scored, Exception)


def test_a_new_run_or_a_clock_that_went_back_begins_anew():
    desk = PolicyDesk(StubPolicy(), decision_s=5.0)
    assert desk.see('run', 100.0)
    assert not desk.see('run', 101.0)
    assert desk.see('run', 50.0)
    assert desk.see('another run', 51.0)
    assert ask(desk, 52.0).verdict.reason is R.POLICY


def test_latency_is_told_by_quantiles():
    desk = PolicyDesk(StubPolicy(), decision_s=5.0)
    assert desk.latency_s(0.5) == 0.0
    for n in range(2000):
        desk.note_latency(n / 1000)
    assert desk.latency_s(0.5) == pytest.approx(1.5, abs=0.01)
    assert desk.latency_s(0.99) == pytest.approx(1.99, abs=0.01)
