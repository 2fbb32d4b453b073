"""Which baseline wins the tuning, on delays made by hand."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from known import two_way_plan
import pytest

from saferl_ros.control.family import FamilyConfig, make_slots
from saferl_ros.env.junction import derive_junctions
from saferl_ros.evaluate import tune
from saferl_ros.evaluate.contest import Contestant
from saferl_ros.evaluate.tune import plan_candidates, tune_baselines, TuneConfig, twin
from saferl_ros.scenario import load_scenario, Scenario
from saferl_ros.shield.fallback import FixedTimeProgram


@dataclass(frozen=True)
class Crossing:
    """A plan, on the times and the demand of a real scenario."""

    plan: Any
    scenario: Scenario


HOUR = load_scenario('cologne1')


def winners(monkeypatch, delay_s, scenario=HOUR, **config):
    """Tune where a contestant's delay is ``delay_s(contestant, scale, share)``; return it all."""
    played, heard = [], []

    def play_all(junctions, contestants, demands, *, progress, **kwargs):
        (junction,) = junctions
        share = junction.scenario.horizon_s / scenario.horizon_s
        assert junction.scenario.begin_s == scenario.begin_s
        played.extend((one, demand.scale, share) for one in contestants for demand in demands)
        n = len(contestants) * len(demands)
        progress(n, n)
        return [[delay_s(one, demand.scale, share) for demand in demands] for one in contestants]

    monkeypatch.setattr(tune, 'play_all', play_all)
    found, notes = tune_baselines(
        [Crossing(two_way_plan(), scenario)],
        TuneConfig(**config),
        jobs=1,
        progress=lambda done, total: heard.append((done, total)),
    )
    assert heard[-1] == (len(played), len(played))  # it was known from the start how many
    return {one.name: one for one in found}, notes, played


def gap_s(contestant: Contestant) -> float:
    return 0.0 if contestant.actuated is None else contestant.actuated.max_gap_s


def test_all_play_the_first_part_and_the_best_play_every_demand_in_full(monkeypatch):
    found, notes, played = winners(
        monkeypatch,
        lambda one, scale, share: 40 + gap_s(one),
        scales=(1.0, 0.8),
        finalists=3,
        first_round=0.25,
    )
    shares = [share for _, _, share in played]
    n_first = shares.count(0.25)
    assert shares[:n_first] == [0.25] * (6 + 24 + 32)
    assert {scale for _, scale, share in played if share == 0.25} == {1.0}
    assert shares[n_first:] == [1.0] * (3 + 3 + 6) * 2
    assert found['actuated'].actuated.max_gap_s == 1.0
    assert notes['actuated']['candidates'] == 24
    assert notes['max_pressure']['candidates'] == 32 + 3
    assert notes['max_pressure']['finalists'] == 6
    assert notes['actuated']['first_round'] == 0.25


def test_the_whole_of_all_demands_decides_and_not_the_first_part(monkeypatch):
    def delay_s(one, scale, share):
        if share < 1:
            return gap_s(one)
        return (50.0 if scale == 1.0 else 20.0) - gap_s(one) * (1 if scale == 1.0 else 3)

    found, notes, _ = winners(monkeypatch, delay_s, scales=(1.0, 0.8), finalists=12)
    assert found['actuated'].actuated.max_gap_s == 1.5  # gaps of 1 and 1.5 s were among the best
    assert notes['actuated']['mean_delay_s'] == pytest.approx((50.0 - 1.5 + 20.0 - 4.5) / 2)


@pytest.mark.parametrize('sight_pays', [True, False])
def test_max_pressure_sees_past_split_roads_where_that_pays(monkeypatch, sight_pays):
    def delay_s(one, scale, share):
        return 30.0 + (
            one.max_pressure is not None and one.max_pressure.sees_upstream != sight_pays
        )

    found, _, _ = winners(monkeypatch, delay_s, scales=(1.0,), finalists=2)
    assert found['max_pressure'].max_pressure.sees_upstream is sight_pays


def test_an_episode_is_played_whole_in_the_first_round_if_so_wanted(monkeypatch):
    _, _, played = winners(
        monkeypatch, lambda *_: 1.0, scales=(1.0,), finalists=1, first_round=1.0
    )
    assert {share for _, _, share in played} == {1.0}


def test_an_episode_is_played_whole_where_nobody_departs_in_its_first_part(monkeypatch):
    early = replace(HOUR, begin_s=HOUR.begin_s - HOUR.horizon_s)
    _, notes, played = winners(
        monkeypatch, lambda *_: 1.0, early, scales=(1.0,), finalists=1, first_round=0.4
    )
    assert {share for _, _, share in played} == {1.0}
    assert notes['actuated']['first_round'] == 1.0


def test_the_twin_of_a_plan_lets_lefts_lag() -> None:
    (junction,) = derive_junctions(load_scenario('cologne1'))
    plan = junction.plan
    own = Contestant(name='best_plan', programs={plan.junction_id: plan.program})
    other = twin(own, [plan])
    assert other is not None
    swapped = other.programs[plan.junction_id]
    groups = make_slots(plan, FamilyConfig())
    assert [len(group) for group in groups] == [2, 2]  # a left and its main movement, twice
    assert swapped == tuple(plan.program[n] for n in (1, 0, 3, 2))
    small = two_way_plan()
    assert twin(Contestant(name='x', programs={small.junction_id: small.program}), [small]) is None


def test_plans_that_are_tried_on_coordinated_signals_share_a_cycle():
    plans = [junction.plan for junction in derive_junctions(load_scenario('corridor'))]
    tried = plan_candidates(plans)
    cycles = []
    for one in tried + [found for one in tried if (found := twin(one, plans))]:
        shared = {
            FixedTimeProgram(replace(plan, program=one.programs[plan.junction_id])).cycle_s
            for plan in plans
        }
        assert len(shared) == 1
        cycles += shared
    assert min(cycles) < 90 < max(cycles)
