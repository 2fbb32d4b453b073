"""Episodes that tests play, here or in another process."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from saferl_ros.control.family import FamilyConfig, FixedTimeFamily
from saferl_ros.control.rollout import Drive, drive, EpisodeResult, finish
from saferl_ros.env.intersection import IntersectionEnv
from saferl_ros.env.junction import derive_junctions, Junction
from saferl_ros.env.network_simulation import JunctionSimulation, NetworkSimulation
from saferl_ros.env.reward import WaitingOutside
from saferl_ros.observation.spec import COUNT_SCALE_VEH
from saferl_ros.scenario import DemandVariation, load_scenario, Split
from saferl_ros.sumo.detectors import approach_edges
from saferl_ros.sumo.simulation import SimulationOptions

Trajectory = tuple[list[list[float]], list[float], list[float], list[str]]


def play(env: IntersectionEnv, seed: int) -> Trajectory:
    """Play random legal stages; return observations, rewards, times and lamps."""
    observation, info = env.reset(seed=seed)
    rng = np.random.default_rng(0)
    observations, rewards, times, is_over = [observation.tolist()], [], [], False
    while not is_over:
        action = int(rng.choice(np.flatnonzero(info['action_mask'])))
        observation, reward, terminated, is_over, info = env.step(action)
        assert not terminated
        observations.append(observation.tolist())
        rewards.append(reward)
        times.append(info['elapsed_s'])
    assert env.fault_counts() == {}
    return observations, rewards, times, env.lamp_log()


def play_cologne1(seed: int) -> Trajectory:
    env = IntersectionEnv('cologne1', horizon_s=600, scale_range=(0.8, 1.2), isolate=False)
    try:
        return play(env, seed)
    finally:
        env.close()


def lamps_of_the_own_program(name: str) -> list[str]:
    junction = Junction.derive(load_scenario(name, horizon_s=900), clearance='net')
    simulation = JunctionSimulation(junction)
    simulation.start(is_controlled=False)
    simulation.run_own_program()
    simulation.close()
    return simulation.lamp_log


def starved_under_the_own_program(name: str, max_red_s: float) -> int:
    """Return how many movements SUMO's own program kept waiting for longer than that."""
    junction = Junction.derive(load_scenario(name, horizon_s=900))
    junction = replace(junction, plan=replace(junction.plan, max_red_s=max_red_s))
    simulation = JunctionSimulation(junction)
    simulation.start(is_controlled=False)
    simulation.run_own_program()
    simulation.close()
    return simulation.control.monitor.counts['long_red']


def lamps_under_our_control(name: str) -> list[str]:
    junction = Junction.derive(load_scenario(name, horizon_s=900), clearance='net')
    simulation = JunctionSimulation(junction)
    simulation.start()
    own = FixedTimeFamily(junction.plan, FamilyConfig(plans='net'), np.random.default_rng(0))
    drive(simulation, [own])
    simulation.close()
    return simulation.lamp_log


def lamps_of_a_neighbour(is_controlled: bool) -> dict[float, str]:
    """Return by time what another signal shows while ours is controlled, or is not."""
    junction = Junction.derive(load_scenario('cologne3', junction_id='360082', horizon_s=300))
    simulation = JunctionSimulation(junction)
    simulation.start(is_controlled=is_controlled)
    api, shown = simulation.simulation.api, {}
    step = simulation._advance

    def advance() -> None:
        step()
        shown[simulation.simulation.time_s] = api.trafficlight.getRedYellowGreenState('360086')

    simulation._advance = advance
    if is_controlled:
        rng = np.random.default_rng(0)
        while not simulation.is_over:
            simulation.apply(int(rng.choice(np.flatnonzero(simulation.signal_view().legal))))
    else:
        simulation.run_own_program()
    simulation.close()
    return shown


