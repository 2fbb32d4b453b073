"""Legal clearances on real geometry, and what an engineer may state beside them."""

from __future__ import annotations

import numpy as np
from pydantic import ValidationError
import pytest

from saferl_ros.errors import SignalPlanError
from saferl_ros.scenario import load_scenario
from saferl_ros.signals import SignalPlan
from saferl_ros.sumo.conflict_way import _conflict_way_m, _Way, conflict_ways_m
from saferl_ros.sumo.derive import derive_plan
from saferl_ros.sumo.network import _grade_ratio, Lane, Network, read_network
from saferl_ros.sumo.settings import PlanLimits, SignalSettings
from saferl_ros.sumo.stages import mend_lamps


@pytest.fixture(scope='module')
def network() -> Network:
    return read_network(load_scenario('crossing').net_file)


def plan_with(network: Network, **limits: object) -> SignalPlan:
    return derive_plan(network, 'c', limits=PlanLimits.model_validate(limits))


def lane(name: str, *points: tuple[float, float], width_m: float = 3.2) -> Lane:
    return Lane(
        lane_id=name, edge_id=name, length_m=20.0, speed_mps=13.9, shape=points, width_m=width_m
    )


def way_m(ours: Lane, theirs: Lane, whole_m: float = 20.0, *, is_merge: bool = False) -> float:
    ways = [
        _Way(to_lane='same' if is_merge else one.lane_id, lanes=[one], path=np.array(one.shape))
        for one in (ours, theirs)
    ]
    return _conflict_way_m(*ways, whole_m)


def test_a_maximum_green_below_the_programs_own_green_is_refused(network):
    own_s = max(phase.duration_s for phase in network.programs['c'].phases)
    assert max(s.max_green_s for s in plan_with(network, max_green_s=own_s).stages) == own_s
    with pytest.raises(SignalPlanError, match=rf"'c', stage 0: max_green_s = {own_s - 1:g} is"):
        plan_with(network, max_green_s=own_s - 1)


EASTWARD = lane('e', (0.0, 0.0), (20.0, 0.0))


def test_a_path_is_clear_at_the_far_edge_of_the_lane_that_it_crosses():
    northward = lane('n', (10.0, -10.0), (10.0, 10.0))
    assert way_m(EASTWARD, northward) == pytest.approx(10 + 1.6 + 1.25, abs=0.51)
    wide = lane('n', (10.0, -10.0), (10.0, 10.0), width_m=5.2)
    assert way_m(EASTWARD, wide) == pytest.approx(10 + 2.6 + 1.25, abs=0.51)


def test_paths_that_leave_by_the_same_lane_conflict_until_they_join():
    merging = lane('m', (12.0, -10.0), (12.0, -1.0), (20.0, 0.0))
    joined_at_m = 12 - (2.85**2 - 1) ** 0.5
    assert way_m(EASTWARD, merging, is_merge=True) == pytest.approx(joined_at_m, abs=0.51)
    assert way_m(EASTWARD, merging) == pytest.approx(20.0, abs=0.51)


def test_a_path_along_the_neighbouring_lane_is_no_conflict():
    crossing_then_beside = lane('b', (10.0, -10.0), (10.0, 3.2), (20.0, 3.2))
    assert way_m(EASTWARD, crossing_then_beside) == pytest.approx(10 + 2.85, abs=0.51)


def test_foes_whose_lanes_stay_apart_count_with_the_whole_way():
    apart = lane('a', (0.0, 30.0), (20.0, 30.0))
    assert way_m(EASTWARD, apart) == 20.0


def test_no_way_is_longer_than_the_whole_and_none_is_kept_for_friends(network):
    plan = plan_with(network)
    ways = conflict_ways_m(network, plan)
    for i, link in enumerate(plan.links):
        for j in range(plan.n_links):
            if plan.foes[i][j]:
                assert 0 < ways[i][j] <= link.crossing_m
            else:
                assert ways[i][j] == 0


def test_every_foe_that_starts_waits_for_its_own_pair(network):
    plan = plan_with(network)
    for a in range(plan.n_stages):
        for b in range(plan.n_stages):
            for link in plan.losing(a, b):
                if plan.links[link].is_crossing:
                    assert plan.intergreen_s(a, b) >= plan.walk_clearance_s[link]
                    continue
                assert plan.yellow_s[a][b] >= plan.min_yellow_s[link] >= 3
                assert plan.all_red_s[a][b] >= 1
                for foe in plan.starting(a, b):
                    if plan.foes[link][foe]:
                        assert plan.all_red_s[a][b] >= plan.min_red_s[link][foe] >= 1


