"""Families of fixed-time plans: every stage every cycle, greens in range, honest probabilities."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from itertools import islice
import math

from known import two_way_plan
import numpy as np
import pytest

from saferl_ros.control.controller import Moment
from saferl_ros.control.family import FamilyConfig, FixedTimeFamily, make_slots, PLAN_FAMILIES
from saferl_ros.env.junction import DECISION_S
from saferl_ros.observation import SignalView
from saferl_ros.scenario import load_scenario
from saferl_ros.signals import SignalPlan, StageSequencer
from saferl_ros.sumo.derive import derive_plan, signal_ids
from saferl_ros.sumo.network import read_network


@pytest.fixture(scope='module')
def cologne1() -> SignalPlan:
    network = read_network(load_scenario('cologne1').net_file)
    return derive_plan(network, signal_ids(network)[0])


def decisions(plan: SignalPlan, config: FamilyConfig, seed: int = 0, step_s: float = 1.0):
    """Drive a family through a sequencer; yield (stage, green so far, decision)."""
    family = FixedTimeFamily(plan, config, np.random.default_rng(seed))
    first = plan.program[0].stage_index
    sequencer = StageSequencer(plan, step_s=step_s, initial_stage=first)
    quiet = [False] * plan.n_links
    while True:
        while not sequencer.is_decision_due:
            sequencer.step(quiet)
        elapsed_s = sequencer.green_elapsed_s
        signal = SignalView(
            stage=sequencer.stage,
            green_elapsed_s=elapsed_s,
            since_served_s=(0.0,) * plan.n_stages,
            legal=tuple(sequencer.legal_stages()),
            is_min_green_over=True,
        )
        decision = family.decide(
            Moment(signal=signal, observe=lambda: np.zeros(1), lane_veh=lambda *_: 0)
        )
        yield sequencer.stage, elapsed_s, decision
        assert sequencer.request(decision.stage).value == 'accepted'
        keeps = decision.stage == sequencer.stage
        hold_s = decision.hold_s or DECISION_S
        for _ in range(math.ceil(hold_s / step_s - 1e-9) if keeps else 1):
            sequencer.step(quiet)


@pytest.mark.parametrize('plans', PLAN_FAMILIES)
def test_every_stage_is_served_once_a_cycle_within_its_range(cologne1, plans):
    config = FamilyConfig(plans=plans)
    allowed = {
        slot.stage: {green_s for green_s, _ in slot.greens}
        for group in make_slots(cologne1, config)
        for slot in group
    }
    greens = [
        (stage, elapsed_s)
        for stage, elapsed_s, decision in islice(decisions(cologne1, config), 3000)
        if decision.stage != stage
    ]
    assert len(greens) > 100
    for stage, green_s in greens:
        assert green_s in allowed[stage]
        assert cologne1.stages[stage].min_green_s <= green_s <= cologne1.stages[stage].max_green_s
    served = [stage for stage, _ in greens]
    if plans not in ('leadlag', 'order'):  # these change the order, so a cycle has no fixed start
        for start in range(0, len(served) - 4, 4):
            assert sorted(served[start : start + 4]) == [0, 1, 2, 3]
    assert max(Counter(served).values()) - min(Counter(served).values()) <= 2


@pytest.mark.parametrize('plans', ['leadlag', 'order', 'splits'])
def test_stated_probabilities_are_the_frequencies(cologne1, plans):
    taken: dict[tuple[int, float], Counter[int]] = defaultdict(Counter)
    weight: dict[tuple[int, float], float] = defaultdict(float)
    for seed in range(3):
        run = decisions(cologne1, FamilyConfig(plans=plans), seed)
        for stage, elapsed_s, decision in islice(run, 8000):
            assert 0 < decision.probability <= 1
            taken[stage, elapsed_s][decision.stage] += 1
            # importance weights of any choice must add up to the number of visits
            weight[stage, elapsed_s] += (decision.stage == stage) / decision.probability
    for state, choices in taken.items():
        visits = choices.total()
        if visits > 1000 and 0.05 < choices[state[0]] / visits < 1:
            assert weight[state] / visits == pytest.approx(1, abs=0.08)


@pytest.mark.parametrize(
    ('min_green_s', 'step_s', 'changes'),
    [
        (7.5, 1.0, {}),
        (5.0, 0.4, {}),
        (5.0, 2.0, {}),
        (5.0, 1.0, {'grid_s': 2.5, 'vary_share': 0.2}),
        (7.5, 2.0, {'vary_share': 0.2}),
    ],
)
def test_a_green_that_a_step_rounds_up_keeps_its_probability(
    cologne1, min_green_s, step_s, changes
):
    stages = tuple(replace(stage, min_green_s=min_green_s) for stage in cologne1.stages)
    plan = replace(cologne1, stages=stages)
    shifts = {0: 0.5, 5: 0.3, 10: 0.2}
    config = FamilyConfig(plans='splits', minor_shift_s=shifts, **changes)
    visits: Counter[tuple[int, float]] = Counter()
    weights: Counter[tuple[int, float]] = Counter()
    for seed in range(3):
        for stage, elapsed_s, decision in islice(decisions(plan, config, seed, step_s), 8000):
            at = (
                stage,
                round(elapsed_s / DECISION_S),
            )  # what is asked a little later belongs together
            visits[at] += 1
            weights[at] += (decision.stage != stage) / decision.probability
            assert decision.stage == stage or decision.probability > 0.001
    # where greens end, changes weigh as much as there were visits
    ended = [weights[at] / n for at, n in visits.items() if n > 500 and weights[at]]
    assert len(ended) >= 4
    assert max(ended) < 1.5
    assert sorted(ended)[len(ended) // 2] == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize('plans', ['leadlag', 'splits'])
def test_rarely_varying_cycles_state_their_probabilities_too(cologne1, plans):
    """At each state, the importance weights of each next stage add up to the number of visits."""
    config = FamilyConfig(plans=plans, vary_share=0.2)
    visits: Counter[tuple[int, float]] = Counter()
    weights: dict[tuple[int, float], Counter[int]] = defaultdict(Counter)
    seen: dict[tuple[int, float], Counter[int]] = defaultdict(Counter)
    for seed in range(3):
        for stage, elapsed_s, decision in islice(decisions(cologne1, config, seed), 16000):
            assert 0 < decision.probability <= 1
            visits[stage, elapsed_s] += 1
            seen[stage, elapsed_s][decision.stage] += 1
            weights[stage, elapsed_s][decision.stage] += 1 / decision.probability
    checked = [
        weights[state][choice] / visits[state]
        for state, choices in seen.items()
        for choice, n in choices.items()
        if n > 200 and n < visits[state]
    ]
    assert len(checked) >= 6
    # a choice that some histories exclude adds up to less, none to more
    assert max(checked) < 1.2
    assert sorted(checked)[len(checked) // 2] == pytest.approx(1, abs=0.1)


def test_the_stated_share_of_the_cycles_varies(cologne1):
    config = FamilyConfig(plans='leadlag', vary_share=0.1, swap_probability=0.5)
    usual = [slot for group in make_slots(cologne1, config) for slot in group]
    changes = [
        (stage, elapsed_s)
        for stage, elapsed_s, decision in islice(decisions(cologne1, config), 20000)
        if decision.stage != stage
    ]
    plain = [(slot.stage, slot.usual_s) for slot in usual]
    cycles = [changes[n : n + 4] for n in range(0, len(changes) - 4, 4)]
    share = sum(cycle != plain for cycle in cycles) / len(cycles)
    # a varying cycle looks usual if nothing swaps (1/4) and no green shifts (0.4 each)
    assert share == pytest.approx(0.1 * (1 - 0.25 * 0.4**2), abs=0.025)


def test_the_own_plan_is_certain(cologne1):
    run = decisions(cologne1, FamilyConfig(plans='net'))
    assert {decision.probability for _, _, decision in islice(run, 500)} == {1.0}


@pytest.mark.parametrize('grid_s', [2.0, 5.0, 10.0])
def test_whatever_the_grid_of_the_greens_decisions_fall_as_a_policy_makes_them(cologne1, grid_s):
    config = FamilyConfig(grid_s=grid_s, minor_shift_s={0: 0.5, 10: 0.5})
    kept = [
        (elapsed_s, decision.hold_s)
        for stage, elapsed_s, decision in islice(decisions(cologne1, config), 1000)
        if decision.stage == stage
    ]
    assert max(hold_s for _, hold_s in kept) == DECISION_S
    minimum_s = min(stage.min_green_s for stage in cologne1.stages)
    first = {elapsed_s for elapsed_s, hold_s in kept if hold_s == DECISION_S}
    assert min(first) == minimum_s
    assert {minimum_s, minimum_s + DECISION_S} <= first


def test_two_stages_never_swap():
    config = FamilyConfig(plans='leadlag')
    assert [len(group) for group in make_slots(two_way_plan(), config)] == [1, 1]


def test_shifts_must_add_up_to_one():
    with pytest.raises(ValueError, match='add up to 1'):
        FamilyConfig(main_shift_s={0: 0.5})
    with pytest.raises(ValueError, match=r"vary_share 0.05 is not for plans 'library'"):
        FamilyConfig(plans='library', vary_share=0.05)
    with pytest.raises(ValueError, match="'net', 'library', 'splits', 'leadlag' or 'order'"):
        FamilyConfig(plans='lead')
