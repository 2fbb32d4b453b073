"""The commands as users and machines call them."""

from __future__ import annotations

import json
import shutil
from xml.etree import ElementTree

from commands import saferl, saferl_in_process
import pytest

from saferl_ros.bundle.folders import find_bundles
from saferl_ros.bundle.load import load_bundle
from saferl_ros.cli.screen import print_table
from saferl_ros.dataset.io import read_record
from saferl_ros.evaluate.budget import WIDTHS
from saferl_ros.scenario import load_scenario

pytestmark = pytest.mark.sumo

COMMANDS = (
    *('scenarios', 'check', 'record', 'inspect', 'train', 'evaluate', 'gate', 'report', 'run'),
    'crosscheck',
)


@pytest.mark.parametrize('command', COMMANDS)
def test_every_command_has_help_with_an_example(command):
    done = saferl(command, '--help')
    assert done.returncode == 0
    assert f'example:\n  saferl {command}' in done.stdout


def test_scenarios_lists_the_resco_maps():
    listed = json.loads(saferl('scenarios', '--json').stdout)['scenarios']
    signals = {row['name']: row['signals'] for row in listed}
    expected = {'cologne1': 1, 'cologne3': 3, 'cologne8': 8, 'ingolstadt1': 1, 'ingolstadt7': 7}
    expected |= {'ingolstadt21': 21, 'grid4x4': 16, 'arterial4x4': 16}
    assert expected.items() <= signals.items()


def test_check_names_the_missing_all_red_of_cologne1():
    done = saferl('check', 'cologne1', '--json')
    assert done.returncode == 1
    (junction,) = json.loads(done.stdout)['junctions']
    assert junction['junction_id'] == 'GS_cluster_357187_359543'
    rules = {finding['rule'] for finding in junction['findings']}
    assert 'short_all_red' in rules
    for finding in junction['findings']:
        assert {'rule', 'link', 'found', 'required', 'source'} <= finding.keys()
        assert finding['found'] < finding['required']


def test_check_names_the_short_yellows_of_ingolstadt1():
    done = saferl('check', 'ingolstadt1')
    assert done.returncode == 1
    assert 'yellow too short' in done.stdout
    assert 'all-red missing' in done.stdout


def test_inspect_reports_coverage_and_price(small_record, tmp_path):
    csv = tmp_path / 'data.csv'
    done = saferl('inspect', small_record, '--json', '--csv', csv)
    report = json.loads(done.stdout)
    assert report['price']['mean'] > 0
    assert sum(row['count'] for row in report['coverage']) == report['n_decisions']
    assert csv.read_text().startswith('episode,family,decision,')


def test_evaluate_and_gate_judge_a_bundle(small_bundles, tmp_path):
    out, config = tmp_path / 'evaluation.json', tmp_path / 'evaluate.yaml'
    config.write_text('seeds: 5\ntune: {scales: [1.0], finalists: 1}\n')
    done = saferl(
        *('evaluate', 'cologne1', '--horizon', 120, '--seeds', 1, '-o', out, '--json'),
        *('--config', config),
        *('--bundle', small_bundles / 'cql', '--bundle', small_bundles / 'bc'),
    )
    assert done.returncode == 0, done.stderr
    evaluation = json.loads(out.read_text())
    assert json.loads(done.stdout) == evaluation
    names = {'net_plan', 'best_plan', 'actuated', 'max_pressure', 'bc', 'cql', 'behaviour'}
    assert names <= evaluation['controllers'].keys()
    metrics = {'delay_s', 'travel_time_s', 'waiting_s', 'queue_veh', 'throughput_veh'}
    metrics |= {'emergency_brakings', 'collisions', 'teleports', 'monitor_faults'}
    metrics |= {'shield_vetoes', 'max_wait_s'}
    for name, found in evaluation['controllers'].items():
        assert metrics <= found.keys(), name
        assert {'mean', 'ci_low', 'ci_high', 'per_seed'} == found['delay_s'].keys()
        if name != 'net_plan':
            assert sum(found['monitor_faults']['per_seed']) == 0, name
    gate = saferl_in_process('gate', out, '--json')
    assert out.with_name('gate.json').read_text() == gate.stdout
    verdict = json.loads(gate.stdout)
    assert gate.returncode == (0 if verdict['passed'] else 1)
    assert {check['name'] for check in verdict['checks']} >= {'longest wait', 'collisions'}

    # the verdict goes into the very bundle that was judged, and into no other
    bundle = shutil.copytree(small_bundles / 'cql', tmp_path / 'cql')
    assert saferl_in_process('gate', out, '--bundle', bundle).returncode == gate.returncode
    assert load_bundle(bundle).manifest.gate == verdict
    refused = saferl_in_process('gate', out, '--bundle', small_bundles / 'bc')
    assert refused.returncode == 2
    assert 'is not the policy that was judged' in refused.stderr


