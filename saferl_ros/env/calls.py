"""Calls: which movements have a vehicle waiting for green."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from saferl_ros.observation import ObservationSpec
from saferl_ros.signals import SignalPlan
from saferl_ros.signals.plan import GREEN_LAMPS


class Calls:
    """
    The calls of a junction, each kept from the first vehicle on the lane until its green.

    A detector is read only while its lane has a red link that nobody has called for yet.

    :param plan: the links.
    :param spec: the lanes with their detectors.
    """

    def __init__(self, plan: SignalPlan, spec: ObservationSpec) -> None:
        lanes = {lane.lane_id: n for n, lane in enumerate(spec.lanes)}
        self._lanes_of_link = [
            {lanes[lane] for lane, _ in link.ways if lane in lanes} for link in plan.links
        ]
        self._open: list[int] = []  # lanes whose detectors are still to be read
        self._lamps = 'r' * plan.n_links
        self.now: tuple[bool, ...] = ()  # (n_links,)
        self.show(self._lamps)

    def show(self, lamps: str) -> None:
        """Take note of a change of lamps: green ends a call."""
        self._lamps = lamps
        # a lamp without a vehicle lane (a crossing) has no detector, so it always calls
        before = self.now or tuple(not lanes for lanes in self._lanes_of_link)
        self.now = tuple(
            not lanes or (called and lamp not in GREEN_LAMPS)
            for called, lamp, lanes in zip(before, lamps, self._lanes_of_link, strict=True)
        )
        is_open = [
            lanes
            for called, lamp, lanes in zip(self.now, lamps, self._lanes_of_link, strict=True)
            if not called and lamp not in GREEN_LAMPS
        ]
        self._open = sorted(set().union(*is_open))

    @property
    def is_open(self) -> bool:
        """Whether any detector may bring a new call."""
        return bool(self._open)

    def read(self, detectors: Sequence[tuple[Callable[[str], int], str]]) -> None:
        """
        Read the detectors that may bring a new call.

        :param detectors: for each lane the getter of its vehicle count and its detector's name.
        """
        arrived = set()
        for lane in self._open:  # every second of every episode: no call that can be saved
            count_veh, detector = detectors[lane]
            if count_veh(detector):
                arrived.add(lane)
        if not arrived:
            return
        self._open = [lane for lane in self._open if lane not in arrived]
        self.now = tuple(
            called or (not arrived.isdisjoint(lanes) and lamp not in GREEN_LAMPS)
            for called, lamp, lanes in zip(self.now, self._lamps, self._lanes_of_link, strict=True)
        )
