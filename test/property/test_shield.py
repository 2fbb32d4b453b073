"""Whatever is proposed, whoever interferes: nothing raises, the lamps are safe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
import math
import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
from strategies import Hostile, requests, signal_plans

from saferl_ros.shield import (
    Cabinet,
    CabinetMode,
    CabinetTick,
    DetectorWatch,
    FixedTimeProgram,
    Proposal,
    Shield,
    ShieldLimits,
    ShieldReason,
)
from saferl_ros.signals import card_of, ConflictMonitor, SignalPlan

N_TICKS = 120
FLASH = 'o'


def things() -> st.SearchStrategy[object]:
    """Whatever a field or a message may hold."""
    return st.one_of(requests(), st.builds(object), st.just(10**400), st.binary(max_size=3))


def scores() -> st.SearchStrategy[object]:
    return st.one_of(
        things(),
        st.lists(st.floats(), max_size=5),
        st.lists(things(), max_size=5),
        st.lists(st.floats(width=32), max_size=5).map(lambda x: np.array(x, np.float32)),
    )


@st.composite
def proposals(draw: st.DrawFn) -> Callable[[int, float], object]:
    """Proposals, good and bad, made for a number and a moment that are not known yet."""
    stage = draw(st.one_of(st.integers(0, 3), things()))
    scored = draw(st.one_of(st.none(), scores()))
    junction_id = draw(st.sampled_from(['random', 'random', 'random', 'elsewhere', None]))
    age_s = draw(st.sampled_from([0.0, 0.0, 0.0, 1.5, 2.5, 100.0, -0.3, -1.0, math.nan, math.inf]))
    back = draw(st.sampled_from([0, 0, 0, 1, -1000]))
    odd_sequence = draw(st.one_of(st.none(), st.none(), things()))

    def make(number: int, now_s: float) -> object:
        return Proposal(
            junction_id=junction_id,  # type: ignore[arg-type]
            sequence=number - back if odd_sequence is None else odd_sequence,  # type: ignore[arg-type]
            stamp_s=now_s - age_s,
            stage=stage,  # type: ignore[arg-type]
            scores=scored,  # type: ignore[arg-type]
        )

    return make


@dataclass
class Event:
    """One thing that happens before a tick."""

    tick: int
    what: str
    given: Any = None


def times_s() -> st.SearchStrategy[object]:
    return st.one_of(st.floats(0.5, 700.0), st.floats(), st.none(), st.builds(Hostile))


def events() -> st.SearchStrategy[Event]:
    ticks = st.integers(0, N_TICKS - 1)
    stages = st.one_of(st.integers(0, 3), things())
    return st.one_of(
        st.builds(Event, ticks, st.just('propose'), proposals()),
        st.builds(Event, ticks, st.just('propose'), proposals()),
        st.builds(Event, ticks, st.just('propose'), things().map(lambda x: lambda *_: x)),
        st.builds(Event, ticks, st.just('preempt'), st.tuples(stages, times_s())),
        st.builds(Event, ticks, st.just('end preemption')),
        st.builds(
            Event, ticks, st.just('omit'), st.one_of(st.lists(stages, max_size=3), things())
        ),
        st.builds(Event, ticks, st.just('put back')),
        st.builds(Event, ticks, st.just('rearm')),
        st.builds(Event, ticks, st.just('reset')),
        st.builds(Event, ticks, st.just('latch')),
        st.builds(Event, ticks, st.just('alarm'), st.sampled_from([True, False, None])),
    )


@dataclass
class StubGuard:
    """A guard that is quiet, alarmed, or out of order (``None``)."""

    alarm: bool | None = False

    @property
    def is_alarmed(self) -> bool:
        if self.alarm is None:
            raise RuntimeError('out of order')
        return self.alarm


@dataclass
class World:
    """A cabinet in a world that means no good, and a monitor of its own."""

    plan: SignalPlan
    patience_s: float = 5.0
    guard: StubGuard = field(default_factory=StubGuard)
    latched_by: ShieldReason | None = None  # since when nobody has re-armed
    seed: int = 0
    n_proposals: int = 0

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        limits = ShieldLimits(patience_s=self.patience_s)
        self.shield = Shield(self.plan, limits=limits, guard=self.guard)
        watch = DetectorWatch(self.plan.n_links, max_presence_s=20.0, no_activity_s=30.0)
        self.cabinet = Cabinet(self.plan, self.shield, watch=watch)
        self.monitor = ConflictMonitor(card_of(self.plan))

    def happen(self, event: Event, now_s: Any = None) -> None:
        """Let something happen, at the time of its tick or at what a clock says it is."""
        made_s = float(event.tick)
        cabinet, shield = self.cabinet, self.shield
        if event.what == 'propose':
            self.n_proposals += 1
            proposal = event.given(self.n_proposals, made_s)
            shield.receive(proposal, made_s if now_s is None else now_s)
        elif event.what == 'preempt':
            cabinet.preempt(*event.given)
        elif event.what == 'end preemption':
            cabinet.end_preemption()
        elif event.what == 'omit':
            cabinet.omit(event.given)
        elif event.what == 'put back':
            cabinet.omit(())
        elif event.what == 'rearm':
            shield.rearm()
            self.latched_by = None
        elif event.what == 'reset':
            is_flashing = cabinet.mode is CabinetMode.FLASH
            cabinet.reset()
            assert shield.is_latched or not is_flashing, 'a reset hands nothing to the policy'
        elif event.what == 'latch':
            shield.latch(ShieldReason.OPERATOR)
        else:
            self.guard.alarm = event.given

    def tick(self, now_s: float, clock_s: float, presence: Any) -> CabinetTick:
        """Tick the cabinet, mostly with a sound proposal, and hold it to what it promises."""
        if self.cabinet.is_policy_due and self.rng.random() < 0.8:
            self.n_proposals += 1
            proposal = Proposal(
                junction_id='random',
                sequence=self.n_proposals,
                stamp_s=now_s,
                scores=[self.rng.random() for _ in self.plan.stages],
            )
            self.shield.receive(proposal, now_s)
        shown = self.cabinet.tick(now_s, clock_s, presence)
        self.latched_by = self.latched_by or self.shield.latched_by
        assert self.shield.latched_by is self.latched_by, 'latched until somebody re-arms'
        if shown.mode is CabinetMode.FLASH:
            assert shown.lamps == FLASH * self.plan.n_links
            self.monitor.reset()
            return shown
        sequencer = self.cabinet.sequencer
        is_held = sequencer.is_preempted or bool(sequencer.omitted_stages)
        self.monitor.step(shown.lamps, is_held=is_held)
        assert not self.monitor.counts, self.monitor.faults
        if shown.decision is not None:
            alarmed = self.guard.alarm is not False
            assert shown.decision.is_fallback == (self.latched_by is not None or alarmed)
            if self.latched_by is not None:
                assert shown.decision.reason is self.latched_by
        return shown


PATIENCE = st.sampled_from([0.0, 5.0, 1e6])
SEED = st.integers(0, 2**32)


@given(
    plan=signal_plans(),
    happenings=st.lists(events(), max_size=40),
    patience_s=PATIENCE,
    seed=SEED,
    data=st.data(),
)
def test_whatever_comes_no_lamp_is_unsafe_nothing_raises_and_a_latch_stays(
    plan, happenings, patience_s, seed, data
):
    world = World(plan, patience_s, seed=seed)
    everybody = (True,) * plan.n_links
    late = data.draw(st.integers(0, N_TICKS), label='when everybody comes')
    some = data.draw(st.lists(st.booleans(), min_size=plan.n_links, max_size=plan.n_links))
    for tick in range(N_TICKS):
        for event in happenings:
            if event.tick == tick:
                world.happen(event)
        shown = world.tick(float(tick), float(tick), everybody if tick >= late else some)
        assert shown.mode is CabinetMode.RUNNING, (world.cabinet.failure, world.cabinet.monitor)
    assert world.cabinet.sequencer.n_dead_ends == 0


@given(
    plan=signal_plans(),
    happenings=st.lists(events(), max_size=60),
    clocks=st.lists(st.tuples(st.integers(0, N_TICKS - 1), times_s(), times_s()), max_size=20),
    readings=st.lists(st.tuples(st.integers(0, N_TICKS - 1), scores()), max_size=20),
    seed=SEED,
)
def test_no_clock_and_no_detector_makes_the_junction_flash(
    plan, happenings, clocks, readings, seed
):
    world = World(plan, seed=seed)
    odd_times = {tick: (now_s, clock_s) for tick, now_s, clock_s in clocks}
    odd_readings = dict(readings)
    for tick in range(N_TICKS):
        now_s, clock_s = odd_times.get(tick, (float(tick), float(tick)))
        for event in happenings:
            if event.tick == tick:
                world.happen(event, now_s)
        shown = world.tick(now_s, clock_s, odd_readings.get(tick, (False,) * plan.n_links))
        assert shown.mode is CabinetMode.RUNNING, world.cabinet.failure


@given(
    plan=signal_plans(),
    happenings=st.lists(events(), max_size=60),
    faults=st.lists(
        st.tuples(st.integers(0, N_TICKS - 1), st.text('Ggyrsx', max_size=7)), min_size=1
    ),
    seed=SEED,
)
def test_whatever_lamps_a_broken_sequencer_emits_none_that_is_unsafe_is_shown(
    plan, happenings, faults, seed
):
    world = World(plan, seed=seed)
    odd_lamps = dict(faults)
    sound = world.cabinet.sequencer.step

    def step(calls: object = None) -> str:
        lamps = sound(calls)  # type: ignore[arg-type]
        if odd_lamps.get(tick) == 'x':
            raise RuntimeError('out of order')
        return odd_lamps.get(tick, lamps)

    world.cabinet.sequencer.step = step  # type: ignore[method-assign]
    was_flashing = False
    for tick in range(N_TICKS):
        is_reset = False
        for event in happenings:
            if event.tick == tick:
                world.happen(event)
                is_reset |= event.what == 'reset'
        shown = world.tick(float(tick), float(tick), (True,) * plan.n_links)
        if was_flashing and not is_reset:
            assert shown.mode is CabinetMode.FLASH, 'until somebody resets'
        was_flashing = shown.mode is CabinetMode.FLASH


@given(
    plan=signal_plans(),
    received=st.lists(st.tuples(proposals(), times_s(), st.booleans()), max_size=40),
    data=st.data(),
)
def test_the_shield_alone_answers_every_question_with_a_stage_that_exists(plan, received, data):
    shield = Shield(plan)
    stages = st.integers(0, plan.n_stages - 1)
    for number, (make, now_s, is_due) in enumerate(received):
        reason = shield.receive(make(number, number), now_s)
        assert isinstance(reason, ShieldReason)
        stage = data.draw(stages)
        legal = data.draw(st.lists(st.booleans(), min_size=plan.n_stages, max_size=plan.n_stages))
        decision = shield.decide(now_s, now_s, stage=stage, legal=legal, is_due=is_due)
        assert decision.applied_stage == stage or legal[decision.applied_stage]


@given(plan=signal_plans(), clock_s=st.floats(), cycles=st.integers(-10, 10))
def test_the_program_always_wants_a_stage_that_it_has(plan, clock_s, cycles):
    program = FixedTimeProgram(plan)
    stages = {part.stage_index for part in plan.program}
    assert program.stage_at(clock_s) in stages
    if abs(clock_s) < 1e6:
        middle_s = math.floor(clock_s) + 0.5  # away from the edges, where rounding may decide
        assert program.stage_at(middle_s) == program.stage_at(middle_s + cycles * program.cycle_s)
