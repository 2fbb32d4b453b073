"""An interrupted recording goes on with the same release, and with no other."""

from __future__ import annotations

import importlib.util
from pathlib import Path
import shutil
import subprocess

import pytest

from saferl_ros.dataset.io import read_record
from saferl_ros.env.junction import Junction
from saferl_ros.errors import UsageError
from saferl_ros.record import recorder, revision
from saferl_ros.record.recorder import record, RecordConfig
from saferl_ros.scenario import load_scenario

pytestmark = pytest.mark.sumo


@pytest.fixture
def begun(tmp_path: Path) -> tuple[Junction, RecordConfig, Path]:
    """Return what to record where a recording was interrupted after an episode."""
    junction = Junction.derive(load_scenario('cologne1', horizon_s=60))
    config, path = RecordConfig(episodes=3), tmp_path / 'x.h5'

    def stop(done: int, total: int) -> None:
        if 0 < done < total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record([junction], config, [path], jobs=1, progress=stop)
    assert list(path.with_name('x.h5.parts').glob('*.npz'))
    return junction, config, path


def test_a_commit_more_is_no_other_recording(begun, monkeypatch) -> None:
    junction, config, path = begun
    monkeypatch.setattr(recorder, 'git_revision', lambda: 'another')
    record([junction], config, [path], jobs=1)
    assert len(read_record(path).behaviour()) == 3


@pytest.mark.parametrize('name', ['sumo_version', '__version__'])
def test_another_release_does_not_go_on(begun, monkeypatch, name: str) -> None:
    junction, config, path = begun
    if name == 'sumo_version':
        monkeypatch.setattr(recorder, 'sumo_version', lambda: '9.9')
    else:
        monkeypatch.setattr(recorder, '__version__', '9.9')
    with pytest.raises(UsageError, match=r'version .* and this is 9\.9'):
        record([junction], config, [path], jobs=1)


def test_other_settings_are_another_recording(begun) -> None:
    junction, config, path = begun
    with pytest.raises(UsageError, match='other settings'):
        record([junction], config.model_copy(update={'seed': 1}), [path], jobs=1)


def test_the_commit_of_the_project_that_it_is_installed_in_is_not_its_own(tmp_path: Path) -> None:
    subprocess.run(['git', 'init', '-q', tmp_path], check=True)
    author = ('-c', 'user.name=a', '-c', 'user.email=a@b.c')
    commit = ['git', *author, 'commit', '-q', '--allow-empty', '-m', 'x']
    subprocess.run(commit, cwd=tmp_path, check=True)
    for place, expected in (('.venv/lib', 'unknown'), ('', None)):
        copy = tmp_path / place / 'saferl_ros' / 'record' / 'revision.py'
        copy.parent.mkdir(parents=True)
        shutil.copy(revision.__file__, copy)
        spec = importlib.util.spec_from_file_location('copied', copy)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found = module.git_revision()
        assert found == expected if expected else len(found) == 40
