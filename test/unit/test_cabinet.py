"""The cabinet by hand: flash and its end, emergency vehicles, pedestrians, broken detectors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
import math

import pytest
from small import CROSS_STREET, crossing, NORTH, STRAIGHTS, WEST
from strategies import Hostile

from saferl_ros.errors import SignalPlanError
from saferl_ros.shield import (
    Cabinet,
    CabinetMode,
    CabinetTick,
    DetectorFault,
    DetectorWatch,
    Proposal,
    Shield,
    ShieldReason,
)
from saferl_ros.signals import card_of, ConflictMonitor, SignalPlan
from saferl_ros.signals.pairing import with_clearances

NOBODY = (False,) * 4
FLASH = 'oooo'


@dataclass
class Street:
    """A cabinet that is ticked every second, and a policy that is asked for one stage or none."""

    cabinet: Cabinet
    wish: int | None = None
    now: int = 0
    ticks: list[CabinetTick] = field(default_factory=list)

    def run(self, n_ticks: int, presence: Sequence[bool] = NOBODY) -> list[str]:
        """Tick; return the lamps shown."""
        cabinet, plan = self.cabinet, self.cabinet.shield.plan
        for _ in range(n_ticks):
            if cabinet.is_policy_due and self.wish is not None:
                proposal = Proposal(
                    junction_id=plan.junction_id,
                    sequence=self.now,
                    stamp_s=self.now,
                    stage=self.wish,
                )
                cabinet.shield.receive(proposal, self.now)
            self.ticks.append(cabinet.tick(self.now, self.now, presence))
            self.now += 1
        return [tick.lamps for tick in self.ticks[-n_ticks:]]

    @property
    def reasons(self) -> list[ShieldReason | None]:
        return [tick.decision and tick.decision.reason for tick in self.ticks]


def street(
    plan: SignalPlan | None = None,
    *,
    wish: int | None = STRAIGHTS,
    watch: DetectorWatch | None = None,
) -> Street:
    plan = plan or crossing()
    return Street(Cabinet(plan, Shield(plan), watch=watch), wish)


def runs(lamps: Iterable[str]) -> list[tuple[str, int]]:
    return [(text, len(list(group))) for text, group in groupby(lamps)]


def show_instead(cabinet: Cabinet, lamps: str, *, at_tick: int) -> None:
    """Let the sequencer emit other lamps at one tick, as one with a fault would."""
    sound, n = cabinet.sequencer.step, 0

    def step(calls: Sequence[bool] | None = None) -> str:
        nonlocal n
        n += 1
        shown = sound(calls)
        return lamps if n == at_tick else shown

    cabinet.sequencer.step = step  # type: ignore[method-assign]


def fail(cabinet: Cabinet, *, at_tick: int) -> None:
    """Let the sequencer raise at one tick."""
    sound, n = cabinet.sequencer.step, 0

    def step(calls: Sequence[bool] | None = None) -> str:
        nonlocal n
        n += 1
        if n == at_tick:
            raise RuntimeError('out of order')
        return sound(calls)

    cabinet.sequencer.step = step  # type: ignore[method-assign]


# ------------------------------------------------------------------ the loop


def test_the_policy_is_due_after_the_minimum_green_and_then_every_five_seconds():
    road = street()
    due = []
    for _ in range(21):
        due.append(road.cabinet.is_policy_due)
        road.run(1)
    assert [n for n, is_due in enumerate(due) if is_due] == [5, 10, 15, 20]
    assert [n for n, reason in enumerate(road.reasons) if reason is ShieldReason.POLICY] == [
        *(5, 10, 15, 20)
    ]


def test_a_change_is_followed_by_a_decision_once_its_minimum_green_is_over():
    road = street(wish=CROSS_STREET)
    road.run(8)
    due = []
    for _ in range(12):
        due.append(road.cabinet.is_policy_due)
        road.run(1)
    assert due.index(True) == 7  # asked at 5, clears until 10, may end at 15


def test_a_policy_that_does_not_answer_is_asked_again_every_second():
    road = street(wish=None)
    due = []
    for _ in range(11):
        due.append(road.cabinet.is_policy_due)
        road.run(1)
    assert [n for n, is_due in enumerate(due) if is_due] == list(range(5, 11))
    assert road.reasons[5:11] == [*[ShieldReason.HOLD] * 5, ShieldReason.SILENT]


def test_under_fallback_the_policy_is_still_asked_at_its_own_pace():
    road = street()
    road.cabinet.shield.latch(ShieldReason.OPERATOR)
    due = []
    for _ in range(29):
        due.append(road.cabinet.is_policy_due)
        road.run(1)
    assert [n for n, is_due in enumerate(due) if is_due] == [5, 10, 15, 20, 25]
    assert set(road.reasons[5:]) == {ShieldReason.OPERATOR}


def test_a_shield_of_another_plan_is_refused():
    with pytest.raises(SignalPlanError, match='another plan'):
        Cabinet(crossing(), Shield(crossing(offset_s=10.0)))


def test_an_open_decision_that_an_emergency_vehicle_takes_over_is_no_silence():
    road = street(wish=None)
    road.run(7)
    assert road.cabinet.shield.is_waiting
    road.cabinet.preempt(STRAIGHTS, 30.0)
    road.run(31)  # its time is over at the end of the tick
    road.wish = STRAIGHTS
    road.run(2)
    assert road.reasons[-2:] == [ShieldReason.POLICY, ShieldReason.HOLD]
    assert not road.cabinet.shield.is_latched


# ------------------------------------------------------------------ flash


@pytest.mark.parametrize(
    'lamps', ['GGgG', 'rrrG', 'rrrr', '', 'GGg', 'GGgrr', 'GGgx', 'yyyy' + 'y' * 99]
)
def test_faulty_lamps_are_never_shown_the_junction_flashes_in_the_very_tick(lamps):
    road = street()
    show_instead(road.cabinet, lamps, at_tick=9)
    assert runs(road.run(20)) == [('GGgr', 8), (FLASH, 12)]
    assert {tick.mode for tick in road.ticks[8:]} == {CabinetMode.FLASH}
    assert road.cabinet.shield.latched_by is ShieldReason.MONITOR
    assert road.cabinet.monitor.n_faults > 0


def test_lamps_that_are_no_text_are_never_shown():
    road = street()
    show_instead(road.cabinet, None, at_tick=3)  # type: ignore[arg-type]
    assert runs(road.run(5)) == [('GGgr', 2), (FLASH, 3)]


def test_a_sequencer_that_fails_is_no_reason_to_stop_but_to_flash():
    road = street()
    fail(road.cabinet, at_tick=9)
    assert runs(road.run(20)) == [('GGgr', 8), (FLASH, 12)]
    assert repr(road.cabinet.failure) == "RuntimeError('out of order')"
    assert road.cabinet.shield.counts == {ShieldReason.MONITOR: 1}


@pytest.mark.parametrize('part', ['shield', 'monitor'])
def test_whatever_part_fails_the_junction_flashes(part, monkeypatch):
    road = street()

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError('out of order')

    monkeypatch.setattr(
        getattr(road.cabinet, part), {'shield': 'decide', 'monitor': 'step'}[part], broken
    )
    assert road.run(20)[-1] == FLASH


def test_flash_stays_until_somebody_resets():
    road = street()
    fail(road.cabinet, at_tick=2)
    assert set(road.run(10_000)[1:]) == {FLASH}
    assert not road.cabinet.is_policy_due
    road.cabinet.shield.rearm()
    road.cabinet.end_preemption()
    road.cabinet.omit(())
    assert set(road.run(100)) == {FLASH}


def test_a_reset_shows_six_seconds_of_red_and_then_the_program():
    road = street(wish=CROSS_STREET)
    fail(road.cabinet, at_tick=2)
    road.run(82)  # to the program's seventh second
    road.cabinet.reset()
    assert runs(road.run(60)) == [
        ('rrrr', 6),
        ('GGgr', 105 - 88),  # the program's first stage ends at its 30th second
        *(('yGgr', 3), ('rGgr', 2), ('rGGr', 10), ('ryyr', 3), ('rrrr', 2), ('rrrG', 17)),
    ]
    assert road.cabinet.monitor.is_latched is False
    assert road.cabinet.failure is None


def test_after_a_reset_the_policy_waits_for_somebody_to_rearm():
    road = street(wish=CROSS_STREET)
    fail(road.cabinet, at_tick=2)
    road.run(10)
    road.cabinet.reset()
    road.run(100)
    assert set(road.reasons[10:]) == {None, ShieldReason.MONITOR}
    road.cabinet.shield.rearm()
    road.run(30)
    assert ShieldReason.POLICY in road.reasons[-30:]


def test_rearming_while_the_junction_flashes_does_not_hand_the_reset_to_the_policy():
    road = street(wish=CROSS_STREET)
    fail(road.cabinet, at_tick=2)
    road.run(10)
    road.cabinet.shield.rearm()
    road.cabinet.reset()
    road.run(100)
    assert set(road.reasons[10:]) == {None, ShieldReason.MONITOR}


def test_a_reset_while_the_junction_runs_does_nothing():
    calm, other = street(), street()
    for _ in range(60):
        other.cabinet.reset()
        assert calm.run(1) == other.run(1)


def test_a_reset_does_not_show_a_stage_that_is_out_of_service():
    road = street()
    road.cabinet.omit([STRAIGHTS])
    fail(road.cabinet, at_tick=1)
    road.run(5)
    road.cabinet.reset()
    assert 'GGgr' not in road.run(200, (True,) * 4)
    assert road.ticks[-1].mode is CabinetMode.RUNNING


def test_the_same_fault_after_a_reset_flashes_again():
    road = street()
    show_instead(road.cabinet, 'GGgG', at_tick=3)
    road.run(5)
    show_instead(road.cabinet, 'GGgG', at_tick=8)
    road.cabinet.reset()
    assert runs(road.run(20)) == [('rrrr', 6), ('GGgr', 1), (FLASH, 13)]


# ------------------------------------------------------------------ bad input is no fault


@pytest.mark.parametrize(
    'presence', [None, 7, (), (True,), NOBODY * 2, [Hostile(), object()], [math.nan] * 4, 'GGgr']
)
def test_a_broken_presence_calls_everybody_and_flashes_nothing(presence):
    road = street()
    road.run(300, presence)
    assert {tick.mode for tick in road.ticks} == {CabinetMode.RUNNING}
    assert len({tick.lamps for tick in road.ticks}) > 3  # called, so served within the bound


class Untruthful:
    """Neither there nor not there."""

    def __bool__(self) -> bool:
        raise RuntimeError('no')


def test_a_presence_that_raises_calls_everybody():
    road = street(watch=DetectorWatch(4))
    road.run(300, [Untruthful()] * 4)  # type: ignore[list-item]
    assert {tick.mode for tick in road.ticks} == {CabinetMode.RUNNING}


@pytest.mark.parametrize('now_s', [math.nan, math.inf, None, 'noon', Hostile()])
def test_broken_clocks_lead_to_the_program_and_not_to_flash(now_s):
    road = street(watch=DetectorWatch(4))
    road.run(20)
    ticks = [road.cabinet.tick(now_s, now_s, NOBODY) for _ in range(100)]
    assert {tick.mode for tick in ticks} == {CabinetMode.RUNNING}
    assert {t.decision.reason for t in ticks if t.decision} == {ShieldReason.CLOCK}


# ------------------------------------------------------------------ emergency vehicles


def test_an_emergency_vehicle_gets_its_stage_after_minimum_green_and_clearance():
    road = street()
    road.run(2)
    assert road.cabinet.preempt(CROSS_STREET, 30.0).value == 'accepted'
    assert runs(road.run(40)) == [
        *(('GGgr', 3), ('yyyr', 3), ('rrrr', 2), ('rrrG', 23)),  # to the end of the 30 s
        *(('rrry', 4), ('rrrr', 1), ('GGgr', 4)),  # as the policy wants
    ]


def test_preemption_holds_beyond_maximum_green_and_maximum_red():
    road = street(crossing(max_red_s=240.0))
    road.run(2)
    road.cabinet.preempt(CROSS_STREET, 500.0)
    shown = road.run(490, (True,) * 4)
    assert runs(shown)[-1][0] == 'rrrG'
    assert runs(shown)[-1][1] > 400
    assert {tick.mode for tick in road.ticks} == {CabinetMode.RUNNING}


def test_the_policy_is_not_asked_while_an_emergency_vehicle_has_the_junction():
    road = street()
    road.run(6)
    road.cabinet.preempt(STRAIGHTS, 20.0)
    before = len(road.ticks)
    road.run(20)
    assert not road.cabinet.is_policy_due
    road.run(1)
    assert set(road.reasons[before:]) == {None}
    road.run(1)
    assert road.reasons[-1] is ShieldReason.POLICY


def test_preemption_neither_latches_nor_rearms_the_shield():
    free, held = street(), street()
    held.cabinet.shield.latch(ShieldReason.OPERATOR)
    for road in (free, held):
        road.run(6)
        road.cabinet.preempt(CROSS_STREET, 20.0)
        road.run(60)
    assert not free.cabinet.shield.is_latched
    assert held.cabinet.shield.latched_by is ShieldReason.OPERATOR


def test_a_released_junction_is_free_at_once():
    road = street(wish=CROSS_STREET)
    road.run(3)
    road.cabinet.preempt(STRAIGHTS, 600.0)
    road.run(30)
    road.cabinet.end_preemption()
    assert road.run(2)[0] == 'yyyr'


@pytest.mark.parametrize(
    ('stage', 'timeout_s', 'verdict'),
    [
        (7, 30.0, 'out of range'),
        ('x', 30.0, 'malformed'),
        (Hostile(), 30.0, 'malformed'),
        (0, math.nan, 'out of range'),
        (0, 601.0, 'out of range'),
        (0, -1.0, 'out of range'),
        (0, 'long', 'malformed'),
    ],
)
def test_a_bad_preemption_is_refused_and_changes_nothing(stage, timeout_s, verdict):
    road = street()
    road.run(6)
    assert road.cabinet.preempt(stage, timeout_s).value == verdict
    assert not road.cabinet.sequencer.is_preempted


# ------------------------------------------------------------------ pedestrians


def walkers() -> SignalPlan:
    """Vehicles from the north, pedestrians across their road, and a street that both let pass."""
    plan = crossing()
    links = tuple(
        link
        if n != WEST
        else type(link)(
            index=WEST,
            from_lane=':c_w0_0',
            to_lane=':c_c0_0',
            direction='s',
            speed_mps=1.0,
            crossing_m=8.0,
            is_crossing=True,
        )
        for n, link in enumerate(plan.links)
    )
    blank = crossing(links=links, min_walk_s=(0.0, 0.0, 0.0, 5.0))
    return with_clearances(
        blank,
        yellow_s=(3.0, 3.0, 3.0, 0.0),
        red_s=((2.0,) * 4,) * 3 + ((0.0,) * 4,),
        walk_clearance_s=(0.0, 0.0, 0.0, 8.0),
        least_red_s=1.0,
    )


def test_a_pedestrians_call_of_one_second_is_kept_until_walk_comes():
    road = street(walkers())
    pressed = tuple(n == WEST for n in range(4))
    road.run(10)
    road.run(1, pressed)
    shown = [tick.lamps for tick in road.ticks] + road.run(290)
    walk = next(n for n, lamps in enumerate(shown) if lamps[WEST] == 'G')
    assert walk <= 10 + road.cabinet.shield.plan.max_red_s
    assert road.cabinet.mode is CabinetMode.RUNNING


def test_nobody_walks_where_nobody_called():
    road = street(walkers())
    assert all(lamps[WEST] == 'r' for lamps in road.run(290))


def test_walk_and_its_clearance_complete_before_the_emergency_vehicle():
    plan = walkers()
    road = street(plan, wish=CROSS_STREET)
    road.run(12)
    assert road.ticks[-1].lamps == 'rrrG'
    road.cabinet.preempt(STRAIGHTS, 60.0)
    road.wish = STRAIGHTS
    shown = runs(road.run(40))
    assert shown[0] == ('rrrG', 3)  # the rest of five seconds of walk
    assert shown[1] == ('rrrr', 8)  # the whole clearance
    assert shown[2][0] == 'GGgr'


# ------------------------------------------------------------------ out of service, out of order


def test_a_stage_out_of_service_is_never_shown_by_policy_or_program():
    for latches in (False, True):
        road = street(wish=CROSS_STREET)
        road.cabinet.omit([CROSS_STREET])
        if latches:
            road.cabinet.shield.latch(ShieldReason.OPERATOR)
        assert all(lamps[WEST] == 'r' for lamps in road.run(600, (True,) * 4))
        assert {tick.mode for tick in road.ticks} == {CabinetMode.RUNNING}


def test_a_stage_back_in_service_is_served_again():
    road = street()
    road.cabinet.omit([CROSS_STREET])
    road.run(300, (True,) * 4)
    road.cabinet.omit(())
    assert 'rrrG' in road.run(240, (True,) * 4)
    assert road.cabinet.mode is CabinetMode.RUNNING


def test_a_detector_stuck_off_is_called_for_and_served_within_the_maximum_red():
    watch = DetectorWatch(4, no_activity_s=100.0)
    road = street(watch=watch)
    everybody_but_west = (True, True, True, False)
    assert 'rrrG' not in road.run(100, everybody_but_west)
    assert watch.faults == {}
    shown = road.run(2000, everybody_but_west)
    assert watch.faults[WEST] is DetectorFault.STUCK_OFF
    starts = [n for n in range(1, 2000) if shown[n][WEST] == 'G' != shown[n - 1][WEST]]
    ends = [n for n in range(1, 2000) if shown[n][WEST] != 'G' == shown[n - 1][WEST]]
    bound = road.cabinet.shield.plan.max_red_s
    assert starts[0] <= bound + 2
    assert len(starts) > 5
    assert all(start - end <= bound for end, start in zip(ends, starts[1:], strict=False))


def test_a_detector_stuck_on_does_no_more_than_its_call():
    watch = DetectorWatch(4, max_presence_s=100.0)
    road = street(watch=watch)
    shown = road.run(1500, (False, False, False, True))
    assert watch.faults[WEST] is DetectorFault.STUCK_ON
    assert watch.faults.get(NORTH) is None
    waits = [n for text, n in runs(lamps[WEST] for lamps in shown) if text == 'r']
    assert max(waits) <= road.cabinet.shield.plan.max_red_s
    assert road.cabinet.mode is CabinetMode.RUNNING


def test_detectors_are_watched_while_the_junction_flashes():
    watch = DetectorWatch(4, no_activity_s=100.0)
    road = street(watch=watch)
    fail(road.cabinet, at_tick=1)
    for second in range(400):
        road.run(1, tuple((second // 50 + link) % 2 == 0 for link in range(4)))
    assert watch.faults == {}
    road.run(102)
    assert len(watch.faults) == 4


# ------------------------------------------------------------------ who reads the lamps


def test_a_monitor_of_its_own_agrees_with_the_cabinets():
    road = street(wish=None)
    monitor = ConflictMonitor(card_of(crossing()))
    for second in range(3000):
        road.wish = second // 7 % 3
        (lamps,) = road.run(1, tuple(second // 40 % 4 == link for link in range(4)))
        monitor.step(lamps)
    assert monitor.counts == road.cabinet.monitor.counts == {}
    assert len({tick.lamps for tick in road.ticks}) > 6


def test_the_way_back_from_flash_leads_to_no_second_flash_however_tight_the_bound():
    plan = crossing(max_red_s=crossing().round_s())
    cabinet = Cabinet(plan, Shield(plan))
    cabinet.monitor.step('GrrG')  # latched
    everybody = (True,) * plan.n_links
    assert cabinet.tick(0.0, 0.0, everybody).mode is CabinetMode.FLASH
    cabinet.reset()
    modes = {cabinet.tick(float(t), float(t), everybody).mode for t in range(1, 400)}
    assert modes == {CabinetMode.RUNNING}


def test_the_way_back_from_flash_begins_with_the_programs_first_stage_whatever_showed_last():
    plan = crossing()
    cabinet = Cabinet(plan, Shield(plan))
    cabinet.sequencer.preempt(CROSS_STREET, 300.0)
    for second in range(60):
        cabinet.tick(float(second), float(second), (False,) * plan.n_links)
    assert cabinet.sequencer.stage == CROSS_STREET
    cabinet.monitor.step('GrrG')  # latched
    cabinet.tick(60.0, 60.0, (False,) * plan.n_links)
    cabinet.reset()
    assert cabinet.sequencer.stage == cabinet.shield.program.first_stage == STRAIGHTS
