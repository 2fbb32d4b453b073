"""One simulated junction as it would stand in the street: a cabinet, and a policy beside it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from saferl_ros.env.junction import DECISION_S, Junction
from saferl_ros.env.street_junction import StreetJunction
from saferl_ros.observation import FeatureVector, SignalView
from saferl_ros.scenario import DemandVariation
from saferl_ros.shield import CabinetTick, ObservingAlarm, Shield, ShieldLimits
from saferl_ros.sumo.detectors import detector_xml
from saferl_ros.sumo.simulation import Simulation, SimulationOptions

# (observation, signal) to a proposal, to None for none, or to anything else, which is refused
Policy = Callable[[npt.NDArray[np.float32], SignalView], object]


class StreetSimulation:
    """
    SUMO with a cabinet at one junction, tick by tick.

    Where ``JunctionSimulation`` runs from decision to decision as learning needs it, here time
    passes whatever the policy does: it is asked when a decision falls due, its answer goes through
    the shield, and the cabinet shows what it shows. A policy that raises has said nothing; the
    error is kept and the street goes on.

    :param junction: what ``Junction.derive`` returned.
    :param policy: asked for proposals; may be replaced at any time.
    :param demand: the demand of this run; ``None`` for the nominal one with seed 0.
    :param options: how to run SUMO.
    :param limits: how patient the shield is.
    :param guard: an out-of-distribution guard; fed here with every decision's observation.
    :param decision_s: time between decisions while a stage is kept [s].
    """

    def __init__(
        self,
        junction: Junction,
        policy: Policy,
        demand: DemandVariation | None = None,
        options: SimulationOptions | None = None,
        *,
        limits: ShieldLimits | None = None,
        guard: ObservingAlarm | None = None,
        decision_s: float = DECISION_S,
    ) -> None:
        spec, scenario = junction.spec, junction.scenario
        options = options or SimulationOptions()
        options.additional.setdefault('detectors.add.xml', detector_xml(spec, junction.network))
        self.junction = junction
        self.policy = policy
        self.policy_error: Exception | None = None  # the last one
        self.n_policy_errors = 0
        self.shield = Shield(junction.plan, limits=limits, guard=guard)
        self._at = StreetJunction(junction, self.shield, decision_s=decision_s)
        self.cabinet = self._at.cabinet
        self.simulation = Simulation(scenario, demand, options)
        self.now_s = scenario.begin_s
        self._guard = guard
        self._features = FeatureVector(spec)

    def start(self) -> None:
        """Start SUMO."""
        self.simulation.start()
        self._at.attach(self.simulation.api)

    @property
    def is_over(self) -> bool:
        """Whether the scenario's end is reached."""
        return self.now_s >= self.junction.scenario.end_s - 1e-6

    def tick(self) -> CabinetTick:
        """Let one step of time pass; return what the junction showed during it."""
        if self.cabinet.is_policy_due:
            self._ask_policy()
        # simulated time is the master clock of all signals
        shown = self._at.show(self.now_s, self.now_s)
        self.simulation.api.simulationStep()
        self.now_s += self.junction.scenario.step_s
        self._at.look()
        return shown

    def _ask_policy(self) -> None:
        signal = self._at.signal_view()
        observation = self._features(self._at.readings(self.now_s), signal)
        if self._guard is not None and not self.shield.is_waiting:  # once a decision
            self._guard.update(observation, self.now_s)
        try:
            proposal = self.policy(observation, signal)
        except Exception as error:  # noqa: BLE001 - a policy may fail in any way it likes
            self.policy_error = error
            self.n_policy_errors += 1
            return
        if proposal is not None:
            self.shield.receive(proposal, self.now_s)

    def close(self) -> None:
        """End SUMO and remove its files."""
        self.simulation.cleanup()
