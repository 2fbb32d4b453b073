"""The numbers of an unmodified ``sumo_rl.SumoEnvironment``, step by step on cologne1."""

from __future__ import annotations

import numpy as np
import pytest

from saferl_ros.env.intersection import IntersectionEnv
from saferl_ros.scenario import DemandVariation, load_scenario, Split
from saferl_ros.sumo.home import load_library
from saferl_ros.sumo.settings import PlanLimits

pytestmark = pytest.mark.sumo

HORIZON_S = 600
YELLOW_S = 3  # what our 'resco' clearances show on cologne1
SAME_SUMO = ('--waiting-time-memory', '1000', '--max-depart-delay', '-1')


def actions() -> list[int]:
    """Random stages; the first two keep stage 0, since sumo-rl starts as if after a change."""
    rng = np.random.default_rng(3)
    held = [int(stage) for stage in rng.integers(0, 4, 60) for _ in range(int(rng.integers(1, 5)))]
    return [0, 0, *held][: HORIZON_S // 5]


def theirs(reward: str) -> tuple[list[np.ndarray], list[float]]:
    scenario = load_scenario('cologne1')
    env = load_library('sumo_rl').SumoEnvironment(
        net_file=str(scenario.net_file),
        route_file=str(scenario.route_files[0]),
        single_agent=True,
        begin_time=25200,
        num_seconds=HORIZON_S,
        delta_time=5,
        yellow_time=YELLOW_S,
        min_green=5,
        reward_fn=reward,
        sumo_seed=DemandVariation(split=Split.RECORD, seed=0).sumo_seed,
        sumo_warnings=False,
        time_to_teleport=300,
        additional_sumo_cmd='--no-step-log --duration-log.disable',
    )
    observation, _ = env.reset()
    observations, rewards = [observation], []
    for action in actions():
        observation, value, _, _, _ = env.step(action)
        observations.append(observation)
        rewards.append(float(value))
    env.close()
    return observations, rewards


def ours(reward, observation='sumo_rl') -> tuple[list[np.ndarray], list[float]]:
    env = IntersectionEnv(
        'cologne1',
        horizon_s=HORIZON_S,
        clearance='resco',
        observation=observation,
        reward=reward,
        fixed_interval=True,
        limits=PlanLimits(max_green_s=1e6, max_red_s=1e6),
        sumo_options=SAME_SUMO,
    )
    first, _ = env.reset(seed=0)
    observations, rewards = [first], []
    for action in actions():
        found, value, _, _, _ = env.step(action)
        observations.append(found)
        rewards.append(value)
    env.close()
    return observations, rewards


@pytest.mark.parametrize('reward', ['queue', 'pressure', 'diff-waiting-time', 'average-speed'])
def test_observation_and_reward_equal_those_of_sumo_rl(reward):
    their_observations, their_rewards = theirs(reward)
    our_observations, our_rewards = ours(reward)
    for n, (a, b) in enumerate(zip(our_observations, their_observations, strict=True)):
        np.testing.assert_array_equal(a, b, err_msg=f'decision {n}')
    np.testing.assert_array_equal(our_rewards, their_rewards)


def test_their_default_observation_class_runs_unchanged():
    function = load_library('sumo_rl').environment.observations.DefaultObservationFunction
    by_class, _ = ours('queue', observation=function)
    by_name, _ = ours('queue')
    for n, (a, b) in enumerate(zip(by_class, by_name, strict=True)):
        np.testing.assert_array_equal(a, b, err_msg=f'decision {n}')


def test_a_reward_callable_written_for_sumo_rl_runs_unchanged():
    def mean_density(traffic_signal):
        return -float(np.mean(traffic_signal.get_lanes_density()))

    observations, rewards = ours(mean_density)
    densities = [-float(np.mean(o[5:13])) for o in observations[1:]]
    np.testing.assert_allclose(rewards, densities, rtol=1e-5)
    assert min(rewards) < 0
