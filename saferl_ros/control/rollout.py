"""Runs one episode under one controller per junction and measures it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from saferl_ros.control.controller import Controller, Decision, Moment
from saferl_ros.env.junction_control import StepOutcome
from saferl_ros.env.network_simulation import NetworkSimulation
from saferl_ros.observation import SignalView
from saferl_ros.sumo.outputs import (
    Collision,
    count_conflicts,
    read_collisions,
    read_trips,
    TripSummary,
)
from saferl_ros.sumo.simulation import CONFLICT_SHARE


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeResult:
    """What one episode gave."""

    trips: TripSummary
    queue_veh: float  # mean queue on the approaches
    max_wait_s: float  # longest time one vehicle stood without moving
    max_pedestrian_wait_s: float  # longest time one pedestrian stood
    monitor_faults: int
    fault_counts: dict[str, int]  # by rule
    shield_vetoes: int
    starved: int
    n_decisions: int
    conflicts: float = 0.0  # near misses per 1000 vehicles; zero too where nobody watched
    fallback_share: float = 0.0  # of the decisions, those that the fixed-time program made
    collisions: list[Collision] = field(default_factory=list)
    queue_times_s: list[float] = field(default_factory=list)
    queue_trace_veh: list[int] = field(default_factory=list)

    def metrics(self) -> dict[str, float]:
        """Return the named metrics of an evaluation."""
        trips = self.trips
        return {
            'delay_s': trips.delay_s,
            'travel_time_s': trips.travel_time_s,
            'waiting_s': trips.waiting_s,
            'queue_veh': self.queue_veh,
            'throughput_veh': float(trips.throughput_veh),
            'stops': trips.stops,
            'co2_g': trips.co2_g,
            'conflicts': self.conflicts,
            'max_wait_s': self.max_wait_s,
            'not_inserted_veh': float(trips.not_inserted_veh),
            'pedestrians': float(trips.n_pedestrians),
            'pedestrian_delay_s': trips.pedestrian_delay_s,
            'pedestrian_waiting_s': trips.pedestrian_waiting_s,
            'max_pedestrian_wait_s': self.max_pedestrian_wait_s,
            'emergency_brakings': float(trips.emergency_brakings),
            'collisions': float(trips.collisions),
            'teleports': float(trips.teleports),
            'monitor_faults': float(self.monitor_faults),
            'shield_vetoes': float(self.shield_vetoes),
            'starved': float(self.starved),
            'fallback_share': self.fallback_share,
        }


# (index of the junction, signal before the step, moment, decision, outcome)
Listener = Callable[[int, SignalView, Moment, Decision, StepOutcome], None]


@dataclass(slots=True)
class Drive:
    """What the controllers did during an episode."""

    n_decisions: int = 0
    vetoes: int = 0  # requests that a sequencer refused


def drive(
    simulation: NetworkSimulation,
    controllers: Sequence[Controller],
    listener: Listener | None = None,
) -> Drive:
    """
    Let each junction's controller decide until the episode is over; SUMO is left open.

    :param simulation: started.
    :param controllers: one per junction.
    :param listener: called when a junction's step has ended, before its next decision.
    """
    done = Drive()
    steps: dict[int, tuple[SignalView, Moment, Decision]] = {}  # that run now

    def end_step(n: int) -> None:
        if n in steps:
            outcome = simulation.outcome(simulation.controls[n])
            done.vetoes += outcome.cost.shield_vetoes
            if listener is not None:
                listener(n, *steps[n], outcome)

    while not simulation.is_over:
        for n, control in enumerate(simulation.controls):
            if not control.is_due:
                continue
            end_step(n)
            signal = control.signal_view()
            moment = Moment(
                signal=signal,
                observe=partial(control.observe, simulation.now_s, signal),
                lane_veh=partial(simulation.lane_veh, n),
                now_s=simulation.now_s,
            )
            decision = controllers[n].decide(moment)
            control.request(decision.stage, decision.hold_s)
            steps[n] = signal, moment, decision
            done.n_decisions += 1
        simulation.run_until_due()
    for n in range(len(simulation.controls)):
        end_step(n)
    return done


def finish(
    simulation: NetworkSimulation, done: Drive, *, keep_trace: bool = False
) -> EpisodeResult:
    """
    Close SUMO, read its outputs and return the episode's result.

    :param simulation: started with ``outputs`` and ``sample_traffic``, run to its end.
    :param done: from ``drive``.
    """
    simulation.simulation.close()
    trips = read_trips(simulation.simulation.tripinfo_file, simulation.simulation.statistics_file)
    collisions = read_collisions(simulation.simulation.collision_file)
    conflicts = 0.0
    if simulation.simulation.options.conflicts:
        noted = count_conflicts(simulation.simulation.conflict_file)
        conflicts = 1000 * noted / CONFLICT_SHARE / max(1, trips.n_vehicles)
    sampler = simulation.sampler
    faults = sum((control.monitor.counts for control in simulation.controls), Counter[str]())
    simulation.close()
    return EpisodeResult(
        trips=trips,
        queue_veh=float(np.mean(sampler.queue_veh)) if sampler and sampler.queue_veh else 0.0,
        max_wait_s=sampler.max_wait_s if sampler else 0.0,
        max_pedestrian_wait_s=sampler.max_pedestrian_wait_s if sampler else 0.0,
        monitor_faults=sum(control.monitor.n_faults for control in simulation.controls),
        fault_counts=dict(faults),
        shield_vetoes=done.vetoes,
        starved=faults['long_red'],
        n_decisions=done.n_decisions,
        conflicts=conflicts,
        collisions=collisions,
        queue_times_s=sampler.times_s if sampler and keep_trace else [],
        queue_trace_veh=sampler.queue_veh if sampler and keep_trace else [],
    )
