"""A junction with a known best stage: what learns must find it, from fixed-time data alone."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

from known import record
import numpy as np
import pytest
import torch

from saferl_ros.bundle.export import export_bundle
from saferl_ros.bundle.load import load_bundle
from saferl_ros.dataset.schema import Record
from saferl_ros.train.algorithm import scorer_module
from saferl_ros.train.config import CloningConfig, FqeConfig, QLearningConfig, TrainConfig
from saferl_ros.train.ensemble import train_ensemble
from saferl_ros.train.learner import train_algorithm
from saferl_ros.train.lesson import Lesson, lesson_of
from saferl_ros.train.masked_q import ILLEGAL_VALUE
from saferl_ros.train.replay import make_transitions, merge_short_holds, to_replay_buffer

pytestmark = pytest.mark.slow

CONFIG = TrainConfig(
    cql=QLearningConfig(steps=1500, hidden_units=(32,), learning_rate=2e-3, gamma=0.9,
                        target_update_interval=100),
    bc=CloningConfig(steps=1000, hidden_units=(32,)),
    fqe=FqeConfig(steps=300, times=1),
)  # fmt: skip


def taught(data: Record, name: str, config: TrainConfig) -> Lesson:
    return lesson_of(data, name, config, device='cpu')


@pytest.mark.parametrize('name', ['cql', 'dqn'])
def test_q_learning_serves_the_leg_with_the_queue(tmp_path, name):
    data, _ = record()
    training = train_algorithm(taught(data, name, CONFIG), name, CONFIG, 1, tmp_path / 'log')
    states = np.concatenate([e.observations[:-1] for e in data.behaviour()])
    queue_1 = states[:, [f.name for f in data.spec.features()].index('in1_0_queue')]
    right = training.algorithm.predict(states) == queue_1
    assert right.mean() > 0.99


def test_the_estimate_is_of_the_size_of_the_return(tmp_path):
    data, _ = record()
    training = train_algorithm(taught(data, 'cql', CONFIG), 'cql', CONFIG, 1, tmp_path / 'log')
    # blind plans get -1.5 a step, scaled to -1: at a discount of 0.95 that is worth -20; the best
    # policy never lets the queue wait
    assert training.behaviour_value == pytest.approx(-20, abs=1)
    assert training.fqe_value is not None
    assert training.behaviour_value < training.fqe_value < 0


def test_behaviour_cloning_reproduces_the_own_plan(tmp_path):
    data, _ = record()
    training = train_algorithm(taught(data, 'bc', CONFIG), 'bc', CONFIG, 1, tmp_path / 'log')
    own = data.own_plan()
    states = np.concatenate([e.observations[2:-1] for e in own])
    actions = np.concatenate([e.applied_stage[2:] for e in own])
    assert (training.algorithm.predict(states) == actions).mean() > 0.99


def test_the_same_seed_learns_the_same_policy(tmp_path):
    data, _ = record(8, 100)
    config = CONFIG.model_copy(update={'cql': CONFIG.cql.model_copy(update={'steps': 600})})
    states, lesson = data.episodes[1].observations, taught(data, 'cql', config)
    zeros = np.zeros(len(states), dtype=np.int64)
    trainings = [
        train_algorithm(lesson, 'cql', config, seed, tmp_path / str(n))
        for n, seed in enumerate((1, 1, 2))
    ]
    values = [training.algorithm.predict_value(states, zeros) for training in trainings]
    np.testing.assert_array_equal(values[0], values[1])
    assert not np.array_equal(values[0], values[2])


@pytest.mark.parametrize('averaging', [0.0, 0.99])
def test_an_interrupted_training_ends_as_an_undisturbed_one(tmp_path, averaging):
    data, _ = record(8, 100)

    cql = CONFIG.cql.model_copy(update={'steps': 1000, 'averaging': averaging})
    config = CONFIG.model_copy(update={'cql': cql, 'fqe': FqeConfig(steps=0)})

    def interrupt(done: int, total: int) -> None:
        if done == 500:
            raise KeyboardInterrupt

    states = data.episodes[1].observations
    zeros = np.zeros(len(states), dtype=np.int64)
    lesson = taught(data, 'cql', config)
    whole = train_algorithm(lesson, 'cql', config, 1, tmp_path / 'whole')
    with pytest.raises(KeyboardInterrupt):
        train_algorithm(lesson, 'cql', config, 1, tmp_path / 'parts', progress=interrupt)
    resumed = train_algorithm(lesson, 'cql', config, 1, tmp_path / 'parts')
    np.testing.assert_allclose(
        resumed.algorithm.predict_value(states, zeros),
        whole.algorithm.predict_value(states, zeros),
        rtol=1e-5,
    )
    assert [row['step'] for row in resumed.log] == [row['step'] for row in whole.log]


@pytest.mark.parametrize(
    ('name', 'n_critics', 'n_quantiles'),
    [('cql', 1, 0), ('cql', 2, 0), ('cql', 1, 8), ('bc', 1, 0)],
)
def test_the_exported_bundle_computes_what_torch_computes(tmp_path, name, n_critics, n_quantiles):
    data, _ = record(4, 60)
    cql = CONFIG.cql.model_copy(
        update={'steps': 20, 'n_critics': n_critics, 'n_quantiles': n_quantiles}
    )
    config = CONFIG.model_copy(
        update={'cql': cql, 'bc': CloningConfig(steps=20), 'fqe': FqeConfig(steps=0)}
    )
    training = train_algorithm(taught(data, name, config), name, config, 1, tmp_path / 'log')
    export_bundle(training, data, config, tmp_path / name, dataset_sha256='0' * 64)
    bundle = load_bundle(tmp_path / name)
    states = data.episodes[0].observations
    best = [bundle.decide(state, np.array([True, True])) for state in states]
    np.testing.assert_array_equal(best, training.algorithm.predict(states))


def test_an_ensemble_is_exported_as_the_mean_of_its_members(tmp_path):
    data, _ = record(4, 60)
    config = CONFIG.model_copy(
        update={
            'cql': CONFIG.cql.model_copy(update={'steps': 20, 'ensemble': 3}),
            'fqe': FqeConfig(steps=0),
        }
    )
    done: list[tuple[int, int]] = []
    training = train_ensemble(
        taught(data, 'cql', config),
        'cql',
        config,
        1,
        tmp_path / 'log',
        progress=lambda n, total: done.append((n, total)),
    )
    export_bundle(training, data, config, tmp_path / 'cql', dataset_sha256='0' * 64)
    bundle = load_bundle(tmp_path / 'cql')
    states = data.episodes[0].observations[:50]
    members = [training.algorithm, *training.others]
    assert (len(members), done[-1]) == (3, (60, 60))
    legal = bundle.spec.features()
    columns = [n for n, feature in enumerate(legal) if feature.name.endswith('_is_legal')]
    for stage in range(2):
        values = [m.predict_value(states, np.full(50, stage)) for m in members]
        assert not np.allclose(values[0], values[1])
        scores = np.array([bundle.scores(state)[stage] for state in states])
        is_legal = states[:, columns[stage]] > 0.5
        np.testing.assert_allclose(
            scores[is_legal], np.mean(values, axis=0)[is_legal], rtol=1e-4, atol=1e-5
        )


class Member:
    """What ``scorer_module`` needs of an algorithm: a network with fixed values."""

    def __init__(self, *values: float) -> None:
        class Q(torch.nn.Module):
            def forward(self, x: torch.Tensor) -> SimpleNamespace:
                return SimpleNamespace(q_value=torch.tensor([values]).expand(len(x), -1))

        self.impl = SimpleNamespace(q_function=[Q()])


def test_pessimism_takes_off_what_the_members_disagree_on():
    # stage 1 is best on average, but only one member finds it so; that the second member's values
    # are 100 higher as a whole is no disagreement about the stages
    members = Member(1.0, 6.0, 0.0, ILLEGAL_VALUE), Member(101.0, 98.0, 100.0, ILLEGAL_VALUE)
    state = torch.zeros(1, 2)
    mean = scorer_module(*members)(state)
    careful = scorer_module(*members, pessimism=1.0)(state)
    assert (mean.argmax(), careful.argmax()) == (1, 0)
    advantages = np.array([[1.0, 6.0, 0.0], [101.0, 98.0, 100.0]])
    advantages -= advantages.mean(axis=1, keepdims=True)
    expected = mean[0, :3].numpy() - advantages.std(axis=0, ddof=1)
    np.testing.assert_allclose(careful[0, :3], expected, rtol=1e-5)
    assert careful[0, 3] == ILLEGAL_VALUE
    alone = scorer_module(members[0], pessimism=1.0)(state)
    np.testing.assert_array_equal(alone, scorer_module(members[0])(state))


def test_the_replay_buffer_states_the_plans_number_of_actions():
    data, _ = record(4, 60)
    one_sided = [replace(e, applied_stage=np.zeros_like(e.applied_stage)) for e in data.episodes]
    buffer = to_replay_buffer(replace(data, episodes=one_sided))
    assert buffer.dataset_info.action_size == 2
    assert buffer.transition_count > 0


def test_transitions_discount_by_time_and_weigh_by_probability():
    data, _ = record(4, 60)
    episode = replace(
        data.episodes[1],
        elapsed_s=np.full(60, 11.0, dtype=np.float32),
        behaviour_prob=np.full(60, 0.01, dtype=np.float32),
    )
    transitions = make_transitions([episode], scale=0.5, decision_s=5.0, max_weight=20.0)
    assert transitions.intervals[0] == pytest.approx(2.2)
    assert transitions.weights[0] == 20.0
    assert transitions.rewards[0] == episode.reward[0] * 0.5


@pytest.mark.parametrize('by_time', [True, False])
def test_several_steps_sum_discounted_rewards_and_end_with_the_episode(by_time):
    data, _ = record(2, 40)
    episode = replace(data.episodes[1], elapsed_s=np.tile(np.array([5.0, 15.0], np.float32), 20))
    gamma, n_steps = 0.9, 3
    found = make_transitions(
        [episode, episode],
        **{'scale': 1.0, 'decision_s': 5.0, 'max_weight': 20.0},
        **{'n_steps': n_steps, 'gamma': gamma, 'discount_by_time': by_time},
    )
    assert len(found) == 80
    for t in (0, 7, 37, 38, 39):
        ahead = range(t, min(t + n_steps, 40))
        lengths = [float(episode.elapsed_s[k]) / 5 if by_time else 1.0 for k in ahead]
        before = np.cumsum([0.0, *lengths])
        total = sum(gamma ** before[n] * episode.reward[k] for n, k in enumerate(ahead))
        for at in (t, t + 40):  # nothing leaks from one episode into the next
            assert found.rewards[at] == pytest.approx(total, rel=1e-5)
            assert found.intervals[at] == pytest.approx(before[-1])
            expected = episode.observations[min(t + n_steps, 40)]
            np.testing.assert_array_equal(found.next_observations[at], expected)


def test_a_hold_of_a_second_is_read_as_the_change_after_it():
    data, _ = record(2, 8)
    episode = replace(
        data.episodes[1],
        stage=np.array([0, 0, 1, 1, 1, 0, 0, 0, 1]),
        applied_stage=np.array([0, 1, 1, 1, 0, 0, 0, 1]),
        requested_stage=np.array([0, 1, 1, 1, 0, 0, 0, 1]),
        elapsed_s=np.array([1, 11, 5, 4, 11, 5, 1, 11], dtype=np.float32),
        reward=np.arange(1, 9, dtype=np.float32),
        behaviour_prob=np.full(8, 0.5, dtype=np.float32),
        legal=np.ones((9, 2), dtype=np.bool_),
    )
    found = merge_short_holds(episode, 5.0)
    assert found.applied_stage.tolist() == [1, 1, 1, 0, 0, 1]
    assert found.stage.tolist() == [0, 1, 1, 1, 0, 0, 1]
    assert found.elapsed_s.tolist() == [12, 5, 4, 11, 5, 12]  # 4 s are nearer to a whole interval
    assert found.reward.tolist() == [3, 3, 4, 5, 6, 15]
    assert found.behaviour_prob.tolist() == [0.25, 0.5, 0.5, 0.5, 0.5, 0.25]
    np.testing.assert_array_equal(found.observations, episode.observations[[0, 2, 3, 4, 5, 6, 8]])
    illegal = replace(episode, legal=np.zeros((9, 2), dtype=np.bool_))
    assert merge_short_holds(illegal, 5.0) is illegal  # nobody could have changed then
