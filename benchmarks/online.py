"""
What exploring in the street would have bought: Double DQN that learns online, beside our policies.

``python benchmarks/online.py runs/benchmark/cologne1`` learns at every junction of a finished
benchmark run with a network of its own, by the offline recipe's network, reward and discount, but
from 80 simulated hours of its own choosing (epsilon-greedy among the legal stages), and plays the
test demands of that run. It is a yardstick and no part of the package, which never explores.
Finished seeds are kept, so that an interrupted run goes on; results go to
``docs/benchmark/<map>.online.json``.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
import json
from pathlib import Path
from typing import Any

from kept import KEPT, plans_digest
import numpy as np

from saferl_ros.bundle.export import export_bundle
from saferl_ros.bundle.folders import bundle_folder, bundles_of
from saferl_ros.bundle.manifest import MANIFEST_NAME, PARTIAL
from saferl_ros.cli.run_config import RunConfig
from saferl_ros.cli.screen import progress_bar
from saferl_ros.dataset.files import record_paths
from saferl_ros.dataset.io import read_record
from saferl_ros.dataset.schema import Record
from saferl_ros.env.junction import DECISION_S
from saferl_ros.env.network import NetworkEnv
from saferl_ros.evaluate.contest import Contestant, play_all
from saferl_ros.evaluate.judge import test_demands
from saferl_ros.evaluate.kept import KeptEpisodes
from saferl_ros.isolation import run_isolated
from saferl_ros.observation.spec import SPEC_VERSION
from saferl_ros.record.recorder import draw_demands, RecordConfig
from saferl_ros.record.revision import git_revision
from saferl_ros.train.averaging import WeightAverage
from saferl_ros.train.config import TrainConfig
from saferl_ros.train.learner import Training
from saferl_ros.train.lesson import lesson_of
from saferl_ros.train.library import load_d3rlpy, load_torch
from saferl_ros.train.replay import batches, Transitions

EPISODES = 80
EXPLORATION = (1.0, 0.02)  # epsilon at the start, and from three quarters of the episodes on
WARM_UP = 1000  # decisions before the first gradient step
UPDATES_AT_A_TIME = 100


@dataclass(slots=True)
class Agent:
    """The learner of one junction."""

    record: Record
    algorithm: Any
    average: WeightAverage
    scale: float  # on rewards, the same as offline
    config: TrainConfig
    now: tuple[Any, int] | None = None  # observation and stage of the step that runs
    past: list[tuple[Any, int, float, Any, float]] = field(default_factory=list)
    n_owed: int = 0  # gradient steps, one per decision

    def choose(self, observation: Any, mask: Any, epsilon: float, rng: np.random.Generator) -> int:
        """Return a stage: any legal one, or the best."""
        if rng.random() < epsilon:
            return int(rng.choice(np.flatnonzero(mask)))
        return int(self.algorithm.predict(observation[None])[0])

    def end_step(self, reward: float, observation: Any, elapsed_s: float) -> None:
        """Remember what the running step led to."""
        assert self.now is not None
        interval = elapsed_s / DECISION_S
        self.past.append((*self.now, reward * self.scale, observation, interval))
        self.now = None
        self.n_owed += len(self.past) > WARM_UP

    def learn(self, rng: np.random.Generator) -> None:
        """Take the gradient steps that are owed."""
        if self.n_owed < UPDATES_AT_A_TIME:
            return
        observations, actions, rewards, nexts, intervals = zip(*self.past, strict=True)
        data = Transitions(
            observations=np.array(observations, np.float32),
            actions=np.array(actions),
            next_actions=np.array(actions),  # nobody asks
            rewards=np.array(rewards, np.float32),
            plain_rewards=np.array(rewards, np.float32),
            next_observations=np.array(nexts, np.float32),
            intervals=np.array(intervals, np.float32),
            weights=np.ones(len(actions), np.float32),
        )
        for batch in batches(data, self.config.cql.batch_size, self.n_owed, rng):
            self.algorithm.update(batch)
            self.average.update()
        self.n_owed = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlineTask:
    """One training seed."""

    run_dir: Path
    seed: int
    folder: Path


def learn_online(task: OnlineTask) -> None:
    """Explore, learn and export a bundle for each junction."""
    load_torch().set_num_threads(1)
    load_d3rlpy().seed(task.seed)
    rng = np.random.default_rng([task.seed, 41])
    config = config_of(task.run_dir)
    junctions = config.load_junctions()
    ids = [junction.plan.junction_id for junction in junctions]
    env = NetworkEnv(
        junctions[0].scenario,
        junction_ids=tuple(ids),
        clearance=junctions[0].plan.clearance,
        observation=config.observation,
        settings=config.signals,
    )
    agents = {
        record.plan.junction_id: make_agent(record, config.train)
        for record in map(read_record, record_files(task.run_dir, ids))
    }
    demands = draw_demands(RecordConfig(episodes=EPISODES, seed=1000 + task.seed))
    for n, demand in enumerate(demands):
        first, last = EXPLORATION
        epsilon = max(last, first - (first - last) * n / (0.75 * EPISODES))
        observations, infos = env.reset(options={'demand': demand})
        while env.agents:
            actions = {}
            for name, agent in agents.items():
                if infos[name]['is_due']:
                    mask = infos[name]['action_mask']
                    actions[name] = agent.choose(observations[name], mask, epsilon, rng)
                    agent.now = observations[name], actions[name]
            observations, rewards, _, _, infos = env.step(actions)
            for name, agent in agents.items():
                if infos[name]['elapsed_s'] and agent.now is not None:
                    agent.end_step(rewards[name], observations[name], infos[name]['elapsed_s'])
                    agent.learn(rng)
        for agent in agents.values():
            agent.now = None
    env.close()
    for name, agent in agents.items():
        agent.average.apply()
        export_bundle(
            Training('dqn', task.seed, agent.algorithm, agent.scale, len(agent.past)),
            agent.record,
            config.train,
            bundle_folder(task.folder, name, is_alone=len(agents) == 1),
            dataset_sha256='learned online',
            has_guard=False,
        )


def make_agent(record: Record, config: TrainConfig) -> Agent:
    """Return a fresh learner; of the record it takes the shape and the reward scale alone."""
    n_updates = sum(len(e) for e in record.behaviour()[:1]) * EPISODES  # how far the rate falls
    cql = config.cql.model_copy(update={'steps': n_updates, 'shaping': 0.0})
    config = config.model_copy(update={'cql': cql})
    lesson = lesson_of(record, 'dqn', config, device='cpu')
    algorithm = lesson.create()
    average = WeightAverage(algorithm.impl.q_function, config.cql.averaging)
    return Agent(record, algorithm, average, lesson.scale, config)


def config_of(run_dir: Path) -> RunConfig:
    """Return the configuration of a run."""
    return RunConfig.model_validate_json((run_dir / 'config.yaml').read_text(encoding='utf-8'))


def record_files(run_dir: Path, junction_ids: list[str]) -> list[Path]:
    """Return the records of a run."""
    place = run_dir / ('dataset.h5' if len(junction_ids) == 1 else 'dataset')
    return record_paths(place, junction_ids)


def _is_done(task: OnlineTask, n_junctions: int) -> bool:
    found = [path.parent.name for path in task.folder.rglob(MANIFEST_NAME)]
    return sum(not name.endswith(PARTIAL) for name in found) >= n_junctions


def main() -> None:
    """Learn, play, and keep the delays."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('run_dir', type=Path)
    parser.add_argument('--seeds', type=int, nargs='+', default=[1, 2, 3])
    parser.add_argument('--jobs', type=int, default=2)
    options = parser.parse_args()
    config = config_of(options.run_dir)
    junctions = config.load_junctions()
    ids = [junction.plan.junction_id for junction in junctions]
    tasks = [
        OnlineTask(run_dir=options.run_dir, seed=seed, folder=options.run_dir / f'online_{seed}')
        for seed in options.seeds
    ]
    left = [task for task in tasks if not _is_done(task, len(ids))]
    with progress_bar('learning online') as progress:
        progress(0, len(left))
        for n, _ in enumerate(run_isolated(learn_online, left, jobs=options.jobs)):
            progress(n + 1, len(left))
    demands = test_demands(config.evaluate)
    contestants = [
        Contestant(name='online', bundles=bundles_of(task.folder, ids)) for task in tasks
    ]
    with progress_bar('judging') as progress:
        kept_file = options.run_dir / 'online.episodes.jsonl'
        scores = play_all(
            *(junctions, contestants, demands),
            jobs=options.jobs,
            kept=KeptEpisodes(kept_file),
            progress=progress,
        )
    for task, row in zip(tasks, scores, strict=True):
        print(f'online Double DQN, seed {task.seed}: {np.mean(row):.1f} s/veh')
    kept = {
        'episodes': EPISODES,
        'exploration': EXPLORATION,
        'observation_version': SPEC_VERSION,
        'plans': plans_digest(junction.plan.fingerprint() for junction in junctions),
        'git_revision': git_revision(),
        'config': config.model_dump(mode='json'),
        'seeds': options.seeds,
        'demands': [demand.to_json() for demand in demands],
        'delay_s': scores,
    }
    path = KEPT / f'{options.run_dir.name}.online.json'
    path.write_text(json.dumps(kept, sort_keys=True) + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
