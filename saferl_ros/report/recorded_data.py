"""What a quality report says of the recorded data, as typed values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from saferl_ros.dataset.coverage import BUDGET, ELAPSED_BIN_S, RARE
from saferl_ros.errors import DatasetError
from saferl_ros.report.readable import Estimate
from saferl_ros.report.scores import estimate

BIN_S = ELAPSED_BIN_S
N_RARE = RARE  # a change made fewer times than this is thin


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageCell:
    """How often a next stage was chosen while a stage had shown green for so long."""

    stage: int
    green_s: float  # start of the bin
    next_stage: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedData:
    """The quality report of a record."""

    plans: str  # name of the family that was recorded
    n_episodes: int
    n_own_plan_episodes: int
    hours: float
    n_decisions: int
    n_changes: int
    effective_size: float
    price: Estimate | None
    budget: float  # that the price should keep
    n_pairs: int  # demands that the price was measured on
    scale_low: float
    scale_high: float
    n_surges: int
    cost: Mapping[str, float]  # safety events of the recorded hours
    follows: tuple[tuple[int, ...], ...]  # (n_stages, n_stages)
    cells: tuple[CoverageCell, ...]
    never: tuple[tuple[int, int], ...]  # changes between stages that were never made
    rare: tuple[tuple[int, int], ...]  # those made, but fewer than ``N_RARE`` times
    warnings: tuple[str, ...]


def recorded_data(report: Mapping[str, Any]) -> RecordedData:
    """
    Return the typed form of what ``dataset.coverage.quality`` returned.

    :raises DatasetError: if something is missing from it.
    """
    try:
        return _recorded_data(report)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DatasetError(f'the quality report is damaged: {error!r}') from error


def _recorded_data(report: Mapping[str, Any]) -> RecordedData:
    price = report['price']
    changes = {
        (int(t['stage']), int(t['action'])): int(t['count'])
        for t in report['thin']
        if t['stage'] != t['action']
    }
    return RecordedData(
        plans=str(report['family']['plans']),
        n_episodes=int(report['n_episodes']),
        n_own_plan_episodes=int(report['n_own_plan_episodes']),
        hours=float(report['hours']),
        n_decisions=int(report['n_decisions']),
        n_changes=int(report['n_changes']),
        effective_size=float(report['effective_size']),
        price=None if price is None else estimate(price),
        budget=float(report.get('budget', BUDGET)),
        n_pairs=0 if price is None else int(price['n_pairs']),
        scale_low=float(report['demand_scale']['min']),
        scale_high=float(report['demand_scale']['max']),
        n_surges=int(report['n_surges']),
        cost={str(name): float(n) for name, n in report['cost'].items()},
        follows=tuple(tuple(map(int, row)) for row in report['follows']),
        cells=tuple(
            CoverageCell(
                stage=int(cell['stage']),
                green_s=float(cell['elapsed_s']),
                next_stage=int(cell['action']),
                count=int(cell['count']),
            )
            for cell in report['coverage']
        ),
        never=tuple(pair for pair, n in changes.items() if n == 0),
        rare=tuple(pair for pair, n in changes.items() if n > 0),
        warnings=tuple(map(str, report['warnings'])),
    )
