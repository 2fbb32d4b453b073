"""What planted faults showed to be untested: what a monitor is told, and questions that end."""

from __future__ import annotations

from dataclasses import replace

import pytest
from small import CROSS_STREET, crossing, STRAIGHTS, WEST

from saferl_ros.shield import Cabinet, CabinetMode, Shield, ShieldLimits, ShieldReason
from saferl_ros.signals import SignalPlan

NOBODY = (False,) * 4
FROM_THE_WEST = tuple(link == WEST for link in range(4))
EVERY_STAGE = (True,) * 3


def long_greens() -> SignalPlan:
    """Return the crossing with greens that no maximum ends before somebody has waited long."""
    stages = tuple(replace(stage, max_green_s=1000.0) for stage in crossing().stages)
    return crossing(stages=stages, max_red_s=100.0)


def patient_cabinet(plan: SignalPlan) -> Cabinet:
    """Return a cabinet whose policy says nothing and is waited for, so that the stage stays."""
    return Cabinet(plan, Shield(plan, limits=ShieldLimits(patience_s=1e6)))


def seconds_until_flash(cabinet: Cabinet, presence: tuple[bool, ...], longest_s: int) -> int:
    for second in range(longest_s):
        if cabinet.tick(float(second), float(second), presence).mode is CabinetMode.FLASH:
            return second
    return longest_s


# --- what the monitor is told


def test_a_sequencer_that_forgets_a_call_is_caught_by_the_monitor():
    cabinet = patient_cabinet(long_greens())
    cabinet.sequencer.step = lambda calls=None: 'GGgr'
    assert seconds_until_flash(cabinet, FROM_THE_WEST, 300) == 101


def test_a_sequencer_that_forgets_to_end_a_green_is_caught_by_the_monitor():
    cabinet = patient_cabinet(crossing())
    cabinet.sequencer.step = lambda calls=None: 'GGgr'
    assert seconds_until_flash(cabinet, NOBODY, 300) == 62  # maximum green and longest all-red


@pytest.mark.parametrize('event', ['preempt', 'omit'])
def test_an_event_of_a_moment_starts_the_waits_anew_for_the_monitor_too(event):
    cabinet = patient_cabinet(long_greens())
    assert seconds_until_flash(cabinet, FROM_THE_WEST, 80) == 80
    if event == 'preempt':
        cabinet.preempt(STRAIGHTS, 10.0)
        cabinet.end_preemption()
    else:
        cabinet.omit([CROSS_STREET])
        cabinet.omit([])
    shown = [cabinet.tick(80.0 + n, 80.0 + n, FROM_THE_WEST).lamps for n in range(120)]
    assert shown.index('rrrG') == 100
    assert cabinet.mode is CabinetMode.RUNNING


@pytest.mark.parametrize('presence', [None, (True,), NOBODY * 2])
def test_where_presence_is_broken_everybody_is_served_within_the_maximum_red(presence):
    cabinet = patient_cabinet(long_greens())
    shown = [cabinet.tick(float(n), float(n), presence).lamps for n in range(102)]
    assert shown.index('rrrG') == 100


# --- questions that end


def asked_shield(seconds: int, **options: object) -> Shield:
    """Return a shield that was asked at every second from zero on, and heard nothing."""
    shield = Shield(crossing(), **options)
    for second in range(seconds):
        shield.decide(float(second), 0.0, stage=STRAIGHTS, legal=EVERY_STAGE)
    return shield


def test_a_latch_closes_the_question_that_was_open():
    shield = asked_shield(2)
    assert shield.is_waiting
    shield.latch(ShieldReason.OPERATOR)
    assert not shield.is_waiting


class StubGuard:
    is_alarmed = False


def test_the_time_of_an_alarm_is_no_time_that_the_policy_was_silent():
    guard = StubGuard()
    shield = asked_shield(3, guard=guard)
    for second in range(3, 60):
        guard.is_alarmed = second < 50
        decision = shield.decide(float(second), 0.0, stage=STRAIGHTS, legal=EVERY_STAGE)
        assert decision.is_fallback == (second < 50 or second >= 55)
    assert shield.latched_by is ShieldReason.SILENT
