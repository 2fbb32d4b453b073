"""Shows our junction to code that was written for sumo-rl."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from saferl_ros.signals.plan import SignalPlan
from saferl_ros.signals.sequencer import StageSequencer
from saferl_ros.sumo.home import load_library


def traffic_signal_view(
    api: Any,
    plan: SignalPlan,
    sequencer: StageSequencer,
    *,
    decision_s: float,
    begin_s: float,
) -> Any:
    """
    Return a ``sumo_rl.TrafficSignal`` that reads our simulation and commands nothing.

    Its methods are sumo-rl's own; only its state (``green_phase``,
    ``time_since_last_phase_change``) comes from our sequencer.

    :raises MissingExtraError: if sumo-rl is not installed.
    """
    base = load_library('sumo_rl').TrafficSignal

    class TrafficSignalView(base):  # type: ignore[misc, valid-type]
        def __init__(self) -> None:
            self.id = plan.junction_id
            self.env = SimpleNamespace(vehicles={}, sumo=api, delta_time=decision_s)
            self.sumo = api
            self.delta_time = decision_s
            self.yellow_time = max(max(row) for row in plan.yellow_s)
            self.min_green = min(stage.min_green_s for stage in plan.stages)
            self.max_green = max(stage.max_green_s for stage in plan.stages)
            self.begin_time = begin_s
            self.last_measure = 0.0
            self.last_reward = None
            self.num_green_phases = plan.n_stages
            self.lanes = list(dict.fromkeys(api.trafficlight.getControlledLanes(self.id)))
            links = api.trafficlight.getControlledLinks(self.id)
            self.out_lanes = list(dict.fromkeys(link[0][1] for link in links if link))
            self.lanes_length = {
                lane: api.lane.getLength(lane) for lane in self.lanes + self.out_lanes
            }

        @property
        def green_phase(self) -> int:
            return sequencer.stage

        @property
        def is_yellow(self) -> bool:
            return sequencer.is_clearing

        @property
        def time_since_last_phase_change(self) -> float:
            return sequencer.since_change_s

    return TrafficSignalView()
