"""Nodes as processes of their own, and somebody who watches them over real middleware."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
import itertools
import os
from pathlib import Path
import signal
import subprocess
import sys
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from domains import Domain, MIDDLEWARE
from rcl_interfaces.srv import GetParameters
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
import yaml

from saferl_msgs.msg import ShieldDecision, SignalState, StageRequest
from saferl_ros.ros import names, qos

JUNCTION = 'GS_cluster_357187_359543'  # that of cologne1
WAIT_S = 120.0  # no time is tested by it: processes start slowly where much else runs
UNNAMED = '_NODE_NAME_UNKNOWN_'  # the publisher is found already, its node is not yet
_numbers = itertools.count()


class Nodes:
    """The processes of one test, in a ROS domain of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._domain = Domain()
        self.domain_id = self._domain.id
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            'ROS_DOMAIN_ID': str(self.domain_id),
            **MIDDLEWARE,
            'ROS_LOG_DIR': str(self.folder / 'log'),
            'OMP_NUM_THREADS': '1',
        }

    def start(self, node: str, name: str = '', *, prelude: str = '', **parameters: Any) -> str:
        """Start a node's program; return the name under which it is known here."""
        name = name or node
        file = self.folder / f'{name}_{next(_numbers)}.yaml'
        file.write_text(yaml.safe_dump({name: {'ros__parameters': parameters}}))
        code = f'{prelude}\nfrom saferl_ros.ros.{node} import main; import sys; sys.exit(main())'
        with self.log(name).open('ab') as log:
            self.running[name] = subprocess.Popen(
                [sys.executable, '-c', code, '--ros-args', '-r', f'{node}:__node:={name}',
                 '--params-file', str(file)],
                env=self.environment(), stdout=log, stderr=log,
            )  # fmt: skip
        return name

    def log(self, name: str) -> Path:
        return self.folder / f'{name}.log'

    def said(self, name: str) -> str:
        return self.log(name).read_text()

    def signal(self, name: str, number: int) -> None:
        self.running[name].send_signal(number)

    def wait(self, name: str, timeout_s: float = 120.0) -> int:
        """Wait for a node's end; return its exit code."""
        return self.running[name].wait(timeout=timeout_s)

    def stop(self, name: str) -> int:
        """Ask a node to stop as Ctrl-C does; return its exit code."""
        self.signal(name, signal.SIGINT)
        return self.wait(name, 20.0)

    def end(self) -> None:
        for process in self.running.values():
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait()


class Observer:
    """Sees what the nodes publish, calls their services, and can pretend to be a controller."""

    def __init__(self, domain_id: int, junction_id: str = JUNCTION) -> None:
        os.environ.update(MIDDLEWARE)
        self.context = Context()
        rclpy.init(context=self.context, domain_id=domain_id)
        self.node = Node('observer', context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.junction_id = junction_id
        self.states: list[SignalState] = []
        self.decisions: list[ShieldDecision] = []
        self.diagnostics: dict[str, Any] = {}  # name to the latest status
        self.on_state: Callable[[SignalState], None] = lambda state: None
        self.hear(SignalState, names.SIGNAL_STATE, self._note_state, qos.RECORDING_LATCHED)
        self.hear(ShieldDecision, names.SHIELD_DECISION, self.decisions.append, qos.RECORDING)
        self.node.create_subscription(
            DiagnosticArray, '/diagnostics', self._note_diagnostics, qos.RECORDING
        )

    def hear(self, message: type, name: str, callback: Callable[[Any], None], profile: Any) -> Any:
        topic = names.topic(self.junction_id, name)
        return self.node.create_subscription(message, topic, callback, profile)

    def _note_state(self, state: SignalState) -> None:
        self.states.append(state)
        self.on_state(state)

    def _note_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            self.diagnostics[status.name] = status

    def spin_until(self, is_so: Callable[[], bool], timeout_s: float = WAIT_S) -> None:
        """Take in messages until something holds; fail if it never does."""
        until_s = time.monotonic() + timeout_s
        while not is_so():
            assert time.monotonic() < until_s, 'what was waited for did not happen'
            self.executor.spin_once(timeout_sec=0.05)

    def spin_for(self, time_s: float) -> None:
        until_s = time.monotonic() + time_s
        while time.monotonic() < until_s:
            self.executor.spin_once(timeout_sec=0.02)

    def call(self, service_type: type, name: str, **fields: Any) -> Any:
        """Call a service and return its answer."""
        client = self.node.create_client(service_type, name)
        self.spin_until(client.service_is_ready)
        self._wait_for_way_back(name.rsplit('/', 1)[0])
        future = client.call_async(service_type.Request(**fields))
        self.spin_until(future.done)
        self.node.destroy_client(client)
        return future.result()

    def _wait_for_way_back(self, node: str) -> None:
        """
        Wait until a node can answer what was created here so far.

        Its answer is lost as long as it has not discovered the ear for it. Ears are announced in
        order, so a node that answers a later one knows the earlier ones.
        """
        probe = self.node.create_client(GetParameters, f'{node}/get_parameters')
        self.spin_until(probe.service_is_ready)
        asked: list[Any] = []
        until_s = time.monotonic() + WAIT_S
        while not any(future.done() for future in asked):
            assert time.monotonic() < until_s, f'{node} does not answer'
            asked.append(probe.call_async(GetParameters.Request()))
            self.spin_for(0.1)
        self.node.destroy_client(probe)

    def controller(self) -> Any:
        """Return a publisher of stage requests for the junction."""
        topic = names.topic(self.junction_id, names.STAGE_REQUEST)
        return self.node.create_publisher(StageRequest, topic, qos.request())

    def publishers(self, name: str) -> list[str]:
        """Return the name of every node that publishes on a topic of the junction."""
        topic = f'/{names.topic(self.junction_id, name)}'
        return [one.node_name for one in self.node.get_publishers_info_by_topic(topic)]

    def publisher_ids(self, name: str) -> list[bytes]:
        topic = f'/{names.topic(self.junction_id, name)}'
        found = self.node.get_publishers_info_by_topic(topic)
        return [bytes(publisher.endpoint_gid) for publisher in found]

    def count_publishers(self, name: str) -> int:
        return self.node.count_publishers(f'/{names.topic(self.junction_id, name)}')

    def close(self) -> None:
        self.executor.shutdown()
        self.node.destroy_node()
        self.context.try_shutdown()


@contextmanager
def street(folder: Path) -> Iterator[tuple[Nodes, Observer]]:
    """A ROS domain for one test, with its watcher; nothing of it is left afterwards."""
    nodes = Nodes(folder)
    observer = Observer(nodes.domain_id)
    try:
        yield nodes, observer
    finally:
        observer.close()
        nodes.end()
