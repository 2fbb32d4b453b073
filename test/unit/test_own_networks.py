"""Our own networks: complete, reproducible, legal by an independent reading, quiet in SUMO."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
import math
import os
from pathlib import Path
import subprocess
import sys
from xml.etree import ElementTree

import pytest

from saferl_ros.cli import scenarios as command
from saferl_ros.errors import MissingExtraError, ScenarioError
from saferl_ros.scenario import catalogue, DemandVariation, load_scenario, Scenario, Split, Surge
from saferl_ros.scenario.catalogue import CATALOGUE, OWN, own_nets_dir, SUMO_RL
from saferl_ros.scenario.demand import write_demand
from saferl_ros.sumo.derive import signal_ids
from saferl_ros.sumo.home import sumo_binary
from saferl_ros.sumo.network import Network, read_network

SIGNALS = {'crossing': 1, 'corridor': 3, 'grid': 16}
WITH_PEDESTRIANS = ('crossing', 'corridor')
CHECKOUT = Path(__file__).resolve().parents[2] / 'sumo_networks'


def network_of(name: str) -> Network:
    return read_network(load_scenario(name).net_file)


@pytest.mark.parametrize(('name', 'n_signals'), SIGNALS.items())
def test_each_network_is_a_built_in_scenario_with_its_signals(name, n_signals):
    assert len(signal_ids(network_of(name))) == n_signals
    assert load_scenario(name).horizon_s == 3600


@pytest.mark.parametrize('name', SIGNALS)
def test_every_file_is_there_and_names_no_machine_and_no_date(name):
    folder = load_scenario(name).net_file.parent
    kinds = ['net.xml', 'rou.xml', 'sumocfg', 'nod.xml', 'edg.xml', 'con.xml', 'tll.xml']
    for file in [f'{name}.{kind}' for kind in kinds]:
        text = (folder / file).read_text(encoding='utf-8')
        assert 'generated on' not in text
        assert 'Apache-2.0' in text
        assert str(Path(__file__).resolve().parents[2]) not in text
    readme = (folder / 'README.md').read_text(encoding='utf-8')
    assert {'## Origin', '## Stages', '## What it exercises'} <= set(readme.splitlines())
    assert 'no foreign data' in readme


@pytest.mark.parametrize('name', SIGNALS)
def test_the_configuration_and_the_catalogue_mean_the_same_scenario(name):
    built_in = load_scenario(name)
    by_file = load_scenario(str(built_in.net_file.with_name(f'{name}.sumocfg')))
    assert by_file == built_in


def test_the_catalogue_is_ours_and_that_of_sumo_rl():
    assert set(OWN) == set(SIGNALS)
    assert not set(OWN) & set(SUMO_RL)
    assert set(CATALOGUE) == set(OWN) | set(SUMO_RL)


def test_the_corridor_starts_its_greens_one_after_the_other_as_a_platoon_meets_them():
    network = network_of('corridor')
    offsets_s = [network.programs[node].offset_s for node in 'abc']
    travel_s = 350 / 13.89
    assert offsets_s == [pytest.approx(n * travel_s, abs=0.5) for n in range(3)]
    cycles_s = {sum(phase.duration_s for phase in p.phases) for p in network.programs.values()}
    assert cycles_s == {90.0}


# ------------------------------------------------------------------ without sumo-rl, installed


def not_installed() -> Path:
    raise MissingExtraError('sumo_rl', 'sim')


def test_our_own_networks_load_and_are_listed_without_sumo_rl(monkeypatch, capsys):
    monkeypatch.setattr(catalogue, 'nets_dir', not_installed)
    assert load_scenario('crossing').net_file.is_file()
    with pytest.raises(MissingExtraError):
        load_scenario('cologne1')
    options = command.argparse.Namespace(json=False)
    assert command.main(options) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in SIGNALS)
    assert f"{len(SUMO_RL)} more with sumo-rl: 'sumo_rl' is not installed" in shown
    assert 'cologne1' not in shown


@pytest.mark.parametrize('prefix', ['venv', 'workspace'])
def test_an_installation_finds_them_below_share(monkeypatch, tmp_path, prefix):
    package = tmp_path / 'workspace/lib/python3.11/site-packages/saferl_ros'
    share = tmp_path / prefix / 'share/saferl_ros/sumo_networks'
    share.mkdir(parents=True)
    monkeypatch.setattr(catalogue, '__file__', str(package / 'scenario/catalogue.py'))
    monkeypatch.setattr(sys, 'prefix', str(tmp_path / 'venv'))
    assert own_nets_dir() == share


def test_a_missing_folder_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(catalogue, '__file__', str(tmp_path / 'a/b/saferl_ros/scenario/x.py'))
    monkeypatch.setattr(sys, 'prefix', str(tmp_path))
    with pytest.raises(ScenarioError, match='sumo_networks'):
        own_nets_dir()


# ------------------------------------------------------------------ legal by another reading


@dataclass(frozen=True, slots=True)
class Lamp:
    """One lamp with the times it needs [s], worked out here from the network alone."""

    is_turn: bool
    is_crossing: bool
    yellow_s: int
    all_red_s: int  # of a crossing: the time to walk over it
    foes: frozenset[int]
    gives_way_to: frozenset[int]


@lru_cache
def lamps_of(name: str, node: str) -> tuple[Lamp, ...]:
    network = network_of(name)
    found = {}
    for c in network.signalised(node):
        row = network.right_of_way[c.via_lane or c.to_lane]
        is_crossing = c.from_lane.startswith(':')
        speed_mps = network.lanes[c.from_lane].speed_mps
        if is_crossing:
            all_red_s = network.lanes[c.to_lane].length_m / 1.07
        else:
            clearing_mps = max(8.9, speed_mps) if c.direction == 's' else 8.9
            all_red_s = min(6, max(1, (network.crossing_m(c) + 6.1) / clearing_mps - 1))
        approach_mps = speed_mps - (2.2 if c.direction == 'l' else 0)
        found[c.link_index] = (
            row,
            Lamp(
                is_turn=c.direction in 'lr' and not is_crossing,
                is_crossing=is_crossing,
                yellow_s=0 if is_crossing else math.ceil(min(6, max(3, 1 + approach_mps / 6.1))),
                all_red_s=math.ceil(all_red_s),
                foes=frozenset(n for n, bit in enumerate(reversed(row.foes)) if bit == '1'),
                gives_way_to=frozenset(
                    n for n, bit in enumerate(reversed(row.response)) if bit == '1'
                ),
            ),
        )
    # here the rows of the right-of-way table stand in the order of the lamps
    assert [row.index for _, (row, _) in sorted(found.items())] == list(range(len(found)))
    return tuple(lamp for _, (_, lamp) in sorted(found.items()))


def shown(name: str, node: str) -> list[str]:
    """Return three cycles of the node's own program, second by second."""
    phases = network_of(name).programs[node].phases
    assert all(phase.duration_s == int(phase.duration_s) for phase in phases)
    return [phase.lamps for phase in phases for _ in range(int(phase.duration_s))] * 3