def look_around(seconds: int) -> list[tuple[str, float, int]]:
    """Return what neighbours' detectors say and what stands there: (name, reading, truth)."""
    junctions = derive_junctions(
        load_scenario('cologne8', horizon_s=seconds + 60), observation='neighbours'
    )
    demand = DemandVariation(split=Split.TEST, seed=0, is_nominal=True)
    simulation = NetworkSimulation(junctions, demand, SimulationOptions())
    found = []
    try:
        simulation.start()
        while simulation.now_s < junctions[0].scenario.begin_s + seconds:
            for control in simulation.controls:
                if control.is_due:
                    control.request(int(np.flatnonzero(control.signal_view().legal)[-1]))
            simulation.run_until_due()
        api = simulation.simulation.api
        for control in simulation.controls:
            names = [feature.name for feature in control.spec.features()]
            vector = control.observe(simulation.now_s)
            for road in control.spec.approaches:
                if not road.edge_id.endswith(('_exit', '_upstream')):
                    continue
                kinds = (f'{road.edge_id}_advance_queue', f'{road.edge_id}_advance_moving')
                reading = COUNT_SCALE_VEH * sum(float(vector[names.index(k)]) for k in kinds)
                truth = sum(
                    start_m < api.vehicle.getLanePosition(vehicle)
                    and api.vehicle.getLanePosition(vehicle) - api.vehicle.getLength(vehicle)
                    < end_m
                    for lane, start_m, end_m in road.spans
                    for vehicle in api.lane.getLastStepVehicleIDs(lane)
                )
                found.append((road.edge_id, reading, truth))
    finally:
        simulation.close()
    return found


def one_drives_blind(is_blind: bool) -> tuple[tuple[float, str, str] | None, EpisodeResult]:
    """Let the first vehicle that follows another drive on as if nobody were there."""
    junctions = derive_junctions(load_scenario('cologne1', horizon_s=120))
    demand = DemandVariation(split=Split.TUNE, seed=0, is_nominal=True)
    simulation = NetworkSimulation(junctions, demand, SimulationOptions(outputs=True))
    simulation.start(is_controlled=False)
    api, blind = simulation.simulation.api, None
    while api.simulation.getTime() < 25320:
        api.simulationStep()
        for vehicle in api.vehicle.getIDList() if is_blind and blind is None else ():
            leader = api.vehicle.getLeader(vehicle, 20)
            if leader and leader[0] and api.vehicle.getSpeed(leader[0]) < 1:
                api.vehicle.setSpeedMode(vehicle, 0)
                api.vehicle.setLaneChangeMode(vehicle, 0)
                api.vehicle.setSpeed(vehicle, 4)
                blind = (api.simulation.getTime(), vehicle, leader[0])
                break
    return blind, finish(simulation, Drive())


def drive_own_plan(reward: str | None) -> EpisodeResult:
    """Play five minutes of the own plan in this process."""
    junction = Junction.derive(load_scenario('cologne1', horizon_s=300))
    simulation = NetworkSimulation(
        [junction],
        DemandVariation(split=Split.TUNE, seed=1),
        SimulationOptions(outputs=True),
        reward=reward,
        sample_traffic=True,
    )
    plan = FixedTimeFamily(junction.plan, FamilyConfig(plans='net'), np.random.default_rng(0))
    rewards = []
    try:
        simulation.start()
        done = drive(simulation, [plan], lambda *step: rewards.append(step[-1].reward))
        result = finish(simulation, done)
    finally:
        simulation.close()
    assert len(rewards) > 20
    assert np.isnan(rewards).all() if reward is None else min(rewards) < 0
    return result


def count_outside(scale: float) -> tuple[list[int], list[int]]:
    """Return who waits at each approach after five minutes, by our count and by SUMO's."""
    junctions = derive_junctions(load_scenario('cologne8', horizon_s=300))
    simulation = NetworkSimulation(
        junctions, DemandVariation(split=Split.TUNE, seed=1, scale=scale), SimulationOptions()
    )
    try:
        simulation.start(is_controlled=False)
        api, outside = simulation.simulation.api, WaitingOutside(simulation.simulation.api)
        for _ in range(300):
            api.simulationStep()
            outside.read()
        edges = [e for j in junctions for e in approach_edges(j.network, j.spec)]
        return (
            [outside.at(edge) for edge in edges],
            [len(api.edge.getPendingVehicles(edge)) for edge in edges],
        )
    finally:
        simulation.close()
