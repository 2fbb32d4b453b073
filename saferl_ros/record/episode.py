"""Records one episode of fixed-time behaviour."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
import tempfile
from typing import Any
from xml.etree import ElementTree

import numpy as np

from saferl_ros.control.controller import Controller, Decision, Moment
from saferl_ros.control.coordinated import CoordinatedPlan
from saferl_ros.control.family import FamilyConfig, FixedTimeFamily
from saferl_ros.control.rollout import drive, finish
from saferl_ros.dataset.io import save_episode
from saferl_ros.dataset.schema import Episode
from saferl_ros.env.junction import Junction
from saferl_ros.env.junction_control import JunctionControl, StepOutcome
from saferl_ros.env.network_simulation import NetworkSimulation, prepare_to_simulate
from saferl_ros.errors import SimulationError
from saferl_ros.observation import SignalView
from saferl_ros.scenario import DemandVariation
from saferl_ros.sumo.simulation import SimulationOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordTask:
    """One episode to record, and where the part file of each junction goes."""

    junctions: tuple[Junction, ...]
    family: FamilyConfig
    demand: DemandVariation
    reward: str
    part_files: tuple[Path, ...]


@dataclass(slots=True)
class _Rows:
    """What is noted of one junction, decision by decision."""

    control: JunctionControl
    steps: list[tuple[SignalView, Decision, StepOutcome]] = field(default_factory=list)
    observations: list[Any] = field(default_factory=list)  # one a step
    last: Any = None  # the observation at the end

    def to_episode(
        self, family: str, demand: DemandVariation, metrics: dict[str, float]
    ) -> Episode:
        signals = [signal for signal, _, _ in self.steps] + [self.control.signal_view()]
        decisions = [decision for _, decision, _ in self.steps]
        outcomes = [outcome for _, _, outcome in self.steps]
        return Episode(
            observations=np.array([*self.observations, self.last], dtype=np.float32),
            legal=np.array([signal.legal for signal in signals], dtype=np.bool_),
            stage=np.array([signal.stage for signal in signals], dtype=np.int64),
            green_elapsed_s=np.array([s.green_elapsed_s for s in signals], dtype=np.float32),
            requested_stage=np.array([d.stage for d in decisions], dtype=np.int64),
            applied_stage=np.array([_applied(*step) for step in self.steps], dtype=np.int64),
            behaviour_prob=np.array([d.probability for d in decisions], dtype=np.float32),
            reward=np.array([outcome.reward for outcome in outcomes], dtype=np.float32),
            elapsed_s=np.array([outcome.elapsed_s for outcome in outcomes], dtype=np.float32),
            cost=np.array([outcome.cost.as_array() for outcome in outcomes], dtype=np.float32),
            family=family,
            demand=demand.to_json(),
            metrics=metrics,
        )


def prepare_to_record() -> None:
    """Import what recordings need, in the process that they will be forked from."""
    prepare_to_simulate()


def record_episode(task: RecordTask) -> None:
    """
    Run one episode in this process and save it, a file per junction.

    :raises SimulationError: if the conflict monitor reports a fault (nothing unsafe is recorded),
        or SUMO could not write its outputs.
    """
    simulation = NetworkSimulation(
        task.junctions,
        task.demand,
        SimulationOptions(outputs=True),
        reward=task.reward,
        sample_traffic=True,
    )
    controllers = [_controller(task, n) for n in range(len(task.junctions))]
    noted = [_Rows(control) for control in simulation.controls]

    def note(
        n: int, signal: SignalView, moment: Moment, decision: Decision, outcome: StepOutcome
    ) -> None:
        noted[n].steps.append((signal, decision, outcome))

    try:
        simulation.start()
        done = drive(
            simulation,
            [_Watched(*pair) for pair in zip(controllers, noted, strict=True)],
            note,
        )
        for rows in noted:
            rows.last = rows.control.observe(simulation.now_s)
        result = finish(simulation, done)
    except ElementTree.ParseError as error:
        raise SimulationError(
            f'the trip files that SUMO wrote are cut short ({error}); free some room in '
            f"'{tempfile.gettempdir()}' and start the same recording again"
        ) from error
    finally:
        simulation.close()
    if result.monitor_faults:
        raise SimulationError(
            f'the conflict monitor found {result.fault_counts} in a recorded episode; this is a '
            'defect of the signal plan or the sequencer, please report it'
        )
    metrics = result.metrics()
    for rows, path in zip(noted, task.part_files, strict=True):
        save_episode(rows.to_episode(task.family.plans, task.demand, metrics), path)


def _controller(task: RecordTask, n: int) -> Controller:
    """Return what drives the junction of that number; own plans keep step with each other."""
    plan = task.junctions[n].plan
    if task.family.plans == 'net' and task.junctions[n].has_neighbours:
        return CoordinatedPlan(plan)
    seed = [task.demand.split.value, task.demand.seed, 3, n]
    return FixedTimeFamily(plan, task.family, np.random.default_rng(seed))


@dataclass(slots=True)
class _Watched:
    """A blind controller whose moments are observed for the record."""

    controller: Controller
    rows: _Rows

    def decide(self, moment: Moment) -> Decision:
        self.rows.observations.append(moment.observe())
        return self.controller.decide(moment)


def _applied(signal: SignalView, decision: Decision, outcome: StepOutcome) -> int:
    """Return the stage that the sequencer turned to: the request if it was accepted."""
    return signal.stage if outcome.cost.shield_vetoes else decision.stage
