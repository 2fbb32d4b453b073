"""Gives changes of stage what a program shows between them: profiles ``net`` and ``resco``."""

from __future__ import annotations

from dataclasses import dataclass, replace

from saferl_ros.signals.plan import GREEN_LAMPS, SignalPlan
from saferl_ros.sumo.network import Program


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownClearance:
    """What a program shows between one green phase and the next [s]."""

    walk_clear_s: float = 0.0
    yellow_s: float = 0.0
    all_red_s: float = 0.0


def program_clearances(program: Program, greens: list[int]) -> list[ShownClearance]:
    """Return the clearance that follows each green phase of the program."""
    found = []
    n_phases = len(program.phases)
    for n, phase in enumerate(greens):
        following = greens[(n + 1) % len(greens)]
        walk_s = yellow_s = all_red_s = 0.0
        between = (phase + 1) % n_phases
        while between != following:
            part = program.phases[between]
            if 'y' in part.lamps:
                yellow_s += part.duration_s
            elif yellow_s == 0.0 and not GREEN_LAMPS.isdisjoint(part.lamps):
                walk_s += part.duration_s
            else:
                all_red_s += part.duration_s
            between = (between + 1) % n_phases
        found.append(ShownClearance(walk_clear_s=walk_s, yellow_s=yellow_s, all_red_s=all_red_s))
    return found


def also_clears(
    program: Program, greens: list[int], order: list[int], plan: SignalPlan
) -> tuple[tuple[int, int, tuple[int, ...]], ...]:
    """Return the links that the program clears between two stages that both give them a right."""
    found = {}
    for n, phase in enumerate(greens):
        a, b = order[n], order[(n + 1) % len(order)]
        between = program.phases[(phase + 1) % len(program.phases)]
        losing = plan.losing(a, b)
        before, after = plan.stages[a].lamps, plan.stages[b].lamps
        links = tuple(
            link
            for link, lamp in enumerate(between.lamps)
            if (lamp == 'y' and link not in losing and before[link] in GREEN_LAMPS)
            or (lamp == 'r' and before[link] == 's' and after[link] != 'r')
        )
        if links and a != b:
            found[a, b] = links
    return tuple((a, b, links) for (a, b), links in found.items())


def with_program_clearances(
    plan: SignalPlan, order: list[int], shown: list[ShownClearance]
) -> SignalPlan:
    """Give each change the clearance that the program shows after the stage it leaves."""
    stages = range(plan.n_stages)
    names = ('walk_clear_s', 'yellow_s', 'all_red_s')
    values = {name: [[0.0 for _ in stages] for _ in stages] for name in names}
    for n, a in enumerate(order):
        for b in stages:
            # RESCO and sumo-rl run a yellow at every change, even where no link loses green
            if plan.losing(a, b) or (plan.clearance == 'resco' and a != b):
                for name, matrix in values.items():
                    matrix[a][b] = max(matrix[a][b], getattr(shown[n], name))
    for n, a in enumerate(order):  # the program's own changes are kept to the second
        b = order[(n + 1) % len(order)]
        if order.count(a) == 1 and a != b:
            for name, matrix in values.items():
                matrix[a][b] = getattr(shown[n], name)

    def shortest(link: int, *of: str) -> float:
        return min(
            (
                sum(values[name][a][b] for name in of)
                for a in stages
                for b in stages
                if link in plan.losing(a, b)
            ),
            default=0.0,
        )

    vehicles = [not link.is_crossing for link in plan.links]
    walk_clear_s, yellow_s, all_red_s = (tuple(map(tuple, values[name])) for name in names)
    return replace(
        plan,
        walk_clear_s=walk_clear_s,
        yellow_s=yellow_s,
        all_red_s=all_red_s,
        min_yellow_s=tuple(shortest(i, 'yellow_s') * v for i, v in enumerate(vehicles)),
        min_red_s=tuple(
            (shortest(i, 'all_red_s') * v,) * plan.n_links for i, v in enumerate(vehicles)
        ),
        walk_clearance_s=tuple(shortest(i, *names) * (not v) for i, v in enumerate(vehicles)),
    )
