"""Puts the clearances of links together: what a change from one stage to another needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from saferl_ros.signals.plan import SignalPlan


def with_clearances(
    plan: SignalPlan,
    *,
    yellow_s: Sequence[float],
    red_s: Sequence[Sequence[float]],
    walk_clearance_s: Sequence[float],
    least_red_s: float,
) -> SignalPlan:
    """
    Return the plan with the clearance of every pair of stages.

    Yellow is the longest among the links that lose green. Red clearance is the longest that one
    of them needs before one of its foes starts, and ``least_red_s`` at least; a foe that waits for
    a later stage waits through the next minimum green too. Pedestrians who lose their walk get
    their whole clearance before anything of the next stage starts; what yellow and all-red do not
    cover of it comes before the yellow, while vehicles keep their green.

    :param plan: with stages and links.
    :param yellow_s: shortest yellow of each link, zero for crossings, shape ``(n_links,)``.
    :param red_s: [i][j] how long link i must be red before link j may start, shape
        ``(n_links, n_links)``; only foes count.
    :param walk_clearance_s: pedestrian clearance of each crossing, same shape.
    :param least_red_s: shortest all-red of any change in which a vehicle loses green.
    """
    stages = range(plan.n_stages)
    yellow = [[0.0 for _ in stages] for _ in stages]
    all_red = [[0.0 for _ in stages] for _ in stages]
    walk_clear = [[0.0 for _ in stages] for _ in stages]
    for a in stages:
        for b in stages:
            losing = plan.losing(a, b)
            vehicles = [link for link in losing if not plan.links[link].is_crossing]
            if vehicles:
                yellow[a][b] = max(yellow_s[link] for link in vehicles)
                all_red[a][b] = max(
                    least_red_s, *(plan.needed_red_s(a, b, link, red_s[link]) for link in vehicles)
                )
            walkers_s = max((walk_clearance_s[link] for link in losing), default=0.0)
            walk_clear[a][b] = max(0.0, walkers_s - yellow[a][b] - all_red[a][b])
    return replace(
        plan,
        min_yellow_s=tuple(yellow_s),
        min_red_s=tuple(map(tuple, red_s)),
        walk_clearance_s=tuple(walk_clearance_s),
        yellow_s=tuple(map(tuple, yellow)),
        all_red_s=tuple(map(tuple, all_red)),
        walk_clear_s=tuple(map(tuple, walk_clear)),
    )
