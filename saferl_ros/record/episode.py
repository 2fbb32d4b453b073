"""Records one episode of fixed-time behaviour."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
import tempfile
from xml.etree import ElementTree

import numpy as np

from saferl_ros.control.controller import Decision, Moment
from saferl_ros.control.family import FamilyConfig, FixedTimeFamily
from saferl_ros.control.rollout import drive, finish
from saferl_ros.dataset.io import save_episode
from saferl_ros.dataset.schema import Episode
from saferl_ros.env.junction import Junction, JunctionSimulation, StepOutcome
from saferl_ros.errors import SimulationError
from saferl_ros.observation import SignalView
from saferl_ros.scenario import DemandVariation
from saferl_ros.sumo.simulation import SimulationOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordTask:
    """One episode to record, and where its part file goes."""

    junction: Junction
    family: FamilyConfig
    demand: DemandVariation
    reward: str
    part_file: Path


def record_episode(task: RecordTask) -> None:
    """
    Run one episode in this process and save it.

    :raises SimulationError: if the conflict monitor reports a fault (nothing unsafe is recorded),
        or SUMO could not write its outputs.
    """
    simulation = JunctionSimulation(
        task.junction,
        task.demand,
        SimulationOptions(outputs=True),
        reward=task.reward,
        sample_traffic=True,
    )
    rng = np.random.default_rng([task.demand.split.value, task.demand.seed, 3])
    controller = FixedTimeFamily(task.junction.plan, task.family, rng)
    rows: list[tuple[SignalView, Decision, StepOutcome, int]] = []
    observations = []

    def note(signal: SignalView, moment: Moment, decision: Decision, outcome: StepOutcome) -> None:
        rows.append((signal, decision, outcome, simulation.sequencer.stage))
        observations.append(simulation.observe())

    try:
        simulation.start()
        observations.append(simulation.observe())
        vetoes = drive(simulation, controller, note)
        last = simulation.signal_view()
        result = finish(simulation, vetoes=vetoes, n_decisions=len(rows))
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
    signals = [row[0] for row in rows] + [last]
    episode = Episode(
        observations=np.array(observations, dtype=np.float32),
        legal=np.array([signal.legal for signal in signals], dtype=np.bool_),
        stage=np.array([signal.stage for signal in signals], dtype=np.int64),
        green_elapsed_s=np.array([s.green_elapsed_s for s in signals], dtype=np.float32),
        requested_stage=np.array([row[1].stage for row in rows], dtype=np.int64),
        applied_stage=np.array([_applied(row[0], row[1], row[2]) for row in rows], dtype=np.int64),
        behaviour_prob=np.array([row[1].probability for row in rows], dtype=np.float32),
        reward=np.array([row[2].reward for row in rows], dtype=np.float32),
        elapsed_s=np.array([row[2].elapsed_s for row in rows], dtype=np.float32),
        cost=np.array([row[2].cost.as_array() for row in rows], dtype=np.float32),
        family=task.family.plans,
        demand=task.demand.to_json(),
        metrics=result.metrics(),
    )
    save_episode(episode, task.part_file)


def _applied(signal: SignalView, decision: Decision, outcome: StepOutcome) -> int:
    """Return the stage that the sequencer turned to: the request if it was accepted."""
    return signal.stage if outcome.cost.shield_vetoes else decision.stage
