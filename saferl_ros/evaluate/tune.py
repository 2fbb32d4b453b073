"""
Tunes the baselines on demand of the ``tune`` split: no baseline is a straw man.

Every candidate runs the first part of one demand, the best of them the whole of all demands, and
the lowest mean delay wins. The best also run as their twins: max-pressure blind to split roads,
plans with lagging lefts. Policies are never judged on these demands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any

from pydantic import BaseModel, Field

from saferl_ros.control.family import FamilyConfig, MAIN_GREEN_S, make_slots
from saferl_ros.control.max_pressure import MaxPressureConfig
from saferl_ros.env.junction import Junction
from saferl_ros.errors import ScenarioError
from saferl_ros.evaluate.contest import Contestant, play_all, Progress, SharedProgress
from saferl_ros.evaluate.kept import KeptEpisodes
from saferl_ros.scenario import DemandVariation, Split
from saferl_ros.scenario.demand import count_departures
from saferl_ros.scenario.ranges import DemandScale
from saferl_ros.shield.fallback import FixedTimeProgram
from saferl_ros.signals import ProgramInterval, SignalPlan
from saferl_ros.sumo.actuated import ActuatedConfig
from saferl_ros.sumo.coordination import coordinated_with, with_cycle
from saferl_ros.yaml_file import CONFIG


class TuneConfig(BaseModel):
    """How long to search."""

    model_config = CONFIG

    scales: tuple[DemandScale, ...] = Field(default=(1.0, 0.75, 0.9, 1.15), min_length=1)
    """Demands that baselines are tuned on, over the nominal one."""
    finalists: int = Field(default=5, ge=1)
    """Candidates of a baseline that play whole episodes on all of them."""
    first_round: float = Field(default=0.5, gt=0, le=1)
    """Share of an episode that all candidates play."""


def actuated_candidates() -> list[Contestant]:
    """Return SUMO's actuated control over gaps, loop positions and maximum greens."""
    grid = product((1.0, 1.5, 2.0, 3.0), (1.0, 2.0), (20.0, 35.0, 50.0))
    return [
        Contestant(
            name='actuated',
            actuated=ActuatedConfig(max_gap_s=gap, detector_gap_s=loops, max_green_s=longest),
        )
        for gap, loops, longest in grid
    ]


def max_pressure_candidates() -> list[Contestant]:
    """
    Return max-pressure over the shortest hold, the margin to switch, and what is counted.

    All of them see past split roads; whether that pays is asked of the best (``twin``).
    """
    grid = product((5.0, 10.0, 15.0, 20.0), (0.0, 1.0, 2.0, 4.0), (False, True))
    return [
        Contestant(
            name='max_pressure',
            max_pressure=MaxPressureConfig(
                min_hold_s=hold, margin_veh=margin, halting_only=halts, sees_upstream=True
            ),
        )
        for hold, margin, halts in grid
    ]


def twin(candidate: Contestant, plans: Sequence[SignalPlan]) -> Contestant | None:
    """
    Return the same candidate with its one choice that only the best are asked about.

    Max-pressure counts the lanes before the stop line alone; of a plan, each left lags its main
    movement instead of leading it, or leads instead of lagging.
    """
    if candidate.max_pressure is not None:
        blind = candidate.max_pressure.model_copy(update={'sees_upstream': False})
        return replace(candidate, max_pressure=blind)
    if candidate.programs is None:
        return None
    programs = _in_step(
        plans, [replace(plan, program=_swapped(plan, candidate.programs)) for plan in plans]
    )
    if programs == candidate.programs:
        return None
    return replace(candidate, programs=programs, tuned={**(candidate.tuned or {}), 'swaps': True})


def _swapped(
    plan: SignalPlan, programs: Mapping[str, tuple[ProgramInterval, ...]]
) -> tuple[ProgramInterval, ...]:
    """Return one junction's program with each left on the other side of its main movement."""
    left = iter(programs[plan.junction_id])
    groups = [[next(left) for _ in group] for group in make_slots(plan, FamilyConfig())]
    return tuple(part for group in groups for part in reversed(group))


def plan_candidates(plans: Sequence[SignalPlan]) -> list[Contestant]:
    """Return fixed plans around the own ones: longer, shorter, tilted to either main movement."""
    has_two = any(len(_mains(plan)) > 1 for plan in plans)
    tilts = (-10.0, -5.0, 0.0, 5.0, 10.0) if has_two else (0.0,)
    return [
        Contestant(
            name='best_plan',
            programs=_in_step(
                plans, [replace(plan, program=_stretched(plan, scale, tilt)) for plan in plans]
            ),
            tuned={'green_scale': scale, 'tilt_s': tilt},
        )
        for scale, tilt in product((0.7, 0.85, 1.0, 1.2, 1.4, 1.7), tilts)
    ]


