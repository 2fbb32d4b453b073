"""The detector watch by hand: what is stuck, what is called meanwhile, when trust returns."""

from __future__ import annotations

import math

import pytest
from strategies import Hostile

from saferl_ros.errors import UsageError
from saferl_ros.shield import DetectorFault, DetectorWatch

ON, OFF = DetectorFault.STUCK_ON, DetectorFault.STUCK_OFF


def watch(n_links: int = 2, **options: object) -> DetectorWatch:
    return DetectorWatch(n_links, max_presence_s=10.0, no_activity_s=20.0, **options)


def show(watching: DetectorWatch, presence: tuple[bool, ...], seconds: range) -> tuple[bool, ...]:
    calls: tuple[bool, ...] = ()
    for now_s in seconds:
        calls = watching.update(presence, float(now_s))
    return calls


def test_sound_detectors_call_for_whoever_is_there():
    watching = watch()
    assert watching.update((True, False), 0.0) == (True, False)
    assert watching.update((False, True), 1.0) == (False, True)
    assert watching.faults == {}


def test_presence_longer_than_any_queue_is_stuck_on_and_one_second_less_is_not():
    watching = watch()
    show(watching, (True, False), range(11))
    assert watching.faults == {}
    assert show(watching, (True, False), range(11, 12)) == (True, False)
    assert watching.faults == {0: ON}


def test_absence_longer_than_any_lull_is_stuck_off_and_calls_all_the_time():
    watching = watch()
    assert show(watching, (False, False), range(21)) == (False, False)
    assert show(watching, (False, False), range(21, 100)) == (True, True)
    assert watching.faults == {0: OFF, 1: OFF}


def test_a_detector_is_trusted_again_once_it_changes():
    watching = watch()
    show(watching, (False, False), range(30))
    assert watching.update((True, False), 30.0) == (True, True)
    assert watching.update((False, False), 31.0) == (False, True)
    assert watching.faults == {1: OFF}


def test_the_time_runs_from_the_last_change_of_each_detector():
    watching = watch()
    show(watching, (True, False), range(8))
    show(watching, (False, False), range(8, 9))
    show(watching, (True, False), range(9, 20))
    assert watching.faults == {}
    show(watching, (True, False), range(20, 21))
    assert watching.faults == {0: ON}


def test_a_stuck_detector_that_goes_from_on_to_off_may_be_stuck_again():
    watching = watch(1)
    show(watching, (True,), range(15))
    show(watching, (False,), range(15, 36))
    assert watching.faults == {}
    show(watching, (False,), range(36, 37))
    assert watching.faults == {0: OFF}


def test_a_movement_without_a_detector_is_always_called_and_never_faulty():
    watching = watch(has_detector=(True, False))
    assert show(watching, (False, False), range(15)) == (False, True)
    assert show(watching, (False, False), range(15, 100)) == (True, True)
    assert watching.faults == {0: OFF}


def test_readings_of_the_wrong_length_tell_nothing_and_call_everybody():
    watching = watch()
    for presence in ((), (False,), (False,) * 3):
        assert watching.update(presence, 1.0) == (True, True)
    assert watching.update((False, False), 2.0) == (False, False)


@pytest.mark.parametrize('now_s', [math.nan, math.inf, -math.inf, None, 'noon', Hostile()])
def test_without_a_clock_everybody_is_called_and_nothing_is_judged(now_s):
    watching = watch()
    show(watching, (False, False), range(5))
    assert watching.update((False, False), now_s) == (True, True)
    assert watching.update((False, False), 6.0) == (False, False)
    assert watching.faults == {}


def test_a_clock_that_goes_back_makes_no_stuck_detector_good():
    watching = watch()
    show(watching, (False, False), range(100, 130))
    assert show(watching, (False, False), range(50, 60)) == (True, True)
    assert watching.faults == {0: OFF, 1: OFF}


def test_a_clock_that_goes_back_starts_the_time_of_a_sound_detector_anew():
    watching = watch()
    show(watching, (False, False), range(100, 115))
    show(watching, (False, False), range(50, 71))
    assert watching.faults == {}
    show(watching, (False, False), range(71, 72))
    assert watching.faults == {0: OFF, 1: OFF}


@pytest.mark.parametrize('has_detector', [(), (True,), (True,) * 3])
def test_a_list_of_detectors_for_another_junction_is_refused(has_detector):
    with pytest.raises(UsageError, match='there are 2'):
        watch(has_detector=has_detector)
