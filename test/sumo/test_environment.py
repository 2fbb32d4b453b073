"""The environment over the real SUMO: checked, deterministic, faithful to the network's plan."""

from __future__ import annotations

from functools import partial

from episodes import (
    count_outside,
    lamps_of_a_neighbour,
    lamps_of_the_own_program,
    lamps_under_our_control,
    play,
    play_cologne1,
    starved_under_the_own_program,
)
import gymnasium
from gymnasium.utils.env_checker import check_env
import pytest

from saferl_ros.env.intersection import IntersectionEnv
import saferl_ros.env.registration  # noqa: F401 - registers the environments
from saferl_ros.errors import UsageError
from saferl_ros.isolation import run_isolated

pytestmark = pytest.mark.sumo


@pytest.mark.parametrize('observation', ['detector', 'neighbours', 'ideal', 'sumo_rl'])
def test_gymnasiums_checker_accepts_the_environment(observation):
    env = gymnasium.make('saferl/cologne1-v0', horizon_s=300, observation=observation)
    check_env(env.unwrapped)
    env.close()


def test_the_same_seed_gives_the_same_episode_in_any_order():
    env = IntersectionEnv('cologne1', horizon_s=600, scale_range=(0.8, 1.2))
    first, other, again = play(env, 1), play(env, 2), play(env, 1)
    env.close()
    assert first == again
    assert first != other


def test_rewards_count_who_waits_outside_as_sumo_does():
    ((_, (counted, truth)),) = run_isolated(count_outside, [6.0], jobs=1)
    assert counted == truth
    assert sum(n > 0 for n in truth) > 3


def test_the_number_of_jobs_changes_nothing():
    tasks = [1, 2, 3]
    alone = dict(run_isolated(play_cologne1, tasks, jobs=1))
    together = dict(run_isolated(play_cologne1, tasks, jobs=3))
    assert alone == together


def test_libsumo_and_traci_give_the_same_episode():
    libsumo = IntersectionEnv('cologne1', horizon_s=300)
    traci = IntersectionEnv('cologne1', horizon_s=300, backend='traci')
    assert play(libsumo, 1) == play(traci, 1)
    libsumo.close()
    traci.close()


def test_elapsed_times_add_up_to_the_horizon():
    env = IntersectionEnv('cologne1', horizon_s=600)
    _, _, times, lamps = play(env, 1)
    env.close()
    assert len(lamps) == 600
    assert sum(times) == 600 - 5  # the first minimum green comes before the first decision


@pytest.mark.parametrize(
    'name', ['cologne1', 'ingolstadt1', 'single-intersection', '2way-single-intersection']
)
def test_driven_by_the_own_plan_it_reproduces_it_to_the_second(name):
    ((_, theirs),) = run_isolated(lamps_of_the_own_program, [name], jobs=1)
    ((_, ours),) = run_isolated(lamps_under_our_control, [name], jobs=1)
    assert len(theirs) == 900
    assert ours == theirs


def test_other_signals_keep_their_own_plans():
    ours = dict(run_isolated(lamps_of_a_neighbour, [True, False], jobs=2))
    assert len(ours[0]) > 250
    assert {lamps for lamps in ours[0].values() if 'y' in lamps}  # it changes by itself
    assert all(ours[1][time_s] == lamps for time_s, lamps in ours[0].items())


def test_a_sumo_that_runs_already_has_no_detectors():
    with pytest.raises(UsageError, match=r'needs detectors.* choose ideal or sumo_rl'):
        IntersectionEnv('cologne1', attach_port=8813)


@pytest.mark.parametrize(('max_red_s', 'is_long'), [(45.0, True), (240.0, False)])
def test_whom_the_own_program_keeps_waiting_too_long_is_counted(max_red_s, is_long):
    ((_, starved),) = run_isolated(
        partial(starved_under_the_own_program, max_red_s=max_red_s), ['cologne1'], jobs=1
    )
    assert (starved > 10) is is_long