def runs(seconds: str) -> list[tuple[str, int]]:
    """Return a lamp's letters with how long each shows, the first and last (cut) left out."""
    found: list[tuple[str, int]] = []
    for letter in seconds:
        if found and found[-1][0] == letter:
            found[-1] = (letter, found[-1][1] + 1)
        else:
            found.append((letter, 1))
    return found[1:-1]


NODES = [(name, node) for name in SIGNALS for node in network_of(name).programs]


@pytest.mark.parametrize(('name', 'node'), NODES)
def test_no_two_greens_conflict_but_a_turn_that_gives_way(name, node):
    lamps = lamps_of(name, node)
    for second in set(shown(name, node)):
        for i, lamp in enumerate(lamps):
            for j in lamp.foes:
                if j < i or second[i] not in 'Gg' or second[j] not in 'Gg':
                    continue
                assert any(
                    second[a] == 'g' and lamps[a].is_turn and b in lamps[a].gives_way_to
                    for a, b in ((i, j), (j, i))
                ), (second, i, j)


@pytest.mark.parametrize(('name', 'node'), NODES)
def test_each_lamp_keeps_its_order_and_its_shortest_times(name, node):
    seconds = shown(name, node)
    for i, lamp in enumerate(lamps_of(name, node)):
        letters = runs(''.join(second[i] for second in seconds))
        assert any(letter in 'Gg' for letter, _ in letters)
        for (letter, lasts_s), (following, _) in pairwise(letters):
            allowed = ('rG', 'Gr') if lamp.is_crossing else ('rG', 'rg', 'Gy', 'gy', 'gG', 'yr')
            assert letter + following in allowed
            if letter == 'y':
                assert lasts_s >= lamp.yellow_s
            if letter in 'Gg':
                assert lasts_s >= (7 if lamp.is_crossing else 5)


