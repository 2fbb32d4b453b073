"""All signals of a scenario as they would stand in the street: a cabinet each, one SUMO."""

from __future__ import annotations

from collections.abc import Sequence

from saferl_ros.env.junction import add_detectors, DECISION_S, Junction
from saferl_ros.env.street_junction import StreetJunction
from saferl_ros.scenario import DemandVariation
from saferl_ros.shield import CabinetTick, Shield
from saferl_ros.sumo.simulation import Simulation, SimulationOptions


class StreetNetwork:
    """
    One SUMO, and a cabinet at each of its junctions, tick by tick.

    :param junctions: of one scenario.
    :param shields: one per junction, for its plan.
    :param demand: the demand of this run; ``None`` for the nominal one with seed 0.
    :param options: how to run SUMO.
    :param decision_s: time between decisions while a stage is kept [s].
    """

    def __init__(
        self,
        junctions: Sequence[Junction],
        shields: Sequence[Shield],
        demand: DemandVariation | None = None,
        options: SimulationOptions | None = None,
        *,
        decision_s: float = DECISION_S,
    ) -> None:
        scenario = junctions[0].scenario
        options = options or SimulationOptions()
        add_detectors(options, junctions)
        self.scenario = scenario
        self.at = [
            StreetJunction(junction, shield, decision_s=decision_s)
            for junction, shield in zip(junctions, shields, strict=True)
        ]
        self.simulation = Simulation(scenario, demand, options)
        self.now_s = scenario.begin_s

    def start(self) -> None:
        """Start SUMO."""
        self.simulation.start()
        for at in self.at:
            at.attach(self.simulation.api)

    @property
    def is_over(self) -> bool:
        """Whether the scenario's end is reached."""
        return self.now_s >= self.scenario.end_s - 1e-6

    def tick(self, shield_s: float) -> list[CabinetTick]:
        """
        Let one step of time pass; return what each junction showed during it.

        Simulated time is the coordination clock of all signals.

        :param shield_s: a clock that does not jump; proposals are aged by it [s].
        """
        shown = [at.show(shield_s, self.now_s) for at in self.at]
        self.simulation.api.simulationStep()
        self.now_s += self.scenario.step_s
        for at in self.at:
            at.look()
        return shown

    def close(self) -> None:
        """End SUMO and remove its files."""
        self.simulation.cleanup()
