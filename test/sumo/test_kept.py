"""An interrupted judging goes on where it stopped."""

from __future__ import annotations

from dataclasses import replace

import pytest

from saferl_ros.control.max_pressure import MaxPressureConfig
from saferl_ros.env.junction import Junction
from saferl_ros.evaluate.contest import Contestant, Match, play_matches
from saferl_ros.evaluate.kept import KeptEpisodes
from saferl_ros.scenario import DemandVariation, load_scenario, Split

pytestmark = pytest.mark.sumo


@pytest.fixture(scope='module')
def matches():
    junction = Junction.derive(load_scenario('cologne1', horizon_s=60))
    return [
        Match(
            junctions=(junction,),
            contestant=contestant,
            demand=DemandVariation(split=Split.TUNE, seed=1),
            keep_trace=True,
        )
        for contestant in (
            Contestant(name='net_plan'),
            Contestant(name='max_pressure', max_pressure=MaxPressureConfig()),
        )
    ]


def test_what_was_played_is_not_played_again(matches, tmp_path):
    path = tmp_path / 'episodes.jsonl'
    first = play_matches(matches, jobs=2, kept=KeptEpisodes(path))
    begun = []
    again = play_matches(
        matches, jobs=2, kept=KeptEpisodes(path), progress=lambda *now: begun.append(now)
    )
    assert again == first
    assert begun == [(2, 2)]  # done before anything was started


def test_a_line_cut_short_is_played_again_and_spoils_no_other(matches, tmp_path):
    path = tmp_path / 'episodes.jsonl'
    first = play_matches(matches, jobs=2, kept=KeptEpisodes(path))
    path.write_text(path.read_text()[:-20])
    begun = []
    assert (
        play_matches(
            matches, jobs=2, kept=KeptEpisodes(path), progress=lambda *now: begun.append(now)
        )
        == first
    )
    assert begun == [(1, 2), (2, 2)]
    play_matches(matches, jobs=2, kept=KeptEpisodes(path), progress=lambda *now: begun.append(now))
    assert begun[-1] == (2, 2)
    assert len(begun) == 3


def test_a_name_does_not_matter_and_all_else_does(matches):
    match = matches[1]
    renamed = replace(match, contestant=replace(match.contestant, name='another'))
    assert renamed.key() == match.key()
    others = [
        matches[0],
        replace(match, demand=DemandVariation(split=Split.TUNE, seed=2)),
        replace(match, measure_all=True),
        replace(
            match,
            contestant=Contestant(
                name='max_pressure', max_pressure=MaxPressureConfig(min_hold_s=15.0)
            ),
        ),
    ]
    assert len({match.key(), *(other.key() for other in others)}) == 5


def test_demand_that_was_edited_is_played_again(matches, tmp_path):
    scenario = matches[0].junctions[0].scenario
    routes = tmp_path / scenario.route_files[0].name
    routes.write_bytes(scenario.route_files[0].read_bytes())
    junction = replace(matches[0].junctions[0], scenario=replace(scenario, route_files=(routes,)))
    kept = KeptEpisodes(tmp_path / 'episodes.jsonl')
    edited = [replace(matches[0], junctions=(junction,))]
    play_matches(edited, jobs=1, kept=kept)
    begun = []
    play_matches(edited, jobs=1, kept=kept, progress=lambda *now: begun.append(now))
    assert begun == [(1, 1)]
    routes.write_bytes(routes.read_bytes() + b'\n')
    play_matches(edited, jobs=1, kept=kept, progress=lambda *now: begun.append(now))
    assert begun[1:] == [(0, 1), (1, 1)]
