"""Demand: disjoint splits, the same seed the same file, scale and surge where they belong."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from saferl_ros.errors import ScenarioError
from saferl_ros.scenario import DemandVariation, load_scenario, Split, Surge, write_demand
from saferl_ros.scenario.demand import count_departures, travelled_turns

Rows = list[tuple[str, float, str]]  # (name, departure [s], origin)


def vehicles(path: Path, name: str = 'cologne1', **variation: object) -> Rows:
    settings = {'split': Split.RECORD, 'seed': 1, **variation}
    write_demand(load_scenario(name), DemandVariation(**settings), path)
    return [
        (e.get('id', ''), float(e.get('depart', 0)), e.get('from', ''))
        for e in ElementTree.parse(path).getroot()
        if e.get('depart')
    ]


def test_the_same_seed_gives_the_same_demand_and_another_split_another(tmp_path):
    path = tmp_path / 'd.rou.xml'
    first = vehicles(path)
    assert first == vehicles(path)
    assert first != vehicles(path, seed=2)
    assert first != vehicles(path, split=Split.TEST)
    seeds = {DemandVariation(split=s, seed=n).sumo_seed for s in Split for n in range(200)}
    assert len(seeds) == 3 * 200


def test_departures_are_sorted_and_within_the_window(tmp_path):
    departs = [depart for _, depart, _ in vehicles(tmp_path / 'd.rou.xml', 'cologne3')]
    assert departs == sorted(departs)
    assert departs[0] >= 25200
    assert departs[-1] < 28800


def test_the_scale_sets_the_number_of_vehicles(tmp_path):
    path = tmp_path / 'd.rou.xml'
    assert len(vehicles(path, scale=0.5)) == pytest.approx(0.5 * 2015, rel=0.1)
    assert len(vehicles(path, scale=1.25)) == pytest.approx(1.25 * 2015, rel=0.1)


def test_a_surge_raises_one_direction_for_its_time(tmp_path):
    path = tmp_path / 'd.rou.xml'
    surge = Surge(start_ratio=0.5, length_s=900, factor=4)

    def by_origin(rows: Rows) -> Counter[str]:
        return Counter(origin for _, depart, origin in rows if 27000 <= depart < 27900)

    usual, raised = by_origin(vehicles(path)), by_origin(vehicles(path, surge=surge))
    grown = [origin for origin in usual if raised[origin] > 2 * usual[origin] > 40]
    assert len(grown) == 1


def test_flows_become_single_vehicles(tmp_path):
    path = tmp_path / 'd.rou.xml'
    rows = vehicles(path, 'single-intersection')
    assert len(rows) > 500
    assert '<flow' not in path.read_text()


def test_a_flow_varies_as_much_as_vehicles_that_come_at_random(tmp_path):
    path = tmp_path / 'd.rou.xml'
    counts = [len(vehicles(path, 'single-intersection', seed=seed)) for seed in range(60)]
    spread = np.var(counts, ddof=1) / np.mean(counts)
    assert 0.6 < spread < 1.55  # 1 of a Poisson process; 2 if both the flow and each of it vary


@pytest.mark.parametrize('scale', [0, -1, 11])
def test_an_impossible_scale_is_refused(scale):
    with pytest.raises(ScenarioError, match='scale'):
        DemandVariation(split=Split.RECORD, seed=0, scale=scale)


def test_a_variation_survives_json():
    surge = Surge(start_ratio=0.5, length_s=900, factor=4)
    demand = DemandVariation(split=Split.TUNE, seed=3, scale=0.8, surge=surge)
    assert DemandVariation.from_json(demand.to_json()) == demand


def elements(path: Path, **variation: object) -> Counter[str]:
    settings = {'split': Split.RECORD, 'seed': 1, **variation}
    write_demand(load_scenario('corridor'), DemandVariation(**settings), path)
    found: Counter[str] = Counter()
    for element in ElementTree.parse(path).getroot():
        found['bus' if element.find('stop') is not None else element.tag] += 1
    return found


def test_pedestrians_vary_with_the_scale_and_buses_keep_their_timetable(tmp_path):
    path = tmp_path / 'd.rou.xml'
    usual, half = elements(path), elements(path, scale=0.5)
    assert usual['bus'] == half['bus'] == 24
    assert usual['personFlow'] == half['personFlow'] == 0
    assert usual['person'] > 500
    assert half['person'] == pytest.approx(0.5 * usual['person'], rel=0.2)


def test_a_flow_counts_with_the_vehicles_it_brings():
    assert count_departures(load_scenario('crossing')) == pytest.approx(1350, rel=0.1)


ROUTES = """<routes>
    <route id="named" edges="a b"/>
    <routeDistribution id="either"><route edges="c d"/><route edges="e"/></routeDistribution>
    <route id="unused" edges="z"/>
    <vehicle id="0" depart="25300" route="named"/>
    <flow id="1" begin="25300" end="25400" number="5" route="either"/>
    <vehicle id="2" depart="25300"><route edges="f g"/></vehicle>
    {more}
    <vehicle id="3" depart="99999"><route edges="too late"/></vehicle>
