"""Own plans of signals that were coordinated stay in step, with whatever clearances."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
import pytest
from small import crossing

from saferl_ros.env.junction import derive_junctions, Junction
from saferl_ros.scenario import load_scenario
from saferl_ros.shield.fallback import FixedTimeProgram
from saferl_ros.signals import SignalPlan
from saferl_ros.sumo.coordination import in_step, with_cycle
from saferl_ros.sumo.derive import derive_plan
from saferl_ros.sumo.network import Network, read_network


def greens(plan: SignalPlan) -> list[float]:
    return [part.green_s for part in plan.program]


@given(st.floats(0, 400), st.sampled_from([0.5, 1.0]))
def test_a_program_grows_to_the_cycle_but_no_green_beyond_its_maximum(
    more_s: float, step_s: float
) -> None:
    plan = crossing()
    own_s = FixedTimeProgram(plan).cycle_s
    grown = with_cycle(plan, own_s + more_s, step_s)
    stages = [plan.stages[part.stage_index] for part in plan.program]
    room_s = sum(max(0.0, s.max_green_s - g) for s, g in zip(stages, greens(plan), strict=True))
    found_s = FixedTimeProgram(grown).cycle_s - own_s
    assert abs(found_s - min(more_s, room_s)) <= step_s
    for stage, before, after in zip(stages, greens(plan), greens(grown), strict=True):
        assert before - 1e-6 <= after <= max(before, stage.max_green_s) + 1e-6


def test_where_clearances_are_shorter_the_cycle_stays_that_of_the_network() -> None:
    for clearance in ('legal', 'resco'):
        for junction in derive_junctions(load_scenario('corridor'), clearance=clearance):
            assert FixedTimeProgram(junction.plan).cycle_s == 90
    shorter = derive_plan(read_network(load_scenario('corridor').net_file), 'b')
    assert FixedTimeProgram(shorter).cycle_s == 87  # what its greens alone come to


def network_with(offset_s: float) -> tuple[Network, dict[str, SignalPlan]]:
    """Return the corridor, where junction b needs 10 s more for its clearances than it had."""
    network = read_network(load_scenario('corridor').net_file)
    network.programs = {
        name: replace(program, offset_s=offset_s if name == 'b' else 0.0)
        for name, program in network.programs.items()
    }
    plans = {name: derive_plan(network, name) for name in network.programs}
    slow = replace(
        plans['b'],
        all_red_s=tuple(
            tuple(seconds + 13 / 4 if a != b else seconds for b, seconds in enumerate(row))
            for a, row in enumerate(plans['b'].all_red_s)
        ),
    )
    return network, {**plans, 'b': slow}


def test_where_they_are_longer_coordinated_signals_share_the_longest_cycle() -> None:
    network, plans = network_with(25.0)
    found = {n: in_step(network, n, plans.__getitem__, 1.0) for n in plans}
    assert {FixedTimeProgram(plan).cycle_s for plan in found.values()} == {100.0}
    assert greens(found['b']) == greens(plans['b'])
    assert all(a >= b for a, b in zip(greens(found['a']), greens(plans['a']), strict=True))


def test_signals_that_nobody_coordinated_keep_their_own_greens() -> None:
    network, plans = network_with(0.0)
    found = {n: in_step(network, n, plans.__getitem__, 1.0) for n in plans}
    cycles = {n: FixedTimeProgram(plan).cycle_s for n, plan in found.items()}
    assert cycles == {'a': 90, 'b': 100, 'c': 90}


def test_a_junction_has_one_own_plan_alone_and_among_all() -> None:
    scenario = load_scenario('corridor')
    for junction in derive_junctions(scenario):
        name = junction.plan.junction_id
        alone = Junction.derive(replace(scenario, junction_id=name))
        assert alone.plan == junction.plan
        assert alone.has_neighbours


@pytest.mark.parametrize(('scenario', 'expected'), [('cologne1', False), ('cologne3', True)])
def test_a_network_of_one_signal_has_no_neighbours(scenario: str, *, expected: bool) -> None:
    assert all(j.has_neighbours == expected for j in derive_junctions(load_scenario(scenario)))
