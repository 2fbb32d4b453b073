"""Whatever happens to a controller: the fixed-time program shows, and stays until re-armed."""

from __future__ import annotations

from collections.abc import Callable
from math import nan
import signal

from nodes import JUNCTION, Nodes, Observer, street
import pytest

from saferl_msgs.msg import SignalState, StageRequest
from saferl_msgs.srv import Rearm
from saferl_ros.bag.files import read_messages
from saferl_ros.env.junction import Junction
from saferl_ros.ros.convert import to_seconds
from saferl_ros.scenario import load_scenario
from saferl_ros.shield import FixedTimeProgram

pytestmark = [pytest.mark.ros, pytest.mark.sumo]

DECISION_S = 5.0
FACTOR = 4.0  # simulated over real time; patience is 1.25 s by the clock of the machine
STREET = {'real_time_factor': FACTOR, 'armed_at_start': True, 'wait_for_others_s': 120.0}
BRIDGE = f'saferl bridge: {JUNCTION}'


def in_command(nodes: Nodes, small_run, name: str = 'policy') -> str:
    return nodes.start(
        'policy', name, bundles=[str(small_run.cql)], mode='active', allow_ungated=True,
        autostart=True,
    )  # fmt: skip


def wait_for_command(observer: Observer) -> None:
    """Wait until a policy's proposal has stood, and until states are heard too."""
    n = len(observer.decisions)
    observer.spin_until(
        lambda: bool(observer.states) and any(d.reason == 'policy' for d in observer.decisions[n:])
    )


def check_fallback(observer: Observer, since: int, reason: str) -> None:
    """
    The fallback has to show in time, for the right reason, and to stay.

    :param since: index of the first state after the fault.
    """
    states = observer.states
    observer.spin_until(lambda: states[-1].is_fallback)
    fell = next(n for n in range(since, len(states)) if states[n].is_fallback)
    answered_s = max(to_seconds(d.stamp) for d in observer.decisions if d.reason == 'policy')
    unanswered = [one for one in states[since:fell] if to_seconds(one.stamp) > answered_s]
    open_s = sum(one.tick_s for one in unanswered if one.is_request_due)  # not while a bound rules
    assert open_s <= 2 * DECISION_S
    assert states[fell].fallback_reason == reason

    program = FixedTimeProgram(Junction.derive(load_scenario('cologne1')).plan)
    decided = len(observer.decisions)
    observer.spin_until(lambda: len(observer.decisions) >= decided + 3)
    n = len(states)
    observer.spin_until(lambda: len(states) > n + 20)
    assert all(state.is_fallback for state in states[fell:])  # latched
    for decision in observer.decisions[decided + 1 :]:
        assert decision.is_fallback
        assert decision.applied_stage == program.stage_at(to_seconds(decision.stamp))
    assert all(state.monitor_faults == 0 for state in states)
    observer.spin_until(
        lambda: BRIDGE in observer.diagnostics and reason in observer.diagnostics[BRIDGE].message
    )
    assert observer.diagnostics[BRIDGE].level != b'\x00'


def rearm(observer: Observer) -> None:
    answer = observer.call(Rearm, '/sumo_bridge/rearm', operator_name='test')
    assert answer.success, answer.message
    observer.spin_until(lambda: not observer.states[-1].is_fallback)


def test_a_killed_policy_is_replaced_at_once(small_run, tmp_path):
    with street(tmp_path) as (nodes, observer):
        in_command(nodes, small_run)
        nodes.start('sumo_bridge', **STREET)
        wait_for_command(observer)
        since = len(observer.states)
        nodes.signal('policy', signal.SIGKILL)
        check_fallback(observer, since, 'silent')


def test_a_stopped_policy_does_not_regain_control_by_itself(small_run, tmp_path):
    with street(tmp_path) as (nodes, observer):
        in_command(nodes, small_run)
        nodes.start('sumo_bridge', **STREET)
        wait_for_command(observer)
        since = len(observer.states)
        nodes.signal('policy', signal.SIGSTOP)
        check_fallback(observer, since, 'silent')
        nodes.signal('policy', signal.SIGCONT)
        n = len(observer.states)
        observer.spin_until(lambda: len(observer.states) > n + 40)
        assert all(state.is_fallback for state in observer.states[n:])
        observer.spin_until(lambda: n_controllers(observer) == '1')
        rearm(observer)
        wait_for_command(observer)


def n_controllers(observer: Observer) -> str:
    """Return how many controllers the bridge holds for alive."""
    values = {one.key: one.value for one in observer.diagnostics[BRIDGE].values}
    return str(values['controllers alive'])


class FakeController:
    """Answers every state, soundly or not."""

    def __init__(self, observer: Observer) -> None:
        self.distort: Callable[[StageRequest, list[SignalState]], None] | None = None
        self._observer = observer
        self._publisher = observer.controller()
        self._sequence = 0
        observer.on_state = self.answer

    def answer(self, state: SignalState) -> None:
        if not state.is_request_due:
            return
        self._sequence += 1
        request = StageRequest(
            stamp=state.stamp,
            junction_id=state.junction_id,
            source='fake',
            run_id=state.run_id,
            state_sequence=state.sequence,
            sequence=self._sequence,
            stage=next(n for n, legal in enumerate(state.legal_stages) if legal),
        )
        if self.distort is not None:
            self.distort(request, self._observer.states)
        self._publisher.publish(request)


def not_finite(request: StageRequest, states: list[SignalState]) -> None:
    request.scores = [nan] * len(states[-1].legal_stages)


