"""The out-of-distribution guard in a bundle: made of its record, and refused in any other."""

from __future__ import annotations

from dataclasses import replace
import json
from pathlib import Path
import shutil

import known
import pytest

from saferl_ros.bundle.export import export_bundle
from saferl_ros.bundle.load import load_bundle
from saferl_ros.bundle.manifest import GUARD_NAME, Manifest, sha256
from saferl_ros.dataset.guard_fit import fit_guard
from saferl_ros.errors import BundleError
from saferl_ros.train.config import CloningConfig, FqeConfig, TrainConfig
from saferl_ros.train.learner import train_algorithm
from saferl_ros.train.lesson import lesson_of


@pytest.fixture(scope='module')
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a bundle of four episodes (``whole``) and one of one episode (``poor``)."""
    folder = tmp_path_factory.mktemp('exported')
    data, _ = known.record(4, 60)
    config = TrainConfig(
        bc=CloningConfig(steps=5, hidden_units=(8,)), fqe=FqeConfig(steps=0), algorithms=('bc',)
    )
    training = train_algorithm(
        lesson_of(data, 'bc', config, device='cpu'), 'bc', config, 1, folder / 'log'
    )
    poor = replace(data, episodes=[e for e in data.episodes if e.family != 'net'][:1])
    for name, record in (('whole', data), ('poor', poor)):
        export_bundle(training, record, config, folder / name, dataset_sha256='0' * 64)
    return folder


def test_a_bundle_brings_the_guard_of_its_record(exported):
    data, _ = known.record(4, 60)
    bundle = load_bundle(exported / 'whole')
    assert bundle.guard_model == fit_guard(data.behaviour(), data.spec)
    assert bundle.guard_model.false_alarm_rate == 0.01


def test_a_bundle_of_too_small_a_record_has_no_guard(exported):
    assert load_bundle(exported / 'poor').guard_model is None
    assert not (exported / 'poor' / GUARD_NAME).exists()


def test_a_changed_byte_of_the_guard_is_refused(exported, tmp_path):
    bundle = shutil.copytree(exported / 'whole', tmp_path / 'changed')
    text = (bundle / GUARD_NAME).read_text()
    (bundle / GUARD_NAME).write_text(text.replace('0.01', '0.02', 1))
    with pytest.raises(BundleError, match=r'guard\.json.*was changed'):
        load_bundle(bundle)


def test_a_removed_guard_is_refused(exported, tmp_path):
    bundle = shutil.copytree(exported / 'whole', tmp_path / 'removed')
    (bundle / GUARD_NAME).unlink()
    with pytest.raises(BundleError, match=r'guard\.json.*is missing'):
        load_bundle(bundle)


@pytest.mark.parametrize(
    ('text', 'reason'),
    [
        ('{', 'guard.json'),
        ('{}', 'not an out-of-distribution guard'),
        ('foreign', 'features of observation 0123'),
    ],
)
def test_a_guard_that_does_not_belong_to_the_policy_is_refused(exported, tmp_path, text, reason):
    if text == 'foreign':
        model = json.loads((exported / 'whole' / GUARD_NAME).read_text())
        text = json.dumps({**model, 'spec_fingerprint': '0123'})
    bundle = shutil.copytree(exported / 'whole', tmp_path / 'foreign')
    (bundle / GUARD_NAME).write_text(text)
    manifest = Manifest.read(bundle)
    files = {**manifest.files, GUARD_NAME: sha256(bundle / GUARD_NAME)}
    manifest.model_copy(update={'files': files}).write(bundle)
    with pytest.raises(BundleError, match=reason):
        load_bundle(bundle)
