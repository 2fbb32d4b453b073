"""Plans derived from every signal of the catalogue."""

from __future__ import annotations

import random

import pytest

from saferl_ros.scenario import load_scenario
from saferl_ros.scenario.catalogue import CATALOGUE, nets_dir, SUMO_RL
from saferl_ros.signals import card_of, ConflictMonitor, SignalPlan, StageSequencer
from saferl_ros.sumo.derive import derive_plan, signal_ids
from saferl_ros.sumo.network import read_network

# these programs show conflicting protected greens, which the derived plan mends
MENDED = {'ingolstadt7': {'gneJ210'}, 'ingolstadt21': {'gneJ210'}}
RESCO = {
    'cologne1': 1,
    'cologne3': 3,
    'cologne8': 8,
    'ingolstadt1': 1,
    'ingolstadt7': 7,
    'ingolstadt21': 21,
    'grid4x4': 16,
    'arterial4x4': 16,
}


def plans(name: str, clearance: str) -> dict[str, SignalPlan]:
    network = read_network(load_scenario(name).net_file)
    return {i: derive_plan(network, i, clearance=clearance) for i in signal_ids(network)}


def test_the_catalogue_holds_every_signalised_network_of_sumo_rl():
    used = {nets_dir() / entry.net_file for entry in SUMO_RL.values()}
    signalised = {path for path in nets_dir().rglob('*.net.xml') if signal_ids(read_network(path))}
    assert used == signalised


@pytest.mark.parametrize(('name', 'count'), RESCO.items())
def test_every_signal_of_resco_has_a_plan(name, count):
    assert len(plans(name, 'legal')) == count


@pytest.mark.parametrize('name', CATALOGUE)
@pytest.mark.parametrize('clearance', ['legal', 'net', 'resco'])
def test_random_requests_at_every_signal_of_the_catalogue_show_no_fault(name, clearance):
    for plan in list(plans(name, clearance).values())[:6]:
        sequencer, monitor, rng = (
            StageSequencer(plan),
            ConflictMonitor(card_of(plan)),
            random.Random(1),
        )
        served = {i for stage in plan.stages for i, lamp in enumerate(stage.lamps) if lamp in 'Gg'}
        for _ in range(400):
            if rng.random() < 0.4:
                sequencer.request(rng.randrange(-1, plan.n_stages + 1))
            calls = [link in served and rng.random() < 0.05 for link in range(plan.n_links)]
            monitor.step(sequencer.step(calls), calls)
        assert not monitor.counts, (name, plan.junction_id, monitor.faults[:3])


def own_program(plan: SignalPlan, n_ticks: int) -> list[str]:
    order = [(part.stage_index, part.green_s) for part in plan.program]
    sequencer = StageSequencer(plan, initial_stage=order[0][0])
    shown, n = [], 0
    for _ in range(n_ticks):
        if sequencer.is_decision_due and sequencer.green_elapsed_s >= order[n][1]:
            n = (n + 1) % len(order)
            sequencer.request(order[n][0])
        shown.append(sequencer.step([False] * plan.n_links))
    return shown


@pytest.mark.parametrize('name', [*RESCO, 'double', '3x3grid', 'nguyen'])
def test_net_clearances_reproduce_every_program_to_the_second(name):
    network = read_network(load_scenario(name).net_file)
    for junction_id, plan in plans(name, 'net').items():
        if junction_id in MENDED.get(name, ()):
            continue
        phases = network.programs[junction_id].phases
        expected = [p.lamps for p in phases for _ in range(int(p.duration_s))] * 2
        assert own_program(plan, len(expected)) == expected, junction_id


@pytest.mark.parametrize(('name', 'junctions'), MENDED.items())
def test_conflicting_protected_greens_are_mended(name, junctions):
    network = read_network(load_scenario(name).net_file)
    for junction_id in junctions:
        plan = derive_plan(network, junction_id, clearance='legal')
        programs = {phase.lamps for phase in network.programs[junction_id].phases}
        assert any(plan.conflicts(lamps) for lamps in programs if 'y' not in lamps)
        assert not any(plan.conflicts(stage.lamps) for stage in plan.stages)
