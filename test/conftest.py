"""A small real run, made once: five minutes of cologne1, recorded and learned from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hypothesis import settings
import pytest

from saferl_ros.bundle.produce import train_all
from saferl_ros.env.junction import Junction
from saferl_ros.record.recorder import record, RecordConfig
from saferl_ros.scenario import load_scenario
from saferl_ros.train.config import TrainConfig

HORIZON_S = 300

settings.register_profile('thorough', max_examples=120, deadline=None)
settings.register_profile('quick', max_examples=40, deadline=None)  # make check
settings.load_profile('thorough')


@dataclass(frozen=True, slots=True)
class SmallRun:
    """Files to copy and damage; nobody writes to these."""

    record: Path
    cql: Path
    bc: Path


@pytest.fixture(scope='session')
def small_run(tmp_path_factory: pytest.TempPathFactory) -> SmallRun:
    folder = tmp_path_factory.mktemp('small_run')
    data = folder / 'data.h5'
    junction = Junction.derive(load_scenario('cologne1', horizon_s=HORIZON_S))
    record([junction], RecordConfig(episodes=2), [data])
    config = TrainConfig.model_validate(
        {'cql': {'steps': 50, 'ensemble': 1}, 'bc': {'steps': 50}, 'fqe': {'steps': 0}}
    )
    bundles = train_all([data], config, folder / 'run')
    return SmallRun(record=data, cql=bundles['cql'], bc=bundles['bc'])
