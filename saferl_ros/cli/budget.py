"""The search for an affordable family, as ``saferl record`` and ``saferl run`` show it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
import sys
from typing import Any

from saferl_ros.cli.screen import print_table, progress_bar
from saferl_ros.control.family import FamilyConfig, Shifts
from saferl_ros.env.junction import Junction
from saferl_ros.evaluate.budget import Affordable, widest_family
from saferl_ros.evaluate.kept import KeptEpisodes
from saferl_ros.record.recorder import RecordConfig, Search


def family_search(
    junctions: Sequence[Junction], config: RecordConfig, *, jobs: int, is_quiet: bool
) -> Search:
    """
    Return what a recording asks for its family, and what shows what was tried.

    :param config: of the recording; states the budget.
    """

    def search(keep: Path) -> tuple[FamilyConfig, Any]:
        budget = config.budget
        assert budget is not None
        with progress_bar('searching a family') as progress:
            found = widest_family(
                junctions,
                budget,
                scale_range=config.scale_range,
                surge_share=config.surge_share,
                jobs=jobs,
                kept=KeptEpisodes(keep),
                progress=progress,
            )
        if not is_quiet:
            print_search(found, budget)
        if not found.is_within:
            print(
                f'note: no family keeps the budget of {budget:g}; the cheapest one costs '
                f'{found.trials[-1].price.mean:.2f} and is recorded',
                file=sys.stderr,
            )
        return found.family, found.to_json()

    return search


def print_search(found: Affordable, budget: float) -> None:
    """Print the families that were tried; the last one is recorded."""
    rows = []
    for trial in found.trials:
        family, price = trial.family, trial.price
        rows.append(
            [
                f'{family.green_scale:g}',
                f'{family.swap_probability:g}',
                _shifts(family.main_shift_s),
                _shifts(family.minor_shift_s),
                f'{price.mean:.3f}',
                f'{price.ci_low:.3f} to {price.ci_high:.3f}',
            ]
        )
    print_table(
        f'families tried for a price of at most {budget:g}; the last one is recorded',
        [
            'greens x',
            'lefts swap',
            'greens of 15 s and more shift [s]',
            'shorter greens shift [s]',
            'price',
            '95 % interval',
        ],
        rows,
    )


def _shifts(shifts: Shifts) -> str:
    return ', '.join(f'{shift:+g}: {share:.0%}' for shift, share in shifts.items() if shift)
