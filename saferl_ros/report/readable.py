"""Numbers as people read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
import math

NOT_KNOWN = '–'
DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean (or ratio of means) with its 95 % interval."""

    mean: float
    low: float
    high: float

    def interval(self, digits: int = 1) -> str:
        """Return the interval alone."""
        return f'{number(self.low, digits)} to {number(self.high, digits)}'

    def text(self, digits: int = 1) -> str:
        """Return the mean and, in brackets, the interval."""
        return f'{number(self.mean, digits)} ({self.interval(digits)})'


def number(value: float, digits: int = 1) -> str:
    """Return a number with a fixed count of decimals; a dash if it is none."""
    return f'{value:.{digits}f}' if math.isfinite(value) else NOT_KNOWN


def count(value: float) -> str:
    """Return a whole number with a narrow no-break space between thousands."""
    return f'{value:,.0f}'.replace(',', '\u202f') if math.isfinite(value) else NOT_KNOWN


def counted(n: float, one: str, many: str = '') -> str:
    """Return ``n`` with its noun, ``1 hour`` or ``3 hours``."""
    return f'{count(n)} {one if n == 1 else many or one + "s"}'


def clock(time_s: float) -> str:
    """Return a simulated time as ``07:05``, or in seconds if it is no time of day."""
    if not 0 <= time_s <= DAY_S:
        return f'{time_s:g} s'
    minutes = int(time_s // 60)
    return f'{minutes // 60:02d}:{minutes % 60:02d}'


def listed(words: Sequence[str]) -> str:
    """Return words as a list within a sentence."""
    if len(words) < 2:
        return ''.join(words)
    return f'{", ".join(words[:-1])} and {words[-1]}'
