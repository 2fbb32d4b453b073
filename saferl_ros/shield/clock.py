"""Reads a clock of which nothing is certain, not even that it tells a number."""

from __future__ import annotations

import math
from numbers import Real


def read_clock(time_s: object) -> float:
    """
    Return a finite time [s], or NaN. Never raises.

    :param time_s: what a clock told; whatever is no finite number counts as NaN.
    """
    try:
        read_s = float(time_s) if isinstance(time_s, Real) else math.nan
    except Exception:  # noqa: BLE001 - an object may do anything when looked at
        return math.nan
    return read_s if math.isfinite(read_s) else math.nan
