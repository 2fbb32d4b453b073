"""The Gymnasium environment of one junction."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
from gymnasium import spaces
import numpy as np
import numpy.typing as npt

from saferl_ros.env.cost import Cost
from saferl_ros.env.junction import DECISION_S, Junction
from saferl_ros.env.junction_control import StepOutcome
from saferl_ros.env.network_simulation import JunctionSimulation
from saferl_ros.env.running_episode import draw_demand, RunningEpisode
from saferl_ros.errors import UsageError
from saferl_ros.observation import SignalView, STREET_KINDS
from saferl_ros.scenario import DemandVariation, load_scenario, Scenario
from saferl_ros.sumo.settings import DEFAULT_LIMITS, PlanLimits, SignalSettings
from saferl_ros.sumo.simulation import SimulationOptions

Observation = npt.NDArray[np.float32]


class IntersectionEnv(gymnasium.Env[Observation, np.int64]):
    """
    One signalised junction, decided stage by stage.

    **Action.** ``Discrete(n_stages)``: the stage to show next. Keeping the running stage lasts
    ``decision_s``; changing it lasts yellow, all-red and minimum green. ``info['action_mask']``
    says which stages are legal now; an illegal action is refused by the sequencer, leaves the
    running stage as it is, and counts as ``shield_vetoes`` in the cost.

    **Observation.** ``Box`` of ``ObservationSpec.size`` features, named and with unit, range and
    source in ``env.unwrapped.junction.spec.features()``. For ``detector`` (default):

    ============================ ========= ======== =====================================
    feature                      unit      range    where a junction gets it
    ============================ ========= ======== =====================================
    stage shows, one per stage   -         0 to 1   signal controller
    green elapsed                60 s      0 to 4   signal controller
    since served, one per stage  60 s      0 to 4   signal controller
    stage is legal               -         0 to 1   signal controller
    queue, per lane              10 veh    0 up     lane-area detector, last 100 m
    moving vehicles, per lane    10 veh    0 up     lane-area detector, last 100 m
    occupancy, per lane          ratio     0 to 1   lane-area detector, last 100 m
    queue and moving upstream    10 veh    0 up     advance detectors, the next 150 m
    ============================ ========= ======== =====================================

    ``neighbours`` adds the same counts on the last 100 m of the roads that lead to long
    approaches, and on the first 100 m of the exits (space downstream); ``ideal`` sees whole
    lanes and waiting times; ``sumo_rl`` is sumo-rl's default vector; a
    ``sumo_rl.ObservationFunction`` subclass is taken as it is.

    **Reward.** Minus the time lost on the approaches since the last decision [vehicle-seconds], or
    one of sumo-rl's, or a callable written for sumo-rl. ``info['cost']`` counts unsafe events
    apart from it (``env.cost``), ``info['elapsed_s']`` is how long the step lasted: discount by
    it.

    **Start.** The scenario's begin, after the first minimum green. ``reset(seed=...)`` seeds SUMO
    and, with ``scale_range``, the demand; the same seed gives the same episode, always.
    ``reset(options={'demand': DemandVariation(...)})`` sets the demand outright.

    **End.** Never terminated: a junction has no final state. Truncated at the scenario's end.

    :param scenario: built-in name, file, or a loaded ``Scenario``.
    :param routes: route files for a ``.net.xml``.
    :param junction_id: the signal to control where a network has several.
    :param clearance: ``legal`` (default), ``net`` or ``resco``.
    :param observation: ``detector``, ``neighbours``, ``ideal``, ``sumo_rl`` or a subclass of
        ``sumo_rl.ObservationFunction``.
    :param reward: see above.
    :param decision_s: time between decisions while a stage is kept [s].
    :param fixed_interval: decide every ``decision_s`` whatever happens, as sumo-rl does.
    :param scale_range: draw each episode's demand with a scale from this range.
    :param limits: minimum green, maximum green, maximum red.
    :param backend: ``libsumo`` (default) or ``traci``.
    :param gui: show sumo-gui.
    :param attach_port: use a SUMO that already runs with this remote port; it has none of our
        detectors, so the observation must be ``ideal`` or ``sumo_rl``.
    :param sumo_options: further SUMO options.
    :param isolate: run each episode in a fresh process (default with libsumo). Without it a second
        episode in the same process is not reproducible.
    """

    metadata = {'render_modes': []}  # noqa: RUF012 - to look at it, pass gui=True

    def __init__(
        self,
        scenario: str | Path | Scenario = 'cologne1',
        *,
        routes: tuple[Path, ...] = (),
        junction_id: str | None = None,
        clearance: str = 'legal',
        observation: str | type = 'detector',
        reward: str | Callable[[Any], float] = 'time_lost',
        decision_s: float = DECISION_S,
        fixed_interval: bool = False,
        scale_range: tuple[float, float] | None = None,
        limits: PlanLimits = DEFAULT_LIMITS,
        horizon_s: float | None = None,
        backend: str = 'libsumo',
        gui: bool = False,
        attach_port: int | None = None,
        sumo_options: tuple[str, ...] = (),
        isolate: bool | None = None,
    ) -> None:
        if backend not in ('libsumo', 'traci'):
            raise UsageError(f"backend '{backend}' is unknown; choose libsumo or traci")
        if attach_port is not None and observation in STREET_KINDS:
            raise UsageError(
                f"observation '{observation}' needs detectors, which a SUMO that already runs "
                'does not have; choose ideal or sumo_rl, or leave out attach_port'
            )
        if not isinstance(scenario, Scenario):
            scenario = load_scenario(
                str(scenario), routes=routes, junction_id=junction_id, horizon_s=horizon_s
            )
        is_named = isinstance(observation, str)
        self.junction = Junction.derive(
            scenario,
            clearance=clearance,
            observation=str(observation) if is_named else 'detector',
            settings=SignalSettings(default=limits),
        )
        self._options = SimulationOptions(
            backend=backend, gui=gui, attach_port=attach_port, extra=sumo_options
        )
        uses_libsumo = backend == 'libsumo' and not gui and attach_port is None
        self._episode = RunningEpisode(isolate=uses_libsumo if isolate is None else isolate)
        self._arguments: dict[str, Any] = {
            'reward': reward,
            'observation_class': None if is_named else observation,
            'decision_s': decision_s,
            'fixed_interval': fixed_interval,
        }
        self._scale_range = scale_range
        self.action_space = spaces.Discrete(self.junction.plan.n_stages)
        self.observation_space: spaces.Box = (
            spaces.Box(self.junction.spec.low(), self.junction.spec.high(), dtype=np.float32)
            if is_named
            else self._custom_space()
        )

    def _custom_space(self) -> spaces.Box:
        self._begin(None)
        space: spaces.Box = self._episode.call('observation_space')
        self.close()
        return space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """
        Start an episode.

        :param seed: seeds SUMO and the demand; without it one is drawn.
        :param options: ``{'demand': DemandVariation}`` sets the demand.
        """
        super().reset(seed=seed)
        demand = (options or {}).get('demand')
        if demand is None:
            episode_seed = seed if seed is not None else int(self.np_random.integers(2**31))
            demand = draw_demand(episode_seed, self._scale_range)
        self._begin(demand)
        observation, signal = self._episode.call('look')
        return observation, self._info(signal, 0.0, Cost())

    def _begin(self, demand: DemandVariation | None) -> None:
        junction, options, arguments = self.junction, self._options, self._arguments
        self._episode.begin(lambda: _Episode(junction, demand, options, arguments))

    def step(self, action: np.int64) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """
        Request a stage and run to the next decision.

        :param action: index of the stage to show next.
        :returns: observation, reward, terminated (always false), truncated, info.
        """
        observation, signal, outcome = self._episode.call('step', action)
        info = self._info(signal, outcome.elapsed_s, outcome.cost)
        return observation, outcome.reward, False, outcome.is_over, info

    def _info(self, signal: SignalView, elapsed_s: float, cost: Cost) -> dict[str, Any]:
        return {
            'action_mask': np.array(signal.legal, dtype=np.int8),
            'elapsed_s': elapsed_s,
            'cost': cost.as_array(),
            'stage': signal.stage,
            'green_elapsed_s': signal.green_elapsed_s,
        }

    def lamp_log(self) -> list[str]:
        """Return the lamps of every simulated step of this episode so far."""
        log: list[str] = self._episode.call('lamp_log')
        return log

    def fault_counts(self) -> dict[str, int]:
        """Return the conflict monitor's faults of this episode so far; empty is good."""
        counts: dict[str, int] = self._episode.call('fault_counts')
        return counts

    def close(self) -> None:
        """End the running episode, if any."""
        self._episode.close()


class _Episode:
    """A ``JunctionSimulation`` with answers that travel between processes."""

    def __init__(
        self,
        junction: Junction,
        demand: DemandVariation | None,
        options: SimulationOptions,
        arguments: dict[str, Any],
    ) -> None:
        self._simulation = JunctionSimulation(junction, demand, options, **arguments)
        self._simulation.start()

    def observation_space(self) -> Any:
        return self._simulation.control.observation_fn.observation_space()

    def look(self) -> tuple[Observation, SignalView]:
        signal = self._simulation.signal_view()
        return self._simulation.observe(signal), signal

    def step(self, action: Any) -> tuple[Observation, SignalView, StepOutcome]:
        outcome = self._simulation.apply(action)
        return *self.look(), outcome

    def lamp_log(self) -> list[str]:
        return self._simulation.lamp_log

    def fault_counts(self) -> dict[str, int]:
        return dict(self._simulation.control.monitor.counts)

    def close(self) -> None:
        self._simulation.close()
