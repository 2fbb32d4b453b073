"""``saferl shadow-report``, as an agency runs it on a recording."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
import json
from pathlib import Path
import shutil
from types import SimpleNamespace
from typing import Any

from commands import assert_refused, saferl, saferl_in_process
import numpy as np
import pytest

from saferl_ros.bag.description import JunctionDescription
from saferl_ros.bag.files import SegmentWriter
from saferl_ros.bundle.load import Bundle, load_bundle
from saferl_ros.cli.main import main
from saferl_ros.errors import BundleError, DatasetError
from saferl_ros.evaluate.shadow_value import (
    estimate_shadow_value,
    never_seen_share,
    policy_choices,
)
from saferl_ros.train.fqe import ChosenTransitions, discounted_cost

pytestmark = pytest.mark.ros  # for the definitions of the messages
MINUTES, SEVEN_S, CYCLE_S, CHANGE_S = 25, 25_200.0, 20, 4


def write_recording(
    folder: Path, bundle: Bundle, *, answers: bool = True, minutes: int = MINUTES
) -> Path:
    """Record a junction that turns to its stages one by one, with a queue in the first half."""
    plan, spec = bundle.plan, bundle.spec
    segment = SegmentWriter(folder / 'segment_00000')
    types = segment._types
    time = types.types['builtin_interfaces/msg/Time']
    floats = {'scores': plan.n_stages, 'since_served_s': plan.n_stages}
    by_lane = ('count_veh', 'queue_veh', 'occupancy_ratio', 'waiting_s', 'vehicle_length_m')
    by_approach = ('advance_count_veh', 'advance_queue_veh')
    floats |= dict.fromkeys(by_lane, len(spec.lanes))
    floats |= dict.fromkeys(by_approach, len(spec.approaches))

    def say(n: int, name: str, type_name: str, **fields: Any) -> None:
        kind = types.types[type_name]
        common = {
            'stamp': time(sec=int(SEVEN_S) + n, nanosec=0),
            'junction_id': plan.junction_id,
            'run_id': 'a',
            'sequence': n,
        }
        fields = {**common, **fields}
        for field, what in kind.__dataclass_fields__.items():
            if field in floats and field not in fields:
                fields[field] = np.zeros(floats[field], dtype=np.float32)
            elif field not in fields:
                empty: dict[str, Any] = {'str': '', 'bool': False, 'float': 0.0, 'int': 0}
                fields[field] = empty.get(str(what.type), np.zeros(0, dtype=np.bool_))
        known = {field: fields[field] for field in kind.__dataclass_fields__ if field in fields}
        known = {k: v for k, v in known.items() if not k.isupper() and k != '__msgtype__'}
        data = bytes(types.serialize_cdr(kind(**known), type_name))
        segment.write(f'/saferl/j/{name}', type_name, (n + 1) * 10**9, data)

    text = JunctionDescription(plan=plan, spec=spec, scenario={'name': 'crafted'}).to_text()
    say(0, 'description', 'std_msgs/msg/String', data=text)
    for n in range(1, 60 * minutes + 1):
        stage, into_s = n // CYCLE_S % plan.n_stages, n % CYCLE_S
        is_free = into_s >= 2 * CHANGE_S
        legal = np.array([is_free or k == stage for k in range(plan.n_stages)])
        say(
            n, 'signal_state', 'saferl_msgs/msg/SignalState', tick_s=1.0, stage=stage,
            is_clearing=into_s < CHANGE_S, legal_stages=legal, is_min_green_over=is_free,
            green_elapsed_s=float(max(into_s - CHANGE_S, 0)),
        )  # fmt: skip
        queue_veh = np.full(len(spec.lanes), float(n < 30 * minutes), dtype=np.float32)
        say(n, 'detectors', 'saferl_msgs/msg/DetectorReadings', queue_veh=queue_veh)
        if answers and into_s in (2 * CHANGE_S, 2 * CHANGE_S + 5):
            scores = np.eye(plan.n_stages, dtype=np.float32)[stage]
            say(
                n, 'shadow_request', 'saferl_msgs/msg/StageRequest', state_sequence=n,
                scores=scores, latency_s=0.002,
            )  # fmt: skip
            say(n, 'shadow_decision', 'saferl_msgs/msg/ShieldDecision', is_shadow=True,
                reason='policy')  # fmt: skip
    segment.close()
    return folder


@pytest.fixture(scope='module')
def bundle(small_bundles: Path) -> Bundle:
    return load_bundle(small_bundles / 'cql')


@pytest.fixture(scope='module')
def recording(tmp_path_factory: pytest.TempPathFactory, bundle: Bundle) -> Path:
    return write_recording(tmp_path_factory.mktemp('recording'), bundle)


def test_a_page_and_the_numbers_as_json(recording, bundle, tmp_path):
    page = tmp_path / 'shadow.html'
    done = saferl('shadow-report', recording, '-o', page, '--json')
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)['junctions']
    n_cycles = 60 * MINUTES // CYCLE_S
    assert found['junction_id'] == bundle.manifest.junction_id
    assert found['hours'] == pytest.approx(MINUTES / 60)
    assert (found['n_answers'], found['gaps'], found['veto_share']) == (2 * n_cycles, [], 0.0)
    assert found['agreement'] == 1.0  # it keeps, and so does the incumbent for five seconds more
    assert found['reasons'] == {'policy': 2 * n_cycles}
    assert found['latency_s']['p50'] == pytest.approx(0.002)
    n_lanes = len(bundle.spec.lanes)
    assert found['standing_veh_h_per_hour'] == pytest.approx(n_lanes / 2, rel=0.01)
    assert found['estimate'] is None
    assert '--bundle' in found['estimate_missing']
    assert bundle.manifest.junction_id in page.read_text(encoding='utf-8')


def test_a_summary_for_people(recording, tmp_path):
    done = saferl_in_process('shadow-report', recording, '-o', tmp_path / 'x.html')
    assert done.returncode == 0, done.stderr
    assert 'agreement 100.0 %, vetoes 0.0 %, out of distribution 0.0 %' in done.stdout
    assert f'written: {tmp_path / "x.html"}' in done.stdout


def test_an_unfinished_segment_is_read_and_told(recording, tmp_path):
    torn = tmp_path / 'torn'
    shutil.copytree(recording, torn)
    (torn / 'segment_00000' / 'metadata.yaml').unlink()
    done = saferl_in_process('shadow-report', torn, '-o', tmp_path / 'x.html')
    assert done.returncode == 0, done.stderr
    assert 'note: segment segment_00000 was never finished' in done.stdout
    assert 'never finished' in (tmp_path / 'x.html').read_text(encoding='utf-8')


def test_bad_input_is_refused_in_one_line(recording, bundle, tmp_path):
    page = tmp_path / 'x.html'

    def refused(*arguments: object, words: tuple[str, ...]) -> None:
        assert_refused(saferl_in_process('shadow-report', *arguments, '-o', page), *words)
        assert not page.exists()

    refused(tmp_path / 'none', words=('none', 'is no bag'))
    refused(recording, '--junction', 'x', words=("no junction 'x'", bundle.manifest.junction_id))
    refused(recording, '--bundle', tmp_path, words=('no policy bundle', 'manifest.json'))
    silent = write_recording(tmp_path / 'silent', bundle, answers=False)
    refused(silent, words=('no answer of a policy in shadow', 'mode shadow'))
    empty = SegmentWriter(tmp_path / 'foreign')
    empty.close()
    refused(tmp_path / 'foreign', words=('holds no state of a junction', 'shadow_recorder'))
    (tmp_path / 'file').write_text('')
    done = saferl_in_process('shadow-report', recording, '-o', tmp_path / 'file' / 'x.html')
    assert_refused(done, 'cannot write')
    assert_refused(
        saferl_in_process('shadow-report', recording, '-o', tmp_path), 'folder', 'name a file'
    )
    damaged = tmp_path / 'damaged'
    shutil.copytree(recording, damaged)
    file = next((damaged / 'segment_00000').glob('*.mcap'))
    file.write_bytes(file.read_bytes()[:1000])
    refused(damaged, words=('is damaged',))


def test_two_bundles_for_one_junction_are_refused(recording, small_bundles, tmp_path):
    both = ('--bundle', small_bundles / 'cql', '--bundle', small_bundles / 'bc')
    done = saferl_in_process('shadow-report', recording, *both, '-o', tmp_path / 'x.html')
    assert_refused(done, 'are both for junction')


def test_without_the_extra_the_page_says_how_to_get_it(recording, small_bundles, tmp_path):
    (tmp_path / 'sitecustomize.py').write_text(
        'import sys\n'
        'from importlib.machinery import PathFinder\n'
        'class Without(PathFinder):\n'
        '    @classmethod\n'
        '    def find_spec(cls, name, path=None, target=None):\n'
        "        if name.split('.')[0] == 'd3rlpy':\n"
        '            return None\n'
        '        return super().find_spec(name, path, target)\n'
        'sys.meta_path[sys.meta_path.index(PathFinder)] = Without\n'
    )
    arguments = ('shadow-report', recording, '--bundle', small_bundles / 'cql', '--json')
    done = saferl(*arguments, '-o', tmp_path / 'x.html', PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    missing = json.loads(done.stdout)['junctions'][0]['estimate_missing']
    assert "'d3rlpy' is not installed" in missing
    assert missing.endswith("'.[train]'.")


# --- the estimate -----------------------------------------------------------------------------


@pytest.mark.slow
def test_the_bundle_adds_an_estimate(recording, small_bundles, tmp_path, monkeypatch, capsys):
    quick = partial(estimate_shadow_value, n_refits=2, n_steps=20)  # a minute less
    monkeypatch.setattr('saferl_ros.evaluate.shadow_value.estimate_shadow_value', quick)
    page = tmp_path / 'x.html'
    arguments = ('shadow-report', recording, '--bundle', small_bundles / 'cql', '-o', page)
    code = main([*map(str, arguments), '--json'])
    said = capsys.readouterr()
    assert code == 0, said.err
    found = json.loads(said.out)['junctions'][0]['estimate']
    assert found['difference_low'] <= found['difference'] <= found['difference_high']
    assert found['incumbent_veh_h'] > 0
    assert 'not evidence for going live' in page.read_text(encoding='utf-8')
    assert main([*map(str, arguments)]) == 0
    said = capsys.readouterr().out
    assert 'this estimate is no evidence for going live' in said
    assert 'was never put before a gate' in said


def test_the_estimate_can_be_made_again(recording, bundle):
    steps: list[tuple[int, int]] = []
    few: dict[str, Any] = {'n_refits': 2, 'n_steps': 20}
    first = estimate_shadow_value(
        recording, bundle, **few, progress=lambda done, total: steps.append((done, total))
    )
    assert first == estimate_shadow_value(recording, bundle, **few)
    assert steps[-1] == (80, 80)
    assert first.n_segments == MINUTES // 5
    assert 0 <= first.never_seen_share <= first.differs_share <= 1


def test_the_estimate_needs_the_right_junction_and_enough_record(
    recording, bundle, tmp_path, monkeypatch
):
    short = write_recording(tmp_path / 'short', bundle, minutes=9)
    with pytest.raises(DatasetError, match=r'2 segments of 300 s .* at least 4'):
        estimate_shadow_value(short, bundle)
    monkeypatch.setattr(bundle, 'plan', replace(bundle.plan, offset_s=7.0))
    with pytest.raises(BundleError, match=r'offset_s here 0\.0, in the bundle 7\.0'):
        estimate_shadow_value(recording, bundle)


def test_a_policy_that_always_does_what_costs_twice_is_estimated_so():
    rng = np.random.default_rng(3)
    n = 500
    actions = rng.integers(0, 2, n)
    intervals = rng.uniform(1.0, 3.0, n)
    data = ChosenTransitions(
        observations=rng.random((n, 2), dtype=np.float32),
        actions=actions,
        costs=(1.0 + actions) * intervals,  # one or two per time unit
        next_observations=rng.random((n, 2), dtype=np.float32),
        intervals=intervals,
        n_stages=2,
    )
    ones = np.ones(n, dtype=np.int64)
    cheap, dear = (
        discounted_cost(data, choice * ones, choice * ones, ones, gamma=0.9, seed=1)
        for choice in (0, 1)
    )
    assert cheap == pytest.approx(10.0, rel=0.1)  # 1 / (1 - 0.9)
    assert dear == pytest.approx(20.0, rel=0.1)
    half = (actions == 0).astype(np.int64)  # a resample without the dear transitions
    assert discounted_cost(data, 0 * ones, 0 * ones, half, gamma=0.9, seed=1) == pytest.approx(
        10.0, rel=0.01
    )


def test_choices_that_were_never_recorded_are_counted():
    stages, actions = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 0])
    assert never_seen_share(stages, np.array([0, 2, 1, 0]), actions) == 0.25
    assert never_seen_share(stages, actions, actions) == 0.0


def test_the_policy_chooses_among_legal_stages_only(bundle):
    n, n_stages = 6, bundle.plan.n_stages
    legal = np.zeros((n, n_stages), dtype=np.bool_)
    legal[np.arange(n), np.arange(n) % n_stages] = True
    observations = np.zeros((n, bundle.spec.size), dtype=np.float32)
    episode: Any = SimpleNamespace(observations=observations, legal=legal)
    assert policy_choices(bundle, episode).tolist() == [k % n_stages for k in range(n)]
