"""Degradation curves: how much worse a controller gets when things go wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from statistics import fmean
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from saferl_ros.dataset.intervals import mean_interval, ratio_interval
from saferl_ros.env.disturbance import closable_lanes, Disturbance
from saferl_ros.env.junction import Junction
from saferl_ros.evaluate.contest import Contestant, Match, play_matches, Progress
from saferl_ros.evaluate.kept import KeptEpisodes
from saferl_ros.scenario import DemandVariation, Split, Surge
from saferl_ros.scenario.ranges import DemandScale
from saferl_ros.yaml_file import CONFIG

BROKEN = ('blind detectors', 'stuck detectors')  # kinds that mislead whoever looks at detectors
KINDS = (*BROKEN, 'demand', 'surge', 'rain')  # a lane cannot be closed everywhere

_FIRST_SEED = 900_000_000  # beyond those of every other test demand

Share = Annotated[float, Field(gt=0, le=1)]  # of the detectors


class DegradationConfig(BaseModel):
    """How widely to look for trouble."""

    model_config = CONFIG

    demands: int = Field(default=0, ge=0)
    """Test demands per disturbance; zero leaves it out, and then no gate passes."""
    blind_shares: tuple[Share, ...] = (0.1, 0.25, 0.5)
    """Of the detectors, those that see nobody."""
    stuck_shares: tuple[Share, ...] = (0.1, 0.25)
    """Of the detectors, those that always see a full lane."""
    demand_scales: tuple[DemandScale, ...] = (0.5, 1.5)
    """Demand over the nominal one."""
    surge_factor: float = Field(default=2.0, ge=1)
    """Demand from one direction, over its own, for twenty minutes."""


class Trouble(BaseModel):
    """One point of a curve."""

    model_config = ConfigDict(frozen=True, extra='forbid')

    kind: str  # 'none', 'blind detectors', 'stuck detectors', 'demand', ...
    level: float  # share of detectors, or demand scale; zero where there is no scale
    disturbance: dict[str, Any] = {}
    scale: float = 1.0
    surge_factor: float = 0.0


def troubles(config: DegradationConfig) -> list[Trouble]:
    """Return every point of every curve; the first is the undisturbed one."""
    found = [Trouble(kind='none', level=0.0)]
    found += [
        Trouble(kind=BROKEN[0], level=share, disturbance={'blind_share': share})
        for share in config.blind_shares
    ]
    found += [
        Trouble(kind=BROKEN[1], level=share, disturbance={'stuck_share': share})
        for share in config.stuck_shares
    ]
    found += [Trouble(kind='demand', level=scale, scale=scale) for scale in config.demand_scales]
    found += [
        Trouble(kind='surge', level=config.surge_factor, surge_factor=config.surge_factor),
        Trouble(kind='closed lane', level=0.0, disturbance={'closed_lane': True}),
        Trouble(kind='rain', level=0.0, disturbance={'rain': True}),
    ]
    return found


def degradation(
    junctions: Sequence[Junction],
    contestants: Sequence[Contestant],
    config: DegradationConfig,
    *,
    jobs: int,
    kept: KeptEpisodes | None = None,
    progress: Progress = lambda done, total: None,
) -> list[dict[str, Any]]:
    """
    Return the curves as JSON-ready data, a row per point; a lane is closed where one can be.

    Each row has ``kind``, ``level`` and, by controller, the delay with its interval, its ratio to
    the same controller undisturbed on the same demands, to ``net_plan`` and ``own_plan`` under the
    same trouble (where those are among the contestants), sums of the monitor's faults, movements
    starved, collisions and teleports, and the share of a policy's decisions that the fallback
    made, as it does while the guard is alarmed.
    """
    points = [
        point
        for point in troubles(config)
        if closable_lanes(junctions) or 'closed_lane' not in point.disturbance
    ]
    matches = [
        Match(
            junctions=tuple(junctions),
            contestant=contestant,
            demand=_demand(point, n),
            disturbance=Disturbance(**point.disturbance) if point.disturbance else None,
        )
        for point in points
        for contestant in contestants
        for n in range(config.demands)
    ]
    results = play_matches(matches, jobs=jobs, kept=kept, progress=progress)
    names = [contestant.name for contestant in contestants]
    rows, start = [], 0
    calm: dict[str, list[float]] = {}
    for point in points:
        found = {}
        for name in names:
            found[name] = [results[start + n] for n in range(config.demands)]
            start += config.demands
        delays = {name: [r.trips.delay_s for r in found[name]] for name in names}
        calm = calm or delays
        rows.append(
            {
                'kind': point.kind,
                'level': point.level,
                'controllers': {
                    name: {
                        'delay_s': asdict(mean_interval(delays[name])),
                        'over_undisturbed': asdict(ratio_interval(delays[name], calm[name])),
                        **{
                            f'over_{other}': asdict(ratio_interval(delays[name], delays[other]))
                            if other in delays
                            else None
                            for other in ('net_plan', 'own_plan')
                        },
                        **{
                            metric: sum(r.metrics()[metric] for r in found[name])
                            for metric in ('monitor_faults', 'starved', 'collisions', 'teleports')
                        },
                        'fallback_share': fmean(r.fallback_share for r in found[name]),
                    }
                    for name in names
                },
            }
        )
    return rows


def _demand(point: Trouble, n: int) -> DemandVariation:
    surge = None
    if point.surge_factor:
        surge = Surge(start_ratio=1 / 3, length_s=1200.0, factor=point.surge_factor)
    return DemandVariation(split=Split.TEST, seed=_FIRST_SEED + n, scale=point.scale, surge=surge)
