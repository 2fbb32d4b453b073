"""Small real artefacts: two short recorded hours of cologne1 and bundles learned from them."""

from __future__ import annotations

from pathlib import Path

import pytest

from saferl_ros.bundle.produce import train_all
from saferl_ros.env.junction import Junction
from saferl_ros.record.recorder import record, RecordConfig
from saferl_ros.scenario import load_scenario
from saferl_ros.train.config import CloningConfig, FqeConfig, QLearningConfig, TrainConfig


@pytest.fixture(scope='session')
def small_record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A record of two episodes of five minutes."""
    path = tmp_path_factory.mktemp('record') / 'data.h5'
    junction = Junction.derive(load_scenario('cologne1', horizon_s=300))
    record([junction], RecordConfig(episodes=2), [path], jobs=2)
    return path


@pytest.fixture(scope='session')
def small_bundles(small_record: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the bundles cql and bc, hardly trained."""
    out = tmp_path_factory.mktemp('bundles')
    config = TrainConfig(
        cql=QLearningConfig(steps=50, ensemble=1),
        bc=CloningConfig(steps=50),
        fqe=FqeConfig(steps=0),
    )
    train_all([small_record], config, out, jobs=2)
    return out
