"""One junction under control in a running simulation: sequencer, monitor and reward in step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from saferl_ros.env.calls import Calls
from saferl_ros.env.cost import Cost
from saferl_ros.env.disturbance import BrokenDetectors
from saferl_ros.env.junction import DECISION_S, Junction
from saferl_ros.env.reward import (
    check_reward,
    FromSumoRl,
    NotCounted,
    Reward,
    TimeLost,
    WaitingOutside,
)
from saferl_ros.env.sumo_rl_view import traffic_signal_view
from saferl_ros.observation import FeatureVector, SignalView
from saferl_ros.signals import (
    card_of,
    ConflictMonitor,
    program_card_of,
    RequestVerdict,
    StageSequencer,
)
from saferl_ros.sumo.detectors import approach_edges, DetectorReader

SafetyCounts = tuple[int, int, int]  # emergency brakings, collisions, teleports


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
    """What happened between two decisions of a junction."""

    elapsed_s: float
    reward: float
    cost: Cost
    verdict: RequestVerdict
    is_over: bool


class JunctionControl:
    """
    The signal of one junction, second by second and decision by decision.

    Decisions fall due where there is a choice (a semi-Markov decision process): keeping a stage
    lasts ``decision_s``, changing it lasts clearance plus minimum green, and a change forced by a
    bound belongs to the step before it. With ``fixed_interval`` a decision falls due every
    ``decision_s`` whatever happens.

    A second has two halves, so that several junctions can share one simulation: ``show`` sets the
    lamps, then SUMO takes its step, then ``look`` reads what came of it.

    :param junction: what ``Junction.derive`` returned.
    :param reward: a name of ``env.reward.REWARDS`` or a callable written for sumo-rl;
        ``None`` counts none.
    :param observation_class: a ``sumo_rl.ObservationFunction`` subclass, instead of the spec.
    """

    def __init__(
        self,
        junction: Junction,
        *,
        reward: str | Callable[[Any], float] | None = 'time_lost',
        observation_class: type | None = None,
        decision_s: float = DECISION_S,
        fixed_interval: bool = False,
    ) -> None:
        check_reward(reward)
        self.junction = junction
        self.plan, self.spec = junction.plan, junction.spec
        step_s = self._step_s = junction.scenario.step_s
        first = self.plan.program[0].stage_index if self.plan.program else 0
        self.sequencer = StageSequencer(self.plan, step_s=step_s, initial_stage=first)
        self.monitor = ConflictMonitor(card_of(self.plan), step_s=step_s)
        self.lamp_log: list[str] = []
        self.observation_fn: Any = None
        self.broken: BrokenDetectors | None = None  # what misleads the view, if anything does
        self.is_due = False  # whether a decision is to be made
        self.verdict: RequestVerdict | None = None  # on the request whose step runs; None: no step
        self._reward_choice = reward
        self._observation_class = observation_class
        self._features = FeatureVector(self.spec)
        self._decision_s = decision_s
        self._decision_ticks = max(1, round(decision_s / step_s))
        self._fixed_interval = fixed_interval
        self._calls = Calls(self.plan, self.spec)
        self._shown = ''
        self._ticks = self._hold = 0  # of the step that runs
        self._before = first  # stage when it began
        self._counted: SafetyCounts = (0, 0, 0)
        self._starved = 0

    def attach(self, api: Any, now_s: float, outside: WaitingOutside) -> None:
        """
        Use this running simulation.

        :param api: libsumo or a TraCI connection, started with the junction's detectors.
        :param now_s: simulated time [s].
        :param outside: who waits to be inserted, read each second by whoever advances SUMO.
        """
        self._api = api
        self._reader = DetectorReader(api, self.spec, self.junction.network)
        self._counters = self._reader.counters
        choice = self._reward_choice
        self.view: Any = None
        if choice not in ('time_lost', None) or self._observation_class is not None:
            self.view = traffic_signal_view(
                api, self.plan, self.sequencer, decision_s=self._decision_s, begin_s=now_s
            )
        if self._observation_class is not None:
            self.observation_fn = self._observation_class(self.view)
        self._reward: Reward
        if choice is None:
            self._reward = NotCounted()
        elif choice == 'time_lost':
            edges = approach_edges(self.junction.network, self.spec)
            self._reward = TimeLost(api, edges, self._step_s, outside)
        else:
            self._reward = FromSumoRl(choice, self.view)
        self.is_due = self._fixed_interval

    def signal_view(self) -> SignalView:
        """Return what the controller itself knows now."""
        return view_signal(self.sequencer)

    def observe(self, now_s: float, signal: SignalView | None = None) -> npt.NDArray[np.float32]:
        """
        Return the observation of this moment, shape ``(spec.size,)``.

        :param now_s: simulated time [s].
        """
        if self.observation_fn is not None:
            return np.asarray(self.observation_fn(), dtype=np.float32)
        readings = self._reader.read(now_s)
        if self.broken is not None:
            readings = self.broken.distort(readings)
        return self._features(readings, signal or self.signal_view())

    def request(self, stage: object, hold_s: float | None = None) -> None:
        """
        Begin a step: ask for ``stage`` until the next decision.

        :param stage: stage index; whatever is refused leaves the running stage as it is.
        :param hold_s: how long to keep an unchanged stage [s]; ``decision_s`` by default.
        """
        self._hold = (
            self._decision_ticks if hold_s is None else max(1, round(hold_s / self._step_s))
        )
        self._before, self._ticks = self.sequencer.stage, 0
        self.verdict = self.sequencer.request(stage)
        self.is_due = False

    def show(self) -> None:
        """Decide what shows during the next second, and set the lamps in SUMO."""
        calls = self._calls.now
        lamps = self.sequencer.step(calls)
        self.lamp_log.append(lamps)
        if lamps != self._shown:
            self._api.trafficlight.setRedYellowGreenState(self.plan.junction_id, lamps)
            self._shown = lamps
            self._calls.show(lamps)
        self.monitor.step(lamps, calls)

    def look(self) -> None:
        """Read what SUMO's step brought, and whether a decision falls due."""
        self._reward.sample()
        if self._calls.is_open:
            self._calls.read(self._counters)
        self._ticks += 1
        sequencer = self.sequencer
        if self.verdict is None:  # the minimum green that an episode begins with
            if sequencer.is_decision_due and not self.is_due:
                self.is_due = True
                if isinstance(self._reward, TimeLost):  # sumo-rl's look at the decision alone
                    self._reward.collect()
        elif self._fixed_interval:
            self.is_due = self._ticks >= self._hold
        elif self._ticks >= self._hold or sequencer.stage != self._before:
            self.is_due = sequencer.is_decision_due and sum(sequencer.legal_stages()) > 1

    def collect(self, counts: SafetyCounts, *, is_over: bool) -> StepOutcome:
        """
        End the step that runs and return its outcome.

        :param counts: the simulation's safety counts so far; they are of the whole network.
        :param is_over: whether the episode ends with it.
        """
        starved, verdict = self.monitor.counts['long_red'], self.verdict
        assert verdict is not None
        cost = Cost(
            emergency_brakings=counts[0] - self._counted[0],
            collisions=counts[1] - self._counted[1],
            teleports=counts[2] - self._counted[2],
            shield_vetoes=int(verdict is not RequestVerdict.ACCEPTED),
            starved=starved - self._starved,
        )
        self._counted, self._starved = counts, starved
        return StepOutcome(
            elapsed_s=self._ticks * self._step_s,
            reward=self._reward.collect(),
            cost=cost,
            verdict=verdict,
            is_over=is_over,
        )

    def watch_own_program(self) -> None:
        """Let SUMO's own program drive; the monitor only reads its lamps."""
        self.monitor = ConflictMonitor(program_card_of(self.plan), step_s=self._step_s)

    def read_own_program(self) -> None:
        """Read the lamps that SUMO's own program showed during its last step."""
        lamps = self._api.trafficlight.getRedYellowGreenState(self.plan.junction_id)
        self.lamp_log.append(lamps)
        self.monitor.step(lamps, self._calls.now)
        if lamps != self._shown:
            self._shown = lamps
            self._calls.show(lamps)
        if self._calls.is_open:
            self._calls.read(self._counters)
