"""What one recorded episode holds, and what the file says of all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from saferl_ros.env.cost import COST_NAMES
from saferl_ros.errors import DatasetError
from saferl_ros.observation import ObservationSpec
from saferl_ros.signals import SignalPlan

FORMAT_VERSION = 1

STEP_COLUMNS = {  # name: dtype of the per-step arrays, all of length T
    'requested_stage': np.int64,
    'applied_stage': np.int64,
    'behaviour_prob': np.float32,
    'reward': np.float32,
    'elapsed_s': np.float32,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """
    One episode of T decisions. Training learns from what was applied, not what was asked for.

    ``truncated`` is always true: an episode ends at the horizon, the junction goes on.
    """

    observations: npt.NDArray[np.float32]  # (T + 1, n_features)
    legal: npt.NDArray[np.bool_]  # (T + 1, n_stages)
    stage: npt.NDArray[np.int64]  # (T + 1,) stage that shows at each decision
    green_elapsed_s: npt.NDArray[np.float32]  # (T + 1,) displayed green at each decision
    requested_stage: npt.NDArray[np.int64]  # (T,)
    applied_stage: npt.NDArray[np.int64]  # (T,) stage that was turned to or kept
    behaviour_prob: npt.NDArray[
        np.float32
    ]  # (T,) probability of the request under its plan family
    reward: npt.NDArray[np.float32]  # (T,)
    elapsed_s: npt.NDArray[np.float32]  # (T,)
    cost: npt.NDArray[np.float32]  # (T, 5) see env.cost.COST_NAMES
    family: str  # the plan family that drove it: 'net' is the own plan
    demand: dict[str, Any]
    metrics: dict[str, float]
    truncated: bool = True

    def __post_init__(self) -> None:
        n = len(self.reward)
        for name in STEP_COLUMNS:
            if len(getattr(self, name)) != n:
                raise DatasetError(f'episode column {name} must have {n} rows')
        if len(self.cost) != n or self.cost.shape[1:] != (len(COST_NAMES),):
            raise DatasetError(f'episode column cost must be {n} x {len(COST_NAMES)}')
        for name in ('observations', 'legal', 'stage', 'green_elapsed_s'):
            if len(getattr(self, name)) != n + 1:
                raise DatasetError(f'episode column {name} must have {n + 1} rows')
        if n == 0:
            raise DatasetError('an episode without a single decision')

    def __len__(self) -> int:
        return len(self.reward)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A recorded file in memory."""

    manifest: dict[str, Any]  # scenario, seeds, versions, configuration
    plan: SignalPlan
    spec: ObservationSpec
    episodes: list[Episode]

    def behaviour(self) -> list[Episode]:
        """Return the episodes of the recorded family."""
        return [e for e in self.episodes if e.family == self.manifest['family']['plans']]

    def own_plan(self) -> list[Episode]:
        """Return the episodes that the network's own plan drove."""
        return [e for e in self.episodes if e.family == 'net']