def wrong_shape(request: StageRequest, states: list[SignalState]) -> None:
    request.scores = [1.0] * 99


def of_another_junction(request: StageRequest, states: list[SignalState]) -> None:
    request.junction_id = 'another'


def ten_seconds_late(request: StageRequest, states: list[SignalState]) -> None:
    request.state_sequence = max(1, request.state_sequence - 10)


def of_another_run(request: StageRequest, states: list[SignalState]) -> None:
    request.run_id = 'the run before'


def test_garbage_of_every_kind_is_refused_and_latches_the_fallback(tmp_path):
    with street(tmp_path) as (nodes, observer):
        fake = FakeController(observer)
        nodes.start('sumo_bridge', **STREET)
        for distort, reason in (
            (not_finite, 'not finite'),
            (wrong_shape, 'wrong shape'),
            (of_another_junction, 'unknown junction'),
            (ten_seconds_late, 'stale'),
            (of_another_run, 'stale'),
        ):
            wait_for_command(observer)
            since = len(observer.states)
            fake.distort = distort
            check_fallback(observer, since, reason)
            fake.distort = None
            rearm(observer)


def test_two_policies_for_one_junction_are_both_shut_out(small_run, tmp_path):
    with street(tmp_path) as (nodes, observer):
        in_command(nodes, small_run)
        nodes.start('sumo_bridge', **STREET)
        wait_for_command(observer)
        since = len(observer.states)
        in_command(nodes, small_run, 'policy_2')
        check_fallback(observer, since, 'rival')


def test_a_restarted_bridge_listens_to_nobody_before_it_is_armed(small_run, tmp_path):
    with street(tmp_path) as (nodes, observer):
        in_command(nodes, small_run)
        nodes.start('sumo_bridge', **STREET)
        wait_for_command(observer)
        nodes.signal('sumo_bridge', signal.SIGKILL)
        nodes.wait('sumo_bridge')
        first_run = observer.states[-1].run_id
        since = len(observer.states)
        nodes.start('sumo_bridge', **{**STREET, 'armed_at_start': False})
        observer.spin_until(lambda: observer.states[-1].run_id != first_run)
        check_fallback(observer, since, 'operator')
        rearm(observer)
        wait_for_command(observer)  # the policy has found its way into the new run
        assert 'began anew' in nodes.said('policy')


# what a bridge sees whose steady clock goes back: the one thing it must never do
JUMP = """
import os, time
real = time.monotonic
time.monotonic = lambda: real() - 30.0 * os.path.exists({flag!r})
"""


def test_a_clock_that_jumps_back_latches_the_fallback_and_the_lamps_go_on(small_run, tmp_path):
    with street(tmp_path) as (nodes, observer):
        flag = tmp_path / 'jump'
        in_command(nodes, small_run)
        nodes.start('sumo_bridge', prelude=JUMP.format(flag=str(flag)), **STREET)
        wait_for_command(observer)
        since = len(observer.states)
        flag.touch()
        check_fallback(observer, since, 'clock')


def test_a_killed_recorder_disturbs_nobody_and_leaves_what_it_wrote(small_run, tmp_path):
    with street(tmp_path) as (nodes, observer):
        nodes.start('shadow_recorder', output=str(tmp_path / 'bag'), flush_s=0.5)
        observer.spin_until(lambda: 'saferl recorder' in observer.diagnostics)
        in_command(nodes, small_run)
        nodes.start('sumo_bridge', **STREET)
        wait_for_command(observer)
        n = len(observer.states)
        observer.spin_until(lambda: len(observer.states) > n + 30)
        nodes.signal('shadow_recorder', signal.SIGKILL)
        n = len(observer.states)
        wait_for_command(observer)
        observer.spin_until(lambda: len(observer.states) > n + 40)
        assert not any(state.is_fallback for state in observer.states)
    kept = [one.message.sequence for one in read_messages(tmp_path / 'bag', ('signal_state',))]
    assert kept == list(range(kept[0], kept[0] + len(kept)))
    assert len(kept) > 20


def test_a_policy_that_dies_is_no_matter_to_the_recorder(small_run, tmp_path):
    with street(tmp_path) as (nodes, observer):
        nodes.start('shadow_recorder', output=str(tmp_path / 'bag'))
        observer.spin_until(lambda: 'saferl recorder' in observer.diagnostics)
        in_command(nodes, small_run)
        nodes.start('sumo_bridge', **STREET)
        wait_for_command(observer)
        nodes.signal('policy', signal.SIGKILL)
        observer.spin_until(lambda: observer.states[-1].is_fallback)
        n = len(observer.states)
        observer.spin_until(lambda: len(observer.states) > n + 40)
        assert nodes.stop('sumo_bridge') == 0
        assert nodes.stop('shadow_recorder') == 0
    states = [one.message for one in read_messages(tmp_path / 'bag', ('signal_state',))]
    assert states[-1].is_fallback
    assert states[-1].fallback_reason == 'silent'


def test_only_a_person_can_rearm(small_run, tmp_path):
    with street(tmp_path) as (nodes, observer):
        nodes.start('sumo_bridge', **{**STREET, 'wait_for_others_s': 0.0})
        observer.spin_until(lambda: bool(observer.states))
        for fields, said in (
            ({'operator_name': ' '}, 'operator_name is empty'),
            ({'operator_name': 'test', 'junction_id': 'nowhere'}, JUNCTION),
        ):
            answer = observer.call(Rearm, '/sumo_bridge/rearm', **fields)
            assert not answer.success
            assert said in answer.message
