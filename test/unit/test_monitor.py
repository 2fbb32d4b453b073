"""The conflict monitor finds each broken rule when it breaks, and not one tick earlier."""

from __future__ import annotations

from dataclasses import replace

import pytest
from small import crossing, LEFT, NORTH, SOUTH, WEST

from saferl_ros.signals import card_of, ConflictMonitor, Fault, SignalPlan
from saferl_ros.signals.pairing import with_clearances


def read(*runs: tuple[str, int], calls: list[bool] | None = None, **options: float) -> list[Fault]:
    """Show each lamp string for some ticks; return the faults."""
    monitor = ConflictMonitor(card_of(crossing()), **options)
    for lamps, n_ticks in runs:
        for _ in range(n_ticks):
            monitor.step(lamps, calls)
    assert monitor.n_faults == len(monitor.faults)
    return monitor.faults


def only(rule: str, faults: list[Fault]) -> list[Fault]:
    return [fault for fault in faults if fault.rule == rule]


WHOLE_CYCLE = (
    *(('GGgr', 30), ('yGyr', 3), ('rGrr', 2), ('rGGr', 10), ('ryyr', 3), ('rrrr', 2)),
    *(('rrrG', 20), ('rrry', 4), ('rrrr', 1), ('GGgr', 30)),
)


def test_a_complete_cycle_has_no_fault():
    assert read(*WHOLE_CYCLE) == []


def test_greens_whose_paths_cross_are_found_the_moment_they_show():
    (first, second, third) = read(('GGgr', 10), ('GGgG', 5))
    assert {f.rule for f in (first, second, third)} == {'conflicting_greens'}
    assert [f.links for f in (first, second, third)] == [
        (NORTH, WEST),
        (SOUTH, WEST),
        (LEFT, WEST),
    ]
    assert {f.sim_time_s for f in (first, second, third)} == {10.0}


def test_a_green_beside_the_yellow_of_its_foe_is_a_conflict():
    faults = read(('GGrr', 10), ('yyrr', 2), ('yyrG', 1), ('rrrG', 10))
    conflicts = only('conflicting_greens', faults)
    assert [(f.sim_time_s, f.links) for f in conflicts] == [
        (12.0, (NORTH, WEST)),
        (12.0, (SOUTH, WEST)),
    ]


def test_a_conflict_that_goes_on_is_one_fault():
    assert len(only('conflicting_greens', read(('GrrG', 50)))) == 1
    again = read(('GrrG', 5), ('Grrr', 5), ('GrrG', 5))
    assert len(only('conflicting_greens', again)) == 2


def test_a_permitted_turn_beside_the_traffic_it_gives_way_to_is_no_fault():
    assert read(('GGgr', 30), ('GGyr', 3), ('GGrr', 10)) == []


def test_a_protected_turn_beside_its_foe_is_a_fault():
    assert [f.links for f in read(('GGGr', 1))] == [(NORTH, LEFT)]


def test_the_yellow_of_a_protected_turn_is_not_excused_as_permitted():
    faults = read(('rGGr', 10), ('rGyr', 3), ('GGyr', 1))
    assert [f.links for f in only('conflicting_greens', faults)] == [(NORTH, LEFT)]


def test_permissive_green_does_not_excuse_traffic_that_goes_straight():
    assert [f.links for f in read(('grrG', 1))] == [(NORTH, WEST)]


@pytest.mark.parametrize(('shown_s', 'is_short'), [(1, True), (2, True), (3, False), (6, False)])
def test_a_yellow_is_short_if_it_ends_before_its_time(shown_s, is_short):
    faults = only('short_yellow', read(('GGrr', 10), ('yyrr', shown_s), ('rrrr', 5)))
    found = [(f.sim_time_s, f.links, f.found, f.required) for f in faults]
    end_s = 10.0 + shown_s
    assert found == (
        [(end_s, (link,), float(shown_s), 3.0) for link in (NORTH, SOUTH)] if is_short else []
    )


def test_each_link_has_its_own_shortest_yellow():
    assert len(only('short_yellow', read(('rrrG', 9), ('rrry', 3), ('rrrr', 1)))) == 1
    assert not read(('rrrG', 9), ('rrry', 4), ('rrrr', 1))


def test_a_yellow_that_runs_is_not_called_short_before_it_ends():
    assert read(('GGrr', 10), ('yyrr', 1)) == []


def test_a_green_that_ends_without_yellow_is_found_at_once():
    faults = read(('GGrr', 10), ('Grrr', 10))
    assert [(f.rule, f.sim_time_s, f.links, f.required) for f in faults] == [
        ('missing_yellow', 10.0, (SOUTH,), 3.0)
    ]


