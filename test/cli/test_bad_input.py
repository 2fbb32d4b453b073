"""Bad input: one clear line on stderr, exit code 2, nothing lost."""

from __future__ import annotations

from collections.abc import Iterator
import json
from pathlib import Path
import re
import shutil
import subprocess

from commands import assert_refused, saferl, saferl_in_process
import h5py
import pytest

from saferl_ros.bundle.manifest import Manifest
from saferl_ros.cli.run import open_run_folder
from saferl_ros.cli.run_config import RunConfig
from saferl_ros.dataset.io import read_record
from saferl_ros.errors import UsageError
from saferl_ros.scenario.catalogue import nets_dir
from saferl_ros.yaml_file import read_yaml

pytestmark = pytest.mark.sumo


def network(relative: str) -> Path:
    return nets_dir() / relative


def test_an_unknown_scenario_suggests_near_names(tmp_path):
    done = saferl_in_process('record', 'colgne1', '-o', tmp_path / 'x.h5')
    assert_refused(done, "'colgne1'", 'cologne1', 'saferl scenarios')
    assert list(tmp_path.iterdir()) == []


def test_a_sumocfg_that_multiplies_its_demand_is_refused(tmp_path):
    config = tmp_path / 'my.sumocfg'
    config.write_text(
        '<configuration><input><net-file value="a.net.xml"/></input>'
        '<processing><scale value="3"/></processing></configuration>'
    )
    done = saferl_in_process('check', config)
    assert_refused(done, 'my.sumocfg', 'multiplies its demand', 'value="3"', 'leave it out')


def test_a_sumocfg_whose_files_are_missing_names_the_file(tmp_path):
    config = tmp_path / 'my.sumocfg'
    config.write_text(
        '<configuration><input><net-file value="gone.net.xml"/>'
        '<route-files value="gone.rou.xml"/></input></configuration>'
    )
    assert_refused(
        saferl_in_process('record', config, '-o', tmp_path / 'x.h5'), 'gone.net.xml', 'not exist'
    )


def test_a_network_without_signals_is_refused(tmp_path):
    done = saferl_in_process(
        *('record', network('OW/OW.net.xml'), '--routes', network('OW/OW-nowait.rou.xml')),
        *('-o', tmp_path / 'x.h5'),
    )
    assert_refused(done, 'OW.net.xml', 'no traffic signal')


def test_a_junction_with_one_stage_only_is_refused(tmp_path):
    folder = network('single-intersection')
    text = (folder / 'single-intersection.net.xml').read_text()
    one_stage = re.sub(r'<phase duration="\d+"\s+state="rr(GG|yy)"/>', '', text)
    assert one_stage.count('<phase') == 2
    path = tmp_path / 'one.net.xml'
    path.write_text(one_stage)
    routes = folder / 'single-intersection.rou.xml'
    done = saferl_in_process('record', path, '--routes', routes, '-o', tmp_path / 'x.h5')
    assert_refused(done, "'t'", 'one stage only', 'at least two')


def test_a_csv_file_is_of_one_junction(tmp_path):
    done = saferl_in_process(
        'record', 'cologne3', '-o', tmp_path / 'x', '--csv', tmp_path / 'x.csv'
    )
    assert_refused(done, '3 signals', '--junction')
    assert not list(tmp_path.iterdir())


def test_an_unknown_junction_lists_the_known_ones(tmp_path):
    done = saferl_in_process(
        'record', 'cologne3', '--junction', 'nowhere', '-o', tmp_path / 'x.h5'
    )
    assert_refused(done, "'nowhere'", '360082')


def test_routes_outside_the_time_window_are_refused(tmp_path):
    done = saferl_in_process(
        *('record', network('RESCO/cologne1/cologne1.net.xml')),
        *('--routes', network('RESCO/cologne1/cologne1.rou.xml'), '-o', tmp_path / 'x.h5'),
    )
    assert_refused(done, 'departures', '0 to 3600', 'begin and end', '--begin')


def test_a_network_that_is_no_network_is_refused(tmp_path):
    broken = tmp_path / 'broken.net.xml'
    broken.write_text('<net><edge id="a">')
    done = saferl_in_process('check', broken)
    assert_refused(done, 'broken.net.xml', 'not valid XML')


