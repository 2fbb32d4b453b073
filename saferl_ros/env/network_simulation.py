"""One episode of one or many junctions that share a SUMO."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from saferl_ros.env.disturbance import (
    BrokenDetectors,
    closed_lane_xml,
    Disturbance,
    make_it_rain,
)
from saferl_ros.env.junction import add_detectors, DECISION_S, Junction
from saferl_ros.env.junction_control import JunctionControl, StepOutcome
from saferl_ros.env.reward import WaitingOutside
from saferl_ros.observation import SignalView
from saferl_ros.scenario import DemandVariation
from saferl_ros.sumo.detectors import approach_edges
from saferl_ros.sumo.home import load_library
from saferl_ros.sumo.sampler import TrafficSampler
from saferl_ros.sumo.simulation import Simulation, SimulationOptions


def prepare_to_simulate() -> None:
    """Import what episodes need, in the process that they will be forked from."""
    load_library('libsumo')


class NetworkSimulation:
    """
    Runs one episode; each junction decides at its own moments.

    :param junctions: of one scenario; signals that are not among them keep their own programs.
    :param demand: the demand of this episode; ``None`` for the nominal one with seed 0.
    :param options: how to run SUMO.
    :param reward: a name of ``env.reward.REWARDS`` or a callable written for sumo-rl;
        ``None`` counts none.
    :param observation_class: a ``sumo_rl.ObservationFunction`` subclass, instead of the specs.
    :param decision_s: time between decisions while a stage is kept [s].
    :param fixed_interval: let decisions fall due every ``decision_s`` whatever happens.
    :param sample_traffic: keep queue and waits for judging.
    :param disturbance: what goes wrong; nothing by default.
    """

    def __init__(
        self,
        junctions: Sequence[Junction],
        demand: DemandVariation | None = None,
        options: SimulationOptions | None = None,
        *,
        reward: str | Callable[[Any], float] | None = 'time_lost',
        observation_class: type | None = None,
        decision_s: float = DECISION_S,
        fixed_interval: bool = False,
        sample_traffic: bool = False,
        disturbance: Disturbance | None = None,
    ) -> None:
        scenario = junctions[0].scenario
        options = options or SimulationOptions()
        add_detectors(options, junctions)
        seed = demand.seed if demand else 0
        self._disturbance = disturbance or Disturbance()
        if self._disturbance.closed_lane:
            options.additional['closed.add.xml'] = closed_lane_xml(junctions, seed)
            # whoever has no other way stands there until SUMO moves it on
            options.extra = (*options.extra, '--ignore-route-errors', 'true')
        self.broken = [
            BrokenDetectors(junction.spec, self._disturbance, seed + n)
            for n, junction in enumerate(junctions if disturbance else ())
        ]
        self.simulation = Simulation(scenario, demand, options)
        self.controls = [
            JunctionControl(
                junction,
                reward=reward,
                observation_class=observation_class,
                decision_s=decision_s,
                fixed_interval=fixed_interval,
            )
            for junction in junctions
        ]
        self.now_s = scenario.begin_s
        self.sampler: TrafficSampler | None = None
        self._sample_traffic = sample_traffic
        self._reward = reward
        self._step_s = scenario.step_s
        self._end_s = scenario.end_s - 1e-6

    def start(self, *, is_controlled: bool = True) -> None:
        """
        Start SUMO and, unless its own programs are to run, play until a decision falls due.

        :param is_controlled: whether our sequencers drive the lamps.
        """
        self.simulation.start()
        api = self.simulation.api
        self._advance = api.simulationStep
        outside = WaitingOutside(api)
        self._read_outside = outside.read if self._reward == 'time_lost' else None
        for control in self.controls:
            control.attach(api, self.now_s, outside)
        for control, broken in zip(self.controls, self.broken, strict=False):
            control.broken = broken
            if not is_controlled:
                broken.break_loops(api)
        if self._disturbance.rain:
            make_it_rain(api)
        if self._sample_traffic:
            edges = [
                edge
                for control in self.controls
                for edge in approach_edges(control.junction.network, control.spec)
            ]
            self.sampler = TrafficSampler(api, list(dict.fromkeys(edges)))
        if is_controlled and not any(control.is_due for control in self.controls):
            self.run_until_due()

    @property
    def is_over(self) -> bool:
        """Whether the horizon is reached."""
        return self.now_s >= self._end_s

    def run_until_due(self) -> None:
        """Let time pass until some junction has a decision to make, or the horizon is reached."""
        controls = self.controls
        while not self.is_over:
            for control in controls:
                control.show()
            self._advance()
            self.now_s += self._step_s
            if self._read_outside is not None:
                self._read_outside()
            is_due = False
            for control in controls:
                control.look()
                is_due |= control.is_due
            if self.sampler is not None:
                self.sampler.sample(self.now_s)
            if is_due:
                break

    def lane_veh(self, n: int, lane_id: str, halting_only: bool) -> float:
        """
        Return how many vehicles a junction's controller is told of on a lane [veh].

        :param n: the junction, whose own detectors mislead it; its neighbours' do not.
        """
        told = self.told(n, lane_id)
        if told is not None:
            return told
        lane = self.simulation.api.lane
        if halting_only:
            return float(lane.getLastStepHaltingNumber(lane_id))
        return float(lane.getLastStepVehicleNumber(lane_id))

    def told(self, n: int, lane_id: str) -> float | None:
        """Return what broken detectors tell that junction of a lane [veh]; ``None``: the truth."""
        return self.broken[n].lanes.get(lane_id) if self.broken else None

    def outcome(self, control: JunctionControl) -> StepOutcome:
        """Return what came of the step that one of the junctions has ended."""
        return control.collect(self.simulation.safety_counts(), is_over=self.is_over)

    def run_own_program(self) -> None:
        """Let SUMO's own programs run to the end; the monitors read their lamps."""
        for control in self.controls:
            control.watch_own_program()
        while not self.is_over:
            self._advance()  # SUMO switches at the start of a step: the lamps read after it held
            for control in self.controls:
                control.read_own_program()
            self.now_s += self._step_s
            if self.sampler is not None:
                self.sampler.sample(self.now_s)

    def close(self) -> None:
        """End SUMO and remove its files; read outputs between ``simulation.close()`` and this."""
        self.simulation.cleanup()


