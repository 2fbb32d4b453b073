"""Records → transitions, as plain arrays and as a d3rlpy replay buffer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from saferl_ros.dataset.schema import Episode, Record
from saferl_ros.env.junction import DECISION_S
from saferl_ros.env.reward import MOMENTARY
from saferl_ros.errors import DatasetError
from saferl_ros.train.balance import balanced_weights
from saferl_ros.train.library import load_d3rlpy

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Transitions:
    """All transitions of some episodes. The horizon truncates and never terminates."""

    observations: Floats  # (N, n_features)
    actions: npt.NDArray[np.int64]  # (N,) the stage that was applied
    next_actions: npt.NDArray[np.int64]  # (N,) the one after; an episode's last is repeated
    rewards: Floats  # (N,) shaped and scaled: what Q-learning sees
    plain_rewards: Floats  # (N,) as recorded, scaled to a mean of 1: what FQE values
    next_observations: Floats  # (N, n_features)
    intervals: Floats  # (N,) elapsed time over the decision interval
    weights: Floats  # (N,) how often each is drawn, in proportion

    def __len__(self) -> int:
        return len(self.actions)


def reward_scale(
    episodes: Sequence[Episode], *, gamma: float = 1.0, shaping: float = 0.0
) -> float:
    """
    Return the factor that makes 1 the mean absolute shaped reward per decision interval.

    It is 1 where all rewards are zero, or nothing but rounding is left of them.
    """
    total, n_intervals, rounding = 0.0, 0.0, 0.0
    for episode in map(merge_short_holds, episodes):
        intervals = episode.elapsed_s / DECISION_S
        total += float(np.abs(shaped_rewards(episode, intervals, gamma, shaping)).sum())
        n_intervals += float(intervals.sum())
        rounding += 1e-6 * float(np.abs(episode.reward).sum()) / (1 - gamma if shaping else 1.0)
    return n_intervals / total if total > rounding else 1.0


def shaped_rewards(episode: Episode, intervals: Floats, gamma: float, shaping: float) -> Floats:
    """
    Return the rewards as changes against the last interval going on for ever, shape ``(T,)``.

    In a jam a reward says how many wait, most of them out of sight, and a decision changes little
    of it. With a potential of what the rate of the interval before would add up to, each reward
    tells what changed. The potential is known before a decision is made, so that every policy is
    worth as much less and the best one stays the best (Ng et al., 1999, "Policy invariance under
    reward transformations"; Devlin and Kudenko, 2012, for potentials that are not of the state).

    :param intervals: how long each decision counts, shape ``(T,)``.
    :param gamma: discount per interval.
    :param shaping: share of the potential that is used.
    """
    if not shaping:
        return episode.reward
    rate = episode.reward / intervals
    potential = shaping / (1 - gamma) * np.concatenate([rate[:1], rate])  # before each decision
    shaped = episode.reward + gamma**intervals * potential[1:] - potential[:-1]
    return shaped.astype(np.float32)


def by_time(episodes: Sequence[Episode], reward: str) -> list[Episode]:
    """
    Return the episodes with rewards that add up over time, whatever the length of decisions.

    sumo-rl's momentary rewards are one number a decision: ``queue`` would pay for a change of 15 s
    once and for keeping as long three times, and teach to change for ever. Here such a reward
    stands for every ``DECISION_S`` that its decision lasted, as in sumo-rl, where all are as long.

    :param reward: which one was recorded.
    """
    if reward not in MOMENTARY:
        return list(episodes)
    return [replace(e, reward=e.reward * (e.elapsed_s / DECISION_S)) for e in episodes]


def merge_short_holds(episode: Episode) -> Episode:
    """
    Return the episode with each hold of less than half an interval joined to the change after it.

    A recorded plan ends its greens to the second: a green of 6 s is kept at 5 s and left at 6 s. A
    policy keeps in whole intervals, so that "keep" would take it to 10 s, where nothing was ever
    recorded; what the plan did is nearer to a change at 5 s.
    """
    kept, after = episode.applied_stage[:-1], episode.applied_stage[1:]
    stage = episode.stage[:-2]
    is_short = (kept == stage) & (episode.elapsed_s[:-1] < DECISION_S / 2) & (after != stage)
    is_short &= episode.legal[np.arange(len(after)), after]
    first = np.flatnonzero(is_short)
    if not len(first):
        return episode
    stays = np.ones(len(episode), dtype=bool)
    stays[first + 1] = False
    visited = np.append(stays, True)  # the state at the end is no decision
    columns: dict[str, Any] = {}
    for name in ('observations', 'legal', 'stage', 'green_elapsed_s'):
        columns[name] = getattr(episode, name)[visited]
    for name in ('requested_stage', 'applied_stage'):
        column = getattr(episode, name).copy()
        column[first] = column[first + 1]
        columns[name] = column[stays]
    for name in ('reward', 'elapsed_s', 'cost'):
        column = getattr(episode, name).copy()
        column[first] += column[first + 1]
        columns[name] = column[stays]
    probability = episode.behaviour_prob.copy()
    probability[first] *= probability[first + 1]
    return replace(episode, **columns, behaviour_prob=probability[stays])


def make_transitions(
    episodes: Sequence[Episode],
    *,
    scale: float,
    plain_scale: float = 1.0,
    max_weight: float,
    balance: str = 'none',
    n_steps: int = 1,
    gamma: float = 1.0,
    shaping: float = 0.0,
    discount_by_time: bool = True,
) -> Transitions:
    """
    Return the transitions of ``episodes``.

    The rewards within a decision are summed as recorded: at a discount of 0.97 a change of 15 s
    looks 3 % dearer than it is. What ends where nothing is to be decided, as a horizon within a
    clearance does, is left out: no value of such a state is ever learned. So is a stage that the
    automaton would have refused.

    :param scale: factor on shaped rewards, from ``reward_scale``.
    :param plain_scale: factor on the rewards as recorded.
    :param max_weight: bound of the sampling weight 1 / behaviour probability.
    :param balance: see ``balanced_weights``.
    :param n_steps: decisions that one transition spans; fewer at the end of an episode.
    :param gamma: discount per interval, of the rewards within a transition.
    :param shaping: see ``shaped_rewards``.
    :param discount_by_time: else every decision counts as one interval, as in stock d3rlpy.
    :raises DatasetError: if there is no episode or a value is not finite.
    """
    if not episodes:
        raise DatasetError('no episodes to learn from; record some first')
    episodes = [merge_short_holds(e) for e in episodes]
    probabilities = np.concatenate([e.behaviour_prob for e in episodes])
    spans = []
    for e in episodes:
        intervals = e.elapsed_s / DECISION_S if discount_by_time else np.ones_like(e.elapsed_s)
        rewards = shaped_rewards(e, intervals, gamma, shaping)
        spans.append(_span(e, rewards, intervals, n_steps, gamma))
    rewards, intervals, next_observations = map(np.concatenate, zip(*spans, strict=True))
    weights = np.clip(1.0 / np.maximum(probabilities, 1e-6), 1.0, max_weight)
    transitions = Transitions(
        observations=np.concatenate([e.observations[:-1] for e in episodes]),
        actions=np.concatenate([e.applied_stage for e in episodes]),
        next_actions=np.concatenate(
            [np.append(e.applied_stage[1:], e.applied_stage[-1:]) for e in episodes]
        ),
        rewards=rewards * np.float32(scale),
        plain_rewards=np.concatenate([e.reward for e in episodes]) * np.float32(plain_scale),
        next_observations=next_observations,
        intervals=intervals.astype(np.float32),
        weights=balanced_weights(weights.astype(np.float32), episodes, balance),
    )
    transitions = _kept(transitions, np.concatenate([_is_sound(e, n_steps) for e in episodes]))
    for name in ('observations', 'rewards', 'next_observations', 'intervals'):
        if not np.isfinite(getattr(transitions, name)).all():
            raise DatasetError(f'the record holds {name} that are not finite; record again')
    return transitions


def _is_sound(episode: Episode, n_steps: int) -> npt.NDArray[np.bool_]:
    """Return which decisions were legal and lead to another one, shape ``(T,)``."""
    steps = np.arange(len(episode))
    is_legal = episode.legal[steps, episode.applied_stage]
    says_nothing = ~episode.legal[steps].any(axis=1)
    is_cut = steps + n_steps >= len(episode)
    ends_within = np.count_nonzero(episode.legal[-1]) == 1
    sound: npt.NDArray[np.bool_] = (is_legal | says_nothing) & ~(is_cut & ends_within)
    return sound


def _kept(transitions: Transitions, which: npt.NDArray[np.bool_]) -> Transitions:
    columns = {name: getattr(transitions, name) for name in Transitions.__dataclass_fields__}
    return Transitions(**{name: column[which] for name, column in columns.items()})


def _span(
    episode: Episode, each: Floats, intervals: Floats, n_steps: int, gamma: float
) -> tuple[Floats, Floats, Floats]:
    """Return reward, intervals passed and next observation of each decision, ``n_steps`` ahead."""
    n = len(episode)
    rewards, passed = np.zeros(n, np.float32), np.zeros(n, np.float32)
    for k in range(min(n_steps, n)):
        rewards[: n - k] += gamma ** passed[: n - k] * each[k:]
        passed[: n - k] += intervals[k:]
    return rewards, passed, episode.observations[np.minimum(np.arange(n) + n_steps, n)]


def join(parts: Sequence[Transitions]) -> Transitions:
    """Return the transitions of several junctions as one, with equal shapes."""
    return Transitions(
        **{
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in Transitions.__dataclass_fields__
        }
    )


def split_holdout(
    episodes: Sequence[Episode], share: float
) -> tuple[list[Episode], list[Episode]]:
    """Return (episodes to learn from, held-out episodes); the last ones are held out."""
    n_held = min(round(len(episodes) * share), len(episodes) - 1)  # one is left to learn from
    n_kept = len(episodes) - n_held
    return list(episodes[:n_kept]), list(episodes[n_kept:])


def batches(
    transitions: Transitions, batch_size: int, n_batches: int, rng: np.random.Generator
) -> Iterator[Any]:
    """
    Yield d3rlpy mini-batches, drawn by weight.

    d3rlpy's own buffer samples one transition at a time in Python, which costs more than the
    gradient step on networks of this size; here a batch is one fancy index.

    :yields: ``d3rlpy.dataset.TransitionMiniBatch``.
    """
    mini_batch = load_d3rlpy().dataset.TransitionMiniBatch
    cumulated = np.cumsum(transitions.weights, dtype=np.float64)
    draws = rng.random((n_batches, batch_size)) * cumulated[-1]
    indices = np.minimum(np.searchsorted(cumulated, draws), len(transitions) - 1)
    actions = transitions.actions.astype(np.float32)[:, None]
    rewards, intervals = transitions.rewards[:, None], transitions.intervals[:, None]
    terminals = np.zeros((batch_size, 1), dtype=np.float32)
    for index in indices:
        yield mini_batch(
            observations=transitions.observations[index],
            actions=actions[index],
            rewards=rewards[index],
            next_observations=transitions.next_observations[index],
            next_actions=actions[index],  # no algorithm here uses it
            terminals=terminals,
            intervals=intervals[index],
            transitions=[],
        )


def to_replay_buffer(record: Record) -> Any:
    """
    Return a d3rlpy ``ReplayBuffer`` of the behaviour episodes, for work with stock d3rlpy.

    The action count is the plan's number of stages, not the largest action logged. Stock d3rlpy
    takes every decision as one step of equal length; use ``make_transitions`` to discount by time.
    """
    d3rlpy = load_d3rlpy()
    episodes = [
        d3rlpy.dataset.Episode(
            observations=e.observations[:-1],
            actions=e.applied_stage[:, None].astype(np.int64),
            rewards=e.reward[:, None],
            terminated=False,
        )
        for e in record.behaviour()
    ]
    return d3rlpy.dataset.ReplayBuffer(
        d3rlpy.dataset.InfiniteBuffer(),
        episodes=episodes,
        action_space=d3rlpy.constants.ActionSpace.DISCRETE,
        action_size=record.plan.n_stages,
    )
