"""Holds a run's start until everybody who is waited for is there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
import time

from rclpy.node import Node

from saferl_ros.ros import names
from saferl_ros.ros.program import Stopper
from saferl_ros.ros.wire import Wire

_SPIN_S = 0.1
_SETTLE_S = 1.0  # between seeing others in the graph and their hearing us
_RECORDED = (names.SIGNAL_STATE, names.DETECTORS, names.STAGE_REQUEST, names.SHIELD_DECISION)


class Attendance:
    """
    Who is waited for: a controller at every junction, and whom the run names beside them.

    :param node: the one that starts the run.
    :param spin: lets the node work for so long [s].
    :param limit_s: how long to wait at most [s]; 0: not at all.
    :param recorder: name of a recorder that must listen; empty: none.
    :param with_shadow: whether a shadow policy is waited for too.
    """

    def __init__(
        self,
        node: Node,
        spin: Callable[[float], None],
        wires: Sequence[Wire],
        *,
        limit_s: float,
        recorder: str,
        with_shadow: bool,
    ) -> None:
        self._node = node
        self._spin = spin
        self._wires = wires
        self._limit_s = limit_s
        self._recorder = recorder
        self._with_shadow = with_shadow

    def wait(self, stopper: Stopper) -> None:
        """Return when all are there, the time is over, or a stop is asked for."""
        until_s = time.monotonic() + self._limit_s
        missing = self._missing()
        while missing and time.monotonic() < until_s and not stopper.is_asked:
            self._spin(_SPIN_S)
            missing = self._missing()
        if self._limit_s and missing and not stopper.is_asked:
            self._node.get_logger().warning(
                f'nobody within {self._limit_s:g} s for: {", ".join(missing)}'
            )
        elif self._limit_s:
            until_s = time.monotonic() + _SETTLE_S
            while (left_s := until_s - time.monotonic()) > 0:
                self._spin(min(left_s, _SPIN_S))

    def _missing(self) -> list[str]:
        """Return who is not there yet, in words."""
        missing = [f'{w.junction_id} (controller)' for w in self._wires if not w.n_controllers]
        for wire in self._wires:
            shadow = names.topic(wire.junction_id, names.SHADOW_REQUEST)
            if self._with_shadow and not self._node.count_publishers(shadow):
                missing.append(f'{wire.junction_id} (shadow policy)')
            if self._recorder and not all(
                self._is_heard(names.topic(wire.junction_id, name))
                for name in (*_RECORDED, *[names.SHADOW_REQUEST] * self._with_shadow)
            ):
                missing.append(f'{wire.junction_id} ({self._recorder})')
        return missing

    def _is_heard(self, topic: str) -> bool:
        """Whether the recorder listens to a topic."""
        ears = self._node.get_subscriptions_info_by_topic(self._node.resolve_topic_name(topic))
        return any(ear.node_name == self._recorder for ear in ears)
