"""Whatever is asked, whoever calls: the lamps are safe."""

from __future__ import annotations

from itertools import groupby, pairwise

from hypothesis import given
from hypothesis import strategies as st
from strategies import requests, signal_plans

from saferl_ros.signals import card_of, ConflictMonitor, SignalPlan, StageSequencer
from saferl_ros.signals.plan import GREEN_LAMPS


def served_links(plan: SignalPlan) -> set[int]:
    """Return the links that some stage gives green; no sequencer can serve the others."""
    return {
        i for stage in plan.stages for i, lamp in enumerate(stage.lamps) if lamp in GREEN_LAMPS
    }


def play(plan: SignalPlan, data: st.DataObject, n_ticks: int = 120) -> list[tuple[str, int, bool]]:
    """Drive a sequencer at random; return (lamps, stage, is clearing) of each tick."""
    sequencer = StageSequencer(plan)
    monitor = ConflictMonitor(card_of(plan))
    asked = data.draw(st.lists(st.tuples(st.integers(0, n_ticks - 1), requests()), max_size=60))
    by_tick: dict[int, list[object]] = {}
    for tick, request in asked:
        by_tick.setdefault(tick, []).append(request)
    calling = data.draw(st.lists(st.booleans(), min_size=plan.n_links, max_size=plan.n_links))
    late = data.draw(st.integers(0, n_ticks))
    served = served_links(plan)
    shown = []
    for tick in range(n_ticks):
        for request in by_tick.get(tick, []):
            sequencer.request(request)
        everyone = [True] * plan.n_links if tick >= late else calling
        calls = [called and link in served for link, called in enumerate(everyone)]
        lamps = sequencer.step(calls)
        monitor.step(lamps, calls)
        shown.append((lamps, sequencer.stage, sequencer.is_clearing))
    assert not monitor.counts, monitor.faults
    return shown


@given(plan=signal_plans(), data=st.data())
def test_the_independent_monitor_finds_nothing_whatever_is_requested(plan, data):
    assert play(plan, data)  # which asserts that the monitor counted nothing


@given(plan=signal_plans(), data=st.data())
def test_every_green_lasts_its_minimum_and_no_longer_than_its_maximum(plan, data):
    shown = play(plan, data)
    runs = [(key, len(list(ticks))) for key, ticks in groupby(shown, key=lambda row: row[1:])]
    for (stage, is_clearing), length in runs[:-1]:
        if not is_clearing:
            assert plan.stages[stage].min_green_s <= length <= plan.stages[stage].max_green_s


@given(plan=signal_plans(), data=st.data())
def test_every_change_shows_its_whole_walk_clearance_yellow_and_all_red(plan, data):
    shown = play(plan, data)
    runs = [(key, list(ticks)) for key, ticks in groupby(shown, key=lambda row: row[1:])]
    for before, during in pairwise(runs[:-1]):
        (a, was_clearing), (b, is_clearing) = before[0], during[0]
        if is_clearing and not was_clearing:
            lamps = [row[0] for row in during[1]]
            assert len(lamps) == plan.intergreen_s(a, b)
            n_walk = int(plan.walk_clear_s[a][b])
            n_yellow = n_walk + int(plan.yellow_s[a][b])
            for link in plan.losing(a, b):
                column = [row[link] for row in lamps]
                if plan.links[link].is_crossing:
                    assert set(column) <= {'r'}
                else:
                    assert set(column[:n_walk]) <= {plan.stages[a].lamps[link]}
                    assert set(column[n_walk:n_yellow]) <= {'y'}
                    assert not set(column[n_yellow:]) & {'y', *GREEN_LAMPS}


@given(plan=signal_plans(), data=st.data())
def test_no_called_link_waits_longer_than_the_maximum_red(plan, data):
    sequencer = StageSequencer(plan)
    served = served_links(plan)
    favourite = data.draw(st.integers(0, plan.n_stages - 1))
    waited = dict.fromkeys(served, 0)
    for _ in range(int(3 * plan.max_red_s) + 50):
        sequencer.request(favourite)
        lamps = sequencer.step([True] * plan.n_links)
        for link in served:
            waited[link] = 0 if lamps[link] in GREEN_LAMPS else waited[link] + 1
            assert waited[link] <= plan.max_red_s


@given(plan=signal_plans(), data=st.data())
def test_some_stage_is_always_legal_and_a_legal_request_is_obeyed(plan, data):
    sequencer = StageSequencer(plan)
    for _ in range(80):
        legal = sequencer.legal_stages()
        assert any(legal)
        if sequencer.is_decision_due:
            wanted = data.draw(st.sampled_from([n for n, ok in enumerate(legal) if ok]))
            assert sequencer.request(wanted).value == 'accepted'
            sequencer.step([True] * plan.n_links)
            assert sequencer.stage == wanted
        else:
            sequencer.step([True] * plan.n_links)


@given(plan=signal_plans())
def test_a_plan_survives_json_and_keeps_its_fingerprint(plan):
    copy = SignalPlan.from_json(plan.to_json())
    assert copy == plan
    assert copy.fingerprint() == plan.fingerprint()
