"""
Tunes the baselines on demand of the ``tune`` split: no baseline is a straw man.

Every candidate runs on one demand, the best of them on the others too, and the lowest mean delay
wins. Max-pressure's best run blind to split roads too. Policies are never judged on these demands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from saferl_ros.control.family import MAIN_GREEN_S
from saferl_ros.control.max_pressure import MaxPressureConfig
from saferl_ros.env.junction import Junction
from saferl_ros.evaluate.contest import Contestant, play_all, Progress, SharedProgress
from saferl_ros.evaluate.kept import KeptEpisodes
from saferl_ros.scenario import DemandVariation, Split
from saferl_ros.signals import ProgramInterval, SignalPlan
from saferl_ros.sumo.actuated import ActuatedConfig


class TuneConfig(BaseModel):
    """How long to search."""

    model_config = ConfigDict(frozen=True, extra='forbid')

    scales: tuple[float, ...] = Field(default=(1.0, 0.75, 0.9, 1.15), min_length=1)
    finalists: int = Field(default=5, ge=1)


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

    All of them see past split roads; whether that pays is asked of the best (``blind_twin``).
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


def blind_twin(candidate: Contestant) -> Contestant | None:
    """Return the same max-pressure that counts the lanes before the stop line alone."""
    if candidate.max_pressure is None:
        return None
    blind = candidate.max_pressure.model_copy(update={'sees_upstream': False})
    return replace(candidate, max_pressure=blind)


def plan_candidates(plans: Sequence[SignalPlan]) -> list[Contestant]:
    """Return fixed plans around the own ones: longer, shorter, tilted to either main movement."""
    has_two = any(len(_mains(plan)) > 1 for plan in plans)
    tilts = (-10.0, -5.0, 0.0, 5.0, 10.0) if has_two else (0.0,)
    return [
        Contestant(
            name='best_plan',
            programs={plan.junction_id: _stretched(plan, scale, tilt) for plan in plans},
            tuned={'green_scale': scale, 'tilt_s': tilt},
        )
        for scale, tilt in product((0.7, 0.85, 1.0, 1.2, 1.4, 1.7), tilts)
    ]


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
    fields = [
        plan_candidates([junction.plan for junction in junctions]),
        actuated_candidates(),
        max_pressure_candidates(),
    ]
    demands = [
        DemandVariation(split=Split.TUNE, seed=n, scale=scale)
        for n, scale in enumerate(config.scales)
    ]
    finalists = [min(config.finalists, len(field)) for field in fields]
    total = sum(map(len, fields)) + sum(finalists) * (len(demands) - 1)
    total += sum(
        n * len(demands)
        for n, field in zip(finalists, fields, strict=True)
        if blind_twin(field[0])
    )
    delays = partial(
        play_all, junctions, jobs=jobs, kept=kept, progress=SharedProgress(progress, total)
    )
    everyone = [candidate for field in fields for candidate in field]
    first = [row[0] for row in delays(everyone, demands[:1])]
    winners, notes, start = [], {}, 0
    for field, n_best in zip(fields, finalists, strict=True):
        own = first[start : start + len(field)]
        start += len(field)
        best = sorted(range(len(field)), key=lambda n: own[n])[:n_best]
        rest = delays([field[n] for n in best], demands[1:]) if len(demands) > 1 else [[]] * n_best
        means = [
            (own[n] + sum(others)) / len(demands) for n, others in zip(best, rest, strict=True)
        ]
        runners = [field[n] for n in best]
        twins = [twin for runner in runners if (twin := blind_twin(runner))]
        if twins:
            runners += twins
            means += [sum(row) / len(demands) for row in delays(twins, demands)]
        winner = runners[means.index(min(means))]
        winners.append(winner)
        notes[winner.name] = {
            'parameters': describe(winner),
            'candidates': len(field) + len(twins),
            'finalists': len(runners),
            'tuned_on': [demand.to_json() for demand in demands],
            'mean_delay_s': min(means),
            'worst_finalist_delay_s': max(means),
        }
    return winners, notes


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