@pytest.mark.parametrize(('shown_s', 'is_short'), [(0, True), (1, True), (2, False)])
def test_a_foe_may_start_only_after_the_whole_all_red(shown_s, is_short):
    faults = read(('GGrr', 10), ('yyrr', 3), ('rrrr', shown_s), ('rrrG', 5))
    found = [(f.rule, f.sim_time_s, f.links, f.found, f.required) for f in faults]
    start_s, red_s = 13.0 + shown_s, float(shown_s)
    assert found == (
        [('short_all_red', start_s, (link, WEST), red_s, 2.0) for link in (NORTH, SOUTH)]
        if is_short
        else []
    )


def test_links_that_do_not_conflict_need_no_all_red_between_them():
    assert read(('rGrr', 10), ('ryrr', 3), ('Grrr', 10)) == []


def test_the_first_green_owes_nothing_to_a_past_that_nobody_saw():
    assert read(('rrrr', 1), ('rrrG', 5)) == []


@pytest.mark.parametrize('calls', [None, [True] * 4])
@pytest.mark.parametrize('lamps', ['GGg', 'GGgrr', '', 'GG?r', 'GGYr'])
def test_lamps_that_are_no_lamps_are_a_red_failure(lamps, calls):
    faults = read(('GGgr', 5), (lamps, 3), calls=calls)
    assert [(f.rule, f.sim_time_s) for f in faults] == [('red_failure', 5.0)]


@pytest.mark.parametrize(('n_ticks', 'n_faults'), [(62, 0), (63, 1), (300, 1)])
def test_a_green_is_long_after_the_maximum_and_the_longest_all_red(n_ticks, n_faults):
    faults = read(('GGgr', n_ticks))
    assert [f.rule for f in faults] == ['long_green'] * n_faults
    assert [(f.sim_time_s, f.links, f.found) for f in faults] == [
        (62.0, (NORTH, SOUTH, LEFT), 63.0)
    ] * n_faults


def test_a_yellow_that_was_running_before_anybody_looked_is_given_the_doubt():
    assert read(('GGyr', 1), ('GGrr', 10)) == []
    assert [f.rule for f in read(('yyrr', 1), ('rrrG', 10))] == ['short_all_red'] * 2


def test_lamps_without_any_green_may_stay_for_ever():
    assert read(('rrrr', 10_000)) == []


@pytest.mark.parametrize(('n_ticks', 'n_faults'), [(241, 0), (242, 1), (400, 1)])
def test_a_called_link_is_starved_once_its_red_exceeds_the_maximum(n_ticks, n_faults):
    faults = read(('rrrr', n_ticks), calls=[False, False, False, True])
    assert [(f.rule, f.sim_time_s, f.links, f.found, f.required) for f in faults] == [
        ('long_red', 241.0, (WEST,), 241.0, 240.0)
    ] * n_faults


def test_a_red_is_not_judged_without_a_call():
    assert read(('rrrr', 1000)) == []
    assert read(('rrrr', 1000), calls=[False] * 4) == []


def test_a_call_is_kept_after_the_vehicle_left_and_ends_with_green():
    monitor = ConflictMonitor(card_of(crossing()))
    nobody = [False] * 4
    monitor.step('rrrr', [False, False, False, True])
    for _ in range(240):
        monitor.step('rrrr', nobody)
    assert monitor.counts['long_red'] == 0
    monitor.step('rrrr', nobody)
    assert monitor.counts['long_red'] == 1

    served = ConflictMonitor(card_of(crossing()))
    served.step('rrrr', [False, False, False, True])
    for lamps, n_ticks in (('rrrr', 200), ('rrrG', 5), ('rrry', 4), ('rrrr', 1000)):
        for _ in range(n_ticks):
            served.step(lamps, nobody)
    assert served.n_faults == 0


def test_times_are_counted_in_seconds_whatever_the_step():
    faults = read(('GGrr', 20), ('yyrr', 5), ('rrrr', 10), step_s=0.5)
    assert [(f.rule, f.sim_time_s, f.found) for f in faults] == [('short_yellow', 12.5, 2.5)] * 2


def test_every_fault_is_counted_and_the_first_ones_are_kept():
    monitor = ConflictMonitor(card_of(crossing()), keep=3)
    for _ in range(10):
        monitor.step('rrrG')
        monitor.step('rrrr')
    assert monitor.counts == {'missing_yellow': 10, 'short_green': 9}
    assert [fault.sim_time_s for fault in monitor.faults] == [1.0, 3.0, 3.0]


def crossing_with_walk() -> SignalPlan:
    """The crossing, with pedestrians over the northern arm who walk while the west drives."""
    plan = crossing()
    links = tuple(replace(link, is_crossing=link.index == WEST) for link in plan.links)
    stages = tuple(replace(stage, min_green_s=7.0) for stage in plan.stages)
    return with_clearances(
        replace(plan, links=links, stages=stages, min_walk_s=(0.0, 0.0, 0.0, 7.0)),
        yellow_s=(3.0, 3.0, 3.0, 0.0),
        red_s=((2.0,) * 4, (2.0,) * 4, (2.0,) * 4, (0.0,) * 4),
        walk_clearance_s=(0.0, 0.0, 0.0, 9.0),
        least_red_s=1.0,
    )


