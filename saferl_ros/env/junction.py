"""One junction under control: SUMO, sequencer and monitor in step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from saferl_ros.env.calls import Calls
from saferl_ros.env.cost import Cost
from saferl_ros.env.reward import check_reward, FromSumoRl, Reward, TimeLost
from saferl_ros.env.sumo_rl_view import traffic_signal_view
from saferl_ros.observation import FeatureVector, ObservationSpec, SignalView
from saferl_ros.scenario import DemandVariation, Scenario
from saferl_ros.signals import (
    card_of,
    ConflictMonitor,
    program_card_of,
    RequestVerdict,
    SignalPlan,
    StageSequencer,
)
from saferl_ros.sumo.derive import derive_plan, pick_junction
from saferl_ros.sumo.detectors import approach_edges, derive_spec, detector_xml, DetectorReader
from saferl_ros.sumo.network import Network, read_network
from saferl_ros.sumo.sampler import TrafficSampler
from saferl_ros.sumo.settings import NO_SETTINGS, SignalSettings
from saferl_ros.sumo.simulation import Simulation, SimulationOptions

DECISION_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Junction:
    """A scenario's junction with everything derived from its network."""

    scenario: Scenario
    network: Network
    plan: SignalPlan
    spec: ObservationSpec

    @classmethod
    def derive(
        cls,
        scenario: Scenario,
        *,
        clearance: str = 'legal',
        observation: str = 'detector',
        settings: SignalSettings = NO_SETTINGS,
    ) -> Junction:
        """
        Read the scenario's network and derive plan and observation of the one junction.

        :param settings: bounds and longer times that an engineer states, by junction.

        :raises ScenarioError: if the network has no such junction, or several and none is named.
        """
        network = read_network(scenario.net_file)
        junction_id = pick_junction(network, scenario.junction_id)
        plan = derive_plan(
            network,
            junction_id,
            clearance=clearance,
            step_s=scenario.step_s,
            limits=settings.of(junction_id),
        )
        spec = derive_spec(network, plan, observation)
        return cls(scenario=scenario, network=network, plan=plan, spec=spec)


