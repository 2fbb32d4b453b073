"""A cabinet in simulated traffic, and a policy beside it that fails in every way at any moment."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import pytest
from streets import (
    FAILURES,
    INTERVALS,
    lamps_in_the_loop_that_is_judged,
    lamps_in_the_street,
    play_failure,
    play_flash,
    play_guarded,
    Run,
    Second,
)

from saferl_ros.env.junction import Junction
from saferl_ros.isolation import run_isolated
from saferl_ros.scenario import load_scenario
from saferl_ros.shield import FixedTimeProgram, ShieldReason

pytestmark = pytest.mark.sumo

DECISION_S = 5
LATCHES = {  # what each failure is latched as
    'NaN': ShieldReason.NOT_FINITE,
    'wrong shape': ShieldReason.WRONG_SHAPE,
    'exception': ShieldReason.SILENT,
    '10 s late': ShieldReason.SILENT,  # nothing arrives before patience is over, and then stale
    'silence': ShieldReason.SILENT,
}


@pytest.fixture(scope='module')
def program() -> FixedTimeProgram:
    return FixedTimeProgram(Junction.derive(load_scenario('crossing')).plan)


@cache
def failed(failure: str, interval: str) -> Run:
    """Play one run in a process of its own, so that it is the same whatever ran before."""
    ((_, run),) = run_isolated(play_failure, [(failure, interval)], jobs=1)
    return run


def first(seconds: list[Second], reason: ShieldReason) -> int:
    return next(n for n, s in enumerate(seconds) if s.decision and s.decision.reason is reason)


@pytest.mark.parametrize('interval', INTERVALS)
@pytest.mark.parametrize('failure', FAILURES)
def test_a_failing_policy_is_replaced_by_the_program_until_somebody_rearms(
    failure, interval, program
):
    run = failed(failure, interval)
    assert (run.faults, run.cabinet_faults) == ({}, {})

    # it was in charge, until the moment that it failed
    assert not any(s.decision and s.decision.is_fallback for s in run.sound)
    assert first(run.sound, ShieldReason.POLICY) < 20

    # the program is asked for within one decision period of the next decision, and by the clock
    without = run.broken + run.healed
    due = next(n for n, s in enumerate(without) if s.is_policy_due)
    falls_back = first(without, LATCHES[failure])
    assert falls_back <= due + DECISION_S
    late = [s for s in without[due + 2 * DECISION_S :] if s.decision]
    assert len(late) > 30
    for second in late:
        assert second.decision.applied_stage == program.stage_at(second.clock_s)
        assert second.decision.is_fallback
    assert run.latched_by is LATCHES[failure]

    # the junction is in step with it within one cycle
    for second in without[due + 2 * DECISION_S + round(program.cycle_s) :]:
        assert second.stage == program.stage_at(second.clock_s)

    # a policy that works again is not listened to before somebody re-arms
    assert any(s.is_policy_due for s in run.healed)
    assert all(s.decision.is_fallback for s in run.healed if s.decision)
    assert first(run.rearmed, ShieldReason.POLICY) < 20
    assert not any(s.decision and s.decision.is_fallback for s in run.rearmed)


@pytest.mark.parametrize('interval', INTERVALS)
def test_an_exception_of_the_policy_is_kept_and_the_street_goes_on(interval):
    run = failed('exception', interval)
    assert run.n_policy_errors > 10
    assert run.counts == {ShieldReason.SILENT: 1}


@pytest.mark.parametrize('interval', INTERVALS)
def test_proposals_that_are_ten_seconds_late_are_refused_as_stale(interval):
    assert failed('10 s late', interval).counts[ShieldReason.STALE] > 5


@pytest.mark.parametrize('fails_s', [(0.0, 0.0), (500.0, 503.0), (500.0, 800.0)])
def test_the_street_shows_the_very_lamps_of_the_loop_that_policies_are_judged_in(fails_s):
    ((_, street),) = run_isolated(lamps_in_the_street, [fails_s], jobs=1)
    ((_, loop),) = run_isolated(lamps_in_the_loop_that_is_judged, [fails_s], jobs=1)
    assert len(set(street)) > 10
    assert street == loop


def test_the_same_failure_gives_the_same_run():
    ((_, again),) = run_isolated(play_failure, [('NaN', 'walk')], jobs=1)
    assert again == failed('NaN', 'walk')


@pytest.mark.parametrize('failure', ['', 'silence'])
def test_the_guard_is_fed_once_a_decision_whoever_makes_it(failure):
    ((_, (seconds, fed_at_s)),) = run_isolated(play_guarded, [failure], jobs=1)
    stage_at = {second.clock_s: second.stage for second in seconds}
    for before_s, now_s in pairwise(fed_at_s):
        is_changed = stage_at[before_s] != stage_at[now_s - 1.0]
        assert now_s - before_s >= DECISION_S or is_changed
    assert len(fed_at_s) > 20
    assert max(b - a for a, b in pairwise(fed_at_s)) < 30


def test_while_the_guard_is_alarmed_the_program_has_the_junction_and_then_the_policy(program):
    ((_, (seconds, _)),) = run_isolated(play_guarded, [''], jobs=1)
    for second in seconds:
        if second.decision is not None:
            assert second.decision.is_fallback == (120 <= second.clock_s < 180)
            if second.decision.is_fallback:
                assert second.decision.applied_stage == program.stage_at(second.clock_s)
    assert first(seconds[180:], ShieldReason.POLICY) < 20


def test_a_cabinet_that_flashes_flashes_in_sumo_too_and_never_shows_the_fault():
    ((_, (shown, seen)),) = run_isolated(play_flash, [None], jobs=1)
    assert shown == seen
    assert 'G' * 16 not in seen
    assert set(seen[60:90]) == {'o' * 16}
    assert set(seen[90:96]) == {'r' * 16}
    assert seen[96][:3] == 'gGr'  # the program's first stage
