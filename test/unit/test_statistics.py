"""Statistics of the benchmark, on scores whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from saferl_ros.evaluate.statistics import (
    bootstrap,
    chance_to_be_lower,
    interquartile_mean,
    ratio_of_means,
)


def test_the_interquartile_mean_leaves_out_the_outer_quarters() -> None:
    assert interquartile_mean(np.array([[1.0, 2.0, 3.0, 1000.0]])) == 2.5


def test_the_chance_to_be_lower_compares_on_the_same_demand() -> None:
    ours, theirs = np.array([[1.0, 5.0], [2.0, 7.0]]), np.array([[2.0, 6.0]])
    assert chance_to_be_lower(ours, theirs) == pytest.approx((1 + 1 + 0.5 + 0) / 4)
    assert chance_to_be_lower(ours, ours) == 0.5


def test_a_bootstrap_keeps_demands_together() -> None:
    base = np.linspace(10, 90, 12)[None]
    found = bootstrap(ratio_of_means, base / 2, base)
    assert (found.mean, found.ci_low, found.ci_high) == pytest.approx((0.5, 0.5, 0.5))


def test_an_interval_holds_its_mean_and_narrows_with_more_demands() -> None:
    rng = np.random.default_rng(0)
    few, many = rng.normal(30, 5, (3, 5)), rng.normal(30, 5, (3, 500))
    wide, narrow = bootstrap(np.mean, few), bootstrap(np.mean, many)
    assert wide.ci_low < wide.mean < wide.ci_high
    assert narrow.ci_high - narrow.ci_low < (wide.ci_high - wide.ci_low) / 2


def test_a_bad_training_seed_is_bad_on_every_demand() -> None:
    scores = np.repeat([[10.0], [10.0], [40.0]], 50, axis=1)  # demands alike, one seed bad
    found = bootstrap(np.mean, scores)
    assert (found.mean, found.ci_low, found.ci_high) == pytest.approx((20.0, 10.0, 40.0))


def test_few_seeds_are_widened_however_many_demands_there_are() -> None:
    few = np.repeat(np.array([[10.0], [20.0], [30.0], [40.0], [50.0]]), 50, axis=1)
    found = bootstrap(np.mean, few)
    assert 10 <= found.ci_low < 14  # Student of five: -3.1 deviations and not -1.96, so not 18
    assert 46 < found.ci_high <= 50
    single = bootstrap(np.mean, few[2:3])  # no training seeds, and demands alike
    assert (single.ci_low, single.ci_high) == (30.0, 30.0)
