"""
The launch files, started as ``ros2 launch`` starts them.

ROS 2's launch is not on any package index: where it is not installed, these are skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
import os
from pathlib import Path
import re
import signal
import subprocess
import sys
import threading
import time
import uuid

from domains import Domain, MIDDLEWARE
import pytest

from saferl_ros.bag.files import read_messages
from saferl_ros.ros.graph import params_file, USES

pytestmark = pytest.mark.ros

# not 'launch' itself: seen from the checkout, the folder of the launch files has that name
for library in ('rclpy', 'saferl_msgs', 'launch_ros', 'launch.actions'):
    pytest.importorskip(library, reason=f"'{library}' is not installed; see docs/ros.md")

ROOT = Path(__file__).resolve().parents[2]
START_S, STOP_S = 60.0, 10.0
RUN = 'SAFERL_TEST_RUN'  # in the environment of everything that a test starts

ROS2_LAUNCH = """
'''What 'ros2 launch' does with a file and its arguments.'''
import sys

import launch
from launch.launch_description_sources import get_launch_description_from_any_launch_file
from launch.launch_description_sources import AnyLaunchDescriptionSource

file, is_noninteractive, *pairs = sys.argv[1:]
if pairs == ['--show-args']:
    found = get_launch_description_from_any_launch_file(file)
    for argument in found.get_launch_arguments():
        default = ''.join(part.describe() for part in argument.default_value)
        print(argument.name, default, argument.description, sep='|')
    sys.exit(0)
