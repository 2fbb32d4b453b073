"""Gives every change of stage the clearances of the book: the profile ``legal``."""

from __future__ import annotations

from saferl_ros.errors import SignalPlanError
from saferl_ros.signals.clearance import (
    kinematic_yellow_s,
    MAX_YELLOW_S,
    MIN_ALL_RED_S,
    red_clearance_s,
    round_up_s,
    USUAL_ALL_RED_S,
)
from saferl_ros.signals.pairing import with_clearances
from saferl_ros.signals.plan import SignalPlan
from saferl_ros.sumo.conflict_way import conflict_ways_m
from saferl_ros.sumo.network import Network
from saferl_ros.sumo.settings import PlanLimits


def with_legal_clearances(
    plan: SignalPlan, network: Network, step_s: float, limits: PlanLimits
) -> SignalPlan:
    """
    Return the plan with clearances computed link by link and put together stage pair by pair.

    Yellow and red clearance by the ITE formulas, pedestrian clearance by MUTCD: see
    ``signals.clearance``; how they are put together: ``signals.pairing``.

    :param plan: with stages and links, without times.
    :param network: for the ways over the junction.
    :param step_s: everything is rounded up to it [s].
    :param limits: longer times stated by an engineer.
    :raises SignalPlanError: if a stated time is shorter than the computed one, or too long.
    """
    across = 'rt' if network.drives_left else 'lt'
    yellow = [
        0.0
        if link.is_crossing
        else round_up_s(
            kinematic_yellow_s(link.speed_mps, link.grade_ratio, is_left=link.direction in across),
            step_s,
        )
        for link in plan.links
    ]
    ways_m = conflict_ways_m(network, plan)
    red = [
        [
            0.0
            if link.is_crossing or not is_foe
            else round_up_s(red_clearance_s(way_m, link.speed_mps, is_turn=link.is_turn), step_s)
            for way_m, is_foe in zip(ways_m[i], plan.foes[i], strict=True)
        ]
        for i, link in enumerate(plan.links)
    ]
    walk = [
        round_up_s(link.crossing_m / limits.walking_mps, step_s) if link.is_crossing else 0.0
        for link in plan.links
    ]
    yellow = _with_stated(plan, 'yellow', yellow, limits.yellow_s, MAX_YELLOW_S, step_s)
    longest_red = [max(row) for row in red]
    stated = _with_stated(plan, 'all-red', longest_red, limits.all_red_s, USUAL_ALL_RED_S, step_s)
    for link in limits.all_red_s:
        red[link] = [stated[link] if is_foe else 0.0 for is_foe in plan.foes[link]]
    return with_clearances(
        plan,
        yellow_s=yellow,
        red_s=red,
        walk_clearance_s=walk,
        least_red_s=round_up_s(MIN_ALL_RED_S, step_s),
    )


def _with_stated(
    plan: SignalPlan,
    what: str,
    computed_s: list[float],
    stated_s: dict[int, float],
    longest_s: float,
    step_s: float,
) -> list[float]:
    times = computed_s.copy()
    for link, stated in stated_s.items():
        if not 0 <= link < plan.n_links or plan.links[link].is_crossing:
            raise SignalPlanError(
                f"junction '{plan.junction_id}': {what} is stated for link {link}, which is no "
                f'vehicle link of it; its links are 0 to {plan.n_links - 1}'
            )
        allowed_s = max(longest_s, computed_s[link])
        if not computed_s[link] <= stated <= allowed_s:
            raise SignalPlanError(
                f"junction '{plan.junction_id}', link {link}: a stated {what} of {stated:g} s is "
                f'refused; allowed is {computed_s[link]:g} s (computed from speed and geometry) '
                f'to {allowed_s:g} s'
            )
        times[link] = round_up_s(stated, step_s)
    return times