def test_walks_last_seven_seconds_and_clear_at_walking_speed(network):
    plan = plan_with(network)
    for link in plan.links:
        if link.is_crossing:
            assert plan.min_walk_s[link.index] == 7
            assert plan.walk_clearance_s[link.index] >= link.crossing_m / 1.07
    slow = plan_with(network, walking_mps=0.8, walk_s=10)
    assert all(
        s > u for s, u in zip(slow.walk_clearance_s, plan.walk_clearance_s, strict=True) if u
    )
    assert {s.min_green_s for s in slow.stages} == {5.0, 10.0}


def test_concurrent_pedestrians_meet_turns_only_and_exclusive_ones_nobody(network):
    def vehicles_beside_walks(plan: SignalPlan) -> set[tuple[str, bool]]:
        return {
            (stage.lamps[i], plan.links[i].is_turn)
            for stage in plan.stages
            for i, link in enumerate(plan.links)
            for j, other in enumerate(plan.links)
            if not link.is_crossing
            and other.is_crossing
            and plan.foes[i][j]
            and stage.lamps[i] in 'Gg'
            and stage.lamps[j] == 'G'
        }

    assert vehicles_beside_walks(plan_with(network)) == {('g', True)}
    exclusive = plan_with(network, pedestrians='exclusive')
    assert vehicles_beside_walks(exclusive) == set()
    walked = {j for s in exclusive.stages for j, lamp in enumerate(s.lamps) if lamp == 'G'}
    assert {link.index for link in exclusive.links if link.is_crossing} <= walked


def test_who_turns_on_red_does_so_neither_straight_on_nor_across_an_exclusive_walk(network):
    plan = plan_with(network)
    straight = next(n.index for n in plan.links if not n.is_turn and not n.is_crossing)
    turn, walk = next(
        (n.index, other.index)
        for n in plan.links
        for other in plan.links
        if n.is_turn and other.is_crossing and plan.foes[n.index][other.index]
    )
    lamps = ''.join(
        's' if n in (straight, turn) else 'G' if n == walk else 'r' for n in range(plan.n_links)
    )
    for is_exclusive, shown in ((False, 's'), (True, 'r')):
        mended = mend_lamps(lamps, plan.links, plan.foes, plan.yields, is_exclusive=is_exclusive)
        assert (mended[straight], mended[turn], mended[walk]) == ('r', shown, 'G')


def test_a_stated_clearance_may_be_longer_than_the_computed_one_and_never_shorter(network):
    usual = plan_with(network)
    longer = plan_with(network, yellow_s={0: 5.5}, all_red_s={0: 4.5})
    assert longer.min_yellow_s[0] == 6  # rounded up to the step
    assert max(longer.min_red_s[0]) == 5
    assert longer.fingerprint() != usual.fingerprint()
    for limits, words in (
        ({'yellow_s': {0: 2.5}}, r'link 0: a stated yellow of 2.5 s is refused; allowed is 4 s'),
        ({'yellow_s': {0: 6.5}}, 'to 6 s'),
        ({'all_red_s': {0: 0.5}}, 'a stated all-red of 0.5 s is refused'),
        ({'yellow_s': {99: 4.0}}, 'link 99, which is no vehicle link'),
    ):
        with pytest.raises(SignalPlanError, match=words):
            plan_with(network, **limits)


@pytest.mark.parametrize(
    'limits',
    [
        {'walk_s': 5},  # MUTCD asks for seven seconds
        {'walking_mps': 1.4},  # nobody may be assumed to walk faster than 3.5 ft/s
        {'min_green_s': 1},
        {'pedestrians': 'none'},
        {'yelow_s': {}},
    ],
)
def test_unsafe_settings_are_refused(limits):
    with pytest.raises(ValidationError):
        PlanLimits.model_validate(limits)


def test_settings_of_one_junction_leave_the_others_as_they_are():
    settings = SignalSettings(junctions={'a': PlanLimits(min_green_s=9)})
    assert settings.of('a').min_green_s == 9
    assert settings.of('b') == PlanLimits()


def test_the_grade_is_that_of_the_last_fifty_metres_uphill_positive():
    assert _grade_ratio('0,0 100,0') == 0.0
    assert _grade_ratio('0,0,0 100,0,5') == pytest.approx(0.05)
    assert _grade_ratio('0,0,50 100,0,0 160,0,-3') == pytest.approx(-0.05)