</routes>"""


TURNS = {('a', 'b'), ('c', 'd'), ('f', 'g')}


@pytest.mark.parametrize(
    ('more', 'turns'),
    [
        ('', TURNS),
        ('<trip id="4" depart="99999" from="a" to="x"/>', TURNS),  # too late as well
        ('<vehicle id="4" depart="25301"><route edges="h"/></vehicle>', TURNS),  # no turn
        ('<trip id="4" depart="25301" from="a" to="x"/>', None),  # SUMO finds the way
        ('<vehicle id="4" depart="25301" route="elsewhere"/>', None),
    ],
)
def test_the_turns_that_somebody_takes_where_the_routes_are_stated(tmp_path, more, turns):
    path = tmp_path / 'd.rou.xml'
    path.write_text(ROUTES.format(more=more))
    assert travelled_turns(replace(load_scenario('cologne1'), route_files=(path,))) == turns


@pytest.mark.parametrize(
    ('stated', 'n_expected', 'last_s'),
    [
        ('number="50" period="10"', 50, 25700),  # SUMO ends such a flow when it is full
        ('number="50" vehsPerHour="360"', 50, 25700),
        ('number="50" probability="0.1"', 50, 25700),
        ('number="50" end="25300"', 50, 25300),
        ('number="50"', 50, 28800),
        ('period="10"', 360, 28800),
        ('number="5000" period="10"', 360, 28800),
        ('number="50" period="10" end="25300"', 10, 25300),
    ],
)
def test_a_flow_ends_with_its_number_its_time_or_the_scenario(
    tmp_path, stated, n_expected, last_s
):
    path, out = tmp_path / 'd.rou.xml', tmp_path / 'o.rou.xml'
    path.write_text(f'<routes><flow id="0" from="a" to="b" begin="25200" {stated}/></routes>')
    scenario = replace(load_scenario('cologne1'), route_files=(path,))
    assert count_departures(scenario) == n_expected
    write_demand(scenario, DemandVariation(split=Split.TUNE, seed=1, jitter_s=0.0), out)
    departs_s = [float(e.get('depart', 0)) for e in ElementTree.parse(out).getroot()]
    assert len(departs_s) == pytest.approx(n_expected, abs=4 * n_expected**0.5)
    assert max(departs_s) <= last_s


def test_an_episode_can_begin_later_and_keeps_its_length():
    own = load_scenario('cologne1')
    later = load_scenario('cologne1', begin_s=own.begin_s + 600)
    assert (later.begin_s, later.horizon_s) == (own.begin_s + 600, own.horizon_s)
    short = load_scenario('cologne1', begin_s=0, horizon_s=60)
    assert (short.begin_s, short.end_s) == (0, 60)
