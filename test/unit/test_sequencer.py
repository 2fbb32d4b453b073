"""The automaton, tick by tick: what is asked, what shows, and for how long."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
import math

import pytest
from small import CROSS_STREET, crossing, LAGGING_LEFT, LEFT, matrix, NORTH, STRAIGHTS, WEST

from saferl_ros.errors import SignalPlanError
from saferl_ros.signals import Link, RequestVerdict, SignalPlan, Stage, StageSequencer

NOBODY = (False,) * 4
EVERYBODY = (True,) * 4
FULL_YELLOW, ALL_RED, CROSS_GREEN = 'yyyr', 'rrrr', 'rrrG'


class Hostile:
    """Raises whatever is asked of it."""

    def __index__(self) -> int:
        raise RuntimeError('no')

    def __iter__(self) -> object:
        raise RuntimeError('no')

    def __gt__(self, other: object) -> bool:
        raise RuntimeError('no')


def calling(*links: int) -> tuple[bool, ...]:
    return tuple(link in links for link in range(4))


def advance(
    sequencer: StageSequencer, n_ticks: int, calls: tuple[bool, ...] | None = NOBODY
) -> list[tuple[str, int]]:
    """Step on; return the lamps and how many ticks they showed."""
    shown = [sequencer.step(calls) for _ in range(n_ticks)]
    return [(lamps, len(list(ticks))) for lamps, ticks in groupby(shown)]


def started(plan: SignalPlan | None = None, n_ticks: int = 5, **options: float) -> StageSequencer:
    """Return a sequencer that has shown its first stage for its minimum green."""
    sequencer = StageSequencer(plan or crossing(), **options)
    advance(sequencer, n_ticks)
    return sequencer


def with_greens(min_green_s: float, max_green_s: float, **changes: object) -> SignalPlan:
    stages = tuple(
        replace(stage, min_green_s=min_green_s, max_green_s=max_green_s)
        for stage in crossing().stages
    )
    return crossing(stages=stages, **changes)


def exclusive_plan(*lamps: str, **changes: object) -> SignalPlan:
    """Return a junction of one-second stages, all clearances one second of yellow."""
    n_links, n_stages = len(lamps[0]), len(lamps)
    together = {
        (i, j)
        for text in lamps
        for i in range(n_links)
        for j in range(n_links)
        if text[i] == text[j] == 'G'
    }
    others = [
        (i, j) for i in range(n_links) for j in range(n_links) if (i, j) not in together and i != j
    ]
    return crossing(
        **{
            'links': tuple(
                Link(
                    index=n,
                    from_lane=f'in{n}_0',
                    to_lane=f'out{n}_0',
                    direction='s',
                    speed_mps=13.9,
                    crossing_m=20.0,
                )
                for n in range(n_links)
            ),
            'stages': tuple(
                Stage(lamps=text, min_green_s=1.0, max_green_s=1000.0) for text in lamps
            ),
            'foes': matrix(n_links, others),
            'yields': matrix(n_links, []),
            'min_yellow_s': (1.0,) * n_links,
            'min_red_s': ((0.0,) * n_links,) * n_links,
            'yellow_s': tuple(
                tuple(float(a != b) for b in range(n_stages)) for a in range(n_stages)
            ),
            'all_red_s': ((0.0,) * n_stages,) * n_stages,
            'walk_clear_s': ((0.0,) * n_stages,) * n_stages,
            'min_walk_s': (0.0,) * n_links,
            'walk_clearance_s': (0.0,) * n_links,
            'program': (),
            **changes,
        }
    )


# --- greens and clearances


def test_a_change_shows_its_yellow_and_its_all_red_to_the_second():
    sequencer = started()
    assert sequencer.request(CROSS_STREET) is RequestVerdict.ACCEPTED
    assert advance(sequencer, 10) == [(FULL_YELLOW, 3), (ALL_RED, 2), (CROSS_GREEN, 5)]
    assert sequencer.request(STRAIGHTS) is RequestVerdict.ACCEPTED
    assert advance(sequencer, 10) == [('rrry', 4), (ALL_RED, 1), ('GGgr', 5)]
    assert sequencer.request(LAGGING_LEFT) is RequestVerdict.ACCEPTED
    assert advance(sequencer, 6) == [('yGgr', 3), ('rGgr', 2), ('rGGr', 1)]


def test_times_that_are_no_whole_ticks_are_rounded_to_the_safe_side():
    plan = with_greens(5.0, 61.0, max_red_s=241.0)
    sequencer = StageSequencer(plan, step_s=2.0)
    assert sequencer.max_red_s == 240.0
    assert advance(sequencer, 34) == [('GGgr', 30), ('yGgr', 2), ('rGgr', 1), ('rGGr', 1)]
    advance(sequencer, 1)
    assert not sequencer.is_decision_due  # four seconds of five
    advance(sequencer, 1)
    assert sequencer.is_decision_due


def test_a_green_that_nobody_ends_lasts_its_maximum_and_the_programs_next_stage_follows():
    sequencer = StageSequencer(crossing())
    assert advance(sequencer, 131) == [
        *[('GGgr', 60), ('yGgr', 3), ('rGgr', 2)],
        *[('rGGr', 60), ('ryyr', 3), ('rrrr', 2), ('rrrG', 1)],
    ]
    assert sequencer.is_forced
    assert sequencer.n_dead_ends == 0


def test_a_requested_change_is_not_called_forced():
    sequencer = StageSequencer(crossing())
    advance(sequencer, 61)
    assert sequencer.is_forced
    advance(sequencer, 9)
    sequencer.request(STRAIGHTS)
    advance(sequencer, 1)
    assert sequencer.stage == STRAIGHTS
    assert not sequencer.is_forced


def test_a_request_is_for_one_change_only():
    sequencer = started()
    sequencer.request(CROSS_STREET)
    advance(sequencer, 10)
    sequencer.request(STRAIGHTS)
    assert advance(sequencer, 65)[-1] == ('GGgr', 60)


def test_green_shown_before_the_start_counts():
    sequencer = StageSequencer(crossing(), initial_green_s=4.0)
    assert not sequencer.is_decision_due
    assert advance(sequencer, 57) == [('GGgr', 56), ('yGgr', 1)]


@pytest.mark.parametrize('step_s', [0.0, -1.0, math.nan])
def test_a_tick_that_is_no_time_is_refused(step_s):
    with pytest.raises(SignalPlanError, match=r'step_s = .* must be above zero'):
        StageSequencer(crossing(), step_s=step_s)


@pytest.mark.parametrize('stage', [-1, 3])
def test_a_first_stage_that_does_not_exist_is_refused(stage):
    with pytest.raises(SignalPlanError, match="junction 'crossing' has stages 0 to 2"):
        StageSequencer(crossing(), initial_stage=stage)


def test_times_since_a_change_and_since_service_are_counted_through_quiet_seconds():
    sequencer = started(n_ticks=12)
    assert sequencer.green_elapsed_s == 12.0
    sequencer.request(CROSS_STREET)
    advance(sequencer, 3)
    assert (sequencer.green_elapsed_s, sequencer.since_served_s(STRAIGHTS)) == (0.0, 3.0)
    assert sequencer.since_change_s == 3.0
    advance(sequencer, 22)
    assert (sequencer.green_elapsed_s, sequencer.since_served_s(STRAIGHTS)) == (20.0, 25.0)
    assert (sequencer.since_change_s, sequencer.since_served_s(CROSS_STREET)) == (25.0, 0.0)


def test_a_turn_on_red_goes_on_through_a_change_only_if_the_next_stage_allows_it_too():
    plan = crossing(
        stages=tuple(
            Stage(lamps=lamps, min_green_s=5.0, max_green_s=60.0)
            for lamps in ('GGsr', 'rGsr', 'rrrG')
        ),
        also_clears=((LAGGING_LEFT, STRAIGHTS, (LEFT,)),),
    )
    assert plan.clearance_lamps(STRAIGHTS, LAGGING_LEFT, 'y') == 'yGsr'
    assert plan.clearance_lamps(STRAIGHTS, CROSS_STREET, 'y') == 'yyrr'
    assert plan.clearance_lamps(LAGGING_LEFT, STRAIGHTS, 'y') == 'rGrr'  # as the own program does


def test_traffic_that_goes_straight_on_is_never_permissive_beside_its_foe():
    lamps = ('GGgr', 'rGGr', 'grrG')
    stages = tuple(Stage(lamps=text, min_green_s=5.0, max_green_s=60.0) for text in lamps)
    with pytest.raises(SignalPlanError, match='stage 2 shows green to links 0 and 3'):
        crossing(stages=stages, yields=matrix(4, [(LEFT, NORTH), (NORTH, WEST)]))


# --- requests


@pytest.mark.parametrize('request_', [None, 1.0, math.nan, 'green', [1], Hostile()])
def test_what_is_no_integer_is_malformed(request_):
    assert started().request(request_) is RequestVerdict.MALFORMED


@pytest.mark.parametrize('request_', [-1, -3, 3, 4, 10**30, -(10**30)])
def test_a_stage_that_does_not_exist_is_out_of_range(request_):
    assert started().request(request_) is RequestVerdict.OUT_OF_RANGE


def test_within_the_minimum_green_only_the_running_stage_can_be_had():
    sequencer = started(n_ticks=4)
    assert sequencer.legal_stages() == [True, False, False]
    assert sequencer.request(CROSS_STREET) is RequestVerdict.MIN_GREEN
    assert sequencer.request(STRAIGHTS) is RequestVerdict.ACCEPTED
    assert advance(sequencer, 10) == [('GGgr', 10)]


def test_while_clearing_only_the_stage_that_is_cleared_for_can_be_had():
    sequencer = started()
    sequencer.request(CROSS_STREET)
    advance(sequencer, 1)
    assert sequencer.legal_stages() == [False, False, True]
    assert sequencer.request(LAGGING_LEFT) is RequestVerdict.CLEARING
    assert sequencer.request(CROSS_STREET) is RequestVerdict.ACCEPTED
    assert advance(sequencer, 8) == [(FULL_YELLOW, 2), (ALL_RED, 2), (CROSS_GREEN, 4)]


def test_who_changes_the_list_of_legal_stages_changes_nothing():
    sequencer = started()
    sequencer.omit([CROSS_STREET])
    given = sequencer.legal_stages()
    given[CROSS_STREET] = True
    assert sequencer.legal_stages() == [True, True, False]
    assert sequencer.request(CROSS_STREET) is RequestVerdict.OMITTED


def test_a_request_takes_a_junction_out_of_a_quiet_stretch():
    sequencer = started(n_ticks=20)
    sequencer.request(CROSS_STREET)
    assert sequencer.step(NOBODY) == FULL_YELLOW


# --- maximum red


def test_a_called_link_gets_its_green_in_the_last_moment_and_not_later():
    sequencer = StageSequencer(with_greens(5.0, 1000.0, max_red_s=100.0))
    advance(sequencer, 20)
    shown = advance(sequencer, 101, calling(WEST))
    assert shown == [('GGgr', 95), (FULL_YELLOW, 3), (ALL_RED, 2), (CROSS_GREEN, 1)]
    assert sequencer.is_forced


def test_a_call_is_kept_when_its_vehicle_is_seen_no_longer():
    sequencer = StageSequencer(with_greens(5.0, 1000.0, max_red_s=100.0))
    advance(sequencer, 1, calling(WEST))
    shown = advance(sequencer, 40) + advance(sequencer, 60, calling(NORTH))
    assert shown[-1] == (CROSS_GREEN, 1)


def test_a_call_counts_from_its_own_second_though_nothing_else_changes():
    sequencer = StageSequencer(with_greens(5.0, 1000.0, max_red_s=100.0))
    advance(sequencer, 50)
    advance(sequencer, 1, calling(WEST))
    shown = advance(sequencer, 100, calling(WEST, NORTH))
    assert shown[-1] == (CROSS_GREEN, 1)


def test_where_calls_are_unknown_everybody_waits():
    sequencer = StageSequencer(with_greens(5.0, 1000.0, max_red_s=100.0))
    assert advance(sequencer, 101, None)[-1] == (CROSS_GREEN, 1)


def test_what_is_forced_is_what_waits_longest():
    sequencer = StageSequencer(crossing(), initial_stage=LAGGING_LEFT)
    advance(sequencer, 10, calling(NORTH))
    advance(sequencer, 51, calling(NORTH, WEST))
    assert sequencer.is_forced
    assert sequencer.stage == STRAIGHTS


def test_a_stage_that_would_come_too_late_for_its_own_link_is_out_of_bounds():
    """Link 1 is counted on stage 1; stage 2 serves it too, but takes nine seconds to enter."""
    yellow = ((0.0, 1.0, 9.0), (1.0, 0.0, 1.0), (1.0, 1.0, 0.0))
    plan = exclusive_plan('Grrr', 'rGGr', 'rGrG', yellow_s=yellow, max_red_s=60.0)
    assert plan.cover_stages() == {0: (0,), 1: (1, 2), 2: (3,)}
    sequencer = StageSequencer(plan)
    last_legal = 0
    for tick in range(60):
        if sequencer.stage == 0 and sequencer.legal_stages()[2]:
            last_legal = tick
        sequencer.step(calling(1))
    assert last_legal == 60 - 9


def test_a_request_must_leave_time_for_the_minimum_greens_of_all_who_wait():
    sequencer = StageSequencer(with_greens(5.0, 1000.0, max_red_s=100.0))
    last_legal = {LAGGING_LEFT: 0, CROSS_STREET: 0}
    for tick in range(101):
        for stage in last_legal:
            if sequencer.stage == STRAIGHTS and sequencer.legal_stages()[stage]:
                last_legal[stage] = tick
        sequencer.step(calling(WEST))
    assert last_legal == {LAGGING_LEFT: 100 - 5 - 5 - 5, CROSS_STREET: 100 - 5}


# --- emergency vehicles


def test_an_emergency_vehicles_stage_comes_after_minimum_green_and_clearance_and_holds():
    sequencer = started(n_ticks=2)
    assert sequencer.preempt(CROSS_STREET, 600.0) is RequestVerdict.ACCEPTED
    assert advance(sequencer, 601, EVERYBODY) == [
        *[('GGgr', 3), (FULL_YELLOW, 3), (ALL_RED, 2)],
        *[(CROSS_GREEN, 592), ('rrry', 1)],  # six hundred seconds after the call, to the second
    ]
    assert not sequencer.is_preempted


def test_a_preemption_waits_for_the_clearance_that_runs():
    sequencer = started()
    sequencer.request(LAGGING_LEFT)
    advance(sequencer, 1)
    sequencer.preempt(CROSS_STREET, 60.0)
    assert advance(sequencer, 15) == [
        *[('yGgr', 2), ('rGgr', 2), ('rGGr', 5)],
        *[('ryyr', 3), (ALL_RED, 2), (CROSS_GREEN, 1)],
    ]


def test_a_preemption_for_the_running_stage_keeps_it_beyond_its_maximum_green():
    sequencer = started()
    sequencer.preempt(STRAIGHTS, 300.0)
    assert advance(sequencer, 300, EVERYBODY) == [('GGgr', 300)]
    assert sequencer.green_elapsed_s == 305.0
    assert sequencer.is_preempted
    assert advance(sequencer, 1, EVERYBODY) == [(FULL_YELLOW, 1)]


def test_a_preemption_ends_to_the_second_also_where_nothing_else_happens():
    sequencer = StageSequencer(crossing())
    sequencer.preempt(STRAIGHTS, 2.0)
    advance(sequencer, 2)
    assert sequencer.is_preempted
    advance(sequencer, 1)
    assert not sequencer.is_preempted


def test_the_end_of_a_preemption_gives_the_junction_back():
    sequencer = started()
    sequencer.preempt(CROSS_STREET, 60.0)
    advance(sequencer, 10)
    sequencer.end_preemption()
    assert not sequencer.is_preempted
    assert sequencer.request(STRAIGHTS) is RequestVerdict.ACCEPTED
    assert sequencer.step(NOBODY) == 'rrry'


def test_the_end_of_no_preemption_changes_nothing():
    sequencer = started()
    sequencer.request(CROSS_STREET)
    sequencer.end_preemption()
    assert sequencer.red_bound_epoch == 0
    assert sequencer.step(NOBODY) == FULL_YELLOW


def test_during_a_preemption_nothing_else_can_be_had():
    sequencer = started()
    sequencer.preempt(CROSS_STREET, 60.0)
    assert sequencer.legal_stages() == [False, False, True]
    assert sequencer.request(STRAIGHTS) is RequestVerdict.PREEMPTED
    assert sequencer.request(CROSS_STREET) is RequestVerdict.ACCEPTED
    advance(sequencer, 12)
    assert sequencer.legal_stages() == [False, False, True]
    assert sequencer.request(LAGGING_LEFT) is RequestVerdict.PREEMPTED


def test_a_later_preemption_takes_the_place_of_an_earlier_one():
    sequencer = started()
    sequencer.preempt(CROSS_STREET, 600.0)
    sequencer.preempt(LAGGING_LEFT, 20.0)
    assert advance(sequencer, 20)[-1] == ('rGGr', 15)
    assert sequencer.is_preempted
    advance(sequencer, 1)
    assert not sequencer.is_preempted


@pytest.mark.parametrize(
    ('stage', 'timeout_s', 'verdict'),
    [
        (0, 600.0, RequestVerdict.ACCEPTED),
        (0, 600.1, RequestVerdict.OUT_OF_RANGE),
        (0, 0.0, RequestVerdict.OUT_OF_RANGE),
        (0, -5.0, RequestVerdict.OUT_OF_RANGE),
        (0, math.nan, RequestVerdict.OUT_OF_RANGE),
        (0, math.inf, RequestVerdict.OUT_OF_RANGE),
        (0, None, RequestVerdict.MALFORMED),
        (0, Hostile(), RequestVerdict.MALFORMED),
        (3, 10.0, RequestVerdict.OUT_OF_RANGE),
        (Hostile(), 10.0, RequestVerdict.MALFORMED),
    ],
)
def test_a_preemption_that_makes_no_sense_is_refused(stage, timeout_s, verdict):
    sequencer = started()
    assert sequencer.preempt(stage, timeout_s) is verdict
    assert sequencer.is_preempted == (verdict is RequestVerdict.ACCEPTED)


def test_a_preemption_starts_the_waits_anew_and_forgets_nobody():
    sequencer = StageSequencer(with_greens(5.0, 1000.0, max_red_s=100.0))
    advance(sequencer, 80, calling(WEST))
    sequencer.preempt(STRAIGHTS, 50.0)
    assert sequencer.red_bound_epoch == 1
    advance(sequencer, 50)
    assert advance(sequencer, 101)[-1] == (CROSS_GREEN, 1)
    assert sequencer.red_bound_epoch == 2


# --- stages out of service


def test_a_stage_out_of_service_is_left_after_its_minimum_green_and_shown_no_more():
    sequencer = started(n_ticks=2)
    assert sequencer.omit([STRAIGHTS]) is RequestVerdict.ACCEPTED
    assert sequencer.omitted_stages == {STRAIGHTS}
    shown = advance(sequencer, 400, EVERYBODY)
    assert shown[0] == ('GGgr', 3)
    assert {lamps for lamps, _ in shown[1:]} & {'GGgr'} == set()
    assert sequencer.n_dead_ends == 0


def test_a_stage_out_of_service_is_not_forced_where_nobody_waits():
    sequencer = started()
    sequencer.omit([LAGGING_LEFT])  # it would follow in the program
    assert advance(sequencer, 61)[-1] == (CROSS_GREEN, 1)


def test_a_stage_out_of_service_cannot_be_had():
    sequencer = started()
    sequencer.omit([CROSS_STREET])
    assert sequencer.legal_stages() == [True, True, False]
    assert sequencer.request(CROSS_STREET) is RequestVerdict.OMITTED
    assert sequencer.request(LAGGING_LEFT) is RequestVerdict.ACCEPTED


def test_stages_out_of_service_are_those_named_last():
    sequencer = started()
    sequencer.omit([CROSS_STREET])
    sequencer.omit([LAGGING_LEFT])
    assert sequencer.omitted_stages == {LAGGING_LEFT}
    sequencer.omit([])
    assert sequencer.legal_stages() == [True, True, True]


def test_a_request_from_before_a_stage_went_out_of_service_is_forgotten():
    sequencer = started()
    sequencer.request(CROSS_STREET)
    sequencer.omit([CROSS_STREET])
    assert advance(sequencer, 5) == [('GGgr', 5)]


def test_the_only_stage_in_service_keeps_its_green():
    sequencer = started()
    sequencer.omit([LAGGING_LEFT, CROSS_STREET])
    assert advance(sequencer, 500, EVERYBODY) == [('GGgr', 500)]
    assert sequencer.n_dead_ends == 0
    assert sequencer.legal_stages() == [True, False, False]


@pytest.mark.parametrize(
    ('stages', 'verdict'),
    [
        ([0, 1, 2], RequestVerdict.OUT_OF_RANGE),
        ([3], RequestVerdict.OUT_OF_RANGE),
        ([-1], RequestVerdict.OUT_OF_RANGE),
        (['left'], RequestVerdict.MALFORMED),
        (None, RequestVerdict.MALFORMED),
        (Hostile(), RequestVerdict.MALFORMED),
        ([Hostile()], RequestVerdict.MALFORMED),
    ],
)
def test_an_omission_that_makes_no_sense_is_refused(stages, verdict):
    sequencer = started()
    assert sequencer.omit(stages) is verdict
    assert sequencer.omitted_stages == frozenset()
    assert sequencer.red_bound_epoch == 0


def test_without_a_stage_that_serves_many_the_longest_wait_may_be_longer():
    plan = exclusive_plan('GGrr', 'rrGr', 'Grrr', 'rGrr', 'rrrG')
    plan = replace(plan, max_red_s=plan.round_s())
    sequencer = StageSequencer(plan)
    assert sequencer.max_red_s == plan.round_s() == 2 + 3 * 2
    sequencer.omit([0])
    assert sequencer.max_red_s == plan.round_s(frozenset([0])) == 2 + 4 * 2
    advance(sequencer, 100, EVERYBODY)
    assert sequencer.n_dead_ends == 0
    assert sequencer.longest_wait_s <= sequencer.max_red_s
    sequencer.omit([])
    assert sequencer.max_red_s == plan.round_s()


# --- restart


def test_a_restart_shows_six_seconds_of_red_to_everybody_and_then_its_stage():
    sequencer = started()
    sequencer.request(CROSS_STREET)
    advance(sequencer, 4)
    sequencer.restart(LAGGING_LEFT)
    assert sequencer.request(STRAIGHTS) is RequestVerdict.CLEARING
    assert advance(sequencer, 6) == [(ALL_RED, 6)]
    assert not sequencer.is_forced
    assert advance(sequencer, 4) == [('rGGr', 4)]
    assert sequencer.request(STRAIGHTS) is RequestVerdict.MIN_GREEN
    advance(sequencer, 1)
    assert sequencer.request(STRAIGHTS) is RequestVerdict.ACCEPTED


def test_a_restart_ends_a_preemption():
    sequencer = started()
    sequencer.preempt(CROSS_STREET, 600.0)
    advance(sequencer, 20)
    sequencer.restart()
    assert not sequencer.is_preempted
    assert advance(sequencer, 30) == [(ALL_RED, 6), ('GGgr', 24)]


def test_a_restart_starts_the_waits_anew():
    sequencer = StageSequencer(with_greens(5.0, 1000.0, max_red_s=100.0))
    advance(sequencer, 80, calling(WEST))
    sequencer.restart()
    assert sequencer.red_bound_epoch == 1
    assert advance(sequencer, 107, calling(WEST))[-1] == (CROSS_GREEN, 1)
    assert sequencer.red_bound_epoch == 2  # nobody could be served in the first red


@pytest.mark.parametrize('stage', [-1, 3])
def test_a_restart_with_a_stage_that_does_not_exist_is_refused(stage):
    with pytest.raises(SignalPlanError, match=f'stage {stage} to restart with does not exist'):
        started().restart(stage)


def test_waits_start_anew_with_events_only():
    sequencer = StageSequencer(crossing())
    advance(sequencer, 1000, EVERYBODY)
    assert sequencer.red_bound_epoch == 0


# --- copies


def test_a_fork_and_its_origin_do_not_touch_each_other():
    plan = with_greens(5.0, 1000.0, max_red_s=100.0)
    origin, control = started(plan, 50), started(plan, 50)
    twin = origin.fork()
    twin.request(CROSS_STREET)
    advance(twin, 40, EVERYBODY)
    assert origin.state() == control.state()
    assert origin.since_served_s(CROSS_STREET) == control.since_served_s(CROSS_STREET) == 50.0
    assert advance(origin, 300, calling(WEST)) == advance(control, 300, calling(WEST))


def test_an_emergency_vehicle_and_an_operator_do_not_override_each_other():
    sequencer = StageSequencer(crossing())
    assert sequencer.omit([1]).value == 'accepted'
    assert sequencer.preempt(1, 30.0).value == 'omitted'
    assert sequencer.preempt(2, 30.0).value == 'accepted'
    assert sequencer.omit([2]).value == 'preempted'
    assert sequencer.omitted_stages == {1}
