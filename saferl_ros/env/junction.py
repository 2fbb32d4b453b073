"""A junction of a scenario with everything that is derived from its network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Self

from saferl_ros.observation import ObservationSpec
from saferl_ros.scenario import Scenario
from saferl_ros.signals import SignalPlan
from saferl_ros.sumo.coordination import in_step
from saferl_ros.sumo.derive import derive_plan, pick_junction, signal_ids
from saferl_ros.sumo.detectors import derive_spec, detector_xml
from saferl_ros.sumo.network import Network, read_network
from saferl_ros.sumo.settings import NO_SETTINGS, SignalSettings
from saferl_ros.sumo.simulation import SimulationOptions

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
        network = read_network(scenario.net_file, scenario.additional_files)
        plan_of = _plans(network, scenario, clearance, settings)
        return cls._of(network, scenario, plan_of, observation)

    @classmethod
    def _of(
        cls,
        network: Network,
        scenario: Scenario,
        plan_of: Callable[[str], SignalPlan],
        observation: str,
    ) -> Self:
        junction_id = pick_junction(network, scenario.junction_id)
        plan = in_step(network, junction_id, plan_of, scenario.step_s)
        spec = derive_spec(network, plan, observation)
        return cls(scenario=scenario, network=network, plan=plan, spec=spec)

    @property
    def has_neighbours(self) -> bool:
        """Whether the network has other signals, so that a fixed-time plan keeps its offset."""
        return sum(bool(self.network.signalised(n)) for n in self.network.programs) > 1


def _plans(
    network: Network, scenario: Scenario, clearance: str, settings: SignalSettings
) -> Callable[[str], SignalPlan]:
    """Return what derives the plan of a signal, each once."""

    @cache
    def plan_of(junction_id: str) -> SignalPlan:
        return derive_plan(
            network,
            junction_id,
            clearance=clearance,
            step_s=scenario.step_s,
            limits=settings.of(junction_id),
        )

    return plan_of


def add_detectors(options: SimulationOptions, junctions: Sequence[Junction]) -> None:
    """Let SUMO place the detectors of all junctions."""
    for n, junction in enumerate(junctions):
        options.additional.setdefault(
            f'detectors_{n}.add.xml', detector_xml(junction.spec, junction.network)
        )


def derive_junctions(
    scenario: Scenario,
    names: Sequence[str] = (),
    *,
    clearance: str = 'legal',
    observation: str = 'detector',
    settings: SignalSettings = NO_SETTINGS,
) -> list[Junction]:
    """
    Return the junctions of a scenario, in the network's order.

    :param names: which; by default the scenario's own choice, and without one all signals that
        have a choice. The others keep their own programs.
    :param settings: bounds and longer times that an engineer states, by junction.
    :raises ScenarioError: if a name is unknown, or there is no signal to control.
    :raises ConfigError: if the settings do not fit the network.
    """
    network = read_network(scenario.net_file, scenario.additional_files)
    settings.check_against(network)
    chosen: list[str | None] = [*names]
    if not chosen:
        chosen = [scenario.junction_id] if scenario.junction_id else [*signal_ids(network)]
    plan_of = _plans(network, scenario, clearance, settings)
    return [
        Junction._of(network, replace(scenario, junction_id=name), plan_of, observation)
        for name in chosen or [None]  # none at all: let the junction say what is missing
    ]
