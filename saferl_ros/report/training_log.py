"""Reads the training curves of a run."""

from __future__ import annotations

from collections.abc import Mapping
import csv
from dataclasses import dataclass
import math
from pathlib import Path
from statistics import fmean

from saferl_ros.report.missing import Missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One logged quantity over gradient steps; only the steps at which it was logged."""

    steps: tuple[float, ...]
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingLog:
    """The log of one policy."""

    bundle: str
    curves: Mapping[str, Curve]  # by column of the log


def read_training_logs(folder: Path) -> list[TrainingLog] | Missing:
    """
    Return the logs below ``logs/``, one a policy, in the order of their names.

    Of a network's policy the mean over its junctions is returned.

    :param folder: the run's ``logs`` folder.
    """
    logs = []
    for policy in sorted(path for path in folder.glob('*') if path.is_dir()):
        places = [policy] if (policy / 'training.csv').is_file() else sorted(policy.glob('*'))
        curves = _mean([_curves(place / 'training.csv') for place in places])
        if curves:
            logs.append(TrainingLog(bundle=policy.name, curves=curves))
    if not logs:
        return Missing(
            reason='The run folder holds no readable training log (logs/NAME/training.csv), so '
            'there are no training curves.'
        )
    return logs


def _curves(path: Path) -> dict[str, Curve]:
    try:
        with path.open(newline='', encoding='utf-8') as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error):
        return {}
    points: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        step = _number(row.get('step'))
        for column, text in row.items():
            value = _number(text)
            if column and column != 'step' and step is not None and value is not None:
                points.setdefault(column, []).append((step, value))
    return {
        column: Curve(steps=tuple(p[0] for p in found), values=tuple(p[1] for p in found))
        for column, found in points.items()
    }


def _mean(logs: list[dict[str, Curve]]) -> dict[str, Curve]:
    """Return the mean curves of several logs, over the steps that the first one has."""
    logs = [log for log in logs if log]
    if len(logs) < 2:
        return logs[0] if logs else {}
    found = {}
    for column, first in logs[0].items():
        same = [log[column] for log in logs if column in log and log[column].steps == first.steps]
        values = tuple(map(fmean, zip(*(curve.values for curve in same), strict=True)))
        found[column] = Curve(steps=first.steps, values=values)
    return found


def _number(text: object) -> float | None:
    """Return a cell as a number; empty cells stand where a quantity was not measured."""
    try:
        value = float(str(text))
    except ValueError:
        return None
    return value if math.isfinite(value) else None
