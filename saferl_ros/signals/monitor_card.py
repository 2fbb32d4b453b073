"""Writes the conflict monitor's program card from a signal plan."""

from __future__ import annotations

from dataclasses import replace

from saferl_ros.signals.monitor import MonitorCard
from saferl_ros.signals.plan import SignalPlan


def card_of(plan: SignalPlan) -> MonitorCard:
    """
    Return the card of a junction.

    The rules of links are the plan's own; those of stages are turned into rules of lamps here, so
    that the monitor needs to know no stage.
    """
    stages, links = range(plan.n_stages), range(plan.n_links)
    shows = [[s for s in stages if link in plan.greens(s)] for link in links]
    # links that keep green through a change may show the same lamps during its clearance
    longest_change_s = max(
        plan.walk_clear_s[a][b]
        + plan.all_red_s[a][b]
        + (0.0 if plan.losing(a, b) else plan.yellow_s[a][b])
        for a in stages
        for b in stages
    )
    return MonitorCard(
        foes=plan.foes,
        may_permit=tuple(
            tuple(plan.links[i].is_turn and plan.yields[i][j] for j in links) for i in links
        ),
        is_crossing=tuple(link.is_crossing for link in plan.links),
        min_green_s=tuple(
            plan.min_walk_s[i]
            if plan.links[i].is_crossing
            else min((plan.stages[s].min_green_s for s in shows[i]), default=0.0)
            for i in links
        ),
        min_yellow_s=plan.min_yellow_s,
        min_red_s=tuple(
            (plan.walk_clearance_s[i],) * plan.n_links
            if plan.links[i].is_crossing
            else plan.min_red_s[i]
            for i in links
        ),
        is_served=tuple(bool(shows[i]) for i in links),
        max_green_s=max(stage.max_green_s for stage in plan.stages) + longest_change_s,
        max_red_s=plan.max_red_s,
    )


def program_card_of(plan: SignalPlan) -> MonitorCard:
    """
    Return the card for a program that is not ours to time: no minimum greens.

    A network's own program may show a green as short as it likes; what no program may do is clear
    too little, let foes meet, or show a green beyond the plan's maximum, which is at least what
    the program states. Walk is a clearance matter and stays.
    """
    card = card_of(plan)
    return replace(
        card,
        min_green_s=tuple(
            seconds if is_crossing else 0.0
            for seconds, is_crossing in zip(card.min_green_s, card.is_crossing, strict=True)
        ),
    )
