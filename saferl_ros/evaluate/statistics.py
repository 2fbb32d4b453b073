"""
Statistics of a benchmark: robust means and the chance to be better, over seeds and demands.

The measures are those that Agarwal et al. (2021), "Deep Reinforcement Learning at the Edge of the
Statistical Precipice", recommend. A score is a matrix of training seeds by demands; all
controllers met the same demands.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from saferl_ros.dataset.intervals import Interval, interval_of, N_RESAMPLES

Scores = npt.NDArray[np.float64]  # (n_seeds, n_demands)


def interquartile_mean(scores: Scores) -> float:
    """Return the mean of the middle half of all values; a few bad hours do not decide it."""
    values = np.sort(scores, axis=None)
    cut = len(values) // 4
    return float(values[cut : len(values) - cut].mean())


def chance_to_be_lower(ours: Scores, theirs: Scores) -> float:
    """Return how often a seed of ours has less than one of theirs on the same demand."""
    wins = (ours[:, None] < theirs[None]) + 0.5 * (ours[:, None] == theirs[None])
    return float(wins.mean())


def ratio_of_means(ours: Scores, theirs: Scores) -> float:
    """Return the mean of ours over that of theirs."""
    return float(ours.mean() / theirs.mean())


def bootstrap(statistic: Callable[..., float], *scores: Scores, seed: int = 0) -> Interval:
    """
    Return a statistic with its interval.

    Demands are drawn anew, the same for all scores, and so are the training seeds of each: one
    policy plays all demands, so that a bad one is bad in all columns of a draw.

    Few seeds are widened for as few demands are. No draw leaves the range of the seeds, so that
    three that differ more than demands do hold the truth four times in five.

    :param scores: each ``(n_seeds, n_demands)`` with the same demands; one row for a controller
        without training seeds.
    """
    rng = np.random.default_rng(seed)
    n_demands = scores[0].shape[1]
    fewest = min([n_demands, *(len(score) for score in scores if len(score) > 1)])
    found = []
    for _ in range(N_RESAMPLES):
        demands = rng.integers(n_demands, size=n_demands)
        drawn = [score[rng.integers(len(score), size=len(score))][:, demands] for score in scores]
        found.append(statistic(*drawn))
    return interval_of(statistic(*scores), np.array(found), fewest)
