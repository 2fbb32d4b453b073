"""Small real things to test with: a junction worked out by hand, a record, a command line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
import os
from pathlib import Path
import subprocess
import sys
from typing import Any

import numpy as np

from saferl_ros.control import Decision, FamilyConfig, FixedTimeFamily, Moment
from saferl_ros.dataset.schema import Episode, Record
from saferl_ros.observation import (
    Approach,
    DetectorReadings,
    LaneDetector,
    make_spec,
    ObservationSpec,
    SignalView,
)
from saferl_ros.scenario import DemandVariation, Scenario
from saferl_ros.signals import Link, ProgramInterval, SignalPlan, Stage, StageSequencer
from saferl_ros.sumo.simulation import Simulation

NORTH, SOUTH, LEFT, WEST = range(4)  # the links of the crossing
STRAIGHTS, LAGGING_LEFT, CROSS_STREET = range(3)  # its stages


def matrix(size: int, pairs: Iterable[tuple[int, int]]) -> tuple[tuple[bool, ...], ...]:
    return tuple(tuple((i, j) in set(pairs) for j in range(size)) for i in range(size))


def crossing(**changes: Any) -> SignalPlan:
    """
    Four movements in three stages.

    From the north and from the south straight on, from the south a left turn that gives way to the
    north, and a cross street from the west. Yellow is 3 s (4 s for the cross street), all-red 2 s
    (1 s); a change takes 5 s from any stage.
    """
    foes = [(NORTH, LEFT), (NORTH, WEST), (SOUTH, WEST), (LEFT, WEST)]
    return SignalPlan(
        **{
            'junction_id': 'crossing',
            'clearance': 'legal',
            'links': tuple(
                Link(
                    index=n,
                    from_lane=from_lane,
                    to_lane=to_lane,
                    direction=direction,
                    speed_mps=13.9,
                    crossing_m=25.0,
                )
                for n, (from_lane, to_lane, direction) in enumerate(
                    [
                        ('n_0', 'to_s_0', 's'),
                        ('s_0', 'to_n_0', 's'),
                        ('s_1', 'to_w_0', 'l'),
                        ('w_0', 'to_e_0', 's'),
                    ]
                )
            ),
            'stages': tuple(
                Stage(lamps=lamps, min_green_s=5.0, max_green_s=60.0)
                for lamps in ('GGgr', 'rGGr', 'rrrG')
            ),
            'foes': matrix(4, foes + [(j, i) for i, j in foes]),
            'yields': matrix(4, [(LEFT, NORTH)]),
            'min_yellow_s': (3.0, 3.0, 3.0, 4.0),
            'min_red_s': ((2.0,) * 4, (2.0,) * 4, (2.0,) * 4, (1.0,) * 4),
            'yellow_s': ((0.0, 3.0, 3.0), (3.0, 0.0, 3.0), (4.0, 4.0, 0.0)),
            'all_red_s': ((0.0, 2.0, 2.0), (2.0, 0.0, 2.0), (1.0, 1.0, 0.0)),
            'walk_clear_s': ((0.0,) * 3,) * 3,
            'min_walk_s': (0.0,) * 4,
            'walk_clearance_s': (0.0,) * 4,
            'max_red_s': 240.0,
            'program': tuple(
                ProgramInterval(stage_index=stage, green_s=green_s)
                for stage, green_s in ((0, 30.0), (1, 10.0), (2, 20.0))
            ),
            'offset_s': 0.0,
            'protected_turn_clears': True,
            **changes,
        }
    )


def crossing_spec(kind: str = 'detector') -> ObservationSpec:
    """The crossing's observation: four lanes of 200 m, detectors over 75 m, one upstream span."""
    return make_spec(
        kind,
        n_stages=3,
        max_green_s=60.0,
        lanes=tuple(
            LaneDetector(lane_id=lane, length_m=75.0, lane_length_m=200.0)
            for lane in ('n_0', 's_0', 's_1', 'w_0')
        ),
        approaches=(Approach(edge_id='n', spans=(('n_0', 0.0, 75.0),)),),
    )


def crossing_readings(queue_veh: float = 0.0) -> DetectorReadings:
    """Return what the crossing's detectors report with a queue from the north alone."""
    lanes = np.array([queue_veh, 0.0, 0.0, 0.0])
    return DetectorReadings(
        sim_time_s=0.0,
        count_veh=lanes,
        queue_veh=lanes,
        occupancy_ratio=lanes / 20,
        waiting_s=np.zeros(4),
        vehicle_length_m=np.zeros(4),
        advance_count_veh=np.zeros(1),
        advance_queue_veh=np.zeros(1),
    )


def signal_view(sequencer: StageSequencer) -> SignalView:
    return SignalView(
        stage=sequencer.stage,
        green_elapsed_s=sequencer.green_elapsed_s,
        since_served_s=tuple(map(sequencer.since_served_s, range(sequencer.plan.n_stages))),
        legal=tuple(sequencer.legal_stages()),
        is_min_green_over=sequencer.is_decision_due,
    )


