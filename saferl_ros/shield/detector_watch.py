"""Notices detectors that are stuck, and calls for their movements meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
import math

from saferl_ros.errors import UsageError
from saferl_ros.shield.clock import read_clock

MAX_PRESENCE_S = 300.0  # NTCIP 1202 vehicleDetectorMaxPresence, a usual setting
NO_ACTIVITY_S = 1800.0  # NTCIP 1202 vehicleDetectorNoActivity, a usual setting


class DetectorFault(Enum):
    """What is wrong with a detector; the events of hi-resolution logs name both (83 to 88)."""

    STUCK_ON = 'stuck on'  # occupied longer than any queue stands
    STUCK_OFF = 'stuck off'  # nobody for longer than any lull


class DetectorWatch:
    """
    Reads the presence of each movement's detector and mends what is not to be trusted.

    A movement with a faulty detector counts as called at all times: its traffic is served within
    the maximum red though nobody sees it. A detector is trusted again once it changes, and not
    because the clock does.

    :param n_links: number of movements.
    :param has_detector: which of them have one, shape ``(n_links,)``; all by default.
    :param max_presence_s: longest presence that traffic explains [s].
    :param no_activity_s: longest absence that traffic explains [s].
    :raises UsageError: if ``has_detector`` has another length.
    """

    def __init__(
        self,
        n_links: int,
        *,
        has_detector: Sequence[bool] | None = None,
        max_presence_s: float = MAX_PRESENCE_S,
        no_activity_s: float = NO_ACTIVITY_S,
    ) -> None:
        self._has_detector = [True] * n_links if has_detector is None else list(has_detector)
        if len(self._has_detector) != n_links:
            raise UsageError(
                f'has_detector tells of {len(self._has_detector)} movements; there are {n_links}'
            )
        self._max_presence_s, self._no_activity_s = max_presence_s, no_activity_s
        self._presence: list[bool] = [False] * n_links
        self._changed_at_s: list[float | None] = [None] * n_links
        self.faults: dict[int, DetectorFault] = {}  # by link

    def update(self, presence: Sequence[bool], now_s: float) -> tuple[bool, ...]:
        """
        Take one reading and return the calls to act on, shape ``(n_links,)``.

        :param presence: whether somebody is at each movement's detector; of the wrong length, it
            tells nothing and everybody counts as called.
        :param now_s: a clock that does not jump [s].
        """
        now_s = read_clock(now_s)
        if len(presence) != len(self._presence) or math.isnan(now_s):
            return (True,) * len(self._presence)
        for link, is_there in enumerate(presence):
            since_s = self._changed_at_s[link]
            if since_s is None or bool(is_there) != self._presence[link]:
                self._presence[link], self._changed_at_s[link] = bool(is_there), now_s
                self.faults.pop(link, None)
                continue
            if now_s < since_s:  # the clock went back: count anew, and trust nobody for it
                self._changed_at_s[link] = now_s
                continue
            if not self._has_detector[link]:
                continue
            longest_s = self._max_presence_s if is_there else self._no_activity_s
            if now_s - since_s > longest_s:
                fault = DetectorFault.STUCK_ON if is_there else DetectorFault.STUCK_OFF
                self.faults[link] = fault
        return tuple(
            bool(is_there) or link in self.faults or not self._has_detector[link]
            for link, is_there in enumerate(presence)
        )
