"""A configuration is read whole or refused by the key, the value and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from saferl_ros.cli.run_config import RunConfig
from saferl_ros.errors import ConfigError
from saferl_ros.record.recorder import RecordConfig
from saferl_ros.train.config import TrainConfig
from saferl_ros.yaml_file import build_model, read_yaml

ROOT = Path(__file__).parents[2]


def refusal(text: str | bytes, path: Path) -> str:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError) as refused:
        read_yaml(path, RunConfig)
    message = str(refused.value)
    assert f"configuration '{path}'" in message
    assert '\n' not in message
    return message


def test_a_file_of_defaults_needs_a_name_and_a_scenario_only(tmp_path):
    path = tmp_path / 'run.yaml'
    path.write_text('name: mine\nscenario: cologne1\n')
    assert read_yaml(path, RunConfig) == RunConfig(name='mine', scenario='cologne1')


def test_every_value_of_a_file_arrives(tmp_path):
    path = tmp_path / 'train.yaml'
    path.write_text('algorithms: [bc]\nseeds: [3, 4]\ncql: {steps: 7, hidden_units: [8]}\n')
    found = read_yaml(path, TrainConfig)
    assert (found.algorithms, found.seeds) == (('bc',), (3, 4))
    assert (found.cql.steps, found.cql.hidden_units) == (7, (8,))


RUNS = [p for p in sorted((ROOT / 'config').glob('**/*.yaml')) if '.params.' not in p.name]


@pytest.mark.parametrize('path', RUNS, ids=lambda p: p.stem)
def test_the_configurations_that_ship_are_valid(path):
    found = read_yaml(path, RunConfig)
    copy = RunConfig.model_validate(yaml.safe_load(found.model_dump_json()))  # JSON is YAML
    assert copy == found


@pytest.mark.parametrize(
    'path', sorted((ROOT / 'benchmarks' / 'ablation').glob('*.yaml')), ids=lambda p: p.stem
)
def test_every_row_of_the_ablation_is_valid(path):
    with path.open(encoding='utf-8') as file:
        table = yaml.safe_load(file)
    for row in [table['base'], *table['rows'].values()]:
        assert set(row) <= {'record', 'train'}
        RecordConfig.model_validate(row.get('record', {}))
        TrainConfig.model_validate(row.get('train', {}))
    assert table['rows']['base'] == {}


def test_an_empty_file_misses_what_has_no_default(tmp_path):
    message = refusal('', tmp_path / 'run.yaml')
    assert "key 'name' is missing; key 'scenario' is missing" in message


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('scenaro: cologne1', "unknown key 'scenaro'; did you mean 'scenario'?"),
        ('record: {episods: 3}', "unknown key 'record.episods'; did you mean 'episodes'?"),
        (
            'record: {family: {plan: net}}',
            "unknown key 'record.family.plan'; did you mean 'plans'",
        ),
        ('gate: {zzz: 1}', "unknown key 'gate.zzz'; known are max_delay_over_net_plan, "),
        ('record: {episodes: many}', "key 'record.episodes': input should be a valid integer"),
        ('record: {episodes: 0}', 'greater than or equal to 1, found 0'),
        ('record: 3', "key 'record': input should be a valid dictionary"),
        ('name: a/b', "key 'name': string should match pattern"),
        ('clearance: none', "key 'clearance': input should be 'legal', 'net' or 'resco'"),
        ('train: {algorithms: [ppo]}', "must be out of cql, bc, dqn, not 'ppo', found ['ppo']"),
        ('train: {algorithms: []}', 'must name at least one of cql, bc, dqn'),
        ('horizon_s: -1', "key 'horizon_s': input should be greater than 0, found -1"),
        ('1: x', "key '1': keys should be strings"),
    ],
)
def test_a_wrong_key_or_value_is_refused_by_name(tmp_path, text, words):
    assert words in refusal(
        f'name: x\nscenario: cologne1\n{text}\n'.replace(
            'name: x\n', '' if text.startswith('name') else 'name: x\n'
        ),
        tmp_path / 'run.yaml',
    )


@pytest.mark.parametrize('text', ['- 1\n- 2', 'just words', '3'])
def test_a_file_without_keys_at_its_top_is_refused(tmp_path, text):
    assert 'must hold keys and values' in refusal(text, tmp_path / 'run.yaml')


@pytest.mark.parametrize(
    'text', ['name: [', 'a: b: c', b'\xff\xfe\x00\x81', 'a: !!python/name:os']
)
def test_a_file_that_is_no_yaml_is_refused(tmp_path, text):
    assert 'is not valid YAML' in refusal(text, tmp_path / 'run.yaml')


def test_a_key_that_is_stated_twice_is_refused(tmp_path):
    text = 'name: a\nscenario: cologne1\nrecord: {seed: 1}\nrecord:\n  seed: 2\n'
    assert "key 'record' is stated twice, in lines 3 and 4" in refusal(text, tmp_path / 'run.yaml')


def test_a_file_that_cannot_be_read_is_refused_with_the_reason(tmp_path):
    for path, reason in ((tmp_path / 'none.yaml', 'No such file'), (tmp_path, 'Is a directory')):
        with pytest.raises(ConfigError, match=f'cannot be read: {reason}.*; check the path'):
            read_yaml(path, RunConfig)


def test_options_are_refused_in_the_same_words():
    with pytest.raises(ConfigError, match=r"the options: key 'cql.steps': .* found 0"):
        build_model(TrainConfig, {'cql': {'steps': 0}}, 'the options')


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('evaluate: {degradation: {blind_shares: [-0.1]}}', ('blind_shares.0', '-0.1')),
        ('evaluate: {degradation: {stuck_shares: [1.5]}}', ('stuck_shares.0', '1.5')),
        ('evaluate: {degradation: {demand_scales: [0]}}', ('demand_scales.0', 'greater than 0')),
        ('evaluate: {scale_range: [1.2, 0.5]}', ('evaluate.scale_range', 'lower end')),
        ('evaluate: {tune: {scales: [-1]}}', ('evaluate.tune.scales.0', '-1')),
        ('record: {scale_range: [0.5, 11]}', ('record.scale_range.1', '11')),
        ('train: {leave_out: [a]}', ("'train'", "leave_out needs 'shared: true'")),
        (
            'train: {shared: true, leave_out: a}',
            ('train.leave_out', 'must be a list, such as [a]'),
        ),
        ('train: {shared: true, algorithms: [bc]}', ("'train'", 'not for bc')),
        ('train: {seeds: [1, 1]}', ('train.seeds', 'must differ', '[1, 1]')),
        ('train: {seeds: [-1]}', ('train.seeds.0', '-1', 'greater than or equal to 0')),
    ],
)
def test_settings_out_of_range_or_without_effect_are_refused(tmp_path, text, words):
    message = refusal(f'name: x\nscenario: y\n{text}\n', tmp_path / 'run.yaml')
    for word in words:
        assert word in message, (word, message)


def test_numbers_that_name_junctions_need_no_quotes(tmp_path):
    path = tmp_path / 'run.yaml'
    path.write_text(
        'name: x\nscenario: y\njunction: 360082\n'
        'signals: {junctions: {360082: {min_green_s: 8}}}\n'
        'train: {shared: true, leave_out: [360086]}\n'
    )
    found = read_yaml(path, RunConfig)
    assert found.junction == '360082'
    assert found.signals.of('360082').min_green_s == 8
    assert found.train.leave_out == ('360086',)


def test_known_keys_are_listed_once(tmp_path):
    path = tmp_path / 'run.yaml'
    path.write_text('name: x\nscenario: cologne1\nzzz: 1\nqqq: 2\n')
    with pytest.raises(ConfigError) as refusal:
        read_yaml(path, RunConfig)
    assert str(refusal.value).count('known are') == 1
    assert "unknown key 'qqq'" in str(refusal.value)
