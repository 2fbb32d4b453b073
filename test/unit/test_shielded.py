"""Evaluation scores the policy behind the shield, as it ships."""

from __future__ import annotations

import numpy as np
import pytest
from small import CROSS_STREET, crossing, LAGGING_LEFT, STRAIGHTS

from saferl_ros.control import Decision, Moment
from saferl_ros.control.shielded import Shielded
from saferl_ros.observation import SignalView
from saferl_ros.shield import FixedTimeProgram, Shield, ShieldReason


class Scorer:
    """Scores as told."""

    def __init__(self, *scores: float) -> None:
        self.answer = np.array(scores, dtype=np.float32)

    def scores(self, observation):
        return self.answer


class Failing:
    """Scores nothing."""

    def scores(self, observation):
        raise RuntimeError('out of order')


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


def keep(shielded: Shielded, begin_s: float, end_s: float) -> list[tuple[float, Decision]]:
    """Ask whenever the last answer says, while the stage that shows never changes."""
    asked, now_s = [], begin_s
    while now_s < end_s:
        asked.append((now_s, shielded.decide(moment(now_s))))
        now_s += asked[-1][1].hold_s or 5.0
    return asked


def test_a_sound_policy_is_asked_every_decision_and_its_choice_held_as_usual():
    shielded = Shielded(Scorer(0.0, 2.0, 1.0), Shield(crossing()))
    assert [(at, d.stage, d.hold_s) for at, d in keep(shielded, 100.0, 120.0)] == [
        (at, LAGGING_LEFT, None) for at in (100.0, 105.0, 110.0, 115.0)
    ]
    assert (shielded.n_decisions, shielded.fallback_share) == (4, 0.0)


def test_scores_that_are_no_numbers_bring_the_program_after_the_shields_patience():
    shielded = Shielded(Scorer(np.nan, 0.0, 0.0), Shield(crossing()))
    asked = keep(shielded, 100.0, 200.0)
    assert [at for at, _ in asked] == [100.0 + second for second in range(100)]
    program = FixedTimeProgram(crossing())
    for at, decision in asked:
        assert decision.stage == (STRAIGHTS if at < 105.0 else program.stage_at(at))
        assert decision.hold_s == 1.0
    assert shielded.shield.latched_by is ShieldReason.NOT_FINITE
    assert shielded.refusals == {ShieldReason.NOT_FINITE: 25}  # six, the latch, every five seconds
    assert (shielded.n_fallbacks, shielded.n_decisions) == (19, 19)


def test_a_policy_that_works_again_is_not_listened_to_before_somebody_rearms():
    scorer = Scorer(np.nan, 0.0, 0.0)
    shielded = Shielded(scorer, Shield(crossing()))
    keep(shielded, 100.0, 110.0)
    scorer.answer = np.array([0.0, 9.0, 0.0])
    assert {decision.hold_s for _, decision in keep(shielded, 110.0, 125.0)} == {1.0}
    shielded.shield.rearm()
    asked = keep(shielded, 125.0, 140.0)
    assert asked[-1][1] == Decision(stage=LAGGING_LEFT)


def test_the_share_counts_decisions_and_not_the_seconds_of_the_program():
    guard = Alarm(is_alarmed=False)
    shielded = Shielded(Scorer(0.0, 0.0, 9.0), Shield(crossing(), guard=guard), guard)
    keep(shielded, 100.0, 150.0)
    guard.is_alarmed = True
    assert len(keep(shielded, 150.0, 200.0)) == 50
    assert (shielded.n_decisions, shielded.n_fallbacks) == (20, 10)
    assert shielded.fallback_share == 0.5
    assert shielded.refusals == {ShieldReason.OUT_OF_DISTRIBUTION: 1}


@pytest.mark.parametrize('is_alarmed', [False, True])
def test_the_guard_is_fed_once_a_decision_and_obeyed(is_alarmed):
    guard = Alarm(is_alarmed)
    shielded = Shielded(Scorer(0.0, 0.0, 9.0), Shield(crossing(), guard=guard), guard)
    stages = [decision.stage for _, decision in keep(shielded, 1.0, 16.0)]
    assert guard.n_updates == 3  # every five seconds, however often the program is asked
    assert stages == ([STRAIGHTS] * 15 if is_alarmed else [CROSS_STREET] * 3)


def test_a_policy_that_raises_has_said_nothing():
    shielded = Shielded(Failing(), Shield(crossing()))
    keep(shielded, 100.0, 120.0)
    assert shielded.shield.latched_by is ShieldReason.SILENT
    assert shielded.refusals == {ShieldReason.SILENT: 1}
    assert shielded.n_policy_errors == 8  # six times in vain, then every five seconds
    assert repr(shielded.policy_error) == "RuntimeError('out of order')"


def test_an_open_decision_that_a_bound_has_made_uses_up_no_patience_while_it_clears():
    shielded = Shielded(Scorer(np.nan, 0.0, 0.0), Shield(crossing()))
    shielded.decide(moment(100.0))
    assert not shielded.shield.is_latched
    shielded.decide(moment(130.0, stage=CROSS_STREET))
    assert not shielded.shield.is_latched