def view_signal(sequencer: StageSequencer) -> SignalView:
    """Return what a controller itself knows of its signal."""
    return SignalView(
        stage=sequencer.stage,
        green_elapsed_s=sequencer.green_elapsed_s,
        since_served_s=tuple(map(sequencer.since_served_s, range(sequencer.plan.n_stages))),
        legal=tuple(sequencer.legal_stages()),
        is_min_green_over=sequencer.is_min_green_over,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOutcome:
    """What happened between two decisions."""

    elapsed_s: float
    reward: float
    cost: Cost
    verdict: RequestVerdict
    is_over: bool


class JunctionSimulation:
    """
    Runs one episode of one junction.

    Decisions fall due where there is a choice (a semi-Markov decision process): keeping a stage
    lasts ``decision_s``, changing it lasts clearance plus minimum green, and a change forced by a
    bound belongs to the step before it. With ``fixed_interval`` a decision falls due
    every ``decision_s`` whatever happens.

    :param junction: what ``Junction.derive`` returned.
    :param demand: the demand of this episode; ``None`` for the nominal one with seed 0.
    :param options: how to run SUMO.
    :param reward: a name of ``env.reward.REWARDS`` or a callable written for sumo-rl.
    :param observation_class: a ``sumo_rl.ObservationFunction`` subclass, instead of the spec.
    :param sample_traffic: keep queue and waits for judging.
    """

    def __init__(
        self,
        junction: Junction,
        demand: DemandVariation | None = None,
        options: SimulationOptions | None = None,
        *,
        reward: str | Callable[[Any], float] = 'time_lost',
        observation_class: type | None = None,
        decision_s: float = DECISION_S,
        fixed_interval: bool = False,
        sample_traffic: bool = False,
    ) -> None:
        check_reward(reward)
        self.junction = junction
        self.plan, self.spec = junction.plan, junction.spec
        options = options or SimulationOptions()
        options.additional.setdefault(
            'detectors.add.xml', detector_xml(self.spec, junction.network)
        )
        self.simulation = Simulation(junction.scenario, demand, options)
        step_s = self._step_s = junction.scenario.step_s
        first = self.plan.program[0].stage_index if self.plan.program else 0
        self.sequencer = StageSequencer(self.plan, step_s=step_s, initial_stage=first)
        self.monitor = ConflictMonitor(card_of(self.plan), step_s=step_s)
        self.sampler: TrafficSampler | None = None
        self.view: Any = None
        self.observation_fn: Any = None
        self._reward_choice = reward
        self._observation_class = observation_class
        self._sample_traffic = sample_traffic
        self._features = FeatureVector(self.spec)
        self._decision_s = decision_s
        self._decision_ticks = max(1, round(decision_s / step_s))
        self._fixed_interval = fixed_interval
        self._end_s = junction.scenario.end_s - 1e-6
        self._shown = ''
        self.lamp_log: list[str] = []
        self._calls = Calls(self.plan, self.spec)
        self._counted = (0, 0, 0)
        self._starved = 0
        self.now_s = junction.scenario.begin_s

    def start(self, *, is_controlled: bool = True) -> None:
        """
        Start SUMO and, unless its own program is to run, play the first minimum green.

        :param is_controlled: whether our sequencer drives the lamps.
        """
        self.simulation.start()
        api = self.simulation.api
        edges = approach_edges(self.junction.network, self.spec)
        self._reader = DetectorReader(api, self.spec, self.junction.network)
        self._advance = api.simulationStep
        if self._sample_traffic:
            self.sampler = TrafficSampler(api, edges)
        needs_view = self._reward_choice != 'time_lost' or self._observation_class is not None
        if needs_view:
            self.view = traffic_signal_view(
                api,
                self.plan,
                self.sequencer,
                decision_s=self._decision_s,
                begin_s=self.now_s,
            )
        if self._observation_class is not None:
            self.observation_fn = self._observation_class(self.view)
        self._reward: Reward = (
            TimeLost(api, edges, self.junction.scenario.step_s)
            if self._reward_choice == 'time_lost'
            else FromSumoRl(self._reward_choice, self.view)
        )
        if is_controlled and not self._fixed_interval:
            while not self.sequencer.is_decision_due and not self.is_over:
                self._tick()
        if not needs_view:
            self._reward.collect()

    @property
    def is_over(self) -> bool:
        """Whether the horizon is reached."""
        return self.now_s >= self._end_s

    def signal_view(self) -> SignalView:
        """Return what the controller itself knows now."""
        return view_signal(self.sequencer)

    def observe(self, signal: SignalView | None = None) -> npt.NDArray[np.float32]:
        """Return the observation of this moment, shape ``(spec.size,)``."""
        if self.observation_fn is not None:
            return np.asarray(self.observation_fn(), dtype=np.float32)
        readings = self._reader.read(self.now_s)
        return self._features(readings, signal or self.signal_view())

    def apply(self, stage: object, hold_s: float | None = None) -> StepOutcome:
        """
        Request ``stage`` and run until the next decision.

        :param stage: stage index; whatever is refused leaves the running stage as it is.
        :param hold_s: how long to keep an unchanged stage [s]; ``decision_s`` by default.
        """
        hold = self._decision_ticks if hold_s is None else max(1, round(hold_s / self._step_s))
        before = self.sequencer.stage
        verdict = self.sequencer.request(stage)
        ticks = 0
        while True:
            self._tick()
            ticks += 1
            if self.is_over or self._is_next_due(ticks, hold, before):
                break
        counts = self.simulation.safety_counts()
        starved = self.monitor.counts['long_red']
        cost = Cost(
            emergency_brakings=counts[0] - self._counted[0],
            collisions=counts[1] - self._counted[1],
            teleports=counts[2] - self._counted[2],
            shield_vetoes=int(verdict is not RequestVerdict.ACCEPTED),
            starved=starved - self._starved,
        )
        self._counted, self._starved = counts, starved
        return StepOutcome(
            elapsed_s=ticks * self._step_s,
            reward=self._reward.collect(),
            cost=cost,
            verdict=verdict,
            is_over=self.is_over,
        )

    def _is_next_due(self, ticks: int, hold: int, before: int) -> bool:
        sequencer = self.sequencer
        if ticks < hold and (self._fixed_interval or sequencer.stage == before):
            return False
        if self._fixed_interval:
            return True
        return sequencer.is_decision_due and sum(sequencer.legal_stages()) > 1

    def _tick(self) -> None:
        calls = self._calls.now
        lamps = self.sequencer.step(calls)
        self.lamp_log.append(lamps)
        if lamps != self._shown:
            self.simulation.api.trafficlight.setRedYellowGreenState(self.plan.junction_id, lamps)
            self._shown = lamps
            self._calls.show(lamps)
        self.monitor.step(lamps, calls)
        self._advance()
        self.now_s += self._step_s
        self._reward.sample()
        if self._calls.is_open:
            self._calls.read(self._reader.counters)
        if self.sampler is not None:
            self.sampler.sample(self.now_s)

    def run_own_program(self) -> None:
        """Let SUMO's own program run to the end; the monitor reads its lamps."""
        api, junction_id = self.simulation.api, self.plan.junction_id
        self.monitor = ConflictMonitor(program_card_of(self.plan), step_s=self._step_s)
        while not self.is_over:
            self._advance()  # SUMO switches at the start of a step: the lamps read after it held
            lamps = api.trafficlight.getRedYellowGreenState(junction_id)
            self.lamp_log.append(lamps)
            self.monitor.step(lamps)
            self.now_s += self._step_s
            if self.sampler is not None:
                self.sampler.sample(self.now_s)

    def close(self) -> None:
        """End SUMO and remove its files; read outputs between ``simulation.close()`` and this."""
        self.simulation.cleanup()
