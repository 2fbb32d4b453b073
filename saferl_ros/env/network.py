"""PettingZoo environment of all signals of a network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gymnasium import spaces
import numpy as np
import numpy.typing as npt
from pettingzoo import ParallelEnv

from saferl_ros.env.cost import Cost
from saferl_ros.env.junction import DECISION_S, derive_junctions, Junction
from saferl_ros.env.junction_control import JunctionControl, StepOutcome
from saferl_ros.env.network_simulation import NetworkSimulation
from saferl_ros.env.running_episode import draw_demand, RunningEpisode
from saferl_ros.errors import UsageError
from saferl_ros.observation import SignalView
from saferl_ros.scenario import DemandVariation, load_scenario, Scenario
from saferl_ros.sumo.settings import NO_SETTINGS, SignalSettings
from saferl_ros.sumo.simulation import SimulationOptions

Observation = npt.NDArray[np.float32]
Values = dict[str, Any]  # by agent


class NetworkEnv(ParallelEnv[str, Observation, np.int64]):
    """
    All signals of a network, each an agent named by its junction id.

    Observation, action, reward and cost of an agent are those of ``IntersectionEnv``. Junctions
    decide at their own moments: ``step`` lets time pass until at least one agent has a choice
    again. ``infos[agent]['is_due']`` says who has; the others are amid their own step, whatever is
    given for them is ignored, their mask holds the running stage alone and their reward is zero
    until the step ends. ``infos[agent]['elapsed_s']`` is how long an ended step lasted, zero
    otherwise.

    **Start.** The scenario's begin, when the first minimum green is over somewhere.
    ``reset(seed=...)`` seeds SUMO and, with ``scale_range``, the demand.

    **End.** Never terminated; all agents are truncated together at the scenario's end.

    :param scenario: built-in name, file, or a loaded ``Scenario``.
    :param routes: route files for a ``.net.xml``.
    :param junction_ids: the signals to control, by default all that have a choice.
    :param clearance: ``legal`` (default), ``net`` or ``resco``.
    :param observation: ``detector``, ``neighbours``, ``ideal`` or ``sumo_rl``.
    :param reward: a name of ``env.reward.REWARDS`` or a callable written for sumo-rl.
    :param decision_s: time between decisions while a stage is kept [s].
    :param horizon_s: length of an episode, by default the scenario's [s].
    :param scale_range: draw each episode's demand with a scale from this range.
    :param settings: bounds and longer times that an engineer states, by junction.
    :param isolate: run each episode in a fresh process (default).
    """

    metadata = {'name': 'saferl_network_v0', 'render_modes': []}  # noqa: RUF012

    def __init__(
        self,
        scenario: str | Path | Scenario = 'cologne3',
        *,
        routes: tuple[Path, ...] = (),
        junction_ids: tuple[str, ...] = (),
        clearance: str = 'legal',
        observation: str = 'detector',
        reward: str | Callable[[Any], float] = 'time_lost',
        decision_s: float = DECISION_S,
        scale_range: tuple[float, float] | None = None,
        settings: SignalSettings = NO_SETTINGS,
        horizon_s: float | None = None,
        isolate: bool = True,
    ) -> None:
        if not isinstance(scenario, Scenario):
            scenario = load_scenario(str(scenario), routes=routes, horizon_s=horizon_s)
        self.junctions = derive_junctions(
            scenario,
            junction_ids,
            clearance=clearance,
            observation=observation,
            settings=settings,
        )
        self.possible_agents = [junction.plan.junction_id for junction in self.junctions]
        self.agents: list[str] = []
        self._due: list[str] = []
        self.observation_spaces: Values = {
            j.plan.junction_id: spaces.Box(j.spec.low(), j.spec.high(), dtype=np.float32)
            for j in self.junctions
        }
        self.action_spaces: Values = {
            j.plan.junction_id: spaces.Discrete(j.plan.n_stages) for j in self.junctions
        }
        self._arguments: dict[str, Any] = {'reward': reward, 'decision_s': decision_s}
        self._scale_range = scale_range
        self._rng = np.random.default_rng()
        self._episode = RunningEpisode(isolate=isolate)

    def observation_space(self, agent: str) -> spaces.Box:
        """Return the space of an agent's observations."""
        space: spaces.Box = self.observation_spaces[agent]
        return space

    def action_space(self, agent: str) -> spaces.Discrete:
        """Return the space of an agent's stages."""
        space: spaces.Discrete = self.action_spaces[agent]
        return space

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Values, Values]:
        """
        Start an episode.

        :param seed: seeds SUMO and the demand; without it one is drawn.
        :param options: ``{'demand': DemandVariation}`` sets the demand.
        """
        if seed is not None:
            self._rng = np.random.default_rng(seed)
        demand = (options or {}).get('demand')
        if demand is None:
            episode_seed = seed if seed is not None else int(self._rng.integers(2**31))
            demand = draw_demand(episode_seed, self._scale_range)
        junctions, arguments = self.junctions, self._arguments
        self._episode.begin(lambda: _Episode(junctions, demand, arguments))
        self.agents = self.possible_agents.copy()
        looks = dict(zip(self.agents, self._episode.call('look'), strict=True))
        self._due = [agent for agent, look in looks.items() if look.is_due]
        return (
            {agent: look.observation for agent, look in looks.items()},
            {agent: look.info() for agent, look in looks.items()},
        )

    def step(self, actions: dict[str, Any]) -> tuple[Values, Values, Values, Values, Values]:
        """
        Request stages and run until some agent has a choice again.

        :param actions: the stage to show next, at least for every agent that is due.
        :returns: observations, rewards, terminations, truncations, infos, each by agent.
        :raises UsageError: if an agent that is due is left out, or the episode is over.
        """
        if not self.agents:
            raise UsageError('the episode is over; reset() begins another one')
        silent = [agent for agent in self._due if agent not in actions]
        if silent:
            raise UsageError(
                f'no action for {", ".join(silent)}, which must choose now; step() takes one for '
                "every agent whose info says 'is_due'"
            )
        wanted = [actions.get(agent) for agent in self.possible_agents]
        looks = dict(zip(self.agents, self._episode.call('step', wanted), strict=True))
        is_over = any(look.is_over for look in looks.values())
        self._due = [] if is_over else [agent for agent, look in looks.items() if look.is_due]
        if is_over:
            self.agents = []
        return (
            {agent: look.observation for agent, look in looks.items()},
            {agent: look.outcome.reward if look.outcome else 0.0 for agent, look in looks.items()},
            dict.fromkeys(looks, False),
            {agent: look.is_over for agent, look in looks.items()},
            {agent: look.info() for agent, look in looks.items()},
        )

    def lamp_logs(self) -> dict[str, list[str]]:
        """Return the lamps of every simulated step of this episode so far, by agent."""
        return dict(zip(self.possible_agents, self._episode.call('lamp_logs'), strict=True))

    def fault_counts(self) -> dict[str, dict[str, int]]:
        """Return the conflict monitors' faults of this episode so far, by agent."""
        return dict(zip(self.possible_agents, self._episode.call('fault_counts'), strict=True))

    def close(self) -> None:
        """End the running episode, if any."""
        self._episode.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """What one agent sees and got."""

    observation: Observation
    signal: SignalView
    is_due: bool
    outcome: StepOutcome | None  # of the step that has just ended, if one has
    is_over: bool

    def info(self) -> dict[str, Any]:
        mask = np.array(self.signal.legal, dtype=np.int8)
        if not self.is_due:
            mask[:] = 0
            mask[self.signal.stage] = 1
        return {
            'action_mask': mask,
            'is_due': self.is_due,
            'elapsed_s': self.outcome.elapsed_s if self.outcome else 0.0,
            'cost': (self.outcome.cost if self.outcome else Cost()).as_array(),
            'stage': self.signal.stage,
            'green_elapsed_s': self.signal.green_elapsed_s,
        }


