"""What a batch holds in equal shares, whatever the record has most of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from saferl_ros.dataset.schema import Episode

N_CLUSTERS = 20
N_CLUSTERED = 20_000  # states that clusters are found from

Floats = npt.NDArray[np.float32]


def balanced_weights(weights: Floats, episodes: Sequence[Episode], balance: str) -> Floats:
    """
    Return sampling weights under which every group of decisions is drawn equally often.

    :param weights: of each decision within its group, shape ``(N,)``.
    :param episodes: with N decisions in all.
    :param balance: what the groups are: ``none``, one of all; ``changes``, those that turn to
        another stage and those that do not; ``clusters``, 20 of the states, found by k-means;
        ``roots``, the same in shares of the square root of what they have.
    """
    if balance == 'none':
        return weights
    groups = _changes(episodes) if balance == 'changes' else _clusters(episodes)
    totals = np.bincount(groups, weights)
    shares = np.sqrt(totals) if balance == 'roots' else np.sign(totals)
    wanted = weights.sum() * shares / shares.sum()
    return np.asarray(weights * (wanted / np.maximum(totals, 1e-9))[groups], dtype=np.float32)


def _changes(episodes: Sequence[Episode]) -> npt.NDArray[np.int64]:
    changed = [episode.applied_stage != episode.stage[:-1] for episode in episodes]
    return np.concatenate(changed).astype(np.int64)


def _clusters(episodes: Sequence[Episode]) -> npt.NDArray[np.int64]:
    from scipy.cluster.vq import kmeans2, vq

    states = np.concatenate([episode.observations[:-1] for episode in episodes])
    deviation = states.std(axis=0)
    states = (states - states.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)
    rng = np.random.default_rng(0)
    some = states[rng.choice(len(states), min(len(states), N_CLUSTERED), replace=False)]
    centres, _ = kmeans2(some, N_CLUSTERS, minit='++', rng=rng, missing='warn')
    return np.asarray(vq(states, centres)[0], dtype=np.int64)