@pytest.mark.parametrize('name', ['my.sumocfg', 'my.net.xml', 'my.rou.xml', 'my.rou.xml.gz'])
def test_no_result_is_written_over_a_file_of_sumos(small_bundles, tmp_path, name):
    out = tmp_path / name
    out.write_text('precious')
    for command in (
        ('evaluate', 'cologne1', '--bundle', small_bundles / 'cql', '-o', out),
        ('gate', tmp_path / 'evaluation.json', '-o', out),
    ):
        assert_refused(saferl_in_process(*command), f"'{out}': a file of SUMO's", 'another file')
    assert out.read_text() == 'precious'


def test_a_finished_record_is_not_replaced(small_record, tmp_path):
    path = shutil.copy(small_record, tmp_path / 'data.h5')

    done = saferl_in_process('record', 'cologne1', '-o', path, '--episodes', 1, '--horizon', 60)
    assert_refused(done, 'data.h5', 'other settings', 'episodes: there 2, now 1', 'another output')
    path.write_bytes(b'not HDF5')
    done = saferl_in_process('record', 'cologne1', '-o', path, '--episodes', 1, '--horizon', 60)
    assert_refused(done, 'data.h5', 'no whole record', 'another output')


def test_a_run_folder_is_no_policy(small_bundles, tmp_path):
    done = saferl_in_process(
        'evaluate', 'cologne1', '--bundle', small_bundles, '-o', tmp_path / 'e.json'
    )
    assert_refused(done, 'several policies', 'cql', 'bc')


@pytest.mark.parametrize(('option', 'key'), [('--seed', 'seed'), ('--seeds', 'seeds')])
def test_a_test_seed_that_the_gate_would_refuse_is_refused_first(tmp_path, option, key):
    out = tmp_path / 'e.json'
    done = saferl_in_process('evaluate', 'cologne1', option, 2025, '-o', out)
    assert_refused(done, f"key '{key}'", 'less than or equal to 1000', '2025')
    assert not out.exists()


def test_a_verdict_that_cannot_be_written_leaves_the_manifest_whole(small_bundles, tmp_path):
    bundle = shutil.copytree(small_bundles / 'cql', tmp_path / 'cql')
    manifest, before = Manifest.read(bundle), (bundle / 'manifest.json').read_bytes()
    (bundle / 'manifest.json.writing').mkdir()  # stands where it would be written first
    with pytest.raises(UsageError, match=r'cannot write .*manifest\.json'):
        manifest.write(bundle)
    assert (bundle / 'manifest.json').read_bytes() == before


@pytest.mark.parametrize('kept', [0.99, 0.5, 0.01, 0.0])
def test_a_truncated_record_is_refused(small_record, tmp_path, kept):
    data = small_record.read_bytes()
    path = tmp_path / 'cut.h5'
    path.write_bytes(data[: int(len(data) * kept)])
    assert_refused(saferl_in_process('inspect', path), 'cut.h5', 'record again')


def test_a_record_of_another_format_version_is_refused(small_record, tmp_path):
    path = tmp_path / 'old.h5'
    shutil.copy(small_record, path)
    with h5py.File(path, 'r+') as file:
        file.attrs['format_version'] = 99
    done = saferl_in_process('train', path, '-o', tmp_path / 'out')
    assert_refused(done, 'format version 99', 'version 1')


def test_a_file_that_is_no_record_is_refused(tmp_path):
    path = tmp_path / 'text.h5'
    path.write_text('not HDF5')
    assert_refused(saferl_in_process('inspect', path), 'text.h5')
    with h5py.File(tmp_path / 'other.h5', 'w') as file:
        file['x'] = [1, 2]
    assert_refused(saferl_in_process('inspect', tmp_path / 'other.h5'), 'no record')


def test_a_bundle_of_another_junction_is_refused(small_bundles, tmp_path):
    out = tmp_path / 'evaluation.json'
    done = saferl_in_process(
        'evaluate', 'ingolstadt1', '--bundle', small_bundles / 'cql', '-o', out
    )
    assert_refused(done, 'GS_cluster_357187_359543', 'cologne1', 'train a bundle')
    assert not out.exists()


def test_a_bundle_of_other_clearances_is_refused_by_what_differs(small_bundles, tmp_path):
    out = tmp_path / 'evaluation.json'
    bundle = ('--bundle', small_bundles / 'cql')
    done = saferl_in_process('evaluate', 'cologne1', '--clearance', 'net', *bundle, '-o', out)
    assert_refused(done, 'clearance here net, in the bundle legal', 'more)')
    assert len(done.stderr) < 500


