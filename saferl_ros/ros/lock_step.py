"""Lock-step: simulated time stands still until those who take part have answered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
import time
from typing import Any

from rclpy.duration import Duration

from saferl_ros.ros.program import Stopper
from saferl_ros.ros.wire import Wire

_SPIN_S = 0.1
_LOOK_S = 0.02  # at a time, for what listeners acknowledged


class LockStep:
    """
    Waits between two ticks, by the wall clock and never for ever.

    :param logger: of the node that owns the simulation.
    :param spin: lets the node work for so long [s].
    :param answer_timeout_s: how long to wait for a request or a listener [s].
    :param with_shadow: whether a shadow policy is waited for too.
    """

    def __init__(
        self,
        logger: Any,
        spin: Callable[[float], None],
        wires: Sequence[Wire],
        *,
        answer_timeout_s: float,
        with_shadow: bool,
    ) -> None:
        self._logger = logger
        self._spin = spin
        self._wires = wires
        self._answer_timeout_s = answer_timeout_s
        self._with_shadow = with_shadow
        self._is_left_behind = False  # a listener did not keep up; until all do again

    def wait_for_answers(self, now_s: float, sequence: int, stopper: Stopper) -> None:
        """
        Let controllers, and the shadow policy if it is waited for, answer the newest state.

        :param now_s: simulated time [s].
        :param sequence: number of the state.
        """
        until_s = time.monotonic() + self._answer_timeout_s
        shadows = [wire for wire in self._wires if self._is_shadow_due(wire, now_s)]
        self._spin(0.0)
        while not stopper.is_asked:
            shadows = [wire for wire in shadows if wire.shadow_answered < sequence]
            if not shadows and not any(_is_open(wire, sequence) for wire in self._wires):
                return
            left_s = until_s - time.monotonic()
            if left_s <= 0:
                for wire in shadows:
                    wire.is_shadow_missed = True
                return
            self._spin(min(left_s, _SPIN_S))

    def wait_until_caught_up(self, stopper: Stopper) -> None:
        """Let those who listen, a recorder above all, take in what was published."""
        wait_s = 0.0 if self._is_left_behind else self._answer_timeout_s
        until_s = time.monotonic() + wait_s
        while not self._is_caught_up():
            if stopper.is_asked:
                return
            if time.monotonic() >= until_s:
                if not self._is_left_behind:
                    self._logger.warning(
                        f'somebody who listens did not keep up for {wait_s:g} s; the run goes on '
                        'and is no longer slowed down for them, a recording may have gaps'
                    )
                self._is_left_behind = True
                return
            self._spin(0.0)
        self._is_left_behind = False

    def _is_caught_up(self) -> bool:
        """Whether all who listen have every state; decisions are fewer than are kept of them."""
        look = Duration(seconds=_LOOK_S)
        return all(
            topic.wait_for_all_acked(look)
            for wire in self._wires
            for topic in (wire.states, wire.readings)
        )

    def _is_shadow_due(self, wire: Wire, now_s: float) -> bool:
        state = wire.state
        is_due = wire.cadence.is_due(
            now_s, state.stage, state.legal_stages, is_clearing=state.is_clearing
        )
        return is_due and self._with_shadow and not wire.is_shadow_missed


def _is_open(wire: Wire, sequence: int) -> bool:
    """Whether a controller that is in charge has yet to answer the newest state."""
    return (
        wire.state.is_request_due
        and wire.n_controllers > 0
        and not wire.at.shield.is_latched
        and wire.desk.answered < sequence
    )