class _Episode:
    """A ``NetworkSimulation`` with answers that travel between processes."""

    def __init__(
        self, junctions: list[Junction], demand: DemandVariation | None, arguments: dict[str, Any]
    ) -> None:
        self._simulation = NetworkSimulation(junctions, demand, SimulationOptions(), **arguments)
        self._simulation.start()
        self._is_running: set[int] = set()  # junctions amid a step

    def look(self) -> list[_Look]:
        return [self._look(n, control) for n, control in enumerate(self._simulation.controls)]

    def _look(self, n: int, control: JunctionControl) -> _Look:
        simulation, outcome = self._simulation, None
        if n in self._is_running and (control.is_due or simulation.is_over):
            self._is_running.discard(n)
            outcome = simulation.outcome(control)
        signal = control.signal_view()
        return _Look(
            observation=control.observe(simulation.now_s, signal),
            signal=signal,
            is_due=control.is_due,
            outcome=outcome,
            is_over=simulation.is_over,
        )

    def step(self, stages: list[Any]) -> list[_Look]:
        for n, (control, stage) in enumerate(zip(self._simulation.controls, stages, strict=True)):
            if control.is_due:
                control.request(stage)
                self._is_running.add(n)
        self._simulation.run_until_due()
        return self.look()

    def lamp_logs(self) -> list[list[str]]:
        return [control.lamp_log for control in self._simulation.controls]

    def fault_counts(self) -> list[dict[str, int]]:
        return [dict(control.monitor.counts) for control in self._simulation.controls]

    def close(self) -> None:
        self._simulation.close()
