"""Max-pressure where a network splits its roads before the junctions."""

from __future__ import annotations

import pytest

from saferl_ros.control.max_pressure import MaxPressureConfig
from saferl_ros.env.junction import derive_junctions
from saferl_ros.evaluate.contest import Contestant, play_all
from saferl_ros.scenario import DemandVariation, load_scenario, Split

pytestmark = pytest.mark.sumo


def test_seeing_past_split_roads_more_than_halves_the_delay_of_ingolstadt7():
    contestants = [
        Contestant(
            name='max_pressure',
            max_pressure=MaxPressureConfig(
                min_hold_s=15.0, margin_veh=1.0, halting_only=True, sees_upstream=sees
            ),
        )
        for sees in (False, True)
    ]
    junctions = derive_junctions(load_scenario('ingolstadt7'))
    demand = DemandVariation(split=Split.TUNE, seed=1, scale=0.85)
    (blind_s,), (seeing_s,) = play_all(junctions, contestants, [demand], jobs=2)
    assert seeing_s < blind_s / 2
