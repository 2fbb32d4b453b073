"""
Searches what a record can afford: the widest family of plans within a price.

A record teaches what it varies, and traffic pays for it. How much a network can bear is its own:
on one, shorter greens gain more than all variation costs; on another, five seconds break the
coordination. So families of several widths, each around longer and shorter greens, are played on a
few demands beside the own plan, and the widest that keeps the budget is what should be recorded.

The demands that choose the greens do not count for the price: the best of four on two demands
looks cheaper than it is. The others have surges, as a recording has: there variation costs most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from saferl_ros.control.family import FamilyConfig, Shifts
from saferl_ros.dataset.intervals import Interval, ratio_interval
from saferl_ros.env.junction import Junction
from saferl_ros.evaluate.contest import Contestant, play_all, Progress, SharedProgress
from saferl_ros.evaluate.kept import KeptEpisodes
from saferl_ros.scenario import DemandVariation, Split, Surge

GREEN_SCALES = (0.7, 0.85, 1.0, 1.2)
CHOOSING = 2  # demands on which every candidate is played
PRICING = 8  # demands on which the best one of a width shows its price
_SURGE = Surge(start_ratio=0.4, length_s=900.0, factor=1.65)  # the middle of what is recorded


@dataclass(frozen=True, slots=True, kw_only=True)
class Width:
    """How much a family varies."""

    swap_probability: float
    main_shift_s: Shifts
    minor_shift_s: Shifts


WIDTHS = (  # widest first
    Width(
        swap_probability=0.5,
        main_shift_s={-15: 0.15, -10: 0.15, -5: 0.2, 0: 0.2, 5: 0.15, 10: 0.15},
        minor_shift_s={-5: 0.2, 0: 0.3, 5: 0.3, 10: 0.2},
    ),
    Width(
        swap_probability=0.3,
        main_shift_s={-10: 0.1, -5: 0.2, 0: 0.4, 5: 0.2, 10: 0.1},
        minor_shift_s={-5: 0.1, 0: 0.6, 5: 0.2, 10: 0.1},
    ),
    Width(
        swap_probability=0.2,
        main_shift_s={-5: 0.2, 0: 0.6, 5: 0.2},
        minor_shift_s={-5: 0.1, 0: 0.75, 5: 0.15},
    ),
    Width(
        swap_probability=0.1,
        main_shift_s={-5: 0.1, 0: 0.8, 5: 0.1},
        minor_shift_s={-5: 0.1, 0: 0.8, 5: 0.1},
    ),
    Width(
        swap_probability=0.03,
        main_shift_s={-5: 0.03, 0: 0.94, 5: 0.03},
        minor_shift_s={-5: 0.03, 0: 0.94, 5: 0.03},
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A family and what it cost on the demands of the search."""

    family: FamilyConfig
    price: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Affordable:
    """
    What was found: the trials played in full, the last of which should be recorded.

    They come widest first, and the last is the first within the budget; where none is, the
    cheapest comes last.
    """

    trials: tuple[Trial, ...]
    is_within: bool  # whether the budget was kept; else the cheapest trial stands last

    @property
    def family(self) -> FamilyConfig:
        """The family to record."""
        return self.trials[-1].family

    def to_json(self) -> list[dict[str, Any]]:
        """Return the trials as JSON-ready data."""
        return [
            {'family': trial.family.model_dump(mode='json'), 'price': asdict(trial.price)}
            for trial in self.trials
        ]


def widest_family(
    junctions: Sequence[Junction],
    budget: float,
    *,
    scale_range: tuple[float, float],
    surge_share: float,
    jobs: int,
    kept: KeptEpisodes | None = None,
    progress: Progress = lambda done, total: None,
) -> Affordable:
    """
    Return the widest family whose mean price is at most ``budget``.

    :param junctions: of one scenario; all vary at once, as in a recording.
    :param budget: delay of the family over that of the own plan on the same demands.
    :param scale_range: of the demand that will be recorded.
    :param surge_share: of the hours that will be recorded, those with a surge.
    :param kept: see ``play_matches``.
    :param progress: called with (episodes done, episodes at most).
    """
    low, high = scale_range
    choosing = [_demand(n, low + (high - low) * (n + 0.5) / CHOOSING) for n in range(CHOOSING)]
    pricing = _pricing_demands(low, high, surge_share)
    own = Contestant(
        name='own_plan', programs={j.plan.junction_id: j.plan.program for j in junctions}
    )
    candidates = [
        [_contestant(width, green_scale) for green_scale in GREEN_SCALES] for width in WIDTHS
    ]
    total = PRICING + len(WIDTHS) * (len(GREEN_SCALES) * CHOOSING + PRICING)
    delays = partial(
        play_all, junctions, jobs=jobs, kept=kept, progress=SharedProgress(progress, total)
    )
    (own_s,) = delays([own], pricing)
    trials: list[Trial] = []
    for row in candidates:
        first = delays(row, choosing)
        best = min(range(len(row)), key=lambda n: sum(first[n]))
        (delays_s,) = delays([row[best]], pricing)
        family = row[best].family
        assert family is not None
        price = ratio_interval(delays_s, own_s)
        trials.append(Trial(family=family, price=price))
        if price.mean <= budget:
            progress(total, total)
            return Affordable(trials=tuple(trials), is_within=True)
    trials.sort(key=lambda trial: -trial.price.mean)
    return Affordable(trials=tuple(trials), is_within=False)


def _demand(n: int, scale: float, surge: Surge | None = None) -> DemandVariation:
    return DemandVariation(split=Split.TUNE, seed=300 + n, scale=round(scale, 4), surge=surge)


def _pricing_demands(low: float, high: float, surge_share: float) -> list[DemandVariation]:
    """Return demands of all scales, with surges spread evenly among them."""
    scales = np.linspace(low, high, PRICING).tolist()
    n_surges = round(surge_share * PRICING)
    with_surge = {int((n + 0.5) * PRICING / n_surges) for n in range(n_surges)}
    return [
        _demand(CHOOSING + n, scale, _SURGE if n in with_surge else None)
        for n, scale in enumerate(scales)
    ]


def _contestant(width: Width, green_scale: float) -> Contestant:
    return Contestant(name='family', family=FamilyConfig(green_scale=green_scale, **asdict(width)))
