"""What one training learns from: transitions of one junction, or of several in one encoding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from saferl_ros.dataset.schema import Episode, Record
from saferl_ros.errors import DatasetError
from saferl_ros.observation.stagewise import IS_LEGAL, N_STAGE_FEATURES, StageEncoding
from saferl_ros.train.algorithm import create_algorithm, create_shared
from saferl_ros.train.config import TrainConfig
from saferl_ros.train.masked_q import legal_columns
from saferl_ros.train.replay import (
    by_time,
    Floats,
    join,
    make_transitions,
    reward_scale,
    split_holdout,
    Transitions,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """Everything that a training needs of the data."""

    data: Transitions
    held_out: Transitions | None  # of the recorded family, to value policies by
    held_out_own: Transitions | None  # of what behaviour cloning imitates
    scale: float  # on the rewards to learn from
    n_features: int
    n_stages: int
    legal_columns: Sequence[int]  # where observations say which stages are legal
    create: Callable[[], Any]  # makes a fresh d3rlpy algorithm


def lesson_of(record: Record, name: str, config: TrainConfig, *, device: str) -> Lesson:
    """
    Return what one junction's record teaches.

    What is held out is the same for all, so that their values by fitted Q evaluation compare.

    :param name: ``cql``, ``bc`` or ``dqn``; behaviour cloning learns from the own plan.
    :raises DatasetError: if the record has no episodes to learn from.
    """
    scales = _scales(record, config)
    data, held_out = _split(_behaviour(record), config, scales)
    held_out_own = held_out
    if name == 'bc' and (own := _rewarded(record, record.own_plan())):
        data, held_out_own = _split(own, config, scales, is_cloning=True)
    shape = {'n_features': record.spec.size, 'n_stages': record.plan.n_stages}
    columns = legal_columns(record.spec)
    return Lesson(
        data=data,
        held_out=held_out,
        held_out_own=held_out_own,
        scale=scales[0],
        create=lambda: create_algorithm(
            name, config, **shape, legal_columns=columns, device=device
        ),
        legal_columns=columns,
        **shape,
    )


def shared_lesson(
    records: Sequence[Record], name: str, config: TrainConfig, *, device: str
) -> Lesson:
    """
    Return what several junctions' records teach one network.

    Each junction's rewards are scaled to the same mean, so that a busy junction does not drown a
    quiet one.

    :param name: ``cql`` or ``dqn``.
    :raises DatasetError: if there is no record.
    """
    if not records:
        raise DatasetError('no junction is left to learn from; leave out fewer')
    n_stages = max(record.plan.n_stages for record in records)
    parts, held, scales = [], [], []
    for record in records:
        encode = StageEncoding(record.plan, record.spec)
        scales.append(_scales(record, config))
        data, held_out = _split(_behaviour(record), config, scales[-1])
        parts.append(_encoded(data, encode, n_stages))
        if held_out is not None:
            held.append(_encoded(held_out, encode, n_stages))
    shape = {'n_features': n_stages * N_STAGE_FEATURES, 'n_stages': n_stages}
    return Lesson(
        data=join(parts),
        held_out=join(held) if held else None,
        held_out_own=None,
        scale=float(np.mean([scale for scale, _ in scales])),
        create=lambda: create_shared(name, config, **shape, device=device),
        legal_columns=range(IS_LEGAL, n_stages * N_STAGE_FEATURES, N_STAGE_FEATURES),
        **shape,
    )


def _behaviour(record: Record) -> list[Episode]:
    return _rewarded(record, record.behaviour())


def _rewarded(record: Record, episodes: Sequence[Episode]) -> list[Episode]:
    return by_time(episodes, record.manifest.get('reward', 'time_lost'))


def _scales(record: Record, config: TrainConfig) -> tuple[float, float]:
    """Return the factors on the rewards to learn from, and on the recorded ones."""
    episodes, cql = _behaviour(record), config.cql
    shaped = reward_scale(episodes, gamma=cql.gamma, shaping=cql.shaping)
    return cql.reward_mean * shaped, reward_scale(episodes)


def _split(
    episodes: Sequence[Episode],
    config: TrainConfig,
    scales: tuple[float, float],
    *,
    is_cloning: bool = False,
) -> tuple[Transitions, Transitions | None]:
    kept, held = split_holdout(episodes, config.holdout_share)
    make = partial(
        make_transitions,
        scale=scales[0],
        plain_scale=scales[1],
        gamma=config.cql.gamma,
        shaping=config.cql.shaping,
        discount_by_time=config.cql.discount_by_time,
    )
    data = make(
        kept,
        max_weight=1.0 if is_cloning else config.cql.max_weight,
        balance='none' if is_cloning else config.cql.balance,
        n_steps=config.cql.n_steps,
    )
    return data, make(held, max_weight=1.0) if held else None


def _encoded(data: Transitions, encode: StageEncoding, n_stages: int) -> Transitions:
    return replace(
        data,
        observations=_filled(encode(data.observations), n_stages),
        next_observations=_filled(encode(data.next_observations), n_stages),
    )


def _filled(rows: Floats, n_stages: int) -> Floats:
    """Fill up with empty rows to the number of stages of the largest junction."""
    return np.pad(rows, ((0, 0), (0, n_stages * N_STAGE_FEATURES - rows.shape[1])))
