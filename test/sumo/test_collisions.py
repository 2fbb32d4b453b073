"""A collision is told with its place and its time."""

from __future__ import annotations

from episodes import one_drives_blind
import pytest

from saferl_ros.isolation import run_isolated

pytestmark = pytest.mark.sumo


def test_who_ran_into_whom_and_where():
    ((_, (blind, collisions)),) = run_isolated(one_drives_blind, [True], jobs=1)
    first = collisions[0]
    assert (first.collider_id, first.victim_id) == blind[1:]
    assert blind[0] <= first.time_s < blind[0] + 20
    assert first.lane_id


def test_nothing_where_nobody_collides():
    assert list(run_isolated(one_drives_blind, [False], jobs=1)) == [(0, (None, []))]
