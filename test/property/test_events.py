"""Emergency vehicles, stages out of service and restarts, at any moment: the lamps stay safe."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hypothesis import given
from hypothesis import strategies as st
from strategies import requests, signal_plans

from saferl_ros.signals import card_of, ConflictMonitor, SignalPlan, StageSequencer
from saferl_ros.signals.plan import GREEN_LAMPS
from saferl_ros.signals.sequencer import START_UP_RED_S

N_TICKS = 150
Event = tuple[str, tuple[object, ...]]  # method, arguments


@dataclass(frozen=True)
class Script:
    """What is done to a sequencer, by tick, and who waits."""

    events: dict[int, list[Event]]
    patterns: list[tuple[bool, ...] | None]  # who waits, in each quarter of the time

    @property
    def calls(self) -> list[tuple[bool, ...] | None]:
        """Who waits, by tick."""
        return [self.patterns[4 * tick // N_TICKS] for tick in range(N_TICKS)]


def script_for(draw: st.DrawFn, plan: SignalPlan, *, with_restart: bool) -> Script:
    """Draw requests and events at random ticks, and calls that change now and then."""
    stages = st.integers(0, plan.n_stages - 1)
    kinds: list[st.SearchStrategy[Event]] = [
        st.tuples(st.just('request'), st.tuples(st.one_of(requests(), stages))),
        st.tuples(
            st.just('preempt'),
            st.tuples(st.one_of(stages, requests()), st.sampled_from([3.0, 10.0, 40.0, -1.0])),
        ),
        st.just(('end_preemption', ())),
        st.tuples(st.just('omit'), st.tuples(st.sets(stages, max_size=plan.n_stages - 1))),
    ]
    if with_restart:
        kinds.append(st.tuples(st.just('restart'), st.tuples(stages)))
    events: dict[int, list[Event]] = {}
    for tick, event in draw(
        st.lists(st.tuples(st.integers(0, N_TICKS - 1), st.one_of(kinds)), max_size=40)
    ):
        events.setdefault(tick, []).append(event)
    patterns = [
        draw(st.one_of(st.none(), st.tuples(*[st.booleans()] * plan.n_links))) for _ in range(4)
    ]
    return Script(events, patterns)


@st.composite
def scenes(draw: st.DrawFn, *, with_restart: bool = False) -> tuple[SignalPlan, Script]:
    plan = draw(signal_plans())
    return plan, script_for(draw, plan, with_restart=with_restart)


def play_event(sequencer: StageSequencer, event: Event) -> None:
    name, arguments = event
    getattr(sequencer, name)(*arguments)


@given(scene=scenes(with_restart=True))
def test_the_independent_monitor_finds_nothing_whatever_happens(scene):
    plan, script = scene
    sequencer, monitor = StageSequencer(plan), ConflictMonitor(card_of(plan))
    epoch = 0
    for tick, calls in enumerate(script.calls):
        for event in script.events.get(tick, []):
            play_event(sequencer, event)
            if event[0] == 'restart':
                monitor.reset()  # it comes out of flash: nobody knows what showed before
        lamps = sequencer.step(calls)
        if sequencer.red_bound_epoch != epoch:
            epoch = sequencer.red_bound_epoch
            monitor.restart_red(sequencer.max_red_s)
        is_held = sequencer.is_preempted or bool(sequencer.omitted_stages)
        monitor.step(lamps, (True,) * plan.n_links if calls is None else calls, is_held=is_held)
    assert not monitor.counts, monitor.faults
    assert sequencer.n_dead_ends == 0


@given(scene=scenes(with_restart=True))
def test_the_quiet_path_shows_what_the_thorough_one_shows(scene):
    plan, script = scene
    quick, thorough = StageSequencer(plan), StageSequencer(plan)
    for tick, calls in enumerate(script.calls):
        for event in script.events.get(tick, []):
            play_event(quick, event)
            play_event(thorough, event)
        thorough._quiet_until = 0
        assert quick.step(calls) == thorough.step(calls)
        assert quick.state() == thorough.state()
        assert quick.legal_stages() == thorough.legal_stages()
        assert quick.is_preempted == thorough.is_preempted
        for stage in range(plan.n_stages):
            assert quick.since_served_s(stage) == thorough.since_served_s(stage)


@given(scene=scenes())
def test_a_stage_out_of_service_never_begins_unless_an_emergency_vehicle_needs_it(scene):
    plan, script = scene
    sequencer = StageSequencer(plan)
    for tick, calls in enumerate(script.calls):
        for event in script.events.get(tick, []):
            play_event(sequencer, event)
        before = sequencer.stage
        legal = sequencer.legal_stages()
        if not sequencer.is_preempted and sequencer.is_decision_due:
            assert not any(legal[stage] for stage in sequencer.omitted_stages)
        sequencer.step(calls)
        if sequencer.stage != before and not sequencer.is_preempted:
            assert sequencer.stage not in sequencer.omitted_stages


@given(plan=signal_plans(), data=st.data())
def test_an_emergency_vehicles_stage_comes_in_time_and_holds_to_the_second(plan, data):
    sequencer = StageSequencer(plan)
    stages = st.integers(0, plan.n_stages - 1)
    for _ in range(data.draw(st.integers(0, 60))):
        sequencer.request(data.draw(stages))
        sequencer.step()
    wanted, timeout_s = data.draw(stages), data.draw(st.integers(1, 120))
    sequencer.preempt(wanted, float(timeout_s))
    # at worst another stage is just being cleared for, and shows its minimum green first
    longest_s = max(plan.entering_s(s) + plan.stages[s].min_green_s for s in range(plan.n_stages))
    latest_s = longest_s + plan.entering_s(wanted)
    has_come = False
    for second in range(timeout_s):
        sequencer.request(data.draw(stages))
        lamps = sequencer.step()
        assert sequencer.is_preempted
        is_there = lamps == plan.stages[wanted].lamps and not sequencer.is_clearing
        assert is_there or not has_come or sequencer.stage != wanted
        has_come = is_there and sequencer.stage == wanted
        assert has_come or second < latest_s
    sequencer.step()
    assert not sequencer.is_preempted


@given(scene=scenes(), slack_s=st.integers(0, 20))
def test_no_called_link_waits_longer_than_the_bound_counted_from_the_last_event(scene, slack_s):
    plan, script = scene
    sequencer = StageSequencer(replace(plan, max_red_s=plan.round_s() + slack_s))
    waiting_since: dict[int, int] = {}
    epoch = 0
    for tick, calls in enumerate(script.calls):
        for event in script.events.get(tick, []):
            play_event(sequencer, event)
        lamps = sequencer.step(calls)
        if sequencer.red_bound_epoch != epoch:
            epoch = sequencer.red_bound_epoch
            waiting_since = dict.fromkeys(waiting_since, tick)
        served = {
            link
            for stage in set(range(plan.n_stages)) - sequencer.omitted_stages
            for link in plan.greens(stage)
        }
        for link, lamp in enumerate(lamps):
            if lamp in GREEN_LAMPS:
                waiting_since.pop(link, None)
            elif calls is None or calls[link]:
                waiting_since.setdefault(link, tick)
        if not sequencer.is_preempted:
            for link, since in waiting_since.items():
                assert link not in served or tick - since <= sequencer.max_red_s
    assert sequencer.n_dead_ends == 0


@given(scene=scenes(), stage=st.integers(0, 3), at=st.integers(0, N_TICKS - 30))
def test_a_restart_at_any_moment_begins_with_red_for_everybody(scene, stage, at):
    plan, script = scene
    stage %= plan.n_stages
    sequencer = StageSequencer(plan)
    for tick, calls in enumerate(script.calls[:at]):
        for event in script.events.get(tick, []):
            play_event(sequencer, event)
        sequencer.step(calls)
    sequencer.restart(stage)
    assert sequencer.stage not in sequencer.omitted_stages
    assert sequencer.stage == stage or stage in sequencer.omitted_stages
    stage = sequencer.stage
    shown = [sequencer.step() for _ in range(int(START_UP_RED_S + plan.stages[stage].min_green_s))]
    n_red = int(START_UP_RED_S)
    assert set(shown[:n_red]) == {'r' * plan.n_links}
    assert set(shown[n_red:]) == {plan.stages[stage].lamps}


@given(scene=scenes(with_restart=True), at=st.integers(0, N_TICKS - 1))
def test_a_fork_lives_its_own_life(scene, at):
    plan, script = scene
    origin, control = StageSequencer(plan), StageSequencer(plan)
    twin = None
    for tick, calls in enumerate(script.calls):
        for event in script.events.get(tick, []):
            play_event(origin, event)
            play_event(control, event)
        if tick == at:
            twin = origin.fork()
            assert twin.state() == origin.state()
        if twin is not None:
            twin.request(tick % plan.n_stages)
            twin.step()
        assert origin.step(calls) == control.step(calls)
        assert origin.state() == control.state()
