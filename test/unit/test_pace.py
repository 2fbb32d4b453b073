"""The ticks of a paced street: as fast as asked in the long run, never hurrying after a halt."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
import pytest

from saferl_ros.ros.pace import Pace


def run(pace: Pace, works_s: list[float], now_s: float = 100.0) -> list[float]:
    """Tick, work so long, wait until the next tick; return when the ticks were."""
    ticks = []
    for work_s in works_s:
        ticks.append(now_s)
        now_s = max(now_s + work_s, pace.next_due_s(now_s + work_s))
    return ticks


@given(st.lists(st.floats(0.0, 0.09), min_size=2, max_size=200))
def test_jitter_within_a_period_costs_no_time(works_s):
    ticks = run(Pace(0.1), works_s)
    assert ticks[-1] - ticks[0] <= 0.1 * len(ticks) + 1e-6


@given(st.lists(st.floats(0.0, 3.0), min_size=2, max_size=200), st.data())
def test_no_span_of_time_holds_more_than_two_ticks_too_many(works_s, data):
    ticks = run(Pace(0.1), works_s)
    first = data.draw(st.integers(0, len(ticks) - 2))
    last = data.draw(st.integers(first + 1, len(ticks) - 1))
    assert ticks[last] - ticks[first] >= 0.1 * (last - first - 2) - 1e-6


def test_a_halt_is_not_caught_up():
    ticks = run(Pace(0.1), [0.0] * 5 + [2.0] + [0.0] * 30)
    after = ticks[6:]
    assert after[-1] - after[0] == pytest.approx(0.1 * (len(after) - 2))


def test_a_clock_that_went_back_stops_no_tick():
    pace = Pace(0.1)
    pace.next_due_s(100.0)
    assert pace.next_due_s(40.0) == pytest.approx(40.1)
