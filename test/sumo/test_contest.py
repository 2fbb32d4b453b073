"""What a match measures."""

from __future__ import annotations

from dataclasses import replace

from episodes import drive_own_plan
import pytest

from saferl_ros.env.junction import Junction
from saferl_ros.evaluate.contest import Contestant, Match, play_matches
from saferl_ros.isolation import run_isolated
from saferl_ros.scenario import DemandVariation, load_scenario, Split

pytestmark = pytest.mark.sumo


def test_measuring_more_changes_nothing_else():
    plain = Match(
        junctions=(Junction.derive(load_scenario('cologne1', horizon_s=300)),),
        contestant=Contestant(name='net_plan'),
        demand=DemandVariation(split=Split.TUNE, seed=1),
    )
    less, more = play_matches([plain, replace(plain, measure_all=True)], jobs=2)
    assert less.trips.co2_g == less.conflicts == 0
    assert 20 < more.trips.co2_g < 1000
    assert more.conflicts > 0
    trips = replace(more.trips, co2_g=0.0)
    assert replace(more, conflicts=0.0, trips=trips) == less


def test_the_reward_that_judging_leaves_out_changes_nothing():
    results = dict(run_isolated(drive_own_plan, ['time_lost', None], jobs=2))
    assert results[0] == results[1]
