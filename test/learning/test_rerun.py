"""Training again: finished bundles are kept as long as record and settings are the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from known import record
import pytest

from saferl_ros.bundle.manifest import Manifest
from saferl_ros.bundle.produce import train_all
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
        (bundle,) = train_all([file], config, out, jobs=1).values()
        return (Path(bundle) / 'policy.onnx').stat().st_mtime_ns

    first = trained_at(config)
    manifest = Manifest.read(out / 'bc')
    del manifest.config['cql']['pessimism']
    manifest.write(out / 'bc')
    assert trained_at(config) == first
    assert trained_at(config.model_copy(update={'bc': CloningConfig(steps=30)})) != first
