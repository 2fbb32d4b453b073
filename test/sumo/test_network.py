"""Networks: many junctions in one SUMO."""

from __future__ import annotations

from pathlib import Path

from episodes import look_around
import numpy as np
from pettingzoo.test import parallel_api_test, parallel_seed_test
import pytest

from saferl_ros.control.family import FamilyConfig
from saferl_ros.dataset.files import record_paths
from saferl_ros.dataset.io import read_record
from saferl_ros.env.junction import derive_junctions, Junction
from saferl_ros.env.network import NetworkEnv
from saferl_ros.errors import UsageError
from saferl_ros.evaluate.contest import Contestant, Match, play
from saferl_ros.isolation import run_isolated
from saferl_ros.record.recorder import record, RecordConfig
from saferl_ros.scenario import DemandVariation, load_scenario, Split


@pytest.mark.filterwarnings('error')
def test_the_parallel_env_passes_pettingzoo_s_own_checker() -> None:
    env = NetworkEnv('cologne3', horizon_s=120)
    parallel_api_test(env, num_cycles=200)
    assert env.agents == []  # every agent was truncated at the end
    with pytest.raises(UsageError, match='reset'):
        env.step({})
    assert all(len(log) == 120 for log in env.lamp_logs().values())
    env.close()


def test_an_episode_follows_from_its_seed_and_the_actions() -> None:
    parallel_seed_test(lambda: NetworkEnv('cologne3', horizon_s=60), num_cycles=10)


def test_an_agent_that_must_choose_cannot_be_left_out() -> None:
    env = NetworkEnv('cologne3', horizon_s=60)
    _, infos = env.reset(seed=1)
    due = [agent for agent, info in infos.items() if info['is_due']]
    with pytest.raises(UsageError, match=f'no action for {due[0]}'):
        env.step({})
    env.close()


def play_random(seed: int) -> tuple[list[float], dict[str, list[str]], dict[str, dict[str, int]]]:
    """Play random legal stages; return rewards, lamps and faults."""
    env = NetworkEnv('cologne3', horizon_s=400, scale_range=(0.8, 1.2))
    _, infos = env.reset(seed=seed)
    rng, rewards = np.random.default_rng(0), []
    waited = dict.fromkeys(env.agents, 0.0)
    while env.agents:
        actions = {
            agent: rng.choice(np.flatnonzero(info['action_mask'])) for agent, info in infos.items()
        }
        _, reward, _, _, infos = env.step(actions)
        rewards += reward.values()
        for agent, info in infos.items():
            waited[agent] += info['elapsed_s']
            assert info['action_mask'].sum() >= 1
            assert info['is_due'] or info['action_mask'].sum() == 1
    assert all(300 < seconds <= 400 for seconds in waited.values())  # steps tile the episode
    lamps, faults = env.lamp_logs(), env.fault_counts()
    env.close()
    return rewards, lamps, faults


def test_a_network_is_reproducible_and_never_shows_a_fault() -> None:
    one, two = play_random(3), play_random(3)
    assert one == two
    assert all(faults == {} for faults in one[2].values())
    assert all(len(log) == 400 for log in one[1].values())
    assert play_random(4)[0] != one[0]


def test_a_junction_alone_and_in_a_network_of_one_is_the_same() -> None:
    scenario = load_scenario('cologne1', horizon_s=300)
    alone, of_one = Junction.derive(scenario), derive_junctions(scenario)
    assert [j.plan.fingerprint() for j in of_one] == [alone.plan.fingerprint()]


def test_junctions_of_a_network_are_recorded_together(tmp_path: Path) -> None:
    junctions = derive_junctions(load_scenario('cologne3', horizon_s=300))
    ids = [junction.plan.junction_id for junction in junctions]
    paths = record_paths(tmp_path / 'data', ids)
    record(junctions, RecordConfig(episodes=2, family=FamilyConfig()), paths)
    records = [read_record(path) for path in paths]
    assert [found.plan.junction_id for found in records] == ids
    assert all(found.manifest['recorded_junctions'] == ids for found in records)
    first = records[0]
    for found in records:
        assert [e.metrics for e in found.episodes] == [e.metrics for e in first.episodes]
        for episode in found.episodes:
            assert 200 < episode.elapsed_s.sum() <= 300
            assert episode.legal[np.arange(len(episode)), episode.applied_stage].all()
    assert not list(tmp_path.glob('**/*.parts'))


def test_named_junctions_leave_the_others_to_their_own_programs() -> None:
    scenario = load_scenario('cologne3', horizon_s=300)
    every = derive_junctions(scenario)
    some = derive_junctions(scenario, [every[1].plan.junction_id])
    demand = DemandVariation(split=Split.TEST, seed=0, is_nominal=True)
    own = Contestant(name='own_plan', programs={j.plan.junction_id: j.plan.program for j in every})
    matches = [
        Match(junctions=tuple(junctions), contestant=own, demand=demand)
        for junctions in (every, some)
    ]
    results = dict(run_isolated(play, matches, jobs=2))
    assert results[0].trips.delay_s != results[1].trips.delay_s
    assert all(result.monitor_faults == 0 for result in results.values())


def test_neighbours_see_the_space_downstream_and_the_queues_upstream() -> None:
    ((_, found),) = run_isolated(look_around, [900], jobs=1)
    assert {name.rsplit('_', 1)[1] for name, _, _ in found} == {'exit', 'upstream'}
    assert sum(truth for _, _, truth in found) > 5  # there is traffic to see
    for name, reading, truth in found:
        assert reading == pytest.approx(truth, abs=0.01), name
