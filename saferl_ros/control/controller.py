"""What a controller is asked and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from saferl_ros.observation import SignalView


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """
    What there is to see when a decision falls due.

    ``observe`` makes the feature vector on demand, so that a blind plan pays nothing for it;
    ``lane_veh`` counts all or only halting vehicles on whole lanes, which only a simulator knows.
    """

    signal: SignalView
    observe: Callable[[], npt.NDArray[np.float32]]  # shape (spec.size,)
    lane_veh: Callable[[str, bool], float]  # (lane, halting only)
    now_s: float = 0.0  # simulated time


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The stage to show, for how long to keep it unasked, and how likely this choice was."""

    stage: int
    hold_s: float | None = None  # None: the decision interval
    probability: float = 1.0


class Controller(Protocol):
    """Chooses stages; whatever it chooses, the sequencer decides what shows."""

    def decide(self, moment: Moment) -> Decision:
        """Return the choice for this moment."""
