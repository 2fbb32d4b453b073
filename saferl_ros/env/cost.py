"""Costs: what must not happen, counted apart from reward."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

COST_NAMES = ('emergency_brakings', 'collisions', 'teleports', 'shield_vetoes', 'starved')


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Events during one step; zero is good."""

    emergency_brakings: int = 0  # vehicles that braked harder than comfortable, by SUMO's count
    collisions: int = 0  # SUMO's count
    teleports: int = 0  # vehicles that SUMO took out of a jam
    shield_vetoes: int = 0  # requests that the sequencer refused
    starved: int = 0  # movements that waited longer than the plan's maximum red

    def as_array(self) -> npt.NDArray[np.float32]:
        """Return the counts in the order of ``COST_NAMES``."""
        return np.array(
            (
                self.emergency_brakings,
                self.collisions,
                self.teleports,
                self.shield_vetoes,
                self.starved,
            ),
            dtype=np.float32,
        )
