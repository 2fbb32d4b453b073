"""Paces a simulated street: when its next tick is due by the steady clock."""

from __future__ import annotations


class Pace:
    """
    The time of every tick, a period after the one before.

    A time that was lost is not caught up: controllers answer by the steady clock and the shield's
    patience is measured by it, so a street that hurries after a standstill would show its signals
    for longer than they allow. Jitter of up to one period is evened out.

    :param period_s: from tick to tick, steady clock [s]; above 0.
    """

    def __init__(self, period_s: float) -> None:
        self.period_s = period_s
        self._due_s: float | None = None

    def next_due_s(self, now_s: float) -> float:
        """
        Return when the next tick is due, at most a period from now.

        :param now_s: steady clock [s]; if it goes back, the ticks go on from there.
        """
        last_s = now_s if self._due_s is None else self._due_s
        earliest_s = now_s - self.period_s
        self._due_s = min(max(last_s + self.period_s, earliest_s), now_s + self.period_s)
        return self._due_s
