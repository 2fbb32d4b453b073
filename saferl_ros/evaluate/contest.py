"""One controller on one demand: the unit of work of tuning and judging."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from saferl_ros.control.controller import Controller
from saferl_ros.control.family import FamilyConfig, FixedTimeFamily
from saferl_ros.control.max_pressure import MaxPressure, MaxPressureConfig
from saferl_ros.control.rollout import drive, EpisodeResult, finish
from saferl_ros.control.shielded import Shielded
from saferl_ros.env.junction import Junction, JunctionSimulation
from saferl_ros.scenario import DemandVariation
from saferl_ros.shield import Shield
from saferl_ros.shield.guard import Guard
from saferl_ros.signals import ProgramInterval, SignalPlan
from saferl_ros.sumo.actuated import actuated_xml, ActuatedConfig
from saferl_ros.sumo.simulation import SimulationOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """
    A controller by description, so that it can be built in another process.

    Exactly one field is set; with none the network's own program runs as it stands.
    """

    name: str
    program: tuple[ProgramInterval, ...] | None = None  # a fixed plan
    family: FamilyConfig | None = None
    max_pressure: MaxPressureConfig | None = None
    actuated: ActuatedConfig | None = None
    bundle: Path | None = None

    @property
    def is_sumo_program(self) -> bool:
        """Whether SUMO itself drives the lamps."""
        return self.actuated is not None or (
            self.program is None
            and self.family is None
            and self.max_pressure is None
            and self.bundle is None
        )

    def build(self, plan: SignalPlan, spec_fingerprint: str, seed: int) -> Controller:
        """Return the controller; only for those that act through the sequencer."""
        rng = np.random.default_rng([seed, 11])
        if self.program is not None:
            own = replace(plan, program=self.program)
            return FixedTimeFamily(own, FamilyConfig(plans='net'), rng)
        if self.family is not None:
            return FixedTimeFamily(plan, self.family, rng)
        if self.max_pressure is not None:
            return MaxPressure(plan, self.max_pressure)
        assert self.bundle is not None
        from saferl_ros.bundle.load import load_bundle

        bundle = load_bundle(self.bundle)
        bundle.require(plan_fingerprint=plan.fingerprint(), spec_fingerprint=spec_fingerprint)
        guard = None if bundle.guard_model is None else Guard(bundle.guard_model)
        return Shielded(bundle, Shield(plan, guard=guard), guard)


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A contestant on a demand."""

    junction: Junction
    contestant: Contestant
    demand: DemandVariation
    keep_trace: bool = False


def play(match: Match) -> EpisodeResult:
    """Run one episode in this process and return its result."""
    junction, contestant = match.junction, match.contestant
    options = SimulationOptions(outputs=True)
    if contestant.actuated is not None:
        options.additional['actuated.add.xml'] = actuated_xml(junction.plan, contestant.actuated)
    simulation = JunctionSimulation(junction, match.demand, options, sample_traffic=True)
    try:
        if contestant.is_sumo_program:
            simulation.start(is_controlled=False)
            simulation.run_own_program()
            return finish(simulation, vetoes=0, n_decisions=0, keep_trace=match.keep_trace)
        controller = contestant.build(
            junction.plan, junction.spec.fingerprint(), match.demand.seed
        )
        simulation.start()
        n_decisions = 0

        def count(*_: object) -> None:
            nonlocal n_decisions
            n_decisions += 1

        vetoes = drive(simulation, controller, count)
        result = finish(
            simulation, vetoes=vetoes, n_decisions=n_decisions, keep_trace=match.keep_trace
        )
        if isinstance(controller, Shielded):
            if controller.policy_error is not None:
                raise controller.policy_error  # the shield can live with it; a score cannot
            result = replace(
                result,
                shield_vetoes=vetoes + controller.refusals.total(),
                fallback_share=controller.fallback_share,
            )
        return result
    finally:
        simulation.close()
