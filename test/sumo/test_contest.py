"""What a match measures."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

from episodes import drive_own_plan
import pytest

from saferl_ros.env.junction import Junction
from saferl_ros.evaluate.contest import Contestant, Match, play_matches
from saferl_ros.isolation import run_isolated
from saferl_ros.scenario import DemandVariation, load_scenario, Split

pytestmark = pytest.mark.sumo


def test_measuring_more_changes_nothing_else():
    plain = Match(
        junctions=(Junction.derive(load_scenario('cologne1', horizon_s=300)),),
        contestant=Contestant(name='net_plan'),
        demand=DemandVariation(split=Split.TUNE, seed=1),
    )
    less, more = play_matches([plain, replace(plain, measure_all=True)], jobs=2)
    assert less.trips.co2_g == less.conflicts == 0
    assert 20 < more.trips.co2_g < 1000
    assert more.conflicts > 0
    trips = replace(more.trips, co2_g=0.0)
    assert replace(more, conflicts=0.0, trips=trips) == less


def test_the_reward_that_judging_leaves_out_changes_nothing():
    results = dict(run_isolated(drive_own_plan, ['time_lost', None], jobs=2))
    assert results[0] == results[1]


@pytest.mark.parametrize('is_nominal', [True, False])
def test_a_flow_without_an_end_lasts_as_long_as_the_scenario(tmp_path, is_nominal):
    own = load_scenario('cologne1', horizon_s=600)
    trip = next(ElementTree.parse(own.route_files[0]).getroot().iter('trip'))
    routes = tmp_path / 'flow.rou.xml'
    routes.write_text(
        f'<routes><flow id="0" from="{trip.get("from")}" to="{trip.get("to")}" '
        f'begin="{own.begin_s}" number="100"/></routes>'
    )
    junction = Junction.derive(replace(own, route_files=(routes,)))
    demand = DemandVariation(split=Split.TEST, seed=0, is_nominal=is_nominal)
    match = Match(junctions=(junction,), contestant=Contestant(name='net_plan'), demand=demand)
    (result,) = play_matches([match], jobs=1)
    assert result.trips.n_vehicles == pytest.approx(100, abs=2 if is_nominal else 40)


def test_so_little_traffic_that_nobody_watches_has_no_near_misses(tmp_path):
    routes = tmp_path / 'night.rou.xml'
    routes.write_text('<routes><trip id="0" depart="5" from="e_c" to="c_w"/></routes>')
    night = replace(load_scenario('crossing', horizon_s=120), route_files=(routes,))
    match = Match(
        junctions=(Junction.derive(night),),
        contestant=Contestant(name='own_plan'),
        demand=DemandVariation(split=Split.TEST, seed=0, is_nominal=True),
        measure_all=True,
    )
    (result,) = play_matches([match], jobs=1)
    assert (result.trips.n_vehicles, result.conflicts) == (1, 0)


def test_what_additional_files_write_in_the_users_own_runs_is_left_alone(tmp_path):
    own = load_scenario('crossing', horizon_s=120)
    precious = tmp_path / 'mine.xml'
    precious.write_text('precious')
    (tmp_path / 'types.xml').write_text('<additional><vType id="rare"/></additional>')
    more = tmp_path / 'more.add.xml'
    more.write_text(
        '<additional><include href="types.xml"/>'
        '<inductionLoop id="l" lane="e_c_1" pos="5" period="60" file="mine.xml"/>'
        '<edgeData id="e" file="mine.xml"/></additional>'
    )
    routes = tmp_path / 'd.rou.xml'
    routes.write_text('<routes><trip id="0" type="rare" depart="5" from="e_c" to="c_w"/></routes>')
    scenario = replace(own, route_files=(routes,), additional_files=(more,))
    match = Match(
        junctions=(Junction.derive(scenario),),
        contestant=Contestant(name='own_plan'),
        demand=DemandVariation(split=Split.TEST, seed=0, is_nominal=True),
    )
    (result,) = play_matches([match], jobs=1)
    assert result.trips.n_vehicles == 1
    assert precious.read_text() == 'precious'
    assert {path.name for path in tmp_path.iterdir()} == {
        *('mine.xml', 'types.xml', 'more.add.xml', 'd.rou.xml')
    }
