"""``saferl sim``: the same graph as plain processes, and the walk from the street to learning."""

from __future__ import annotations

import json
import os
from pathlib import Path
import signal
import subprocess
import time

from nodes import Nodes
import pytest
from small import refusal, run_saferl, saferl_command

from saferl_ros.bag.files import read_messages

pytestmark = [pytest.mark.ros, pytest.mark.sumo]


def living(domain_id: int) -> dict[int, str]:
    """Return the processes that live in a ROS domain, process ID to command line."""
    found = {}
    for process in Path('/proc').glob('[0-9]*'):
        try:
            environment = (process / 'environ').read_bytes().split(b'\0')
            command = (process / 'cmdline').read_bytes().replace(b'\0', b' ').decode()
        except OSError:
            continue
        if f'ROS_DOMAIN_ID={domain_id}'.encode() in environment and command:
            found[int(process.name)] = command
    return found


def left_over(domain_id: int) -> list[str]:
    """Return the command lines of processes that still live in a ROS domain."""
    return list(living(domain_id).values())


def test_from_the_street_to_a_report_and_to_learning(small_run, tmp_path):
    nodes = Nodes(tmp_path)
    done = run_saferl(
        *('sim', '--scenario', 'cologne1', '--bundle', small_run.cql, '--mode', 'shadow'),
        *('--real-time-factor', 0, '--horizon', 600, '--record', tmp_path / 'bag'),
        env=nodes.environment(),
    )
    assert done.returncode == 0, done.stderr
    assert left_over(nodes.domain_id) == []
    states = [one.message for one in read_messages(tmp_path / 'bag', ('signal_state',))]
    assert [state.sequence for state in states] == list(range(1, 601))
    answers = [one.message for one in read_messages(tmp_path / 'bag', ('shadow_request',))]
    assert len(answers) > 40
    assert min(answer.state_sequence for answer in answers) < 60

    scores = run_saferl('shadow-report', tmp_path / 'bag', '-o', tmp_path / 'b.html', '--json')
    assert scores.returncode == 0, scores.stderr
    (junction,) = json.loads(scores.stdout)['junctions']
    assert junction['n_due'] > 40
    assert junction['n_unanswered'] == 0
    assert (tmp_path / 'b.html').stat().st_size > 1e6

    data = tmp_path / 'street.h5'
    made = run_saferl('record', '--from-bag', tmp_path / 'bag', '-o', data)
    assert made.returncode == 0, made.stderr
    config = tmp_path / 'train.yaml'
    config.write_text('algorithms: [cql]\ncql: {steps: 50, ensemble: 1}\nfqe: {steps: 0}\n')
    learned = run_saferl('train', data, '--config', config, '-o', tmp_path / 'run')
    assert learned.returncode == 0, learned.stderr
    assert (tmp_path / 'run' / 'cql' / 'policy.onnx').exists()


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_end_of_sim_is_the_end_of_its_nodes(number, small_run, tmp_path):
    nodes = Nodes(tmp_path)
    process = subprocess.Popen(
        saferl_command('sim', '--bundle', small_run.cql, '--record', tmp_path / 'bag'),
        env=nodes.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    until_s = time.monotonic() + 120
    segment = tmp_path / 'bag' / 'segment_00000'
    while not any(segment.glob('*.mcap')) or not any(read_messages(segment, ('signal_state',))):
        assert time.monotonic() < until_s
        time.sleep(0.2)
    assert len(left_over(nodes.domain_id)) == 5
    os.kill(process.pid, number)
    assert process.wait(timeout=60) == (-number if number == signal.SIGKILL else 0)
    until_s = time.monotonic() + 60
    while left := left_over(nodes.domain_id):
        assert time.monotonic() < until_s, left
        time.sleep(0.2)
    assert any(read_messages(segment, ('description',)))
    assert (segment / 'metadata.yaml').exists()  # finished in good order


def test_a_node_that_dies_ends_the_run_with_exit_code_1_and_its_name(small_run, tmp_path):
    nodes = Nodes(tmp_path)
    with (tmp_path / 'said').open('wb') as said:
        process = subprocess.Popen(
            saferl_command('sim', '--bundle', small_run.cql, '--record', tmp_path / 'bag'),
            env=nodes.environment(), stdout=said, stderr=said,
        )  # fmt: skip
    until_s = time.monotonic() + 120
    policy: list[int] = []
    while not policy:
        assert time.monotonic() < until_s
        time.sleep(0.2)
        found = living(nodes.domain_id)
        policy = [n for n, command in found.items() if 'saferl_ros.ros.policy' in command]
    time.sleep(1.0)
    os.kill(policy[0], signal.SIGKILL)
    assert process.wait(timeout=60) == 1
    assert "node 'policy' ended with exit code -9" in (tmp_path / 'said').read_text()
    assert left_over(nodes.domain_id) == []


@pytest.mark.parametrize(
    ('arguments', 'said'),
    [
        (('--bundle', '/nowhere'), 'is no policy bundle'),
        (('--bundle', 'BUNDLE', '--scenario', 'colonge1'), 'did you mean cologne1'),
        (('--bundle', 'BUNDLE', '--real-time-factor', '-1'), 'between 0 and 1000'),
        (('--bundle', 'BUNDLE', '--scenario', 'ingolstadt1'), 'name the scenario that'),
        (('--bundle', 'BUNDLE', '--clearance', 'resco'), 'clearance profile'),
    ],
)
def test_what_cannot_work_is_refused_before_anything_starts(arguments, said, small_run):
    given = [small_run.cql if a == 'BUNDLE' else a for a in arguments]
    assert said in refusal(run_saferl('sim', *given))