def test_a_bundle_of_a_junction_that_is_not_judged_is_refused(small_bundles, tmp_path):
    for junction in ('one', 'two'):
        shutil.copytree(small_bundles / 'cql', tmp_path / 'cql' / junction)
    manifest = json.loads((tmp_path / 'cql' / 'two' / 'manifest.json').read_text())
    del manifest['manifest_sha256']
    Manifest(**{**manifest, 'junction_id': 'elsewhere'}).write(tmp_path / 'cql' / 'two')
    out = tmp_path / 'evaluation.json'
    done = saferl_in_process('evaluate', 'cologne1', '--bundle', tmp_path / 'cql', '-o', out)
    assert_refused(done, "'elsewhere'", 'GS_cluster_357187_359543')
    assert not out.exists()


def test_a_bundle_with_a_changed_byte_is_refused(small_bundles, tmp_path):
    bundle = tmp_path / 'cql'
    shutil.copytree(small_bundles / 'cql', bundle)
    data = bytearray((bundle / 'policy.onnx').read_bytes())
    data[len(data) // 2] ^= 1
    (bundle / 'policy.onnx').write_bytes(bytes(data))
    done = saferl_in_process('evaluate', 'cologne1', '--bundle', bundle, '-o', tmp_path / 'e.json')
    assert_refused(done, 'policy.onnx', 'changed', 'unchanged copy')


def test_a_bundle_with_a_changed_manifest_is_refused(small_bundles, tmp_path):
    bundle = tmp_path / 'cql'
    shutil.copytree(small_bundles / 'cql', bundle)
    manifest = json.loads((bundle / 'manifest.json').read_text())
    manifest['plan']['stages'][0]['min_green_s'] = 1.0
    (bundle / 'manifest.json').write_text(json.dumps(manifest))
    done = saferl_in_process('evaluate', 'cologne1', '--bundle', bundle, '-o', tmp_path / 'e.json')
    assert_refused(done, 'manifest.json', 'changed', 'unchanged copy')


def test_a_folder_that_is_no_bundle_is_refused(tmp_path):
    done = saferl_in_process(
        'evaluate', 'cologne1', '--bundle', tmp_path, '-o', tmp_path / 'e.json'
    )
    assert_refused(done, 'no policy bundle', 'manifest.json')


def test_an_unknown_yaml_key_is_refused_by_name(tmp_path):
    path = tmp_path / 'run.yaml'
    path.write_text('name: x\nscenario: cologne1\nrecord: {epsiodes: 3}\n')
    assert_refused(saferl_in_process('run', path, cwd=tmp_path), "'record.epsiodes'", "'episodes'")


def test_a_wrong_yaml_type_names_key_and_value(tmp_path):
    path = tmp_path / 'run.yaml'
    path.write_text('name: x\nscenario: cologne1\nrecord: {episodes: many}\n')
    assert_refused(saferl_in_process('run', path, cwd=tmp_path), "'record.episodes'", "'many'")


@pytest.mark.parametrize('text', ['a: [1', 'just words'])
def test_a_file_that_is_no_configuration_is_refused(tmp_path, text):
    path = tmp_path / 'run.yaml'
    path.write_text(text)
    assert_refused(saferl_in_process('run', path, cwd=tmp_path), 'run.yaml')


def test_a_missing_configuration_is_refused(tmp_path):
    assert_refused(
        saferl_in_process('run', tmp_path / 'none.yaml', cwd=tmp_path), 'none.yaml', 'No such file'
    )


def test_an_output_path_that_cannot_be_written_is_refused(tmp_path, small_record):
    (tmp_path / 'file').write_text('')
    done = saferl_in_process(
        'record', 'cologne1', '--horizon', 60, '-o', tmp_path / 'file' / 'x.h5'
    )
    assert_refused(done, 'cannot write', 'another place')
    assert_refused(
        saferl_in_process('record', 'cologne1', '-o', tmp_path), 'folder', 'name a file'
    )
    done = saferl_in_process('train', small_record, '-o', tmp_path / 'file' / 'out')
    assert_refused(done, 'cannot write')


@pytest.mark.parametrize('option', ['--episodes', '--jobs'])
def test_zero_episodes_or_jobs_are_bad_usage(tmp_path, option):
    done = saferl_in_process('record', 'cologne1', '-o', tmp_path / 'x.h5', option, 0)
    assert done.returncode == 2
    assert f"argument {option}: '0' must be a whole number of at least 1" in done.stderr
    assert 'Traceback' not in done.stderr


def test_an_option_is_taken_by_its_whole_name_only(tmp_path):
    for given, near in (('--plan', '--plans'), ('--epsiodes', '--episodes')):
        done = saferl_in_process('record', 'cologne1', '-o', tmp_path / 'x.h5', given, 3)
        assert done.returncode == 2
        assert f"unknown argument '{given}'; did you mean {near}?" in done.stderr
        assert "see 'saferl record --help'" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_finished_bundle_is_not_replaced(small_bundles, small_record, tmp_path):
    out = tmp_path / 'run'
    shutil.copytree(small_bundles / 'bc', out / 'bc')
    before = (out / 'bc' / 'manifest.json').read_bytes()
    done = saferl_in_process('train', small_record, '-o', out, '--algo', 'bc', '--seeds', 7)
    assert_refused(done, 'bc', 'a bundle of another record', 'another output')
    assert (out / 'bc' / 'manifest.json').read_bytes() == before


@pytest.mark.parametrize('option', [('--horizon', 600), ('--begin', 0), ('--routes', 'a.xml')])
def test_what_a_recorded_street_decides_is_not_an_option(tmp_path, option):
    done = saferl_in_process('record', '--from-bag', tmp_path, '-o', tmp_path / 'd.h5', *option)
    assert_refused(done, '--from-bag', f'leave out {option[0]}')


def test_a_fix_has_the_ending_of_a_network(tmp_path):
    done = saferl_in_process('check', 'crossing', '--fix', tmp_path / 'out.xml')
    assert_refused(done, 'out.xml', '.net.xml.gz')


def test_a_file_is_no_bundle(small_record, tmp_path):
    done = saferl_in_process(
        'evaluate', 'cologne1', '--bundle', small_record, '-o', tmp_path / 'e.json'
    )
    assert_refused(done, 'data.h5', 'is a file')


def test_a_name_that_minari_cannot_take_is_refused(small_record):
    done = saferl_in_process('inspect', small_record, '--minari', 'foo')
    assert_refused(done, "'foo'", 'saferl/mine-v0')


def test_a_missing_evaluation_is_refused(tmp_path):
    assert_refused(saferl_in_process('gate', tmp_path / 'none.json'), 'none.json')
    (tmp_path / 'bad.json').write_text('{')
    assert_refused(saferl_in_process('gate', tmp_path / 'bad.json'), 'bad.json', 'saferl evaluate')


@pytest.fixture
def tiny_disk(tmp_path) -> Iterator[Path]:
    """A file system with room for the first episodes only."""
    folder = tmp_path / 'disk'
    folder.mkdir()
    subprocess.run(
        ['mount', '-t', 'tmpfs', '-o', 'size=96k', 'tmpfs', folder],
        check=True,  # needs root, as continuous integration has
    )
    yield folder
    subprocess.run(['umount', folder], check=True)


def test_a_full_disk_while_recording_loses_nothing(tiny_disk, tmp_path):
    arguments = ('record', 'cologne1', '--horizon', 300, '--episodes', 4, '--jobs', 1)
    full = saferl(*arguments, '-o', tiny_disk / 'x.h5')
    assert_refused(full, 'cannot write', 'No space left', 'free some room')
    assert not (tiny_disk / 'x.h5').exists()
    kept = sorted((tiny_disk / 'x.h5.parts').glob('*.npz'))
    assert kept
    subprocess.run(['mount', '-o', 'remount,size=20m', tiny_disk], check=True)
    times = {path: path.stat().st_mtime_ns for path in kept}
    resumed = saferl(*arguments, '-o', tiny_disk / 'x.h5', '--json')
    assert resumed.returncode == 0, resumed.stderr
    assert times  # they were there before the second run, and it finished without them
    undisturbed = saferl(*arguments, '-o', tmp_path / 'y.h5')
    assert undisturbed.returncode == 0, undisturbed.stderr
    ours, theirs = read_record(tiny_disk / 'x.h5'), read_record(tmp_path / 'y.h5')
    assert len(ours.episodes) == len(theirs.episodes)
    for a, b in zip(ours.episodes, theirs.episodes, strict=True):
        assert (a.observations == b.observations).all()
        assert (a.reward == b.reward).all()


def test_a_missing_extra_is_named(tmp_path, small_record):
    def without(*libraries: str) -> dict[str, str]:
        """Return the environment of a Python that does not find these libraries."""
        (tmp_path / 'sitecustomize.py').write_text(
            'import sys\n'
            'from importlib.machinery import PathFinder\n'
            'class Without(PathFinder):\n'
            '    @classmethod\n'
            '    def find_spec(cls, name, path=None, target=None):\n'
            f"        if name.split('.')[0] in {libraries!r}:\n"
            '            return None\n'
            '        return super().find_spec(name, path, target)\n'
            'sys.meta_path[sys.meta_path.index(PathFinder)] = Without\n'
        )
        return {'PYTHONPATH': str(tmp_path)}

    out = tmp_path / 'out'
    done = saferl('train', small_record, '-o', out, **without('d3rlpy'))
    assert_refused(done, 'd3rlpy', 'constraints.txt torch', "'.[train]'")
    done = saferl('inspect', small_record, **without('h5py'))
    assert_refused(done, 'h5py', "pip install -c constraints.txt '.[")
    done = saferl('record', 'cologne1', '-o', out, **without('sumo_rl'))
    assert_refused(done, 'sumo_rl', "'.[sim]'")
    done = saferl('report', tmp_path, **without('plotly'))
    assert_refused(done, 'plotly', "'.[report]'")


def test_a_run_folder_of_another_configuration_is_refused(tmp_path):
    one, other = tmp_path / 'one.yaml', tmp_path / 'other.yaml'
    one.write_text('name: x\nscenario: cologne1\nhorizon_s: 60\nrecord: {episodes: 1}\n')
    other.write_text(one.read_text() + 'begin_s: 25300\n')
    folder = tmp_path / 'run'
    folder.mkdir()
    config = read_yaml(one, RunConfig).model_dump(mode='json')
    del config['begin_s']  # as an earlier release wrote it
    (folder / 'config.yaml').write_text(json.dumps(config))
    done = saferl_in_process('run', other, '-o', folder)
    assert_refused(done, 'another configuration', 'begin_s was None and is 25300', 'give another')
    open_run_folder(folder, read_yaml(one, RunConfig))  # the same one may go on


def test_a_budget_and_a_family_are_refused(tmp_path):
    out = tmp_path / 'x.h5'
    done = saferl_in_process('record', 'cologne1', '--plans', 'net', '--budget', '1.05', '-o', out)
    assert_refused(done, '--budget', 'leave out --family and --plans')
    done = saferl_in_process('record', 'cologne1', '--budget', '0', '-o', out)
    assert_refused(done, "'0'", 'a ratio of delays above zero')


def test_a_family_file_and_plans_are_refused(tmp_path):
    family = tmp_path / 'family.yaml'
    family.write_text('green_scale: 1.0\n')
    given = ('record', 'cologne1', '-o', tmp_path / 'x.h5', '--family', family)
    assert_refused(
        saferl_in_process(*given, '--plans', 'order'), '--family', "'plans: order'", 'leave out'
    )


@pytest.mark.parametrize('command', ['record', 'evaluate'])
def test_settings_of_an_unknown_signal_are_refused_before_anything_is_played(tmp_path, command):
    signals = tmp_path / 'signals.yaml'
    signals.write_text('junctions: {c1: {yellow_s: {0: 6}}}\n')
    out = tmp_path / 'out'
    done = saferl_in_process(command, 'crossing', '--signals', signals, '-o', out)
    assert_refused(done, "junction 'c1'", 'no signal of', 'it has: c')
    assert not out.exists()


def test_times_of_walking_where_nobody_walks_are_refused(tmp_path):
    signals = tmp_path / 'signals.yaml'
    signals.write_text('junctions: {GS_cluster_357187_359543: {pedestrians: exclusive}}\n')
    done = saferl_in_process('check', 'cologne1', '--signals', signals)
    assert_refused(done, "'GS_cluster_357187_359543'", 'pedestrians', '--crossings.guess')
    signals.write_text('junctions: {c: {walk_s: 9}}\n')
    assert saferl_in_process('check', 'crossing', '--signals', signals).returncode == 0


@pytest.mark.parametrize(
    ('command', 'part'),
    [
        (('train', 'data.h5', '-o', 'run'), 'train'),
        (('gate', 'evaluation.json'), 'gate'),
    ],
)
def test_the_file_of_a_whole_run_is_not_that_of_a_part(tmp_path, command, part):
    path = tmp_path / 'run.yaml'
    path.write_text('name: x\nscenario: cologne1\n')
    done = saferl_in_process(*command, '--config', path, cwd=tmp_path)
    assert_refused(done, f"'{path}' is that of a whole run", 'saferl run', f"under '{part}'")


def test_an_unknown_reward_is_refused_before_anything_is_recorded(tmp_path):
    path = tmp_path / 'run.yaml'
    path.write_text('name: x\nscenario: cologne1\nrecord: {reward: speed}\n')
    assert_refused(
        saferl_in_process('run', path, cwd=tmp_path), 'record.reward', "'speed'", 'time_lost'
    )


def test_several_quantiles_of_an_ensemble_are_refused(tmp_path):
    path = tmp_path / 'run.yaml'
    path.write_text('name: x\nscenario: cologne1\ntrain: {cql: {n_quantiles: 8}}\n')
    assert_refused(saferl_in_process('run', path, cwd=tmp_path), 'train.cql', 'add ensemble: 1')


def test_a_second_opinion_on_another_junction_is_refused(small_bundles):
    done = saferl_in_process(
        *('crosscheck', 'cologne1', '--junction', 'other', '--bundle', small_bundles / 'cql')
    )
    assert_refused(done, "'other'", 'leave it out')


def test_a_second_opinion_on_another_network_is_refused(small_bundles):
    done = saferl_in_process('crosscheck', 'ingolstadt1', '--bundle', small_bundles / 'cql')
    assert_refused(done, "of 'cologne1'", 'ingolstadt1.net.xml')


def test_a_bundle_named_like_a_baseline_is_refused(tmp_path, small_bundles):
    bundle = tmp_path / 'net_plan'
    shutil.copytree(small_bundles / 'cql', bundle)
    done = saferl_in_process('evaluate', 'cologne1', '--bundle', bundle, '-o', tmp_path / 'e.json')
    assert_refused(done, 'net_plan', 'baseline', 'rename')


def test_a_junction_that_cannot_be_left_out_is_refused_before_anything_is_recorded(tmp_path):
    path = tmp_path / 'run.yaml'
    path.write_text('name: x\nscenario: cologne3\ntrain: {shared: true, leave_out: [36009]}\n')
    done = saferl_in_process('run', path, cwd=tmp_path)
    assert_refused(done, "'36009'", '360082')
    assert not (tmp_path / 'runs').exists()


def test_a_junction_named_twice_is_refused(tmp_path):
    done = saferl_in_process(
        *('record', 'cologne3', '--junction', '360082', '--junction', '360086'),
        *('-o', tmp_path / 'x.h5'),
    )
    assert done.returncode == 2
    assert "given twice: '360082', '360086'" in done.stderr


def test_records_that_were_not_made_together_are_no_network(tmp_path, small_record):
    folder = tmp_path / 'mixed'
    folder.mkdir()
    shutil.copy(small_record, folder / 'a.h5')
    shutil.copy(small_record, folder / 'b.h5')
    with h5py.File(folder / 'b.h5', 'r+') as file:
        manifest = json.loads(file.attrs['manifest'])
        file.attrs['manifest'] = json.dumps({**manifest, 'seed': 77})
    for command in (('inspect', folder), ('train', folder, '-o', tmp_path / 'out')):
        assert_refused(saferl_in_process(*command), 'b.h5', 'another seed', 'single one')
    with h5py.File(folder / 'b.h5', 'r+') as file:
        file.attrs['manifest'] = json.dumps(manifest)
    for path in folder.glob('*.h5'):
        with h5py.File(path, 'r+') as file:
            known = json.loads(file.attrs['manifest'])
            known['recorded_junctions'] = [*known['recorded_junctions'], 'elsewhere']
            file.attrs['manifest'] = json.dumps(known)
    assert_refused(saferl_in_process('inspect', folder), 'elsewhere', 'put them back')
