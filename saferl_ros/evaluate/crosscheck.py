"""
Runs a bundle inside an unmodified ``sumo_rl.SumoEnvironment``.

A second opinion from the field's own environment: another step loop, another code path to SUMO
(TraCI), sumo-rl's yellow and no all-red. The policy sees the same features; only who steps
SUMO and who switches the lamps differs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
import tempfile
from typing import Any

import numpy as np

from saferl_ros.bundle.load import Bundle
from saferl_ros.env.junction import Junction
from saferl_ros.errors import BundleError, ScenarioError
from saferl_ros.observation import FeatureVector, SignalView
from saferl_ros.sumo.detectors import detector_xml, DetectorReader
from saferl_ros.sumo.home import load_library
from saferl_ros.sumo.outputs import read_trips, TripSummary
from saferl_ros.sumo.quiet_files import without_outputs

DECISION_S = 5


@dataclass(slots=True)
class _SignalClock:
    """Follows sumo-rl's signal, which does not say when each stage was last served."""

    n_stages: int
    yellow_s: int
    min_green_s: float
    last_green_s: list[float] = field(default_factory=list)

    def view(self, traffic_signal: Any, now_s: float) -> SignalView:
        if not self.last_green_s:
            self.last_green_s = [now_s] * self.n_stages
        stage = traffic_signal.green_phase
        since_change_s = traffic_signal.time_since_last_phase_change
        is_clearing = traffic_signal.is_yellow
        if not is_clearing:
            self.last_green_s[stage] = now_s
        is_free = since_change_s >= self.min_green_s + self.yellow_s
        return SignalView(
            stage=stage,
            green_elapsed_s=max(0.0, since_change_s - self.yellow_s),
            since_served_s=tuple(now_s - last_s for last_s in self.last_green_s),
            legal=tuple(is_free or n == stage for n in range(self.n_stages)),
            is_min_green_over=is_free,
        )


def cross_check(
    junction: Junction, bundle: Bundle | None, *, yellow_s: int = 4, seed: int = 0
) -> TripSummary:
    """
    Return one episode's trips under sumo-rl's environment on the scenario's own demand.

    :param bundle: the policy; ``None`` lets the network's own program run (``fixed_ts``).
    :param yellow_s: sumo-rl's yellow [s].
    :raises ScenarioError: if its step is not sumo-rl's.
    :raises BundleError: if sumo-rl sees other stages than the bundle was trained for.
    """
    scenario, plan, spec = junction.scenario, junction.plan, junction.spec
    if scenario.step_s != 1:
        raise ScenarioError(
            f"scenario '{scenario.name}' has a step of {scenario.step_s:g} s, and sumo-rl runs in "
            'steps of 1 s: it cannot be cross-checked'
        )
    environment = load_library('sumo_rl').SumoEnvironment
    with tempfile.TemporaryDirectory(prefix='saferl_') as name:
        folder = Path(name)
        detectors = folder / 'detectors.add.xml'
        detectors.write_text(detector_xml(spec, junction.network), encoding='utf-8')
        own = [without_outputs(path, folder) for path in scenario.additional_files]
        additional = ','.join(map(str, (*own, detectors)))
        trips, statistics = folder / 'trips.xml', folder / 'statistics.xml'
        env = environment(
            net_file=str(scenario.net_file),
            route_file=','.join(str(path) for path in scenario.route_files),
            begin_time=int(scenario.begin_s),
            num_seconds=int(scenario.horizon_s),
            delta_time=DECISION_S,
            yellow_time=yellow_s,
            min_green=int(plan.stages[0].min_green_s),
            time_to_teleport=int(scenario.time_to_teleport_s),
            fixed_ts=bundle is None,
            sumo_seed=seed,
            sumo_warnings=False,
            add_system_info=False,
            add_per_agent_info=False,
            additional_sumo_cmd=(
                f'-a {additional} --no-step-log --duration-log.disable '
                f'--tripinfo-output {trips} --tripinfo-output.write-unfinished '
                '--tripinfo-output.write-undeparted '
                f'--statistic-output {statistics} {" ".join(scenario.command_options())}'
            ),
        )
        env.reset()
        traffic_signal = env.traffic_signals[plan.junction_id]
        if bundle is not None:
            lamps = [phase.state for phase in traffic_signal.green_phases]
            if lamps != [stage.lamps for stage in plan.stages]:
                raise BundleError(
                    f"sumo-rl sees other stages at junction '{plan.junction_id}' than the bundle "
                    'was trained for (it keeps conflicting greens that were mended here)'
                )
        reader, features = DetectorReader(env.sumo, spec, junction.network), FeatureVector(spec)
        clock = _SignalClock(
            n_stages=plan.n_stages, yellow_s=yellow_s, min_green_s=plan.stages[0].min_green_s
        )
        is_over = False
        while not is_over:
            action = {}
            if bundle is not None:
                signal = clock.view(traffic_signal, env.sim_step)
                observation = features(reader.read(env.sim_step), signal)
                stage = bundle.decide(observation, np.array(signal.legal))
                action = {plan.junction_id: stage}
            _, _, dones, _ = env.step(action)
            is_over = dones['__all__']
        env.close()
        return read_trips(trips, statistics)
