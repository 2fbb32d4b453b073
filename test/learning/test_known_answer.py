"""A junction with a known best stage: what learns must find it, from fixed-time data alone."""

from __future__ import annotations

from dataclasses import replace
import gc
import math
from types import SimpleNamespace
import weakref

from known import record
import numpy as np
import pytest
import torch

from saferl_ros.bundle.export import export_bundle
from saferl_ros.bundle.load import load_bundle
from saferl_ros.dataset.schema import Record
from saferl_ros.errors import BundleError, ConfigError
from saferl_ros.train.algorithm import create_algorithm, scorer_module
from saferl_ros.train.config import CloningConfig, FqeConfig, QLearningConfig, TrainConfig
from saferl_ros.train.fqe import ChosenTransitions, discounted_cost
from saferl_ros.train.learner import choices_of, fqe_value, td_error, train_algorithm
from saferl_ros.train.lesson import Lesson, lesson_of
from saferl_ros.train.library import load_d3rlpy
from saferl_ros.train.masked_q import ILLEGAL_VALUE
from saferl_ros.train.replay import (
    batches,
    make_transitions,
    merge_short_holds,
    reward_scale,
    split_holdout,
    to_replay_buffer,
)
from saferl_ros.yaml_file import build_model

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


def test_rewards_are_scaled_to_the_mean_asked_for():
    data, _ = record()
    config = TrainConfig(cql=QLearningConfig(reward_mean=3.0), holdout_share=0)
    learned = taught(data, 'cql', config).data
    assert learned.rewards.sum() / learned.intervals.sum() == pytest.approx(-3)


@pytest.mark.parametrize(('shaping', 'by_time'), [(0.3, True), (1.0, True), (1.0, False)])
def test_shaping_takes_the_same_from_whatever_follows(shaping, by_time):
    data, _ = record(4, 60)
    gamma, n = 0.9, 60
    episode = replace(data.episodes[1], elapsed_s=np.tile(np.array([5.0, 15.0], np.float32), 30))
    plain, shaped = (
        make_transitions(
            [episode], scale=1.0, max_weight=20.0, gamma=gamma, shaping=s, discount_by_time=by_time
        )
        for s in (0.0, shaping)
    )
    np.testing.assert_array_equal(plain.rewards, episode.reward)
    np.testing.assert_array_equal(shaped.plain_rewards, episode.reward)
    passed = np.append(0.0, np.cumsum(plain.intervals))
    rate = episode.reward / plain.intervals
    for t in (1, 7, 40):  # what is taken is known at t, but for what lies beyond the end
        discount = gamma ** (passed[t:n] - passed[t])
        taken = np.sum(discount * (plain.rewards[t:] - shaped.rewards[t:]))
        beyond = gamma ** (passed[n] - passed[t]) * rate[n - 1]
        assert taken == pytest.approx(shaping / (1 - gamma) * (rate[t - 1] - beyond), rel=1e-3)


def test_nothing_changes_where_the_rate_stays():
    data, _ = record(4, 60)
    episode = replace(
        data.episodes[1],
        elapsed_s=np.tile(np.array([5.0, 10.0], np.float32), 30),
        reward=np.tile(np.array([-40.0, -80.0], np.float32), 30),
    )
    found = make_transitions([episode], scale=1.0, max_weight=20.0, gamma=0.9, shaping=1.0)
    assert np.abs(found.rewards[2::2]).max() < 1e-3
    assert np.abs(found.rewards[1::2]).max() < 5  # of 80: one interval is discounted in it


def test_the_estimate_is_of_the_size_of_the_return(tmp_path):
    data, _ = record()
    training = train_algorithm(taught(data, 'cql', CONFIG), 'cql', CONFIG, 1, tmp_path / 'log')
    # blind plans get -1.5 a step, scaled to -1: at a discount of 0.95 that is worth -20; the best
    # policy never lets the queue wait
    assert training.behaviour_value == pytest.approx(-20, abs=1)
    assert training.fqe_value is not None
    assert training.behaviour_value < training.fqe_value < 0


