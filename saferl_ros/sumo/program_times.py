"""Arithmetic of a program's times: how long its greens and its changes last."""

from __future__ import annotations

from collections.abc import Sequence
import math

Change = tuple[tuple[float, str], ...]  # duration [s] and lamps of each interval


def lasting_at_least(change: Change, gap_s: float) -> Change:
    """Return a change that takes ``gap_s`` at least; its last interval is the one that grows."""
    missing_s = gap_s - sum(duration_s for duration_s, _ in change)
    if not change or missing_s <= 0:
        return change
    duration_s, lamps = change[-1]
    return (*change[:-1], (duration_s + missing_s, lamps))


def split_change(change: Change, last_s: float) -> tuple[Change, Change]:
    """Return a change in two, the second of which takes ``last_s`` (or all there is)."""
    first: list[tuple[float, str]] = list(change)
    second: list[tuple[float, str]] = []
    while first and last_s > 1e-9:
        duration_s, lamps = first.pop()
        part_s = min(duration_s, last_s)
        second.insert(0, (part_s, lamps))
        if duration_s > part_s:
            first.append((duration_s - part_s, lamps))
        last_s -= part_s
    return tuple(first), tuple(second)


def share_greens(
    greens_s: Sequence[float], min_greens_s: Sequence[float], total_s: float, step_s: float
) -> list[float]:
    """
    Return greens that fill a time, each changed in proportion to what it has above its minimum.

    :param greens_s: the greens so far [s].
    :param min_greens_s: the shortest greens [s]; rounded up to whole steps.
    :param total_s: the time there is for all of them [s].
    :param step_s: greens are whole numbers of it [s]; what ``total_s`` has above a whole number
        goes to the longest.
    :returns: greens that sum up to ``total_s`` [s], or the shortest ones where these take longer.
    """
    least = [math.ceil(seconds / step_s - 1e-9) for seconds in min_greens_s]
    total = math.floor(total_s / step_s + 1e-9)
    spare = total - sum(least)
    if spare < 0:
        return [n * step_s for n in least]
    above = [max(0.0, s / step_s - n) for s, n in zip(greens_s, least, strict=True)]
    if sum(above) == 0:
        above = [1.0 for _ in least]
    shares = [spare * part / sum(above) for part in above]
    steps = [n + math.floor(share + 1e-9) for n, share in zip(least, shares, strict=True)]
    by_rest = sorted(range(len(shares)), key=lambda n: math.floor(shares[n] + 1e-9) - shares[n])
    for n in by_rest[: total - sum(steps)]:
        steps[n] += 1
    shared_s = [n * step_s for n in steps]
    shared_s[steps.index(max(steps))] += total_s - total * step_s
    return shared_s
