"""Route files as engineers bring them: read whole, or refused with the name of what is wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from saferl_ros.errors import ScenarioError
from saferl_ros.scenario import DemandVariation, load_scenario, Scenario, Split, write_demand
from saferl_ros.scenario.catalogue import CATALOGUE
from saferl_ros.scenario.demand import count_departures
from saferl_ros.scenario.route_files import read_routes


def scenario_with(tmp_path: Path, routes: str) -> Scenario:
    path = tmp_path / 'd.rou.xml'
    path.write_text(f'<routes>{routes}</routes>')
    return replace(load_scenario('crossing'), route_files=(path,))


@pytest.mark.parametrize('name', CATALOGUE)
def test_the_scenarios_that_ship_are_sorted_and_whole(name):
    assert count_departures(load_scenario(name)) > 100


LATE = '<trip id="late" depart="300" from="e_c" to="c_w"/>'
EARLY = '<{} id="early" {}="10"/>'


@pytest.mark.parametrize(
    'early',
    [
        *(EARLY.format(tag, 'depart') for tag in ('trip', 'vehicle', 'person', 'container')),
        *(EARLY.format(tag, 'begin') for tag in ('flow', 'personFlow', 'containerFlow')),
    ],
)
def test_an_unsorted_file_is_refused_with_whom_sumo_would_ignore(tmp_path, early):
    with pytest.raises(ScenarioError, match=r"ignores .* 'early' \(10 s\).* 'late' \(300 s\)"):
        read_routes(scenario_with(tmp_path, LATE + early))
    read_routes(scenario_with(tmp_path, early + LATE))


def test_who_departs_outside_the_time_or_on_call_may_stand_anywhere(tmp_path):
    outside = '<trip id="a" depart="9000"/><trip id="b" depart="8000"/>'
    on_call = '<trip id="c" depart="triggered"/>'
    scenario = scenario_with(tmp_path, f'<trip id="0" depart="5"/>{on_call}{LATE}{outside}')
    assert count_departures(scenario) == 2


def test_a_file_that_includes_another_is_refused(tmp_path):
    with pytest.raises(
        ScenarioError, match=r"includes 'more.xml'.* name both among the route-fil"
    ):
        read_routes(scenario_with(tmp_path, '<include href="more.xml"/>' + LATE))


@pytest.mark.parametrize(
    ('stated', 'words'),
    [
        ('vehsPerHour="abc"', "flow 'f' of the routes: vehsPerHour='abc' is no number"),
        ('vehsPerHour="-5"', "vehsPerHour='-5' is no number of 0 or more"),
        ('period="exp(x)"', r"period='exp\(x\)' is no number"),
        ('period="0"', "'f': its period '0' must be above 0"),
        ('period="ten"', "flow 'f' of the routes, period: 'ten' is no time"),
        ('number="3.5x"', "number='3.5x' is no number"),
        ('probability="nan"', "probability='nan' is no number"),
    ],
)
def test_a_flow_that_says_nothing_sound_is_refused_by_name(tmp_path, stated, words):
    flow = f'<flow id="f" begin="0" end="600" from="e_c" to="c_w" {stated}/>'
    with pytest.raises(ScenarioError, match=words):
        count_departures(scenario_with(tmp_path, flow + LATE))


def test_a_departure_that_is_no_time_is_refused_by_name(tmp_path):
    with pytest.raises(ScenarioError, match="trip 't' of the routes, depart: 'now' is no time"):
        count_departures(scenario_with(tmp_path, '<trip id="t" depart="now"/>'))


def varied(tmp_path: Path, routes: str) -> list[ElementTree.Element]:
    out = tmp_path / 'o.rou.xml'
    demand = DemandVariation(split=Split.TUNE, seed=1, scale=3.0)
    write_demand(scenario_with(tmp_path, LATE + routes), demand, out)
    return list(ElementTree.parse(out).getroot())


def test_a_bus_keeps_the_name_by_which_people_ride_it(tmp_path):
    bus = '<vehicle id="bus1" depart="400"><stop lane="e_c_0" duration="20"/></vehicle>'
    names = [element.get('id') for element in varied(tmp_path, bus)]
    assert names.count('bus1') == 1


def test_who_waits_for_a_certain_other_stays_as_in_the_file(tmp_path):
    car = '<trip id="car" depart="triggered" from="e_c" to="c_w"/>'
    driver = '<person id="ann" depart="500"><ride from="e_c" to="c_w" lines="car"/></person>'
    found = {e.get('id'): e.get('depart') for e in varied(tmp_path, car + driver)}
    assert (found['car'], found['ann']) == ('triggered', '500')


@pytest.mark.parametrize('tag', ['vehicle', 'trip', 'flow', 'person', 'personFlow'])
def test_demand_in_additional_files_is_refused_because_nothing_would_vary_it(tmp_path, tag):
    crossing = load_scenario('crossing')
    (tmp_path / 'more.add.xml').write_text(
        f'<additional><vType id="v"/><{tag} id="x" depart="0" begin="0"/></additional>'
    )
    config = tmp_path / 'my.sumocfg'
    config.write_text(
        f'<configuration><n value="{crossing.net_file}"/><r value="{crossing.route_files[0]}"/>'
        '<a value="more.add.xml"/></configuration>'
    )
    with pytest.raises(ScenarioError, match=f"more.add.xml' holds demand .{tag} 'x'"):
        load_scenario(str(config))


def test_options_of_how_traffic_moves_are_taken_over_and_the_others_named(tmp_path):
    crossing = load_scenario('crossing')
    config = tmp_path / 'my.sumocfg'
    config.write_text(
        f"""<configuration>
        <input><net-file value="{crossing.net_file}"/>
            <route-files value="{crossing.route_files[0]}"/></input>
        <time><begin value="0"/><end value="600"/></time>
        <processing><default.speeddev value="0.2"/><max-depart-delay value="60"/>
            <ignore-junction-blocker value="30"/></processing>
        <output><tripinfo-output value="mine.xml"/></output>
        <report><verbose value="true"/></report>
        </configuration>"""
    )
    scenario = load_scenario(str(config))
    options = ['--default.speeddev', '0.2', '--ignore-junction-blocker', '30']
    assert scenario.command_options() == options
    assert scenario.left_out == ('max-depart-delay',)
    assert scenario.to_json()['options']['default.speeddev'] == '0.2'


def test_a_step_in_which_drivers_cannot_react_is_refused():
    with pytest.raises(ScenarioError, match='step length 2 s must be above zero and at most 1 s'):
        replace(load_scenario('crossing'), step_s=2.0)