def test_the_estimate_is_a_mean_that_rare_jams_count_in():
    rng = np.random.default_rng(0)
    n = 4000
    stages, is_jam = rng.integers(0, 2, n), rng.random(n) < 0.05
    # the first stage always costs 1; the second one 0.5, but 20 one time in twenty
    costs = np.where(stages == 0, 1.0, np.where(is_jam, 20.0, 0.5))
    data = ChosenTransitions(
        observations=rng.normal(size=(n, 3)).astype(np.float32),
        actions=stages,
        costs=costs,
        next_observations=rng.normal(size=(n, 3)).astype(np.float32),
        intervals=np.ones(n),
        n_stages=2,
    )
    each = np.ones(n, dtype=np.int64)
    steady, jamming = (
        discounted_cost(data, stage * each, stage * each, each, gamma=0.9, seed=0)
        for stage in (0, 1)
    )
    assert steady == pytest.approx(10.0, rel=0.1)
    assert jamming == pytest.approx(costs[stages == 1].mean() / 0.1, rel=0.1)
    assert jamming > 1.3 * steady


def test_behaviour_cloning_is_measured_on_the_plan_that_it_imitates(tmp_path):
    data, _ = record(80, 60)
    lesson = taught(data, 'bc', CONFIG)
    own = list(data.own_plan())[-2:]
    assert lesson.held_out_own is not None
    assert lesson.held_out is not None
    np.testing.assert_array_equal(
        lesson.held_out_own.actions, np.concatenate([episode.applied_stage for episode in own])
    )
    assert len(lesson.held_out) == 60 * 6  # of the recorded family, for every algorithm alike
    config = CONFIG.model_copy(update={'fqe': FqeConfig(steps=0)})
    training = train_algorithm(lesson, 'bc', config, 1, tmp_path / 'log')
    guessed = training.algorithm.predict(lesson.held_out_own.observations)
    expected = np.mean(guessed == lesson.held_out_own.actions)
    assert training.log[-1]['held_out_accuracy'] == pytest.approx(expected)


def test_nothing_is_learned_from_a_refused_stage_or_from_a_horizon_within_a_clearance():
    data, _ = record(4, 60)
    episode = data.episodes[1]
    legal = episode.legal.copy()
    legal[7, episode.applied_stage[7]] = False
    legal[-1] = [True, False]
    found = make_transitions([replace(episode, legal=legal)], scale=1.0, max_weight=20.0)
    kept = np.delete(np.arange(60), [7, 59])
    np.testing.assert_array_equal(found.actions, episode.applied_stage[kept])
    np.testing.assert_array_equal(found.observations, episode.observations[kept])
    three = make_transitions(
        [replace(episode, legal=legal)], scale=1.0, max_weight=20.0, n_steps=3, gamma=0.9
    )
    np.testing.assert_array_equal(
        three.actions, episode.applied_stage[np.delete(np.arange(60), [7, 57, 58, 59])]
    )


def test_the_estimate_is_of_the_policy_that_ships(tmp_path):
    data, _ = record()
    cql = CONFIG.cql.model_copy(update={'steps': 30, 'averaging': 0.999, 'falling_rate': False})
    config = CONFIG.model_copy(update={'cql': cql})
    lesson = taught(data, 'cql', config)
    training = train_algorithm(lesson, 'cql', config, 1, tmp_path / 'log')
    held_out = lesson.held_out
    error = td_error(training.algorithm, held_out, config.cql.gamma)
    assert training.log[-1]['held_out_td_error'] == pytest.approx(error)
    shipped = choices_of(training.algorithm, held_out, config, lesson.legal_columns)
    assert training.fqe_value == fqe_value(shipped, held_out, config.fqe, lesson.n_stages)


def test_no_policy_is_valued_by_stages_that_its_bundle_would_refuse():
    data, _ = record(8, 100)
    for name in ('bc', 'cql'):
        config = CONFIG.model_copy(
            update={'cql': CONFIG.cql.model_copy(update={'mask_illegal': False, 'steps': 10})}
        )
        lesson = taught(data, name, config)
        columns = list(lesson.legal_columns)
        states = np.random.default_rng(0).random((200, lesson.n_features), dtype=np.float32)
        states[:, columns] = [[n % 2, 1 - n % 2] for n in range(200)]  # one stage is legal
        met = replace(lesson.data, observations=states, next_observations=states[::-1].copy())
        now, after = choices_of(lesson.create(), met, config, columns)
        assert (states[np.arange(200), np.array(columns)[now]] == 1).all()
        assert (now[::-1] == after).all()


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
        update={
            'steps': 20,
            'n_critics': n_critics,
            'n_quantiles': n_quantiles,
            'ensemble': 1 if n_quantiles else CONFIG.cql.ensemble,
        }
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
    cql = CONFIG.cql.model_copy(update={'steps': 20, 'ensemble': 3})
    config = CONFIG.model_copy(update={'cql': cql, 'fqe': FqeConfig(steps=0)})
    training = train_algorithm(taught(data, 'cql', config), 'cql', config, 1, tmp_path / 'log')
    export_bundle(training, data, config, tmp_path / 'cql', dataset_sha256='0' * 64)
    bundle = load_bundle(tmp_path / 'cql')
    states = data.episodes[0].observations[:50]
    with torch.no_grad():
        members = training.algorithm.impl.q_function[0].members(torch.from_numpy(states)).numpy()
    assert members.shape == (3, 50, 2)
    is_legal = members[0] > ILLEGAL_VALUE / 2
    assert not np.allclose(members[0][is_legal], members[1][is_legal])
    scores = np.array([bundle.scores(state) for state in states])
    mean = members.mean(axis=0)
    np.testing.assert_allclose(scores[is_legal], mean[is_legal], rtol=1e-4, atol=1e-5)


