"""The loop in which bundles are judged, for those who compare another loop with it."""

from __future__ import annotations

from pathlib import Path

from saferl_ros.bundle.load import load_bundle
from saferl_ros.control.rollout import drive
from saferl_ros.control.shielded import Shielded
from saferl_ros.env.junction import Junction
from saferl_ros.env.network_simulation import JunctionSimulation
from saferl_ros.scenario import DemandVariation, load_scenario, Split
from saferl_ros.shield import Shield
from saferl_ros.shield.guard import Guard


def judged_lamps(task: tuple[Path, float, int]) -> list[tuple[float, str]]:
    """Return the changes of lamps in the loop in which ``saferl evaluate`` judges a bundle."""
    bundle_folder, horizon_s, seed = task
    junction = Junction.derive(load_scenario('cologne1', horizon_s=horizon_s))
    bundle = load_bundle(bundle_folder)
    guard = None if bundle.guard_model is None else Guard(bundle.guard_model)
    controller = Shielded(bundle, Shield(junction.plan, guard=guard), guard)
    demand = DemandVariation(split=Split.TEST, seed=seed, is_nominal=True)
    simulation = JunctionSimulation(junction, demand)
    simulation.start()
    drive(simulation, [controller])
    log, begin_s = simulation.lamp_log, junction.scenario.begin_s
    simulation.close()
    return [(begin_s + n, lamps) for n, lamps in enumerate(log) if n == 0 or lamps != log[n - 1]]