@pytest.mark.parametrize(('name', 'node'), NODES)
def test_nobody_gets_green_before_vehicles_and_pedestrians_have_cleared(name, node):
    seconds, lamps = shown(name, node), lamps_of(name, node)
    red_since = [-1000] * len(lamps)
    for now in range(1, len(seconds)):
        before, after = seconds[now - 1], seconds[now]
        for i in range(len(lamps)):
            if after[i] == 'r' and before[i] != 'r':
                red_since[i] = now
        for i, lamp in enumerate(lamps):
            if after[i] not in 'Gg' or after[i] == before[i]:
                continue  # no new right
            for j in lamp.foes:
                if after[j] == 'r':
                    assert now - red_since[j] >= lamps[j].all_red_s, (i, j, now)


@pytest.mark.parametrize('name', WITH_PEDESTRIANS)
def test_every_leg_of_every_signal_has_a_crossing_with_a_lamp(name):
    for node in network_of(name).programs:
        assert sum(lamp.is_crossing for lamp in lamps_of(name, node)) == 4


@pytest.mark.parametrize('name', SIGNALS)
def test_there_are_no_u_turns(name):
    assert {c.direction for c in network_of(name).connections if c.tls_id} == set('slr')


# ------------------------------------------------------------------ demand and SUMO itself


def varied(scenario: Scenario, path: Path) -> ElementTree.Element:
    surge = Surge(start_ratio=0.2, length_s=600, factor=1.5)
    variation = DemandVariation(split=Split.RECORD, seed=3, scale=1.1, surge=surge)
    write_demand(scenario, variation, path)
    return ElementTree.parse(path).getroot()


@pytest.mark.parametrize('name', WITH_PEDESTRIANS)
def test_pedestrians_survive_a_varied_demand(name, tmp_path):
    scenario = load_scenario(name)
    nominal = ElementTree.parse(scenario.route_files[0]).getroot()
    written = varied(scenario, tmp_path / 'varied.rou.xml')
    walks = {person.get('id') for person in nominal.findall('personFlow')}
    persons = [person.get('id', '') for person in written.findall('person')]
    assert len(persons) > 100
    assert {person.rsplit('.', 2)[0] for person in persons} <= walks


def run_sumo(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sumo_binary(), *options, '--end', '600', '--no-step-log', '--duration-log.disable']
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.sumo
@pytest.mark.parametrize('name', SIGNALS)
def test_sumo_runs_ten_minutes_without_a_word(name):
    done = run_sumo('-c', str(own_nets_dir() / name / f'{name}.sumocfg'))
    assert (done.returncode, done.stdout, done.stderr) == (0, '', '')


@pytest.mark.sumo
@pytest.mark.parametrize('name', WITH_PEDESTRIANS)
def test_sumo_runs_a_varied_demand_with_pedestrians_without_a_word(name, tmp_path):
    scenario = load_scenario(name)
    routes, trips = tmp_path / 'varied.rou.xml', tmp_path / 'trips.xml'
    varied(scenario, routes)
    additional = [part for file in scenario.additional_files for part in ('-a', str(file))]
    files = ['-n', str(scenario.net_file), '-r', str(routes), *additional]
    done = run_sumo(*files, '--tripinfo-output', str(trips))
    assert (done.returncode, done.stdout, done.stderr) == (0, '', '')
    assert len(ElementTree.parse(trips).getroot().findall('personinfo')) > 10


@pytest.mark.sumo
@pytest.mark.skipif(not CHECKOUT.is_dir(), reason='the script is in the checkout only')
def test_the_script_builds_the_same_bytes_again(tmp_path):
    environment = {**os.environ, 'PYTHONDONTWRITEBYTECODE': '1'}
    script = [sys.executable, str(CHECKOUT / 'build.py'), '--out', str(tmp_path)]
    subprocess.run(script, check=True, capture_output=True, env=environment, timeout=120)
    for name in SIGNALS:
        for path in (CHECKOUT / name).glob(f'{name}.*'):
            assert (tmp_path / name / path.name).read_bytes() == path.read_bytes(), path.name
