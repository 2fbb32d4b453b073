"""A run folder made of known numbers, with the package's own functions and without SUMO."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from saferl_ros.control.rollout import EpisodeResult
from saferl_ros.dataset.coverage import quality
from saferl_ros.dataset.io import write_record
from saferl_ros.dataset.schema import Episode, Record
from saferl_ros.env.cost import COST_NAMES
from saferl_ros.evaluate.gate import GateConfig, judge_gate
from saferl_ros.evaluate.judge import (
    delay_ratios,
    describe_name,
    digest_of,
    EVALUATION_VERSION,
    summarise,
)
from saferl_ros.observation.spec import LaneDetector, make_spec
from saferl_ros.signals import SignalPlan
from saferl_ros.sumo.derive import derive_plan
from saferl_ros.sumo.network import read_network
from saferl_ros.sumo.outputs import TripSummary

NETWORK = """<net>
  <edge id=":C" function="internal">
    <lane id=":C_0_0" index="0" speed="13.9" length="20" shape="-2,10 -2,-10"/>
    <lane id=":C_1_0" index="0" speed="9" length="16" shape="-2,10 2,2 10,-2"/>
    <lane id=":C_2_0" index="0" speed="13.9" length="20" shape="-10,-2 10,-2"/>
    <lane id=":C_3_0" index="0" speed="7" length="10" shape="-10,-2 -4,-4 -2,-10"/>
  </edge>
  <edge id="north"><lane id="north_0" index="0" speed="13.9" length="90" shape="-2,100 -2,10"/></edge>
  <edge id="west"><lane id="west_0" index="0" speed="13.9" length="90" shape="-100,-2 -10,-2"/></edge>
  <edge id="south"><lane id="south_0" index="0" speed="13.9" length="90" shape="-2,-10 -2,-100"/></edge>
  <edge id="east"><lane id="east_0" index="0" speed="13.9" length="90" shape="10,-2 100,-2"/></edge>
  <tlLogic id="C" type="static" programID="0" offset="0">
    <phase duration="30" state="GGrr"/><phase duration="4" state="yyrr"/>
    <phase duration="20" state="rrGg"/><phase duration="4" state="rryy"/>
  </tlLogic>
  <junction id="C" intLanes=":C_0_0 :C_1_0 :C_2_0 :C_3_0" shape="-10,10 10,10 10,-10 -10,-10">
    <request index="0" response="0000" foes="1100"/>
    <request index="1" response="0000" foes="0100"/>
    <request index="2" response="0011" foes="0011"/>
    <request index="3" response="0001" foes="0001"/>
  </junction>
  <connection from="north" to="south" fromLane="0" toLane="0" via=":C_0_0" tl="C" linkIndex="0" dir="s"/>
  <connection from="north" to="east" fromLane="0" toLane="0" via=":C_1_0" tl="C" linkIndex="1" dir="l"/>
  <connection from="west" to="east" fromLane="0" toLane="0" via=":C_2_0" tl="C" linkIndex="2" dir="s"/>
  <connection from="west" to="south" fromLane="0" toLane="0" via=":C_3_0" tl="C" linkIndex="3" dir="r"/>
</net>
"""  # noqa: E501

Delays = dict[str, tuple[float, ...]]

SCALES = (0.8, 1.2, 1.0)  # the last is the nominal demand
DELAYS_S: Delays = {
    'net_plan': (30.0, 50.0, 40.0),
    'own_plan': (32.0, 52.0, 42.0),
    'best_plan': (31.0, 49.0, 40.0),
    'actuated': (27.0, 45.0, 36.0),
    'max_pressure': (24.0, 40.0, 32.0),
    'behaviour': (33.0, 53.0, 43.0),
    'cql': (18.0, 30.0, 24.0),
    'bc': (900.0, 1100.0, 1000.0),
}


@pytest.fixture
def network_file(tmp_path: Path) -> Path:
    """The network of a small junction with a route file beside it."""
    path = tmp_path / 'cross.net.xml'
    path.write_text(NETWORK, encoding='utf-8')
    (tmp_path / 'cross.rou.xml').write_text('<routes/>', encoding='utf-8')
    return path


@pytest.fixture
def plan(network_file: Path) -> SignalPlan:
    """The junction's plan with legal clearances."""
    return derive_plan(read_network(network_file), 'C')


@pytest.fixture
def make_run(tmp_path: Path, network_file: Path, plan: SignalPlan) -> Callable[..., Path]:
    """Return a function that writes a whole run folder; its arguments change the evaluation."""

    def make(delays_s: Delays = DELAYS_S, n_pedestrians: int = 0, **changes: Any) -> Path:
        run = tmp_path / 'run'
        run.mkdir(exist_ok=True)
        config = {
            'scenario': str(network_file),
            'routes': [str(network_file.with_name('cross.rou.xml'))],
        }
        _write(run / 'config.yaml', config)
        record = _record(plan)
        write_record(record, run / 'dataset.h5')
        _write(run / 'quality.json', quality(record))
        evaluation = {**_evaluation(plan, delays_s, n_pedestrians), **changes}
        _write(run / 'evaluation.json', evaluation)
        checks = judge_gate(
            evaluation, 'cql', GateConfig(min_demands=2, needs_fqe=False, needs_disturbances=False)
        )
        verdict = {
            'controller': 'cql',
            'evaluation_sha256': digest_of(evaluation),
            'passed': all(check.passed for check in checks),
            'checks': [asdict(check) for check in checks],
        }
        _write(run / 'gate.json', verdict)
        for name in (n for n in delays_s if n.startswith(('cql', 'bc'))):
            log = run / 'logs' / name / 'training.csv'
            log.parent.mkdir(parents=True, exist_ok=True)
            log.write_text(
                'step,loss,held_out_td_error,fqe_value\n500,0.5,0.8,\n1000,0.25,0.7,-1.5\n',
                encoding='utf-8',
            )
        return run

    return make


