"""
How long yellow, all-red, walk and pedestrian clearance must last: the clearance profiles.

``legal``
    computed from the posted speed and the junction's geometry (the default);
``net``
    the clearances that stand in the network's own program;
``resco``
    the yellow that the RESCO benchmark used and no all-red. Only for comparison with published
    figures; a bundle made with it never commands.
"""

from __future__ import annotations

import math

PROFILES = ('legal', 'net', 'resco')

REACTION_S = 1.0  # ITE, Guidelines for Determining Traffic Signal Change Intervals (2020)
DECELERATION_MPS2 = 3.05  # 10 ft/s², same source
VEHICLE_LENGTH_M = 6.1  # 20 ft, same source
GRAVITY_MPS2 = 9.81
MAX_GRADE_RATIO = 0.25  # steeper than any signalised street
MIN_YELLOW_S = 3.0  # MUTCD 2009, section 4D.26: three to six seconds
MAX_YELLOW_S = 6.0  # same section
MIN_ALL_RED_S = 1.0  # one second at least, the usual practice of agencies
USUAL_ALL_RED_S = 6.0  # MUTCD 2009, 4D.26: not more, but where a junction is very wide
START_UP_S = 1.0  # credit for the conflicting driver's start-up, ITE (2020)
TURN_SPEED_MPS = 8.9  # 20 mph, a vehicle that turns; NCHRP Report 731 (2012), chapter 4
LEFT_APPROACH_LESS_MPS = 2.2  # 5 mph: how much slower left turns approach; same source
MIN_WALK_S = 7.0  # MUTCD 2009, section 4E.06
WALKING_MPS = 1.07  # 3.5 ft/s, same section


def kinematic_yellow_s(
    speed_mps: float, grade_ratio: float = 0.0, *, is_left: bool = False
) -> float:
    """
    Return the yellow that lets a driver stop comfortably or pass [s].

    :param speed_mps: approach speed [m/s].
    :param grade_ratio: slope of the approach, uphill positive [-]; beyond a quarter it counts as
        that, because such a figure is a fault of the map.
    :param is_left: a turn across the other direction, which approaches 2.2 m/s (5 mph) slower.
    :returns: yellow within 3 to 6 s, not rounded.

    Source: ITE kinematic equation, ``t + v / (2 a + 2 g G)``; left turns as in NCHRP Report 731.
    """
    if is_left:
        speed_mps = max(0.0, speed_mps - LEFT_APPROACH_LESS_MPS)
    grade_ratio = min(MAX_GRADE_RATIO, max(-MAX_GRADE_RATIO, grade_ratio))
    braking_mps2 = 2 * DECELERATION_MPS2 + 2 * GRAVITY_MPS2 * grade_ratio
    return min(MAX_YELLOW_S, max(MIN_YELLOW_S, REACTION_S + speed_mps / braking_mps2))


def red_clearance_s(crossing_m: float, speed_mps: float, *, is_turn: bool = False) -> float:
    """
    Return the all-red that lets a vehicle leave the junction [s].

    :param crossing_m: way from the stop line to the far end of the junction [m].
    :param speed_mps: approach speed [m/s].
    :param is_turn: a turn, which clears at 8.9 m/s at most.
    :returns: all-red of at least 1 s, not rounded; above 6 s on very wide junctions, because a
        vehicle that is still inside is still inside.

    Source: ITE, ``(W + L) / v`` less one second of start-up time; turns as in NCHRP Report 731.
    """
    speed_mps = max(1.0, min(speed_mps, TURN_SPEED_MPS) if is_turn else speed_mps)
    clearance_s = (crossing_m + VEHICLE_LENGTH_M) / speed_mps - START_UP_S
    return max(MIN_ALL_RED_S, clearance_s)


def pedestrian_clearance_s(crossing_m: float) -> float:
    """
    Return the time that a pedestrian who has just stepped off the kerb needs to cross [s].

    :param crossing_m: length of the crossing, kerb to kerb [m].

    Source: MUTCD 2009, section 4E.06: 3.5 ft/s.
    """
    return crossing_m / WALKING_MPS


def round_up_s(duration_s: float, step_s: float) -> float:
    """Return ``duration_s`` rounded up to a whole number of steps [s]."""
    return math.ceil(duration_s / step_s - 1e-9) * step_s
