"""Keeps a junction's own plan in step with the network it came from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from saferl_ros.shield.fallback import FixedTimeProgram
from saferl_ros.signals.plan import ProgramInterval, SignalPlan
from saferl_ros.sumo.derive import signal_ids
from saferl_ros.sumo.network import Network
from saferl_ros.sumo.program_times import share_greens


def in_step(
    network: Network, junction_id: str, plan_of: Callable[[str], SignalPlan], step_s: float
) -> SignalPlan:
    """
    Return a signal's plan with an own program that still fits those of its neighbours.

    With other clearances the network's greens add up to another cycle, and signals whose cycles
    differ drift apart. Where the greens leave room, they get it, so that the cycle is the
    network's again. Where they do not, signals that share a cycle and were given offsets, which
    is what coordination is, share the longest of theirs. A network whose offsets are all zero was
    not coordinated: there each signal keeps its own greens.

    :param plan_of: the plan of any of the network's signals, with the greens of its program.
    :param step_s: greens stay whole numbers of it [s].
    """
    plan, cycles_s = plan_of(junction_id), {n: _cycle_s(network, n) for n in signal_ids(network)}
    offsets_s = {n: network.programs[n].offset_s for n in cycles_s}
    partners = coordinated_with(junction_id, cycles_s, offsets_s)
    longest_s = max(FixedTimeProgram(plan_of(n)).cycle_s for n in partners)
    return with_cycle(plan, max(cycles_s[junction_id], longest_s), step_s)


def coordinated_with(
    junction_id: str, cycles_s: Mapping[str, float], offsets_s: Mapping[str, float]
) -> list[str]:
    """
    Return the signals that share a cycle and were given offsets, the one asked about among them.

    :param cycles_s: of each signal's own program [s].
    :param offsets_s: of each signal; where all are zero, nobody is coordinated.
    """
    cycle_s = cycles_s[junction_id]
    partners = [n for n, other_s in cycles_s.items() if abs(other_s - cycle_s) < 1e-6]
    return partners if any(offsets_s[n] % cycle_s for n in partners) else [junction_id]


def with_cycle(plan: SignalPlan, cycle_s: float, step_s: float) -> SignalPlan:
    """
    Return the plan with longer greens in its program, so that a cycle lasts ``cycle_s``.

    The greens grow in proportion to what they have above their minimum, none beyond its stage's
    maximum; where that leaves no room, the cycle stays shorter.
    """
    missing_s = cycle_s - FixedTimeProgram(plan).cycle_s
    if missing_s < step_s - 1e-9:
        return plan
    least_s = [plan.stages[part.stage_index].min_green_s for part in plan.program]
    most_s = [plan.stages[part.stage_index].max_green_s for part in plan.program]
    greens_s = [max(pair) for pair in zip((p.green_s for p in plan.program), least_s, strict=True)]
    greens_s = _grown(greens_s, least_s, most_s, sum(greens_s) + missing_s, step_s)
    parts = tuple(
        ProgramInterval(stage_index=part.stage_index, green_s=green_s)
        for part, green_s in zip(plan.program, greens_s, strict=True)
    )
    return replace(plan, program=parts)


def _grown(
    greens_s: Sequence[float],
    least_s: Sequence[float],
    most_s: Sequence[float],
    total_s: float,
    step_s: float,
) -> list[float]:
    """Share a time among greens; those that would exceed their maximum get that, and no more."""
    found_s = list(greens_s)
    free = list(range(len(found_s)))
    while free:
        rest_s = total_s - sum(s for n, s in enumerate(found_s) if n not in free)
        shared_s = share_greens(
            [greens_s[n] for n in free], [least_s[n] for n in free], rest_s, step_s
        )
        full = [n for n, s in zip(free, shared_s, strict=True) if s > most_s[n] + 1e-9]
        for n, s in zip(free, shared_s, strict=True):
            found_s[n] = min(s, most_s[n])
        if not full:
            break
        free = [n for n in free if n not in full]
    return found_s


def _cycle_s(network: Network, junction_id: str) -> float:
    return sum(phase.duration_s for phase in network.programs[junction_id].phases)
