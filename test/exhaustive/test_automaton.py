"""
The whole state space of small junctions, walked to its end and not sampled.

From every state that can be reached, every call pattern and every request is tried; with events,
every preemption and every omission too. What holds in all these states holds for ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import pytest
from small import matrix

from saferl_ros.signals import Link, ProgramInterval, SignalPlan, Stage, StageSequencer
from saferl_ros.signals.pairing import with_clearances


def small_plan(
    stages: list[tuple[str, int, int]],
    *,
    yellow_s: int = 1,
    all_red_s: int = 0,
    crossing_link: int | None = None,
    walk_clearance_s: int = 0,
    slack_s: int = 0,
) -> SignalPlan:
    """Return a junction whose links all conflict unless a stage shows them together."""
    n_links, n_stages = len(stages[0][0]), len(stages)
    together = {
        (i, j)
        for lamps, _, _ in stages
        for i in range(n_links)
        for j in range(n_links)
        if lamps[i] == lamps[j] == 'G'
    }
    foes = [pair for pair in product(range(n_links), repeat=2) if pair not in together]
    vehicles = [link != crossing_link for link in range(n_links)]
    zeros = ((0.0,) * n_stages,) * n_stages
    blank = SignalPlan(
        junction_id='small',
        clearance='legal',
        links=tuple(
            Link(
                index=n,
                from_lane=f'in{n}_0',
                to_lane=f'out{n}_0',
                direction='s',
                speed_mps=13.9,
                crossing_m=20.0,
                is_crossing=not is_vehicle,
            )
            for n, is_vehicle in enumerate(vehicles)
        ),
        stages=tuple(
            Stage(lamps=lamps, min_green_s=least, max_green_s=longest)
            for lamps, least, longest in stages
        ),
        foes=matrix(n_links, [(i, j) for i, j in foes if i != j]),
        yields=matrix(n_links, []),
        min_yellow_s=(0.0,) * n_links,
        min_red_s=((0.0,) * n_links,) * n_links,
        yellow_s=zeros,
        all_red_s=zeros,
        walk_clear_s=zeros,
        min_walk_s=tuple(0.0 if is_vehicle else 1.0 for is_vehicle in vehicles),
        walk_clearance_s=(0.0,) * n_links,
        max_red_s=1e6,
        program=tuple(ProgramInterval(stage_index=n, green_s=1.0) for n in range(n_stages)),
        offset_s=0.0,
        protected_turn_clears=True,
    )
    timed = with_clearances(
        blank,
        yellow_s=[float(yellow_s * is_vehicle) for is_vehicle in vehicles],
        red_s=[(float(all_red_s * is_vehicle),) * n_links for is_vehicle in vehicles],
        walk_clearance_s=[float(walk_clearance_s * (not v)) for v in vehicles],
        least_red_s=float(all_red_s),
    )
    return replace(timed, max_red_s=timed.round_s() + slack_s)


PLANS = {
    'two stages, tightest bound': small_plan([('Gr', 1, 3), ('rG', 1, 2)]),
    'two stages, some slack': small_plan([('Gr', 2, 4), ('rG', 1, 3)], all_red_s=1, slack_s=3),
    'three stages, tightest bound': small_plan([('Grr', 1, 2), ('rGr', 1, 2), ('rrG', 1, 2)]),
    'three stages, unequal greens': small_plan([('Grr', 1, 3), ('rGr', 2, 2), ('rrG', 1, 1)]),
    'three stages that share a link': small_plan([('GGr', 1, 2), ('rGG', 1, 2), ('Grr', 1, 1)]),
    'pedestrians who take their time': small_plan(
        [('Gr', 1, 2), ('rG', 2, 3)], crossing_link=1, walk_clearance_s=4
    ),
    'pedestrians beside vehicles': small_plan(
        [('GrG', 1, 2), ('rGr', 1, 2), ('Grr', 1, 1)], crossing_link=2, walk_clearance_s=3
    ),
}


def followers(
    sequencer: StageSequencer, calls: list[tuple[bool, ...]]
) -> Iterator[StageSequencer]:
    """Yield the automaton one tick later, for every request and every pattern of calls."""
    legal = sequencer.legal_stages()
    wishes: list[int | None] = [None, *(s for s, is_legal in enumerate(legal) if is_legal)]
    for wish, pattern in product(wishes if sequencer.is_decision_due else [None], calls):
        twin = sequencer.fork()
        if wish is not None:
            assert twin.request(wish).value == 'accepted'
        twin.step(pattern)
        yield twin


def with_events(sequencer: StageSequencer) -> Iterator[StageSequencer]:
    """Yield the automaton after each thing that an operator or an emergency vehicle may do."""
    yield sequencer
    stages = range(sequencer.plan.n_stages)
    for stage in stages:
        twin = sequencer.fork()
        twin.preempt(stage, 2.0)
        yield twin
        twin = sequencer.fork()
        twin.omit([stage])
        yield twin
    twin = sequencer.fork()
    twin.omit([])
    twin.end_preemption()
    yield twin


def walk(plan: SignalPlan, *, has_events: bool) -> int:
    """Visit every state that can be reached; return their number."""
    calls = list(product((False, True), repeat=plan.n_links))
    start = StageSequencer(plan)
    seen, frontier = {start.state()}, [start]
    while frontier:
        sequencer = frontier.pop()
        for before in with_events(sequencer) if has_events else [sequencer]:
            for after in followers(before, calls):
                assert after.n_dead_ends == 0, after.state()
                assert after.longest_wait_s <= after.max_red_s, after.state()
                state = after.state()
                if state not in seen:
                    seen.add(state)
                    frontier.append(after)
    return len(seen)


@pytest.mark.parametrize('name', PLANS)
def test_no_state_of_the_automaton_is_a_dead_end(name, record_property, capsys):
    n_states = walk(PLANS[name], has_events=False)
    record_property('states', n_states)
    with capsys.disabled():
        print(f'\n{name}: {n_states:,} states walked, no dead end', end=' ')
    assert n_states > 30


def test_neither_preemption_nor_omission_leads_to_a_dead_end(capsys):
    n_states = sum(
        walk(PLANS[name], has_events=True)
        for name in ('two stages, tightest bound', 'pedestrians who take their time')
    )
    with capsys.disabled():
        print(f'\nwith every event: {n_states:,} states walked, no dead end', end=' ')
    assert n_states > 300