def _write(path: Path, data: Any) -> None:
    path.write_text(json.dumps(data), encoding='utf-8')


def _record(plan: SignalPlan) -> Record:
    """Two stages in turn, kept for one decision each, under the family and the own plan."""
    spec = make_spec(
        'detector',
        n_stages=plan.n_stages,
        max_green_s=120.0,
        lanes=(LaneDetector(lane_id='north_0', length_m=50.0, lane_length_m=90.0),),
        approaches=(),
    )
    n = 120
    stage = (np.arange(n + 1) // 2 % 2).astype(np.int64)
    episodes = [
        Episode(
            observations=np.zeros((n + 1, spec.size), dtype=np.float32),
            legal=np.ones((n + 1, 2), dtype=np.bool_),
            stage=stage,
            green_elapsed_s=np.where(np.arange(n + 1) % 2, 10.0, 5.0).astype(np.float32),
            requested_stage=stage[1:],
            applied_stage=stage[1:],
            behaviour_prob=np.full(n, 0.5, dtype=np.float32),
            reward=np.full(n, -10.0, dtype=np.float32),
            elapsed_s=np.full(n, 30.0, dtype=np.float32),
            cost=np.zeros((n, len(COST_NAMES)), dtype=np.float32),
            family=family,
            demand={'seed': 0, 'scale': 0.9, 'surge': None},
            metrics={'delay_s': delay_s},
        )
        for family, delay_s in (('leadlag', 41.0), ('net', 40.0))
    ]
    manifest = {
        'plan_fingerprint': plan.fingerprint(),
        'spec_fingerprint': spec.fingerprint(),
        'git_revision': '0123456789abcdef',
        'scenario': {'name': 'cross'},
        'family': {'plans': 'leadlag'},
    }
    return Record(manifest=manifest, plan=plan, spec=spec, episodes=episodes)


def _evaluation(plan: SignalPlan, delays_s: Delays, n_pedestrians: int) -> dict[str, Any]:
    by_name = {
        name: [_result(name, delay_s, n_pedestrians) for delay_s in delays]
        for name, delays in delays_s.items()
    }
    return {
        'format_version': EVALUATION_VERSION,
        'package_version': '0.1.0',
        'sumo_version': 'SUMO 1.28.0',
        'scenario': {
            'name': 'cross',
            'begin_s': 25200,
            'end_s': 28800,
            'time_to_teleport_s': 300.0,
        },
        'junction_ids': [plan.junction_id],
        'clearance': plan.clearance,
        'demands': [
            {'scale': scale, 'is_nominal': n == len(SCALES) - 1} for n, scale in enumerate(SCALES)
        ],
        'descriptions': {name: describe_name(name) for name in by_name},
        'baselines': {
            'best_plan': {
                'parameters': [[0, 35.0], [1, 25.0]],
                'candidates': 30,
                'finalists': 5,
                'tuned_on': [{'scale': 1.0}, {'scale': 0.75}],
                'mean_delay_s': 41.5,
                'worst_finalist_delay_s': 44.5,
            },
            'max_pressure': {
                'parameters': {
                    'min_hold_s': 10.0,
                    'margin_veh': 2.0,
                    'halting_only': True,
                    'sees_upstream': True,
                },
                'candidates': 64,
                'finalists': 5,
                'tuned_on': [{'scale': 1.0}, {'scale': 0.75}],
                'mean_delay_s': 31.5,
                'worst_finalist_delay_s': 33.5,
            },
        },
        'controllers': {name: summarise(results) for name, results in by_name.items()},
        'delay_ratios': delay_ratios(by_name),
        'fault_counts': {
            name: {'short_all_red': 36} if name == 'net_plan' else {} for name in by_name
        },
        'traces': {
            name: {'times_s': [25201.0, 25206.0, 25211.0], 'queue_veh': [0, 3, 2]}
            for name in by_name
        },
    }


def _result(name: str, delay_s: float, n_pedestrians: int) -> EpisodeResult:
    trips = TripSummary(
        n_vehicles=1000,
        delay_s=delay_s,
        travel_time_s=delay_s + 25.0,
        waiting_s=delay_s * 0.7,
        stops=0.9,
        throughput_veh=1000,
        not_inserted_veh=0,
        emergency_brakings=0,
        collisions=0,
        teleports=4 if name == 'bc' else 0,
        n_pedestrians=n_pedestrians,
        pedestrian_delay_s=24.0,
        pedestrian_waiting_s=15.0,
    )
    faults = {'short_all_red': 12} if name == 'net_plan' else {}
    return EpisodeResult(
        trips=trips,
        queue_veh=10.0,
        max_wait_s=90.0,
        max_pedestrian_wait_s=61.0,
        monitor_faults=sum(faults.values()),
        fault_counts=faults,
        shield_vetoes=0,
        starved=0,
        n_decisions=120,
    )