def read_walk(*runs: tuple[str, int]) -> list[tuple[str, tuple[int, ...], float, float]]:
    monitor = ConflictMonitor(card_of(crossing_with_walk()))
    for lamps, n_ticks in runs:
        for _ in range(n_ticks):
            monitor.step(lamps)
    return [(f.rule, f.links, f.found, f.required) for f in monitor.faults]


def test_pedestrians_need_no_yellow_but_their_whole_clearance():
    assert read_walk(('rrrr', 1), ('rrrG', 7), ('rrrr', 9), ('GGgr', 7)) == []
    assert read_walk(('rrrr', 1), ('rrrG', 7), ('rrrr', 8), ('GGrr', 7)) == [
        ('short_walk_clearance', (WEST, NORTH), 8.0, 9.0),
        ('short_walk_clearance', (WEST, SOUTH), 8.0, 9.0),
    ]


def test_a_walk_that_is_cut_short_is_found_when_it_ends():
    assert read_walk(('rrrr', 1), ('rrrG', 6), ('rrrr', 9)) == [('short_walk', (WEST,), 6.0, 7.0)]


def test_a_green_that_is_cut_short_is_found_when_it_ends():
    faults = read(('rrrr', 5), ('rrrG', 4), ('rrry', 4), ('rrrr', 1))
    assert [(f.rule, f.links, f.found, f.required) for f in faults] == [
        ('short_green', (WEST,), 4.0, 5.0)
    ]


def test_a_turn_that_becomes_protected_starts_anew():
    """It may drive on while its foe clears, but not as protected before the foe is away."""
    assert read(('GGgr', 10), ('yGgr', 3), ('rGgr', 2), ('rGGr', 5)) == []
    faults = read(('GGgr', 10), ('yGgr', 3), ('rGGr', 5))
    assert [(f.rule, f.links, f.found) for f in faults] == [('short_all_red', (NORTH, LEFT), 0.0)]


def test_while_somebody_holds_the_junction_long_times_are_meant():
    monitor = ConflictMonitor(card_of(crossing()))
    calling = [False, False, False, True]
    for _ in range(1000):
        monitor.step('GGgr', calling, is_held=True)
    assert monitor.n_faults == 0
    for _ in range(100):
        monitor.step('GGgr', calling)
    assert monitor.counts == {'long_green': 1}


def test_the_waits_of_long_red_can_start_anew_with_another_bound():
    monitor = ConflictMonitor(card_of(crossing()))
    calling = [False, False, False, True]
    for _ in range(240):
        monitor.step('rrrr', calling)
    monitor.restart_red(300.0)
    for _ in range(301):
        monitor.step('rrrr', calling)
    assert monitor.n_faults == 0
    monitor.step('rrrr', calling)
    assert [(f.rule, f.required) for f in monitor.faults] == [('long_red', 300.0)]


def test_a_fault_stays_latched_until_it_is_reset():
    monitor = ConflictMonitor(card_of(crossing()))
    for lamps in ('GrrG', 'Grrr', 'rrrr', 'rrrr'):
        monitor.step(lamps)
    assert monitor.is_latched
    monitor.reset()
    assert not monitor.is_latched
    monitor.step('rrrG')  # nobody knows what showed before
    assert not monitor.is_latched
    assert monitor.counts['conflicting_greens'] == 1


def test_each_of_two_waits_is_a_fault_whatever_the_step():
    plan = crossing(max_red_s=60.3)
    monitor = ConflictMonitor(card_of(plan), step_s=0.1)
    for tick in range(1000):
        monitor.step('rGrr', [True, False, False, tick >= 300])
    assert [(f.rule, f.links) for f in monitor.faults if f.rule == 'long_red'] == [
        ('long_red', (NORTH,)),
        ('long_red', (WEST,)),
    ]


def test_a_caller_may_reuse_the_list_of_calls_that_it_gave():
    monitor = ConflictMonitor(card_of(crossing()))
    calls = [False] * 4
    monitor.step('rrrr', calls)
    calls[WEST] = True
    for _ in range(300):
        monitor.step('rrrr', calls)
    assert monitor.counts == {'long_red': 1}


def test_without_calls_no_red_is_judged_though_somebody_called_before():
    monitor = ConflictMonitor(card_of(crossing()))
    monitor.step('rrrr', [True] * 4)
    for _ in range(500):
        monitor.step('rrrr')
    assert monitor.n_faults == 0
