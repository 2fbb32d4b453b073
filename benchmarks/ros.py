"""
How quickly the policy node answers, and what ROS costs in lock-step.

**Latency**: from sending a junction's state and readings to the arrival of the request, over
real middleware, policies of the usual size with drawn weights. All junctions of a network ask at
the same moment, the worst case.

**Lock-step**: an hour of the scenario with bridge and policy as fast as they answer each other,
against the plain environment with the same decisions, side by side in one run.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
import os
from pathlib import Path
import random
import signal
import subprocess
import sys
import tempfile
import time
from typing import Any

import numpy as np
import rclpy
import torch
import yaml

from saferl_msgs.msg import DetectorReadings, SignalState, StageRequest
from saferl_ros import __version__
from saferl_ros.bundle.export import export_onnx
from saferl_ros.bundle.load import load_bundle
from saferl_ros.bundle.manifest import Manifest, POLICY_NAME, sha256
from saferl_ros.control.rollout import drive
from saferl_ros.control.shielded import Shielded
from saferl_ros.env.junction import DECISION_S, derive_junctions, Junction
from saferl_ros.env.network_simulation import JunctionSimulation
from saferl_ros.isolation import run_isolated
from saferl_ros.ros import names, qos
from saferl_ros.ros.executor import executor_of
from saferl_ros.scenario import DemandVariation, load_scenario, Split
from saferl_ros.shield import Shield

WAIT_S = 30.0


def drawn_bundle(junction: Junction, folder: Path) -> Path:
    """Write a bundle whose network has the usual size and drawn weights."""
    torch.manual_seed(1)
    spec, plan = junction.spec, junction.plan
    network = torch.nn.Sequential(
        torch.nn.Linear(spec.size, 128), torch.nn.ReLU(),
        torch.nn.Linear(128, 128), torch.nn.ReLU(),
        torch.nn.Linear(128, plan.n_stages),
    ).eval()  # fmt: skip
    folder.mkdir(parents=True)
    export_onnx(torch, network, torch.zeros(2, spec.size), folder / POLICY_NAME)
    Manifest(
        package_version=__version__, git_revision='', algorithm='drawn', seed=1, config={},
        junction_id=plan.junction_id, scenario=junction.scenario.name, plan=plan.to_json(),
        plan_fingerprint=plan.fingerprint(), spec=spec.to_json(),
        spec_fingerprint=spec.fingerprint(), decision_s=DECISION_S, dataset_sha256='',
        n_transitions=0, files={POLICY_NAME: sha256(folder / POLICY_NAME)},
    ).write(folder)  # fmt: skip
    return folder


@contextmanager
def node(name: str, folder: Path, **parameters: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run a node of ours beside; it is interrupted at the end."""
    file = folder / f'{name}.yaml'
    file.write_text(yaml.safe_dump({name: {'ros__parameters': parameters}}))
    process = subprocess.Popen(
        [sys.executable, '-m', f'saferl_ros.ros.{name}', '--ros-args', '--params-file', str(file),
         '--log-level', 'warn'],
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.wait(timeout=WAIT_S)


class PretendedStreet:
    """Publishes states of many junctions at once and takes the time of each answer."""

    def __init__(self, junctions: list[Junction]) -> None:
        self._node = rclpy.create_node('pretended_street')
        self._executor = executor_of(self._node)
        self._answered: dict[str, float] = {}
        self._junctions = [(j, j.plan.fingerprint(), j.spec.fingerprint()) for j in junctions]
        self._publishers = []
        for junction in junctions:
            name = junction.plan.junction_id

            def topic(what: str, name: str = name) -> str:
                return names.topic(name, what)

            publish = self._node.create_publisher
            self._publishers.append(
                (
                    publish(DetectorReadings, topic(names.DETECTORS), qos.STATE),
                    publish(SignalState, topic(names.SIGNAL_STATE), qos.STATE),
                )
            )
            self._node.create_subscription(
                StageRequest, topic(names.STAGE_REQUEST), self._note, qos.request()
            )

    def _note(self, request: StageRequest) -> None:
        self._answered[request.junction_id] = time.perf_counter()

    def wait_for_policy(self) -> None:
        """Wait until the node listens to every junction."""
        until_s = time.monotonic() + WAIT_S
        while any(p.get_subscription_count() == 0 for pair in self._publishers for p in pair):
            assert time.monotonic() < until_s, 'the policy node did not come up'
            self._executor.spin_once(timeout_sec=0.1)

    def ask_all(self, sequence: int) -> list[float]:
        """Ask every junction's policy at the same moment; return the latencies [s]."""
        messages = [self._messages(sequence, *one) for one in self._junctions]
        self._answered.clear()
        sent = {}
        for (readings, state), publishers in zip(messages, self._publishers, strict=True):
            sent[state.junction_id] = time.perf_counter()
            publishers[0].publish(readings)
            publishers[1].publish(state)
        until_s = time.monotonic() + WAIT_S
        while len(self._answered) < len(self._junctions):
            assert time.monotonic() < until_s, 'an answer did not come'
            self._executor.spin_once(timeout_sec=0.1)
        return [self._answered[name] - at for name, at in sent.items()]

    def close(self) -> None:
        """Release the node."""
        self._node.destroy_node()

    @staticmethod
    def _messages(
        sequence: int, junction: Junction, plan: str, spec: str
    ) -> tuple[DetectorReadings, SignalState]:
        n_stages, n_lanes = junction.plan.n_stages, len(junction.spec.lanes)
        n_approaches = len(junction.spec.approaches)
        common = {'junction_id': junction.plan.junction_id, 'run_id': 'r', 'sequence': sequence}
        state = SignalState(
            **common, plan_fingerprint=plan, tick_s=1.0, lamps='r' * junction.plan.n_links,
            stage=sequence % n_stages, green_elapsed_s=10.0, since_served_s=[20.0] * n_stages,
            legal_stages=[True] * n_stages, is_min_green_over=True, is_request_due=True,
            calls=[True] * junction.plan.n_links,
        )  # fmt: skip
        state.stamp.sec = sequence * 5
        queue = [float(x % 9) for x in range(n_lanes)]
        readings = DetectorReadings(
            **common, spec_fingerprint=spec, count_veh=queue, queue_veh=queue,
            occupancy_ratio=[0.1] * n_lanes, waiting_s=[0.0] * n_lanes,
            vehicle_length_m=[0.0] * n_lanes, advance_count_veh=[1.0] * n_approaches,
            advance_queue_veh=[0.0] * n_approaches,
        )  # fmt: skip
        readings.stamp = state.stamp
        return readings, state


def latencies_s(scenario: str, rounds: int, folder: Path) -> tuple[int, np.ndarray]:
    """Return the number of junctions and the latency of every answer [s]."""
    junctions = derive_junctions(load_scenario(scenario))
    bundles = [str(drawn_bundle(j, folder / f'{n}')) for n, j in enumerate(junctions)]
    street = PretendedStreet(junctions)
    with node(
        'policy', folder, bundles=bundles, mode='active', allow_ungated=True, autostart=True
    ):
        street.wait_for_policy()
        time.sleep(0.5)  # the way back has to be discovered too
        for n in range(10):
            street.ask_all(n + 1)
        found = [x for n in range(rounds) for x in street.ask_all(n + 100)]
    street.close()
    return len(junctions), np.array(found)


def plain_s(bundle_folder: Path) -> float:
    """Return the wall time of the hour in the plain loop in which bundles are judged [s]."""
    start = time.perf_counter()
    junction = Junction.derive(load_scenario('cologne1'))
    bundle = load_bundle(bundle_folder)
    demand = DemandVariation(split=Split.TEST, seed=0, is_nominal=True)
    simulation = JunctionSimulation(junction, demand)
    simulation.start()
    drive(simulation, [Shielded(bundle, Shield(junction.plan))])
    simulation.close()
    return time.perf_counter() - start


def lock_step_s(bundle: Path, folder: Path) -> float:
    """Return the wall time of the same hour over ROS, without the nodes' start [s]."""
    with (
        node('policy', folder, bundles=[str(bundle)], mode='active', allow_ungated=True,
             autostart=True),
        node('sumo_bridge', folder, scenario='cologne1', real_time_factor=0.0,
             armed_at_start=True, wait_for_others_s=WAIT_S) as bridge,
    ):  # fmt: skip
        watcher = rclpy.create_node('watcher')
        executor = executor_of(watcher)
        first: list[float] = []
        junction_id = load_bundle(bundle).manifest.junction_id
        watcher.create_subscription(
            SignalState,
            names.topic(junction_id, names.SIGNAL_STATE),
            lambda state: first.append(time.perf_counter()) if not first else None,
            qos.STATE,
        )
        while bridge.poll() is None:
            executor.spin_once(timeout_sec=0.02)
        end = time.perf_counter()
        watcher.destroy_node()
        assert bridge.returncode == 0
    return end - first[0]


def main() -> None:
    """Print latencies and the ratio of lock-step to the plain loop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--rounds', type=int, default=500)
    options = parser.parse_args()
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    os.environ['ROS_DOMAIN_ID'] = str(random.SystemRandom().randrange(1, 100))
    rclpy.init()
    with tempfile.TemporaryDirectory(prefix='saferl_bench_') as place:
        for scenario in ('cologne1', 'ingolstadt21'):
            folder = Path(place) / scenario
            folder.mkdir()
            n, found = latencies_s(scenario, options.rounds, folder)
            median, p99 = np.quantile(found, [0.5, 0.99]) * 1e3
            print(
                f'{scenario}, {n} junctions at once: state out to request in, '
                f'median {median:.2f} ms, p99 {p99:.2f} ms, {len(found)} answers'
            )
        bundle = Path(place) / 'cologne1' / '0'
        times: list[tuple[float, float]] = []
        for _ in range(3):
            ((_, plain),) = run_isolated(plain_s, [bundle], jobs=1)
            times.append((plain, lock_step_s(bundle, Path(place))))
        plain, lock_step = map(min, zip(*times, strict=True))
        print(
            f'cologne1, one hour: plain loop {plain:.2f} s, lock-step over ROS {lock_step:.2f} s, '
            f'{lock_step / plain:.1f} x'
        )
    rclpy.shutdown()


if __name__ == '__main__':
    main()
