"""Interval estimates: percentile bootstrap over demands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

N_RESAMPLES = 2000
LEVEL = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A mean (or ratio of means) with its 95 % interval."""

    mean: float
    ci_low: float
    ci_high: float


def _resamples(n: int, seed: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng(seed).integers(0, n, size=(N_RESAMPLES, n))


def interval_of(mean: float, draws: npt.NDArray[np.float64], n: int) -> Interval:
    """
    Return ``mean`` with the interval that its bootstrap draws span.

    Draws from few demands span too little: their spread lacks a factor of ``n / (n - 1)``, and of
    the uncertainty of the spread itself they know nothing. The percentiles lie further out by as
    much (Hesterberg, 2015, "What Teachers Should Know About the Bootstrap", expanded percentiles).

    :param n: how many demands were drawn from.
    """
    tail = tail_of(n)
    low, high = np.quantile(draws, [tail, 1 - tail])
    return Interval(mean=mean, ci_low=float(low), ci_high=float(high))


def tail_of(n: int) -> float:
    """
    Return the share of the draws beyond either end of an interval from ``n`` demands.

    Student's quantile is expanded in that of the normal distribution (Abramowitz and Stegun,
    26.7.5), which is near enough from four demands on, and asks for no library.
    """
    if n < 2:
        return 0.0
    normal, freedom = NormalDist(), n - 1
    z = normal.inv_cdf((1 + LEVEL) / 2)
    student = (
        z
        + (z**3 + z) / (4 * freedom)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
    )
    return normal.cdf(-math.sqrt(n / freedom) * student)


def mean_interval(values: Sequence[float], *, seed: int = 0) -> Interval:
    """
    Return the mean of ``values`` with a bootstrap interval.

    :param values: one value per demand, at least one.
    """
    array = np.asarray(values, dtype=np.float64)
    n = len(array)
    return interval_of(float(array.mean()), array[_resamples(len(array), seed)].mean(axis=1), n)


def ratio_interval(
    values: Sequence[float], reference: Sequence[float], *, seed: int = 0
) -> Interval:
    """
    Return mean(values) / mean(reference) with a paired bootstrap interval.

    Both were measured on the same demands in the same order (common random numbers), so the pairs
    are resampled together.

    :param values: one value per demand.
    :param reference: same length; its mean must not be zero.
    """
    ours, theirs = np.asarray(values, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    index = _resamples(len(ours), seed)
    draws = ours[index].mean(axis=1) / np.maximum(theirs[index].mean(axis=1), 1e-9)
    return interval_of(float(ours.mean() / max(theirs.mean(), 1e-9)), draws, len(ours))
