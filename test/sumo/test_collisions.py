"""A collision is told with its place and its time."""

from __future__ import annotations

from episodes import one_drives_blind
import pytest

from saferl_ros.isolation import run_isolated

pytestmark = pytest.mark.sumo


def test_who_ran_into_whom_and_where():
    ((_, (blind, result)),) = run_isolated(one_drives_blind, [True], jobs=1)
    assert len(result.collisions) == result.trips.collisions > 0
    first = result.collisions[0]
    assert (first.collider_id, first.victim_id) == blind[1:]
    assert blind[0] <= first.time_s < blind[0] + 20
    assert first.lane_id


def test_nothing_where_nobody_collides():
    ((_, (_, result)),) = run_isolated(one_drives_blind, [False], jobs=1)
    assert result.collisions == []
    assert result.trips.collisions == 0