def test_one_member_learns_as_d3rlpys_own_network_does():
    """The same weights, the same batch: the same loss and the same step, mask or no mask."""
    d3rlpy, rng = load_d3rlpy(), np.random.default_rng(0)
    data, _ = record(4, 60)
    transitions = make_transitions(data.behaviour(), scale=1.0, max_weight=20.0)
    batch = next(batches(transitions, 64, 1, rng))
    config = CONFIG.model_copy(
        update={'cql': CONFIG.cql.model_copy(update={'ensemble': 1, 'alpha': 0.5})}
    )
    shape = {'n_features': data.spec.size, 'n_stages': 2}
    ours = create_algorithm('cql', config, **shape, legal_columns=(), device='cpu')
    stock = d3rlpy.algos.DiscreteCQLConfig(
        learning_rate=config.cql.learning_rate,
        gamma=config.cql.gamma,
        alpha=0.5,
        optim_factory=d3rlpy.optimizers.AdamFactory(
            lr_scheduler_factory=d3rlpy.optimizers.CosineAnnealingLRFactory(T_max=1500)
        ),
        encoder_factory=d3rlpy.models.VectorEncoderFactory(list(config.cql.hidden_units)),
    ).create(device='cpu')
    stock.create_impl((data.spec.size,), 2)
    theirs = stock.impl.q_function.parameters()
    for mine, other in zip(ours.impl.q_function.parameters(), theirs, strict=True):
        mine.data.copy_(other.data.mT if other.ndim == 2 else other.data)
    for algorithm in (ours, stock):
        algorithm.impl.update_target()
    losses = [algorithm.update(batch) for algorithm in (ours, stock)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    states = data.episodes[0].observations
    for stage in (0, 1):
        values = [a.predict_value(states, np.full(len(states), stage)) for a in (ours, stock)]
        np.testing.assert_allclose(values[0], values[1], rtol=1e-4, atol=1e-6)


def test_every_member_feels_the_conservative_term_as_if_it_were_alone():
    config = CONFIG.model_copy(update={'cql': CONFIG.cql.model_copy(update={'ensemble': 4})})
    algorithm = create_algorithm(
        'cql', config, n_features=3, n_stages=2, legal_columns=(), device='cpu'
    )
    q_function = algorithm.impl.q_function[0]
    for parameter in q_function.parameters():  # all members alike
        parameter.data.copy_(parameter.data[:1].expand_as(parameter))
    forwarder = algorithm.impl._q_func_forwarder.forwarders[0]
    states = torch.rand(8, 3)
    (forwarder.compute_expected_q(states).logsumexp(dim=1)).mean().backward()
    weight = next(iter(q_function.parameters()))
    assert weight.grad is not None
    alone = q_function.members(states)[0].logsumexp(dim=1).mean()
    (expected,) = torch.autograd.grad(alone, weight)
    torch.testing.assert_close(weight.grad[2], expected[0])


def test_values_that_serve_both_terms_teach_as_values_asked_for_twice():
    algorithm = create_algorithm(
        'cql', CONFIG, n_features=3, n_stages=2, legal_columns=(), device='cpu'
    )
    parameters = list(algorithm.impl.q_function.parameters())
    forwarder = algorithm.impl._q_func_forwarder.forwarders[0]
    states, target = torch.rand(8, 3), torch.rand(8, 1)
    taken, none = torch.randint(2, (8, 1)), torch.zeros(8, 1)

    def gradients(again: torch.Tensor) -> tuple[torch.Tensor, ...]:
        error = forwarder.compute_error(states, taken, none, target, none)
        values = forwarder.compute_expected_q(again)
        return torch.autograd.grad(error + values.logsumexp(dim=1).mean(), parameters)

    torch.testing.assert_close(gradients(states), gradients(states.clone()))


def test_a_step_leaves_nothing_behind(monkeypatch):
    """A tensor held by its own hook is never freed: a training grew by a megabyte a second."""
    algorithm = create_algorithm(
        'cql', CONFIG, n_features=3, n_stages=2, legal_columns=(), device='cpu'
    )
    network = algorithm.impl.q_function[0].members
    seen: list[weakref.ref[torch.Tensor]] = []
    inner = network.forward

    def watched(x: torch.Tensor) -> torch.Tensor:
        values: torch.Tensor = inner(x)
        seen.append(weakref.ref(values))
        return values

    monkeypatch.setattr(network, 'forward', watched)
    forwarder = algorithm.impl._q_func_forwarder.forwarders[0]
    states, none = torch.rand(8, 3), torch.zeros(8, 1)
    error = forwarder.compute_error(states, none.long(), none, none, none)
    (error + forwarder.compute_expected_q(states).sum()).backward()
    del error
    gc.collect()
    assert [values() for values in seen] == [None]


class Members(torch.nn.Module):
    """A network whose members have fixed values."""

    def __init__(self, *values: tuple[float, ...]) -> None:
        super().__init__()
        self.values = torch.tensor(values)

    def members(self, x: torch.Tensor) -> torch.Tensor:
        return self.values[:, None].expand(-1, len(x), -1)


def scores_of(*values: tuple[float, ...], pessimism: float = 0.0) -> torch.Tensor:
    """Return what ``scorer_module`` makes of members' values for one state."""
    algorithm = SimpleNamespace(impl=SimpleNamespace(q_function=[Members(*values)]))
    return scorer_module(algorithm, pessimism=pessimism)(torch.zeros(1, 2))


def test_pessimism_takes_off_what_the_members_disagree_on():
    # stage 1 is best on average, but only one member finds it so; that the second member's values
    # are 100 higher as a whole is no disagreement about the stages
    members = (1.0, 6.0, 0.0, ILLEGAL_VALUE), (101.0, 98.0, 100.0, ILLEGAL_VALUE)
    mean, careful = scores_of(*members), scores_of(*members, pessimism=1.0)
    assert (mean.argmax(), careful.argmax()) == (1, 0)
    advantages = np.array([[1.0, 6.0, 0.0], [101.0, 98.0, 100.0]])
    advantages -= advantages.mean(axis=1, keepdims=True)
    expected = mean[0, :3].numpy() - advantages.std(axis=0, ddof=1)
    np.testing.assert_allclose(careful[0, :3], expected, rtol=1e-5)
    assert careful[0, 3] == ILLEGAL_VALUE
    alone = scores_of(members[0], pessimism=1.0)
    np.testing.assert_array_equal(alone, scores_of(members[0]))


@pytest.mark.parametrize('balance', ['changes', 'clusters', 'roots'])
def test_every_group_is_drawn_equally_often(balance):
    data, _ = record(4, 60)
    episodes = data.behaviour()
    found = make_transitions(episodes, scale=1.0, max_weight=20.0, balance=balance)
    plain = make_transitions(episodes, scale=1.0, max_weight=20.0)
    assert found.weights.sum() == pytest.approx(plain.weights.sum(), rel=1e-5)
    scale = found.weights / plain.weights  # one number for each group
    groups = [np.isclose(scale, one) for one in np.unique(scale.round(5))]
    shares = np.array([found.weights[group].sum() for group in groups])
    assert 2 <= len(shares) <= 20
    if balance == 'changes':
        assert shares == pytest.approx(found.weights.sum() / 2, rel=1e-3)
    if balance == 'roots':
        had = np.array([plain.weights[group].sum() for group in groups])
        n_alike = shares**2 / had / (shares**2 / had).min()  # clusters of one size look like one
        assert n_alike == pytest.approx(n_alike.round(), rel=1e-2)


def test_the_replay_buffer_states_the_plans_number_of_actions():
    data, _ = record(4, 60)
    one_sided = [replace(e, applied_stage=np.zeros_like(e.applied_stage)) for e in data.episodes]
    buffer = to_replay_buffer(replace(data, episodes=one_sided))
    assert buffer.dataset_info.action_size == 2
    assert buffer.transition_count > 0


@pytest.mark.parametrize('reward', ['queue', 'pressure', 'average-speed'])
def test_a_momentary_reward_counts_for_as_long_as_its_decision_lasts(reward):
    data, _ = record(2, 40)
    elapsed_s = np.tile(np.array([5.0, 15.0], np.float32), 20)
    episodes = [
        replace(e, reward=np.full(40, -10.0, np.float32), elapsed_s=elapsed_s)
        for e in data.episodes
    ]
    queues = replace(data, manifest={**data.manifest, 'reward': reward}, episodes=episodes)
    config = TrainConfig(algorithms=('cql',), holdout_share=0.0)
    found = lesson_of(queues, 'cql', config, device='cpu').data
    np.testing.assert_allclose(found.rewards, -found.intervals, rtol=1e-6)  # no length is favoured
    np.testing.assert_allclose(found.plain_rewards, found.rewards, rtol=1e-6)
    summed = replace(queues, manifest={**data.manifest, 'reward': 'diff-waiting-time'})
    found = lesson_of(summed, 'cql', config, device='cpu').data
    assert len(set(found.rewards.tolist())) == 1


def test_what_is_held_out_is_the_same_for_every_algorithm():
    data, _ = record(20, 60)
    held = [lesson_of(data, name, TrainConfig(), device='cpu').held_out for name in ('cql', 'bc')]
    assert held[0] is not None
    np.testing.assert_array_equal(held[0].observations, held[1].observations)


@pytest.mark.parametrize(('n', 'share', 'n_kept'), [(2, 0.75, 1), (4, 0.9, 1), (1, 0.9, 1)])
def test_an_episode_is_left_to_learn_from(n, share, n_kept):
    data, _ = record(n, 20)
    kept, held = split_holdout(data.episodes, share)
    assert (len(kept), len(kept) + len(held)) == (n_kept, n)


def test_rewards_of_which_only_rounding_is_left_are_not_scaled_up():
    data, _ = record(2, 60)
    third = np.full(60, -1 / 3, dtype=np.float32)
    episodes = [replace(e, reward=third) for e in data.episodes]
    assert reward_scale(episodes, gamma=0.9, shaping=1.0) == 1.0
    assert reward_scale(episodes) == pytest.approx(3.0)


def test_a_training_that_diverged_is_not_exported(tmp_path):
    data, _ = record(4, 60)
    config = TrainConfig(
        algorithms=('cql',),
        cql=QLearningConfig(steps=20, ensemble=2, learning_rate=1e30),
        fqe=FqeConfig(steps=0),
    )
    lesson = lesson_of(data, 'cql', config, device='cpu')
    training = train_algorithm(lesson, 'cql', config, 1, tmp_path / 'log')
    with pytest.raises(BundleError, match=r'cql of junction known diverged.*learning_rate'):
        export_bundle(training, data, config, tmp_path / 'cql', dataset_sha256='0' * 64)
    assert [path.name for path in tmp_path.iterdir()] == ['log']


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        ({'cql': {'learning_rate': math.inf}}, 'finite'),
        ({'cql': {'pessimism': 1.0, 'ensemble': 1}}, 'pessimism 1 needs an ensemble'),
        ({'seeds': [202406121230]}, 'less than 4294967296'),
        ({'shared': True, 'cql': {'n_quantiles': 8, 'ensemble': 1}}, 'without quantiles'),
        ({'shared': True, 'cql': {'mask_illegal': False}}, 'masked'),
        ({'shared': True, 'cql': {'hidden_units': [64, 32]}}, 'one width'),
    ],
)
def test_settings_that_cannot_mean_anything_are_refused(change, words):
    with pytest.raises(ConfigError, match=words):
        build_model(TrainConfig, change, 'the options')


