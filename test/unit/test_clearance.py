"""Yellow and all-red, worked out by hand from the ITE formulas."""

from __future__ import annotations

import pytest

from saferl_ros.signals.clearance import kinematic_yellow_s, red_clearance_s, round_up_s


@pytest.mark.parametrize(
    ('speed_mps', 'grade_ratio', 'yellow_s'),
    [
        (13.9, 0.0, 1 + 13.9 / 6.1),  # 50 km/h: 3.28 s
        (20.0, 0.0, 1 + 20 / 6.1),  # 72 km/h: 4.28 s
        (20.0, 0.05, 1 + 20 / 7.081),  # uphill: brakes help
        (20.0, -0.05, 1 + 20 / 5.119),  # downhill: they have more to do
        (5.0, 0.0, 3.0),  # never below three seconds
        (40.0, 0.0, 6.0),  # never above six
    ],
)
def test_yellow_is_reaction_time_and_half_the_braking_time_within_three_to_six_seconds(
    speed_mps, grade_ratio, yellow_s
):
    assert kinematic_yellow_s(speed_mps, grade_ratio) == pytest.approx(yellow_s)


@pytest.mark.parametrize(
    ('crossing_m', 'speed_mps', 'all_red_s'),
    [
        (40.0, 13.9, 46.1 / 13.9 - 1),  # 2.32 s
        (20.0, 13.9, 1.0),  # 0.88 s: one second at least
        (0.0, 13.9, 1.0),
        (15.0, 5.0, 21.1 / 5.0 - 1),  # who comes slowly leaves slowly
        (30.0, 8.9, 36.1 / 8.9 - 1),
        (100.0, 8.9, 106.1 / 8.9 - 1),  # a very wide junction: never cut short
    ],
)
def test_all_red_lets_a_vehicle_leave_less_the_start_up_of_the_next(
    crossing_m, speed_mps, all_red_s
):
    assert red_clearance_s(crossing_m, speed_mps) == pytest.approx(all_red_s)


@pytest.mark.parametrize(('speed_mps', 'at_mps'), [(13.9, 8.9), (8.9, 8.9), (5.0, 5.0)])
def test_a_turn_clears_at_twenty_miles_an_hour_at_most(speed_mps, at_mps):
    assert red_clearance_s(15.0, speed_mps, is_turn=True) == pytest.approx(21.1 / at_mps - 1)


@pytest.mark.parametrize(
    ('duration_s', 'step_s', 'rounded_s'),
    [(3.28, 1.0, 4.0), (3.0, 1.0, 3.0), (3.2, 0.5, 3.5), (0.3, 0.1, 0.3), (3.0 + 1e-12, 1.0, 3.0)],
)
def test_a_clearance_is_rounded_up_to_whole_steps_and_never_down(duration_s, step_s, rounded_s):
    assert round_up_s(duration_s, step_s) == pytest.approx(rounded_s)
