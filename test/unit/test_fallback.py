"""The fixed-time program by hand: what it wants when, and how a junction gets back into step."""

from __future__ import annotations

from itertools import product
import math

import pytest
from small import CROSS_STREET, crossing, LAGGING_LEFT, STRAIGHTS
from strategies import Hostile

from saferl_ros.scenario import load_scenario
from saferl_ros.shield import FixedTimeProgram, Shield, ShieldReason
from saferl_ros.signals import ProgramInterval, SignalPlan, StageSequencer
from saferl_ros.sumo.derive import derive_plan
from saferl_ros.sumo.network import read_network


def stages(program: FixedTimeProgram, first_s: int, n: int) -> list[int]:
    return [program.stage_at(first_s + second) for second in range(n)]


CYCLE = [STRAIGHTS] * 30 + [LAGGING_LEFT] * 15 + [CROSS_STREET] * 25  # then 5 s to the straights


def test_the_cycle_is_the_greens_and_the_intergreens_between_them():
    program = FixedTimeProgram(crossing())
    assert program.cycle_s == 75.0  # 30 + 5, 10 + 5, 20 + 5
    assert program.first_stage == STRAIGHTS


def test_the_intergreen_belongs_to_the_stage_that_it_leads_to():
    program = FixedTimeProgram(crossing())
    assert stages(program, 0, 75) == [*CYCLE, *[STRAIGHTS] * 5]


def test_every_cycle_is_like_the_first_before_the_clocks_zero_too():
    program = FixedTimeProgram(crossing())
    first = stages(program, 0, 75)
    for cycle in (-1000, -1, 1, 48 * 365 * 24):
        assert stages(program, cycle * 75, 75) == first


@pytest.mark.parametrize('offset_s', [0.0, 12.0, 74.0, 75.0, -63.0, 762.0])
def test_the_offset_is_when_the_first_stage_starts(offset_s):
    program = FixedTimeProgram(crossing(offset_s=offset_s))
    start = int(offset_s)
    assert stages(program, start, 70) == CYCLE
    assert program.stage_at(start - 0.5) == STRAIGHTS  # its intergreen
    assert program.stage_at(start - 5.5) == CROSS_STREET


def test_fractions_of_a_second_count():
    program = FixedTimeProgram(crossing())
    assert [program.stage_at(t) for t in (29.99, 30.0, 44.9, 45.0)] == [0, 1, 1, 2]


@pytest.mark.parametrize('clock_s', [math.nan, math.inf, -math.inf, None, 'noon', Hostile()])
def test_where_the_clock_is_no_number_the_first_stage_is_wanted(clock_s):
    program = FixedTimeProgram(
        crossing(program=tuple(ProgramInterval(stage_index=n, green_s=9.0) for n in (2, 0, 1)))
    )
    assert program.stage_at(clock_s) == CROSS_STREET


def test_without_a_program_every_stage_gets_its_minimum_green():
    program = FixedTimeProgram(crossing(program=()))
    assert program.cycle_s == 30.0
    assert stages(program, 0, 30) == [0] * 5 + [1] * 10 + [2] * 10 + [0] * 5


def test_a_green_below_the_minimum_is_lengthened_to_it():
    short = tuple(ProgramInterval(stage_index=n, green_s=green) for n, green in ((0, 1), (2, 20)))
    assert FixedTimeProgram(crossing(program=short)).cycle_s == 5 + 5 + 20 + 5


def test_a_stage_may_come_twice_a_cycle():
    twice = tuple(ProgramInterval(stage_index=n, green_s=10.0) for n in (0, 1, 0, 2))
    program = FixedTimeProgram(crossing(program=twice))
    assert [program.stage_at(t) for t in (5, 20, 35, 50)] == [0, 1, 0, 2]


# ------------------------------------------------------------------ back into step


def follow(
    sequencer: StageSequencer, shield: Shield, clock_s: int, n_ticks: int, calls: tuple[bool, ...]
) -> list[str]:
    """Let the latched shield drive; return the lamps of each second."""
    shown = []
    for now in range(clock_s, clock_s + n_ticks):
        if sequencer.is_decision_due:
            decision = shield.decide(
                now, now, stage=sequencer.stage, legal=sequencer.legal_stages()
            )
            sequencer.request(decision.applied_stage)
        shown.append(sequencer.step(calls))
    return shown


def latched(plan: SignalPlan) -> Shield:
    shield = Shield(plan)
    shield.latch(ShieldReason.OPERATOR)
    return shield


def real_crossing() -> SignalPlan:
    network = read_network(load_scenario('crossing').net_file)
    (junction_id,) = network.programs
    return derive_plan(network, junction_id)


@pytest.mark.parametrize('is_called', [False, True], ids=['nobody calls', 'everybody calls'])
@pytest.mark.parametrize(
    'plan', [crossing(offset_s=13.0), real_crossing()], ids=['by hand', 'with pedestrians']
)
def test_from_any_state_the_program_is_back_in_step_after_at_most_two_cycles(plan, is_called):
    calls = (is_called,) * plan.n_links
    program = FixedTimeProgram(plan)
    cycle = round(program.cycle_s)
    origin = StageSequencer(plan, initial_stage=program.first_stage)
    start = int(plan.offset_s)
    in_step = follow(origin, latched(plan), start, 5 * cycle, calls)[4 * cycle :]
    assert len(set(in_step)) > plan.n_stages
    changes = [(a, b) for a, b in product(range(plan.n_stages), repeat=2)]
    for (before, after), phase in product(changes, range(0, cycle, 7)):
        # green has just begun, or has lasted a while, or the junction is just clearing
        sequencer = StageSequencer(plan, initial_stage=before, initial_green_s=phase % 20)
        if sequencer.request(after).value == 'accepted':
            sequencer.step(calls)
        shown = follow(sequencer, latched(plan), start + phase, 3 * cycle, calls)[2 * cycle :]
        assert shown == in_step[phase:] + in_step[:phase], (before, after, phase)


def test_in_step_each_green_starts_and_ends_by_the_clock():
    plan = crossing(offset_s=13.0)
    shown = follow(StageSequencer(plan), latched(plan), 13, 150, (True,) * 4)
    assert shown == 2 * [
        *(['GGgr'] * 30 + ['yGgr'] * 3 + ['rGgr'] * 2),
        *(['rGGr'] * 10 + ['ryyr'] * 3 + ['rrrr'] * 2),
        *(['rrrG'] * 20 + ['rrry'] * 4 + ['rrrr'] * 1),
    ]


def test_a_program_of_minimum_greens_alone_has_nothing_to_catch_up_with():
    plan = crossing(program=())
    late = follow(StageSequencer(plan), latched(plan), 3, 300, (False,) * 4)
    on_time = follow(StageSequencer(plan), latched(plan), 0, 303, (False,) * 4)[3:]
    assert late[-60:] != on_time[-60:]
    assert late[-60:] == late[-90:-30]  # the same cycle all the same