def test_transitions_discount_by_time_and_weigh_by_probability():
    data, _ = record(4, 60)
    episode = replace(
        data.episodes[1],
        elapsed_s=np.full(60, 11.0, dtype=np.float32),
        behaviour_prob=np.full(60, 0.01, dtype=np.float32),
    )
    transitions = make_transitions([episode], scale=0.5, max_weight=20.0)
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
        **{'scale': 1.0, 'max_weight': 20.0},
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
    found = merge_short_holds(episode)
    assert found.applied_stage.tolist() == [1, 1, 1, 0, 0, 1]
    assert found.stage.tolist() == [0, 1, 1, 1, 0, 0, 1]
    assert found.elapsed_s.tolist() == [12, 5, 4, 11, 5, 12]  # 4 s are nearer to a whole interval
    assert found.reward.tolist() == [3, 3, 4, 5, 6, 15]
    assert found.behaviour_prob.tolist() == [0.25, 0.5, 0.5, 0.5, 0.5, 0.25]
    np.testing.assert_array_equal(found.observations, episode.observations[[0, 2, 3, 4, 5, 6, 8]])
    illegal = replace(episode, legal=np.zeros((9, 2), dtype=np.bool_))
    assert merge_short_holds(illegal) is illegal  # nobody could have changed then