def _in_step(
    plans: Sequence[SignalPlan], changed: Sequence[SignalPlan]
) -> dict[str, tuple[ProgramInterval, ...]]:
    """Return the changed programs; those of signals that share a cycle by their own share one."""
    cycles_s = {plan.junction_id: FixedTimeProgram(plan).cycle_s for plan in plans}
    offsets_s = {plan.junction_id: plan.offset_s for plan in plans}
    now_s = {one.junction_id: FixedTimeProgram(one).cycle_s for one in changed}
    found = {}
    for one in changed:
        partners = coordinated_with(one.junction_id, cycles_s, offsets_s)
        longest_s = max(now_s[n] for n in partners)
        found[one.junction_id] = with_cycle(one, longest_s, step_s=1.0).program
    return found


def _mains(plan: SignalPlan) -> list[int]:
    return [n for n, part in enumerate(plan.program) if part.green_s >= MAIN_GREEN_S]


def _stretched(plan: SignalPlan, scale: float, tilt_s: float) -> tuple[ProgramInterval, ...]:
    mains = _mains(plan) or list(range(len(plan.program)))
    program = []
    for n, part in enumerate(plan.program):
        stage = plan.stages[part.stage_index]
        green_s = part.green_s
        if n in mains:
            green_s *= scale
            if len(mains) > 1:
                green_s += tilt_s if n == mains[0] else -tilt_s / (len(mains) - 1)
        green_s = min(stage.max_green_s, max(stage.min_green_s, float(round(green_s))))
        program.append(ProgramInterval(stage_index=part.stage_index, green_s=green_s))
    return tuple(program)


def tune_baselines(
    junctions: Sequence[Junction],
    config: TuneConfig,
    *,
    jobs: int,
    kept: KeptEpisodes | None = None,
    progress: Progress = lambda done, total: None,
) -> tuple[list[Contestant], dict[str, Any]]:
    """
    Return the tuned ``best_plan``, ``actuated`` and ``max_pressure``, and how each was found.

    :param kept: see ``play_matches``.
    :param progress: called with (episodes done, episodes in all).
    """
    plans = [junction.plan for junction in junctions]
    fields = [
        plan_candidates(plans),
        actuated_candidates(),
        max_pressure_candidates(),
    ]
    demands = [
        DemandVariation(split=Split.TUNE, seed=n, scale=scale)
        for n, scale in enumerate(config.scales)
    ]
    n_runners = [
        min(config.finalists, len(field)) * (2 if twin(field[0], plans) else 1) for field in fields
    ]
    n_matches = sum(map(len, fields)) + sum(n_runners) * len(demands)
    delays = partial(play_all, jobs=jobs, kept=kept, progress=SharedProgress(progress, n_matches))
    short = _first_part(junctions, config.first_round)
    first = iter(delays(short, [one for field in fields for one in field], demands[:1]))
    runners = [_runners(field, [next(first)[0] for _ in field], plans, config) for field in fields]
    last = iter(delays(junctions, [one for few in runners for one in few], demands))
    winners, notes = [], {}
    for field, few in zip(fields, runners, strict=True):
        means = [sum(next(last)) / len(demands) for _ in few]
        winner = few[means.index(min(means))]
        winners.append(winner)
        notes[winner.name] = {
            'parameters': describe(winner),
            'candidates': len(field) + sum(one not in field for one in few),
            'finalists': len(few),
            'first_round': short[0].scenario.horizon_s / junctions[0].scenario.horizon_s,
            'tuned_on': [demand.to_json() for demand in demands],
            'mean_delay_s': min(means),
            'worst_finalist_delay_s': max(means),
        }
    return winners, notes


def _first_part(junctions: Sequence[Junction], share: float) -> Sequence[Junction]:
    """
    Return the junctions with the first part of their scenario, the whole if nobody departs in it.

    A flow of so many vehicles without an end has all of them in the part too.
    """
    whole = junctions[0].scenario
    part = replace(whole, end_s=whole.begin_s + share * whole.horizon_s)
    try:
        count_departures(part)
    except ScenarioError:
        return junctions
    return [replace(junction, scenario=part) for junction in junctions]


def _runners(
    field: Sequence[Contestant],
    delays_s: Sequence[float],
    plans: Sequence[SignalPlan],
    config: TuneConfig,
) -> list[Contestant]:
    """Return the best of the first round, and after them their twins."""
    best = sorted(range(len(field)), key=lambda n: delays_s[n])[: config.finalists]
    runners = [field[n] for n in best]
    return runners + [found for one in runners if (found := twin(one, plans))]


def describe(contestant: Contestant) -> Any:
    """Return a contestant's parameters as JSON-ready data."""
    if contestant.programs is not None and len(contestant.programs) == 1:
        (program,) = contestant.programs.values()
        return [[part.stage_index, part.green_s] for part in program]
    if contestant.tuned is not None:
        return contestant.tuned
    for part in (contestant.actuated, contestant.max_pressure, contestant.family):
        if part is not None:
            return part.model_dump(mode='json')
    return {}
