"""The search for the widest family within a price, on prices made by hand."""

from __future__ import annotations

from types import SimpleNamespace

from known import two_way_plan
from pydantic import ValidationError
import pytest

from saferl_ros.cli import budget as cli_budget
from saferl_ros.cli.budget import family_search
from saferl_ros.evaluate import budget
from saferl_ros.evaluate.budget import widest_family, WIDTHS
from saferl_ros.evaluate.contest import SharedProgress
from saferl_ros.record.recorder import RecordConfig

OWN_S = 40.0


def search(monkeypatch, price, limit):
    """Search where a family costs ``price(family)`` on every demand; return it and its plays."""
    played = []

    def play_all(junctions, contestants, demands, **kwargs):
        played.extend((c.family, d) for c in contestants for d in demands)
        return [
            [OWN_S * (1.0 if c.family is None else price(c.family)) for _ in demands]
            for c in contestants
        ]

    monkeypatch.setattr(budget, 'play_all', play_all)
    junction = SimpleNamespace(plan=two_way_plan())
    return widest_family(
        [junction], limit, scale_range=(0.5, 1.25), surge_share=0.2, jobs=1
    ), played


def swap_price(family):
    """Every swap costs; shorter greens than 0.85 of the own ones cost a lot."""
    return 1.0 + 0.2 * family.swap_probability + 2 * abs(family.green_scale - 0.85)


@pytest.mark.parametrize(
    ('limit', 'width'), [(1.11, 0), (1.1, 0), (1.09, 1), (1.05, 2), (1.03, 3)]
)
def test_the_widest_within_the_budget_at_its_best_greens(monkeypatch, limit, width):
    found, _ = search(monkeypatch, swap_price, limit)
    assert found.is_within
    assert found.family.swap_probability == WIDTHS[width].swap_probability
    assert found.family.main_shift_s == WIDTHS[width].main_shift_s
    assert found.family.minor_shift_s == WIDTHS[width].minor_shift_s
    assert found.family.green_scale == 0.85
    assert len(found.trials) == width + 1


def test_the_cheapest_where_nothing_keeps_the_budget(monkeypatch):
    found, _ = search(monkeypatch, swap_price, 0.9)
    assert not found.is_within
    assert found.family.swap_probability == WIDTHS[-1].swap_probability
    assert found.trials[-1].price.mean == pytest.approx(1.006)


def test_a_family_is_judged_on_all_demands_before_it_is_chosen(monkeypatch):
    found, played = search(monkeypatch, swap_price, 1.2)
    demands = {demand.seed for family, demand in played if family is None}
    assert len(demands) == budget.PRICING
    assert {d.seed for family, d in played if family == found.family} > demands
    scales = [d.scale for family, d in played if family is None]
    assert (min(scales), max(scales)) == (0.5, 1.25)
    assert sum(d.surge is not None for family, d in played if family is None) == 2


def test_what_chose_the_greens_does_not_flatter_the_price(monkeypatch):
    def play_all(junctions, contestants, demands, **kwargs):
        if contestants[0].family is None:
            return [[OWN_S] * len(demands)]
        if len(contestants) == 1:
            return [[1.1 * OWN_S] * len(demands)]
        return [[share * OWN_S] * len(demands) for share in (1.1, 1.1, 0.9, 1.1)]  # by chance

    monkeypatch.setattr(budget, 'play_all', play_all)
    junction = SimpleNamespace(plan=two_way_plan())
    found = widest_family([junction], 1.05, scale_range=(0.5, 1.25), surge_share=0, jobs=1)
    assert found.family.green_scale == budget.GREEN_SCALES[2]
    assert found.trials[-1].price.mean == pytest.approx(1.1)
    assert not found.is_within


def test_a_recording_states_a_budget_or_a_family():
    RecordConfig(budget=1.05)
    with pytest.raises(ValidationError, match="left out where 'budget' searches one"):
        RecordConfig(budget=1.05, family={'swap_probability': 0.1})
    with pytest.raises(ValidationError, match='finite'):
        RecordConfig(budget=float('inf'))


def test_a_note_says_that_nothing_keeps_the_budget(monkeypatch, capsys, tmp_path):
    found, _ = search(monkeypatch, swap_price, 0.9)
    monkeypatch.setattr(cli_budget, 'widest_family', lambda *args, **kwargs: found)
    ask = family_search([], RecordConfig(budget=0.9), jobs=1, is_quiet=False)
    family, notes = ask(tmp_path / 'kept.jsonl')
    assert family == found.family
    assert len(notes) == len(WIDTHS)
    said = capsys.readouterr()
    assert 'families tried for a price of at most 0.9; the last one is recorded' in said.out
    assert 'note: no family keeps the budget of 0.9; the cheapest one costs 1.01' in said.err


def test_rounds_count_up_together():
    told = []
    progress = SharedProgress(lambda *now: told.append(now), 5)
    for done, of_round in ((0, 2), (1, 2), (2, 2), (3, 3)):  # the second round was kept
        progress(done, of_round)
    assert told == [(0, 5), (1, 5), (2, 5), (5, 5)]
