"""Where requests arrive: ages by our own clock, and one who speaks."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
import pytest
from small import crossing

from saferl_ros.ros.names import topic, topic_token
from saferl_ros.ros.request_desk import RemoteAlarm, Request, RequestDesk
from saferl_ros.shield import Shield
from saferl_ros.shield import ShieldReason as R

RUN = 'this run'
REQUEST = Request(
    junction_id='j', source='policy#1', run_id=RUN, state_sequence=5, sequence=1, stage=1,
    scores=(), is_out_of_distribution=False,
)  # fmt: skip


@pytest.fixture
def desk() -> RequestDesk:
    """A desk that has published the states 1 to 20, one a second."""
    alarm = RemoteAlarm()
    desk = RequestDesk(Shield(crossing(), guard=alarm), alarm, RUN)
    for n in range(1, 21):
        desk.publish(n, float(n))
    return desk


def ask(desk: RequestDesk, now_s: float, **changes: object) -> R:
    request = replace(REQUEST, junction_id=desk._shield.plan.junction_id)
    return desk.receive(replace(request, **{'state_sequence': 20, **changes}), now_s)


def test_the_answer_to_the_newest_state_stands(desk):
    assert ask(desk, 20.0) is R.POLICY
    assert (desk.source, desk.answered) == ('policy#1', 20)


def test_a_request_is_as_old_as_the_state_it_answers_by_our_own_clock(desk):
    assert ask(desk, 20.0, state_sequence=18, sequence=1) is R.POLICY
    assert ask(desk, 20.0, state_sequence=17, sequence=2) is R.STALE
    assert ask(desk, 23.0, state_sequence=20, sequence=3) is R.STALE


def test_an_answer_to_another_run_or_to_a_state_that_never_was_is_refused(desk):
    assert ask(desk, 20.0, run_id='the run before') is R.STALE
    assert ask(desk, 20.0, state_sequence=21) is R.FROM_THE_FUTURE
    assert ask(desk, 20.0, state_sequence=0) is R.STALE
    assert desk.source == ''


def test_a_second_source_latches_the_fallback_until_rearmed(desk):
    assert ask(desk, 20.0) is R.POLICY
    assert ask(desk, 20.0, source='policy#2', sequence=9) is R.RIVAL
    assert desk._shield.latched_by is R.RIVAL
    desk._shield.rearm()
    desk.rearm()
    assert ask(desk, 20.0, source='policy#2', sequence=9) is R.POLICY
    assert desk.source == 'policy#2'


def test_the_alarm_follows_the_good_requests_alone(desk):
    assert ask(desk, 20.0, is_out_of_distribution=True, sequence=1) is R.POLICY
    assert desk._alarm.is_alarmed
    assert ask(desk, 20.0, is_out_of_distribution=False, sequence=1) is R.DUPLICATE
    assert desk._alarm.is_alarmed
    assert ask(desk, 20.0, is_out_of_distribution=False, sequence=2) is R.POLICY
    assert not desk._alarm.is_alarmed


def test_memory_stays_bounded(desk):
    for n in range(21, 5000):
        desk.publish(n, float(n))
    assert len(desk._published) <= 64


@given(st.text(min_size=1, max_size=40), st.text(min_size=1, max_size=40))
def test_every_junction_has_a_topic_of_its_own_that_ros_allows(one, other):
    token = topic_token(one)
    assert token.replace('_', 'x').isalnum()
    assert token.isascii()
    assert '__' not in token
    assert token[0].isalpha()
    assert not token.endswith('_')
    assert (topic_token(other) == token) == (one == other)
    assert topic(one, 'signal_state') == f'saferl/{token}/signal_state'