@dataclass(frozen=True, slots=True)
class Played:
    """One decision of a fixed-time family."""

    stage: int
    green_elapsed_s: float
    decision: Decision


def play_family(
    plan: SignalPlan, config: FamilyConfig, *, seed: int, n_decisions: int
) -> list[Played]:
    """Let a family drive a sequencer, second by second, without traffic."""
    family = FixedTimeFamily(plan, config, np.random.default_rng(seed))
    sequencer = StageSequencer(plan, initial_stage=family.first_stage)
    nobody = (False,) * plan.n_links
    played = []
    while len(played) < n_decisions:
        while not sequencer.is_decision_due:
            sequencer.step(nobody)
        view = signal_view(sequencer)
        decision = family.decide(
            Moment(signal=view, observe=lambda: np.zeros(0, np.float32), lane_veh=lambda *_: 0)
        )
        played.append(Played(view.stage, view.green_elapsed_s, decision))
        assert sequencer.request(decision.stage).value == 'accepted'
        hold_s = 1 if decision.hold_s is None else decision.hold_s
        for _ in range(round(hold_s)):
            sequencer.step(nobody)
    return played


def greens_of(played: list[Played]) -> list[tuple[int, float]]:
    """Return (stage, displayed green) of every green that was ended."""
    return [(p.stage, p.green_elapsed_s) for p in played if p.decision.stage != p.stage]


def make_episode(
    stages: list[int],
    *,
    family: str = 'leadlag',
    seed: int = 0,
    delay_s: float = 40.0,
    behaviour_prob: float = 0.5,
    queue_veh: float = 0.0,
    scale: float = 1.0,
) -> Episode:
    """Return an episode of the crossing that shows ``stages`` one after the other."""
    n = len(stages) - 1
    spec = crossing_spec()
    observations = np.zeros((n + 1, spec.size), dtype=np.float32)
    names = [feature.name for feature in spec.features()]
    observations[:, names.index('n_0_queue')] = queue_veh / 10
    return Episode(
        observations=observations,
        legal=np.ones((n + 1, 3), dtype=np.bool_),
        stage=np.array(stages, dtype=np.int64),
        green_elapsed_s=np.full(n + 1, 5.0, dtype=np.float32),
        requested_stage=np.array(stages[1:], dtype=np.int64),
        applied_stage=np.array(stages[1:], dtype=np.int64),
        behaviour_prob=np.full(n, behaviour_prob, dtype=np.float32),
        reward=np.arange(n, dtype=np.float32) * -1.5,
        elapsed_s=np.full(n, 10.0, dtype=np.float32),
        cost=np.arange(5 * n, dtype=np.float32).reshape(n, 5),
        family=family,
        demand={'split': 'record', 'seed': seed, 'scale': scale, 'surge': None},
        metrics={'delay_s': delay_s},
    )


def make_record(episodes: list[Episode]) -> Record:
    plan, spec = crossing(), crossing_spec()
    return Record(
        manifest={
            'scenario': {'name': 'crossing'},
            'family': {'plans': 'leadlag'},
            'plan_fingerprint': plan.fingerprint(),
            'spec_fingerprint': spec.fingerprint(),
        },
        plan=plan,
        spec=spec,
        episodes=episodes,
    )


def same_data(ours: Record, theirs: Record) -> bool:
    """Whether two records hold the same episodes, number for number."""
    columns = [name for name in Episode.__dataclass_fields__ if name not in ('demand', 'metrics')]
    return (
        len(ours.episodes) == len(theirs.episodes)
        and all(
            np.array_equal(getattr(a, name), getattr(b, name))
            for a, b in zip(ours.episodes, theirs.episodes, strict=True)
            for name in columns
        )
        and [(e.demand, e.metrics) for e in ours.episodes]
        == [(e.demand, e.metrics) for e in theirs.episodes]
    )


def loaded_route_files(task: tuple[Scenario, DemandVariation | None]) -> str:
    """Start SUMO in this process and return the route files that it was given."""
    simulation = Simulation(*task)
    simulation.start()
    try:
        return str(simulation.api.simulation.getOption('route-files'))
    finally:
        simulation.cleanup()


def saferl_command(*arguments: object) -> list[str]:
    return [sys.executable, '-m', 'saferl_ros', *map(str, arguments)]


def run_saferl(
    *arguments: object, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the real command line in a process of its own."""
    return subprocess.run(
        saferl_command(*arguments),
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        cwd=cwd,
        env={**os.environ, **(env or {})},
    )


def refusal(result: subprocess.CompletedProcess[str]) -> str:
    """
    Return the one line that says why a command refused.

    Progress bars aside, it must be alone on stderr, nothing may be on stdout, and the exit code
    must be 2.
    """
    bars = ('recording ', 'training ', 'judging ', 'tuning baselines ')
    lines = [line for line in result.stderr.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith(bars)]
    assert result.returncode == 2, (result.returncode, result.stdout, result.stderr)
    assert 'Traceback' not in result.stderr
    assert result.stdout == ''
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith('saferl')
    return lines[0]
