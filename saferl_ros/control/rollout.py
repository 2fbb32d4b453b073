"""Runs one episode under one controller and measures it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from saferl_ros.control.controller import Controller, Decision, Moment
from saferl_ros.env.junction import JunctionSimulation, StepOutcome
from saferl_ros.observation import SignalView
from saferl_ros.sumo.outputs import read_trips, TripSummary


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
    fallback_share: float = 0.0  # of the decisions, those that the fixed-time program made
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


Listener = Callable[[SignalView, 'Any', Decision, StepOutcome], None]


def drive(
    simulation: JunctionSimulation, controller: Controller, listener: Listener | None = None
) -> int:
    """
    Let ``controller`` decide until the episode is over; SUMO is started and left open.

    :param listener: called after each step with the signal before it, the moment, the decision and
        the outcome.
    :returns: the number of requests that the sequencer refused.
    """
    lane = simulation.simulation.api.lane

    def lane_veh(lane_id: str, halting_only: bool) -> int:
        if halting_only:
            return int(lane.getLastStepHaltingNumber(lane_id))
        return int(lane.getLastStepVehicleNumber(lane_id))

    vetoes = 0
    while not simulation.is_over:
        signal = simulation.signal_view()
        moment = Moment(
            signal=signal,
            observe=partial(simulation.observe, signal),
            lane_veh=lane_veh,
            now_s=simulation.now_s,
        )
        decision = controller.decide(moment)
        outcome = simulation.apply(decision.stage, decision.hold_s)
        vetoes += outcome.cost.shield_vetoes
        if listener is not None:
            listener(signal, moment, decision, outcome)
    return vetoes


def finish(
    simulation: JunctionSimulation, *, vetoes: int, n_decisions: int, keep_trace: bool = False
) -> EpisodeResult:
    """
    Close SUMO, read its outputs and return the episode's result.

    :param simulation: started with ``outputs`` and ``sample_traffic``, run to its end.
    """
    simulation.simulation.close()
    trips = read_trips(simulation.simulation.tripinfo_file, simulation.simulation.statistics_file)
    sampler, monitor = simulation.sampler, simulation.monitor
    simulation.close()
    return EpisodeResult(
        trips=trips,
        queue_veh=float(np.mean(sampler.queue_veh)) if sampler and sampler.queue_veh else 0.0,
        max_wait_s=sampler.max_wait_s if sampler else 0.0,
        max_pedestrian_wait_s=sampler.max_pedestrian_wait_s if sampler else 0.0,
        monitor_faults=monitor.n_faults,
        fault_counts=dict(monitor.counts),
        shield_vetoes=vetoes,
        starved=monitor.counts['long_red'],
        n_decisions=n_decisions,
        queue_times_s=sampler.times_s if sampler and keep_trace else [],
        queue_trace_veh=sampler.queue_veh if sampler and keep_trace else [],
    )
