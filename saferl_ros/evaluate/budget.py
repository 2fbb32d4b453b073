"""
Searches what a record can afford: the widest family of plans within a price.

A record teaches what it varies, and traffic pays for it. How much a network can bear is its own:
on one, shorter greens gain more than all variation costs; on another, five seconds break the
coordination. So families of several widths, each around longer and shorter greens, are played on a
few demands beside the own plan, and the widest that keeps the budget is what should be recorded.
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
from saferl_ros.scenario import DemandVariation, Split

GREEN_SCALES = (0.7, 0.85, 1.0, 1.2)
FIRST_DEMANDS = 2  # every candidate is played on these
DEMANDS = 8  # and the best one of a width on all of these


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
    jobs: int,
    kept: KeptEpisodes | None = None,
    progress: Progress = lambda done, total: None,
) -> Affordable:
    """
    Return the widest family whose mean price is at most ``budget``.

    :param junctions: of one scenario; all vary at once, as in a recording.
    :param budget: delay of the family over that of the own plan on the same demands.
    :param scale_range: of the demand that will be recorded.
    :param kept: see ``play_matches``.
    :param progress: called with (episodes done, episodes at most).
    """
    demands = [
        DemandVariation(split=Split.TUNE, seed=300 + n, scale=round(float(scale), 4))
        for n, scale in enumerate(_spread(*scale_range))
    ]
    own = Contestant(
        name='own_plan', programs={j.plan.junction_id: j.plan.program for j in junctions}
    )
    candidates = [
        [_contestant(width, green_scale) for green_scale in GREEN_SCALES] for width in WIDTHS
    ]
    total = DEMANDS + len(WIDTHS) * (len(GREEN_SCALES) * FIRST_DEMANDS + DEMANDS - FIRST_DEMANDS)
    delays = partial(
        play_all, junctions, jobs=jobs, kept=kept, progress=SharedProgress(progress, total)
    )
    (own_s,) = delays([own], demands)
    trials: list[Trial] = []
    for row in candidates:
        first = delays(row, demands[:FIRST_DEMANDS])
        best = min(range(len(row)), key=lambda n: sum(first[n]))
        (rest,) = delays([row[best]], demands[FIRST_DEMANDS:])
        family = row[best].family
        assert family is not None
        price = ratio_interval([*first[best], *rest], own_s)
        trials.append(Trial(family=family, price=price))
        if price.mean <= budget:
            progress(total, total)
            return Affordable(trials=tuple(trials), is_within=True)
    trials.sort(key=lambda trial: -trial.price.mean)
    return Affordable(trials=tuple(trials), is_within=False)


def _spread(low: float, high: float) -> list[float]:
    """Return the scales, the first of them apart: a search begins with those."""
    scales = np.linspace(low, high, DEMANDS).tolist()
    apart = [round((n + 0.5) * DEMANDS / FIRST_DEMANDS) for n in range(FIRST_DEMANDS)]
    return [scales[n] for n in apart] + [s for n, s in enumerate(scales) if n not in apart]


def _contestant(width: Width, green_scale: float) -> Contestant:
    return Contestant(name='family', family=FamilyConfig(green_scale=green_scale, **asdict(width)))