class JunctionSimulation(NetworkSimulation):
    """
    Runs one episode of one junction: a network of one, with shorter names.

    :param junction: what ``Junction.derive`` returned.
    :param arguments: see ``NetworkSimulation``.
    """

    def __init__(
        self,
        junction: Junction,
        demand: DemandVariation | None = None,
        options: SimulationOptions | None = None,
        **arguments: Any,
    ) -> None:
        super().__init__([junction], demand, options, **arguments)
        self.control = self.controls[0]
        self.junction, self.plan, self.spec = junction, junction.plan, junction.spec
        self.sequencer = self.control.sequencer

    def signal_view(self) -> SignalView:
        """Return what the controller itself knows now."""
        return self.control.signal_view()

    def observe(self, signal: SignalView | None = None) -> npt.NDArray[np.float32]:
        """Return the observation of this moment, shape ``(spec.size,)``."""
        return self.control.observe(self.now_s, signal)

    def apply(self, stage: object, hold_s: float | None = None) -> StepOutcome:
        """
        Request ``stage`` and run until the next decision.

        :param stage: stage index; whatever is refused leaves the running stage as it is.
        :param hold_s: how long to keep an unchanged stage [s]; ``decision_s`` by default.
        """
        self.control.request(stage, hold_s)
        self.run_until_due()
        return self.outcome(self.control)

    @property
    def lamp_log(self) -> list[str]:
        """Lamps of every simulated step so far."""
        return self.control.lamp_log