service = launch.LaunchService(argv=pairs, noninteractive=is_noninteractive == 'True')
include = launch.actions.IncludeLaunchDescription(
    AnyLaunchDescriptionSource(file),
    launch_arguments=[tuple(pair.split(':=', maxsplit=1)) for pair in pairs],
)
service.include_launch_description(launch.LaunchDescription([include]))
sys.exit(service.run())
"""


class Launched:
    """One launch, in a process group of its own as a shell would put it."""

    def __init__(
        self, folder: Path, use: str, *arguments: str, is_noninteractive: bool = False
    ) -> None:
        script = folder / 'ros2_launch.py'
        script.write_text(ROS2_LAUNCH)
        self.run = uuid.uuid4().hex
        self._domain = Domain()
        self.domain = self._domain.id
        self.process = subprocess.Popen(
            [
                *(sys.executable, script, ROOT / 'launch' / f'{use}.launch.py'),
                *(str(is_noninteractive), *arguments),
            ],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,
            env={
                **os.environ,
                'ROS_DOMAIN_ID': str(self.domain),
                **MIDDLEWARE,
                'ROS_LOG_DIR': str(folder / 'log'),
                'OMP_NUM_THREADS': '1',
                RUN: self.run,
            },
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(iter(self.process.stdout.readline, ''))

    @property
    def said(self) -> str:
        return ''.join(self.lines)

    def wait_for(self, pattern: str, timeout_s: float = START_S) -> re.Match[str]:
        until_s = time.monotonic() + timeout_s
        while time.monotonic() < until_s:
            found = re.search(pattern, self.said)
            if found:
                return found
            assert self.process.poll() is None, self.said
            time.sleep(0.05)
        raise AssertionError(f"'{pattern}' was not said:\n{self.said}")

    def pid_of(self, node: str) -> int:
        return int(self.wait_for(rf'\[{node}-\d+\]: process started with pid \[(\d+)\]')[1])

    def wait(self, timeout_s: float) -> int:
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f'still running after {timeout_s:g} s:\n{self.said}') from None
        finally:
            self._reader.join(timeout=1.0)

    def left(self) -> list[str]:
        """Return the command of every process of this run that is still there."""
        return [command for _, command in self._left()]

    def _left(self) -> Iterator[tuple[int, str]]:
        marks = {f'{RUN}={self.run}'.encode(), f'ROS_DOMAIN_ID={self.domain}'.encode()}
        for folder in Path('/proc').glob('[0-9]*'):
            try:
                environment = (folder / 'environ').read_bytes().split(b'\0')
                command = (folder / 'cmdline').read_bytes().replace(b'\0', b' ').decode()
            except OSError:
                continue  # it ended just now
            if marks <= set(environment):
                yield int(folder.name), command

    def wait_until_alone(self, timeout_s: float) -> None:
        until_s = time.monotonic() + timeout_s
        while self.left() and time.monotonic() < until_s:
            time.sleep(0.1)
        assert self.left() == []

    def clean_up(self) -> None:
        for pid, _ in list(self._left()):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait()
        self._reader.join(timeout=1.0)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def launch(tmp_path: Path) -> Iterator:
    launched = []

    def start(use: str, *arguments: str, **options: bool) -> Launched:
        launched.append(Launched(tmp_path, use, *arguments, **options))
        return launched[-1]

    yield start
    for one in launched:
        one.clean_up()


@pytest.fixture
def driving(launch, small_run):
    """A policy in command of a simulated street, in real time, once it decides."""

    def start(**options: bool) -> Launched:
        run = launch(
            'simulation',
            *(f'bundle:={small_run.cql}', 'allow_ungated:=true', 'record:=recording'),
            **options,
        )
        run.wait_for('the street began anew')
        return run

    return start


@pytest.mark.parametrize('use', USES)
def test_every_argument_is_described(launch, use):
    run = launch(use, '--show-args')
    assert run.wait(START_S) == 0, run.said
    rows = [line.strip().split('|') for line in run.lines if '|' in line]
    names = {name for name, _, _ in rows}
    simulated = {'scenario', 'gui', 'real_time_factor', 'seed', 'horizon_s'}
    assert names == {'bundle', 'mode', 'record', 'params_file'} | (
        simulated if use != 'live' else set()
    ) | ({'allow_ungated'} if use == 'simulation' else set())
    assert all(len(about) > 20 for _, _, about in rows)
    defaults = {name: default for name, default, _ in rows}
    assert f'{use}.params.yaml' in defaults['params_file']


def test_a_shadow_run_ends_by_itself_and_leaves_a_bag(launch, small_run, tmp_path):
    run = launch(
        'shadow',
        *(f'bundle:={small_run.cql}', 'scenario:=cologne1', 'real_time_factor:=0'),
        *('horizon_s:=2400', 'record:=1e3'),  # like a number, as a folder's name may be
    )
    assert run.wait(2 * START_S) == 0, run.said
    assert run.left() == []
    assert '2400 ticks to the end of the scenario' in run.said
    found = [message.topic.rsplit('/', 1)[-1] for message in read_messages(tmp_path / '1e3')]
    # How much of the first seconds is in it is up to discovery: the bridge waits for a controller
    # to appear, not for the recorder, and without a pace a minute passes in a tenth of a second.
    assert {'description', 'signal_state', 'detectors', 'stage_request'} <= set(found)


@pytest.mark.parametrize('is_noninteractive', [False, True], ids=['terminal', 'script'])
def test_an_interrupt_ends_every_node_in_order(driving, is_noninteractive, tmp_path):
    run = driving(is_noninteractive=is_noninteractive)
    began_s = time.monotonic()
    if is_noninteractive:
        os.kill(run.process.pid, signal.SIGINT)
    else:
        os.killpg(run.process.pid, signal.SIGINT)  # as a terminal does
    assert run.wait(STOP_S) == 0, run.said
    assert run.left() == []
    assert time.monotonic() - began_s < STOP_S
    assert run.said.count('process has finished cleanly') == 3, run.said
    assert 'ticks to a request to stop' in run.said
    assert 'process has died' not in run.said
    assert next(read_messages(tmp_path / 'recording')).stamp_ns > 0


def test_a_launch_without_a_street_ends_in_order_too(launch, small_run):
    run = launch('live', f'bundle:={small_run.cql}')
    run.wait_for('mode shadow')
    os.killpg(run.process.pid, signal.SIGINT)
    assert run.wait(STOP_S) == 0, run.said
    assert run.left() == []


@pytest.mark.parametrize('node', ['policy', 'shadow_recorder', 'sumo_bridge'])
def test_a_node_that_dies_ends_all_and_is_named(driving, node):
    run = driving()
    os.kill(run.pid_of(node), signal.SIGKILL)
    assert run.wait(STOP_S) == 1, run.said
    assert run.left() == []
    named = [line for line in run.lines if f"node '{node}' ended with exit code -9" in line]
    assert len(named) == 1, run.said
    assert run.said.count('process has finished cleanly') == 2, run.said


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGKILL])
def test_no_node_outlives_the_launch(driving, number, tmp_path):
    run = driving()
    os.kill(run.process.pid, number)
    assert run.wait(STOP_S) != 0
    run.wait_until_alone(STOP_S)
    assert (tmp_path / 'recording' / 'segment_00000' / 'metadata.yaml').is_file()  # was closed


def test_a_node_that_cannot_start_ends_all_and_is_named(launch, small_run):
    run = launch('simulation', f'bundle:={small_run.cql}', 'allow_ungated:=false')
    assert run.wait(START_S) == 1, run.said
    assert run.left() == []
    assert 'carries no passed gate' in run.said
    assert "node 'policy' ended with exit code 1" in run.said


@pytest.mark.parametrize(
    ('use', 'arguments', 'words'),
    [
        ('simulation', ['mode:=actve'], ['mode', 'actve', 'shadow, advisory, active']),
        ('shadow', ['mode:=active'], ['mode', 'simulation.launch.py', 'shadow, advisory']),
        ('live', ['bundle:=/nowhere/cql'], ['/nowhere/cql']),
        ('live', ['bundle:='], ['bundle is missing', 'bundle:=runs/demo/cql']),
        ('simulation', ['real_time_factor:=fast'], ['real_time_factor', 'fast', '0 and 1000']),
        ('simulation', ['real_time_factor:=-1'], ['real_time_factor', '-1', '0 and 1000']),
        ('simulation', ['real_time_factor:=nan'], ['real_time_factor', 'nan']),
        ('simulation', ['gui:=maybe'], ['gui', 'maybe', 'true nor false']),
        ('shadow', ['seed:=1.5'], ['seed', '1.5', 'whole number']),
        ('shadow', ['horizon_s:=0'], ['horizon_s', "'0'"]),
        ('shadow', ['scenario:=colonge1'], ['colonge1', 'cologne1']),
        ('shadow', ['params_file:=no.yaml'], ['params_file', 'no.yaml']),
        (
            'shadow',
            [f'params_file:={params_file("simulation")}'],  # whose mode is active
            ['params_file', 'simulation.params.yaml', 'mode', 'simulation.launch.py'],
        ),
        ('shadow', ['scenario:=cologne3'], ['is for junction', "scenario 'cologne3' has"]),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else value,
)
def test_a_wrong_value_is_refused_before_anything_starts(launch, small_run, use, arguments, words):
    given = [f'bundle:={small_run.cql}', *arguments]
    run = launch(use, *given)
    assert run.wait(START_S) == 1, run.said
    assert run.left() == []
    errors = [line for line in run.lines if 'ERROR' in line]
    assert len(errors) == 1, run.said
    for word in words:
        assert word in errors[0], (word, errors[0])
    assert 'process started' not in run.said
    assert 'Traceback' not in run.said


def test_misspelt_names_in_a_parameter_file_are_not_passed_over_in_silence(
    launch, small_run, tmp_path
):
    file = tmp_path / 'mine.yaml'
    file.write_text(
        'policy:\n  ros__parameters: {mode: shadow, max_silence: 9.0, autostart: true}\n'
        f'shadow_recoder:\n  ros__parameters: {{output: {tmp_path}/here}}\n'
    )
    run = launch('live', f'bundle:={small_run.cql}', f'params_file:={file}')
    run.wait_for('mode shadow')
    assert "policy has no parameter 'max_silence'" in run.said
    assert 'did you mean max_silence_s?' in run.said
    assert "no node is called 'shadow_recoder'; did you mean shadow_recorder?" in run.said
    os.kill(run.process.pid, signal.SIGINT)
    assert run.wait(STOP_S) == 0, run.said


def test_a_live_recorder_that_fails_leaves_the_policy_at_work(launch, small_run, tmp_path):
    run = launch('live', f'bundle:={small_run.cql}', f'record:={tmp_path}/recording')
    run.wait_for('mode shadow')
    os.kill(run.pid_of('shadow_recorder'), signal.SIGKILL)
    run.wait_for("'shadow_recorder' ended with exit code -9; the others go on without it")
    assert any('saferl_ros.ros.policy' in command for command in run.left())
    os.kill(run.process.pid, signal.SIGINT)
    assert run.wait(STOP_S) == 0, run.said


def test_an_argument_of_another_launch_file_is_not_passed_over_in_silence(launch, small_run):
    run = launch('live', f'bundle:={small_run.cql}', 'real_time_factor:=2', 'recrod:=here')
    run.wait_for('mode shadow')
    assert "argument 'real_time_factor' has no meaning for live.launch.py" in run.said
    assert "argument 'recrod' has no meaning for live.launch.py" in run.said
    assert 'did you mean record?' in run.said
    os.kill(run.process.pid, signal.SIGINT)
    assert run.wait(STOP_S) == 0, run.said
