"""What every plot of the page shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
import math
from typing import Any

FONT = 'system-ui, "Segoe UI", "Helvetica Neue", Arial, "DejaVu Sans", sans-serif'
INK = '#22262b'
GRID = '#e4e7eb'
WIDE_RANGE = 8.0  # beyond this ratio of largest to smallest a logarithmic axis reads better


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One plot: traces and layout as plotly.js takes them, and what stands around it."""

    name: str  # the id of its element
    title: str
    caption: str
    height_px: int
    data: Sequence[Mapping[str, Any]]
    layout: Mapping[str, Any]


def layout(x_title: str, y_title: str, **more: Any) -> dict[str, Any]:
    """Return the page's plain layout; ``more`` goes on top, axes key by key."""
    base: dict[str, Any] = {
        'font': {'family': FONT, 'size': 13, 'color': INK},
        'paper_bgcolor': 'rgba(0,0,0,0)',
        'plot_bgcolor': '#ffffff',
        'margin': {'l': 60, 'r': 16, 't': 10, 'b': 48},
        'hovermode': 'closest',
        'legend': {'orientation': 'h', 'x': 0, 'y': -0.22, 'yanchor': 'top'},
        'xaxis': _axis(x_title),
        'yaxis': _axis(y_title),
    }
    for key, value in more.items():
        base[key] = {**base.get(key, {}), **value} if isinstance(value, dict) else value
    return base


def _axis(title: str) -> dict[str, Any]:
    return {
        'title': {'text': title},
        'gridcolor': GRID,
        'linecolor': '#9aa1a9',
        'zeroline': False,
        'automargin': True,
    }


def scale_axis(values: Sequence[float]) -> dict[str, Any]:
    """Return an axis for positive values: from zero, or logarithmic if they differ widely."""
    known = [v for v in values if math.isfinite(v)]
    if known and min(known) > 0 and max(known) / min(known) > WIDE_RANGE:
        low, high = math.floor(math.log10(min(known))), math.ceil(math.log10(max(known)))
        # plotly labels ticks between the powers of ten by their first digit alone
        ticks = [factor * 10.0**power for power in range(low, high + 1) for factor in (1, 2, 5)]
        return {'type': 'log', 'tickvals': ticks, 'ticktext': [f'{t:g}' for t in ticks]}
    return {'type': 'linear', 'rangemode': 'tozero'}


def is_log(axis: Mapping[str, Any]) -> bool:
    """Whether ``scale_axis`` chose a logarithmic axis, which the caption must say."""
    return bool(axis['type'] == 'log')


def plain(text: str) -> str:
    """Return text that plotly shows as it stands; it would read tags as formatting."""
    return escape(text, quote=False)


def finite(values: Sequence[float]) -> list[float | None]:
    """Return values for JSON, which knows no NaN; plotly leaves a gap there."""
    return [round(v, 4) if math.isfinite(v) else None for v in values]
