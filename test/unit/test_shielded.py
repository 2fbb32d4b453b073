"""Evaluation scores the policy behind the shield, as it ships."""

from __future__ import annotations

import numpy as np
import pytest
from small import crossing, LAGGING_LEFT, STRAIGHTS

from saferl_ros.control import Moment
from saferl_ros.control.shielded import Shielded
from saferl_ros.observation import SignalView
from saferl_ros.shield import FixedTimeProgram, Shield, ShieldReason


class Scorer:
    """Scores as told."""

    def __init__(self, *scores: float) -> None:
        self.answer = np.array(scores, dtype=np.float32)

    def scores(self, observation):
        return self.answer


class Alarm:
    """Alarmed as told; counts what it is fed."""

    def __init__(self, is_alarmed: bool) -> None:
        self.is_alarmed = is_alarmed
        self.n_updates = 0

    def update(self, observation, now_s):
        self.n_updates += 1
        return self.is_alarmed


def moment(now_s: float, *legal: bool, stage: int = STRAIGHTS) -> Moment:
    return Moment(
        signal=SignalView(
            stage=stage,
            green_elapsed_s=10.0,
            since_served_s=(0.0, 30.0, 60.0),
            legal=legal or (True, True, True),
            is_min_green_over=True,
        ),
        observe=lambda: np.zeros(3, dtype=np.float32),
        lane_veh=lambda *_: 0,
        now_s=now_s,
    )


def test_the_best_legal_stage_is_shown_and_nothing_refused():
    shielded = Shielded(Scorer(0.0, 2.0, 1.0), Shield(crossing()))
    assert shielded.decide(moment(1.0)).stage == LAGGING_LEFT
    assert shielded.decide(moment(6.0, True, False, True)).stage == 2
    assert shielded.shield.counts.total() == shielded.n_fallbacks == 0
    assert shielded.n_decisions == 2


def test_scores_that_are_no_numbers_bring_the_program_after_the_shields_patience():
    shielded = Shielded(Scorer(np.nan, 0.0, 0.0), Shield(crossing()))
    first = shielded.decide(moment(100.0))
    assert (first.stage, first.hold_s) == (STRAIGHTS, None)
    program = FixedTimeProgram(crossing())
    for now_s in (105.0, 106.0, 131.0, 150.0):
        decision = shielded.decide(moment(now_s))
        assert decision.stage == program.stage_at(now_s)
        assert decision.hold_s == 1.0
    assert shielded.shield.latched_by is ShieldReason.NOT_FINITE
    assert shielded.n_fallbacks == 4


@pytest.mark.parametrize('is_alarmed', [False, True])
def test_the_guard_is_fed_once_a_decision_and_obeyed(is_alarmed):
    guard = Alarm(is_alarmed)
    shielded = Shielded(Scorer(0.0, 0.0, 9.0), Shield(crossing(), guard=guard), guard)
    stages = [shielded.decide(moment(now_s)).stage for now_s in (1.0, 2.0, 3.0, 6.0, 11.0)]
    assert guard.n_updates == 3  # every five seconds, however often the program is asked
    assert (shielded.n_fallbacks == 5) == is_alarmed
    assert (stages == [2] * 5) != is_alarmed
