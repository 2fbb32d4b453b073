"""Whatever is observed, whatever the clock says: the guard answers, and it cannot flap."""

from __future__ import annotations

import sys

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
from strategies import Hostile

from saferl_ros.shield.guard import Guard, GuardedDetector, GuardModel

MODEL = GuardModel(
    n_features=4,
    detectors=(
        GuardedDetector(
            name='a',
            readings=(1, 2),
            vehicles=(1,),
            weights=((3.0, -1.0, 0.0), (-1.0, 3.0, 0.5)),
            usual_stillness=5.0,
        ),
        GuardedDetector(
            name='b', readings=(3,), vehicles=(3,), weights=((0.0, 0.5, 2.0),), usual_stillness=2.0
        ),
    ),
    mean=(0.5, 0.2, 0.5),
    usual_residual=2.0,
    threshold=1.0,
    false_alarm_rate=0.05,
    n_calibration=19,
    spec_fingerprint='0123',
)


class Liar(list):  # type: ignore[type-arg]
    """A list that lies about its length and never ends."""

    def __len__(self) -> int:
        return 4

    def __iter__(self):  # type: ignore[no-untyped-def]
        while True:
            yield 1.0


class BadArray:
    """An array whose contents cannot be had."""

    def tolist(self) -> list[float]:
        raise MemoryError


def good_observations() -> st.SearchStrategy[object]:
    numbers = st.lists(st.floats(0, 2, width=32), min_size=4, max_size=4)
    return st.one_of(numbers, numbers.map(tuple), numbers.map(np.array))


def anything() -> st.SearchStrategy[object]:
    number = st.one_of(st.floats(), st.integers(), st.none(), st.text(max_size=2), st.booleans())
    return st.one_of(
        good_observations(),
        st.lists(number, max_size=6),
        st.lists(st.floats(), min_size=4, max_size=4),
        st.lists(st.floats(), min_size=4, max_size=4).map(np.array),
        st.binary(max_size=4),
        st.dictionaries(st.integers(0, 3), st.floats(), max_size=4),
        st.builds(Hostile),
        st.builds(Liar),
        st.builds(BadArray),
        st.just([1.0, Hostile(), 1.0, 1.0]),
        st.just(np.ones((2, 2))),
        st.complex_numbers(),
    )


def times() -> st.SearchStrategy[object]:
    return st.one_of(
        st.floats(), st.integers(), st.none(), st.builds(Hostile), st.text(max_size=2)
    )


@given(updates=st.lists(st.tuples(anything(), times()), max_size=40))
def test_an_update_never_raises_and_always_says_yes_or_no(updates):
    guard = Guard(MODEL)
    for n, (observation, now_s) in enumerate(updates, 1):
        assert guard.update(observation, now_s) is guard.is_alarmed
        assert guard.n_updates == n
        assert 0 <= guard.n_over <= n
        assert guard.last_score >= 0
        assert guard.last_score >= MODEL.score(observation) or isinstance(observation, Liar)


@given(
    data=st.data(),
    k=st.integers(1, 4),
    more=st.integers(0, 3),
    min_dwell_s=st.floats(0, 60),
)
def test_no_alarm_is_shorter_than_its_dwell_or_its_quiet_run(data, k, more, min_dwell_s):
    n = k + more
    guard = Guard(MODEL, enter=(k, n), leave=n + 1, min_dwell_s=min_dwell_s)
    steps = st.tuples(st.one_of(good_observations(), anything()), st.floats(0, 20))
    now_s, began_s, n_quiet = 0.0, None, 0
    for observation, step_s in data.draw(st.lists(steps, max_size=80)):
        now_s += step_s
        was_alarmed, n_over = guard.is_alarmed, guard.n_over
        is_alarmed = guard.update(observation, now_s)
        n_quiet = n_quiet + 1 if guard.n_over == n_over else 0
        if is_alarmed and not was_alarmed:
            began_s = now_s
        if was_alarmed and not is_alarmed:
            assert now_s - began_s >= min_dwell_s
            assert n_quiet > n


@given(
    observations=st.lists(good_observations(), min_size=1, max_size=20),
    clocks=st.lists(st.floats(-100, 100), min_size=1, max_size=20),
)
def test_however_the_clock_jumps_an_alarm_ends_only_after_a_dwell_that_ran_forward(
    observations, clocks
):
    guard = Guard(MODEL, enter=(1, 1), leave=1, min_dwell_s=30.0)
    guard.update(None, clocks[0])
    lowest, last = clocks[0], clocks[0]
    for n, now_s in enumerate(clocks):
        lowest = now_s if now_s < last else lowest
        last = now_s
        if guard.is_alarmed and not guard.update(observations[n % len(observations)], now_s):
            assert now_s - lowest >= 30.0
            return


def size_of(value: object) -> int:
    """Return the bytes of an object and of everything in it."""
    if isinstance(value, list | tuple):
        return sys.getsizeof(value) + sum(map(size_of, value))
    return sys.getsizeof(value)


@settings(max_examples=20, deadline=None)
@given(updates=st.lists(st.tuples(anything(), times()), min_size=1, max_size=10))
def test_memory_is_constant(updates):
    guard = Guard(MODEL)

    def memory() -> int:
        return sum(
            size_of(value) for name, value in vars(guard).items() if name not in ('_model',)
        )

    guard.update([0.0, 1.0, 1.0, 1.0], 0.0)
    at_first = memory()
    for _ in range(50):
        for observation, now_s in updates:
            guard.update(observation, now_s)
    assert memory() <= at_first + 100  # a longer name of a suspect, a larger count
