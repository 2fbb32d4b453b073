"""Training again: finished bundles are kept as long as record and settings are the same."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from known import record
import pytest

from saferl_ros.bundle.folders import find_bundles
from saferl_ros.bundle.manifest import Manifest
from saferl_ros.bundle.produce import is_same, train_all
from saferl_ros.dataset.io import write_record
from saferl_ros.train.config import CloningConfig, FqeConfig, QLearningConfig, TrainConfig

pytestmark = pytest.mark.slow


def test_a_bundle_from_before_a_setting_existed_is_kept(tmp_path):
    data, _ = record(4, 60)
    file, out = tmp_path / 'record.h5', tmp_path / 'out'
    fingerprints = {
        'plan_fingerprint': data.plan.fingerprint(),
        'spec_fingerprint': data.spec.fingerprint(),
    }
    write_record(replace(data, manifest={**data.manifest, **fingerprints}), file)
    config = TrainConfig(
        algorithms=('bc',),
        bc=CloningConfig(steps=20),
        cql=QLearningConfig(steps=20),
        fqe=FqeConfig(steps=0),
    )

    def trained_at(config: TrainConfig) -> int:
        bundle = train_all([file], config, out, jobs=1)['bc']
        return (Path(bundle) / 'policy.onnx').stat().st_mtime_ns

    first = trained_at(config)
    manifest = Manifest.read(out / 'bc')
    del manifest.config['cql']['pessimism']
    manifest.write(out / 'bc')
    assert trained_at(config) == first
    more = config.model_copy(update={'seeds': (1, 2), 'cql': QLearningConfig(steps=30)})
    assert trained_at(more) == first  # what else is trained matters not
    assert sorted(path.name for path in out.iterdir()) == ['bc', 'bc_2', 'logs']
    same = partial(is_same, manifest.config)
    both = config.model_copy(update={'algorithms': ('cql', 'bc')})
    assert [same(one, 'bc') for one in (both, more)] == [True, True]
    assert [same(one, 'cql') for one in (both, more)] == [True, False]
    assert trained_at(config.model_copy(update={'bc': CloningConfig(steps=30)})) != first


def test_a_bundle_that_is_not_whole_yet_is_none(tmp_path):
    (tmp_path / 'A').mkdir()
    (tmp_path / 'A' / 'manifest.json').touch()
    (tmp_path / 'A.writing').mkdir()
    (tmp_path / 'A.writing' / 'manifest.json').touch()
    assert find_bundles(tmp_path) == [tmp_path / 'A']
