"""Ctrl-C or a kill at any moment: no file that reads as whole, no orphan, and a rerun resumes."""

from __future__ import annotations

import os
from pathlib import Path
import signal
import subprocess
import sys
import time

from commands import saferl, saferl_in_process
import numpy as np
import pytest

from saferl_ros.dataset.io import read_record

pytestmark = pytest.mark.sumo

ARGUMENTS = ('record', 'cologne1', '--horizon', '600', '--episodes', '6', '--jobs', '2')


def simulations(session: int) -> set[int]:
    """Return the simulation processes that a session has left now; other tests have their own."""
    found = set()
    for entry in Path('/proc').iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / 'cmdline').read_bytes()
                is_of_session = os.getsid(int(entry.name)) == session
            except OSError:  # it has just ended
                continue
            if is_of_session and b'saferl_ros.nursery' in command:
                found.add(int(entry.name))
    return found


def parts(output: Path) -> list[Path]:
    return sorted(output.with_name(output.name + '.parts').glob('*.npz'))


@pytest.fixture(scope='module')
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The record that an interrupted one has to become."""
    path = tmp_path_factory.mktemp('undisturbed') / 'y.h5'
    assert saferl(*ARGUMENTS, '-o', path).returncode == 0
    return path


@pytest.mark.parametrize('how', [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_recording_resumes_to_the_same_data(undisturbed, tmp_path, how):
    output = tmp_path / 'x.h5'
    process = subprocess.Popen(
        [sys.executable, '-m', 'saferl_ros', *ARGUMENTS, '-o', str(output)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # a shell's background job ignores Ctrl-C and hands that on; a user's terminal does not
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    deadline = time.monotonic() + 60
    while not parts(output):
        assert time.monotonic() < deadline, 'no episode was recorded within a minute'
        assert process.poll() is None
        time.sleep(0.02)
    assert simulations(process.pid)
    os.kill(process.pid, how)
    _, errors = process.communicate(timeout=30)
    assert not output.exists()
    if how is not signal.SIGKILL:
        assert process.returncode == 128 + how
        assert 'goes on where it stopped' in errors
        assert 'Traceback' not in errors
    deadline = time.monotonic() + 20
    while simulations(process.pid):
        assert time.monotonic() < deadline, 'a simulation outlived its recording'
        time.sleep(0.1)
    kept = {path: path.stat().st_mtime_ns for path in parts(output)}
    assert 0 < len(kept) < 8
    assert saferl(*ARGUMENTS, '-o', output).returncode == 0
    written_ns = output.stat().st_mtime_ns
    assert saferl_in_process(*ARGUMENTS, '-o', output).returncode == 0
    assert output.stat().st_mtime_ns == written_ns  # a finished record is left as it is
    ours, theirs = read_record(output), read_record(undisturbed)
    assert len(ours.episodes) == len(theirs.episodes)
    for a, b in zip(ours.episodes, theirs.episodes, strict=True):
        np.testing.assert_array_equal(a.observations, b.observations)
        np.testing.assert_array_equal(a.reward, b.reward)


def test_a_killed_training_leaves_no_process_that_goes_on(tmp_path, small_record):
    config = tmp_path / 'long.yaml'
    config.write_text(
        'algorithms: [cql]\nseeds: [1, 2]\ncql: {steps: 1000000}\nfqe: {steps: 0}\n',
        encoding='utf-8',
    )
    out = tmp_path / 'out'
    process = subprocess.Popen(
        [
            *(sys.executable, '-m', 'saferl_ros', 'train', str(small_record)),
            *('--config', str(config), '--jobs', '2', '-o', str(out)),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not list(out.glob('logs/*/checkpoint.pt')):
        assert time.monotonic() < deadline, 'no training went 500 steps within two minutes'
        assert process.poll() is None
        time.sleep(0.1)
    assert simulations(process.pid)
    process.kill()
    process.wait()
    deadline = time.monotonic() + 20
    while simulations(process.pid):
        assert time.monotonic() < deadline, 'a training outlived its command'
        time.sleep(0.1)