def test_a_network_goes_from_record_to_bundles(tmp_path):
    place, out, config = tmp_path / 'dataset', tmp_path / 'run', tmp_path / 'train.yaml'
    config.write_text(
        '{algorithms: [cql], shared: true, cql: {steps: 20, ensemble: 1}, fqe: {steps: 10}}'
    )
    ids = ['360082', '360086', 'GS_cluster_2415878664_254486231_359566_359576']
    for run, *command in (
        (saferl_in_process, 'record', 'cologne3', '--horizon', 60, '--episodes', 1, '-o', place),
        (saferl_in_process, 'inspect', place),
        (saferl, 'train', place, '--config', config, '-o', out),
    ):
        done = run(*command)
        assert done.returncode == 0, done.stderr
    assert 'no fitted Q evaluation, which the gate asks for: of 1 episodes' in done.stderr
    assert 'record 6 or more' in done.stderr
    assert sorted(load_bundle(f).manifest.junction_id for f in find_bundles(out / 'cql')) == ids


def test_a_bundle_runs_inside_an_unmodified_sumo_rl_environment(small_bundles):
    done = saferl(
        *('crosscheck', 'cologne1', '--horizon', 120, '--bundle', small_bundles / 'cql', '--json')
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)  # and nothing of what SUMO and TraCI say
    assert set(found) == {'net_plan', 'cql'}
    assert all(trips['delay_s'] >= 0 for trips in found.values())


def test_a_crosscheck_has_the_types_of_additional_files(small_bundles, tmp_path):
    own = load_scenario('cologne1')
    trip = next(ElementTree.parse(own.route_files[0]).getroot().iter('trip'))
    way = f'from="{trip.get("from")}" to="{trip.get("to")}"'
    (tmp_path / 'types.add.xml').write_text(
        '<additional><vType id="slow" maxSpeed="9"/></additional>'
    )
    (tmp_path / 'd.rou.xml').write_text(
        f'<routes><trip id="0" type="slow" depart="25210" {way}/></routes>'
    )
    config = tmp_path / 'my.sumocfg'
    config.write_text(
        f'<configuration><net-file value="{own.net_file}"/><route-files value="d.rou.xml"/>'
        '<additional-files value="types.add.xml"/><begin value="25200"/><end value="25320"/>'
        '</configuration>'
    )
    done = saferl('crosscheck', config, '--bundle', small_bundles / 'cql', '--json')
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)['cql']['n_vehicles'] == 1


def test_record_searches_what_a_budget_affords(tmp_path):
    output = tmp_path / 'data.h5'
    command = ('record', 'cologne1', '--horizon', '60', '--episodes', '1', '-o', output)
    done = saferl(*command, '--budget', '9', '--json')  # the widest family keeps that
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)['budget'] == 9  # and nothing else is printed
    manifest = read_record(output).manifest
    assert manifest['family']['swap_probability'] == WIDTHS[0].swap_probability
    (trial,) = manifest['search']
    assert trial['family'] == manifest['family']
    assert trial['price']['mean'] < 9
    assert list(tmp_path.iterdir()) == [output]


def test_tables_name_units_and_break_no_short_name(capsys: pytest.CaptureFixture[str]) -> None:
    print_table('waits [s]', ['controller', 'delay [s/veh]'], [['max_pressure', '1.0 [b]']])
    said = capsys.readouterr().out
    for words in ('waits [s]', 'delay [s/veh]', 'max_pressure', '1.0 [b]'):
        assert words in said
