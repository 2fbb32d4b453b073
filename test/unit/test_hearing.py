"""What a recorder says that it misses, second by second."""

from __future__ import annotations

from saferl_ros.ros.hearing import Hearing

STATE, READINGS = '/north/saferl/a/signal_state', '/north/saferl/a/detectors'
DESCRIPTION = '/north/saferl/a/description'


def test_a_street_that_says_everything_is_missed_nothing_of():
    hearing = Hearing(100.0)
    assert hearing.missed(105.0) == ''
    for now_s in range(105, 130):
        for topic in (STATE, READINGS, DESCRIPTION, '/diagnostics'):
            hearing.note(topic, float(now_s))
    assert hearing.missed(130.0) == ''


def test_a_recorder_that_hears_only_itself_hears_no_street():
    hearing = Hearing(100.0)
    hearing.note('/diagnostics', 109.0)
    hearing.note('/saferl/a/policy_status', 109.0)
    assert 'no street is heard' in hearing.missed(111.0)


def test_what_falls_silent_is_named_with_its_junction():
    hearing = Hearing(100.0)
    for topic in (STATE, READINGS, DESCRIPTION):
        hearing.note(topic, 100.0)
    hearing.note(STATE, 120.0)
    assert hearing.missed(121.0) == 'a: no detectors for 21 s'
    assert hearing.missed(140.0) == 'a: no signal_state for 20 s; a: no detectors for 40 s'


def test_a_street_that_nobody_describes_is_told_before_weeks_are_lost():
    hearing = Hearing(100.0)
    for topic in (STATE, READINGS):
        hearing.note(topic, 111.0)
    assert hearing.missed(111.0) == (
        'a: no description, without which nothing can be learned from the recording'
    )
