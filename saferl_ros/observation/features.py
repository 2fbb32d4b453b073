"""Readings and signal → feature vector."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from saferl_ros.observation.readings import DetectorReadings
from saferl_ros.observation.spec import (
    COUNT_SCALE_VEH,
    ObservationSpec,
    TIME_SCALE_S,
    WAITING_SCALE_S,
)

Floats = npt.NDArray[np.float64]

SUMO_MIN_GAP_M = 2.5  # SUMO's default gap, the constant in sumo-rl's density


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalView:
    """What the controller itself knows at a decision."""

    stage: int
    green_elapsed_s: float
    since_served_s: tuple[float, ...]  # (n_stages,)
    legal: tuple[bool, ...]  # (n_stages,)
    is_min_green_over: bool


class FeatureVector:
    """
    Makes feature vectors of one spec; the same object serves simulation and street.

    :param spec: which features.
    """

    def __init__(self, spec: ObservationSpec) -> None:
        self._spec = spec
        self._low, self._high = spec.low(), spec.high()
        self._lane_m = np.array([lane.lane_length_m for lane in spec.lanes])

    def __call__(self, readings: DetectorReadings, signal: SignalView) -> npt.NDArray[np.float32]:
        """
        Return the features of one moment, each cut to its range.

        :param readings: arrays in the order of the spec's lanes and approaches.
        :param signal: the controller's own state.
        :returns: shape ``(spec.size,)``.
        """
        parts = (
            self._sumo_rl(readings, signal)
            if self._spec.kind == 'sumo_rl'
            else self._own(readings, signal)
        )
        vector = np.concatenate(parts, dtype=np.float32, casting='same_kind')
        np.maximum(vector, self._low, out=vector)
        return np.minimum(vector, self._high, out=vector)

    def _own(self, readings: DetectorReadings, signal: SignalView) -> list[Floats]:
        head = [0.0] * self._spec.n_stages
        head[signal.stage] = 1.0
        head.append(signal.green_elapsed_s / TIME_SCALE_S)
        head += [since_s / TIME_SCALE_S for since_s in signal.since_served_s]
        head += signal.legal
        queue = readings.queue_veh / COUNT_SCALE_VEH
        advance_queue = readings.advance_queue_veh / COUNT_SCALE_VEH
        parts = [
            np.array(head),
            queue,
            readings.count_veh / COUNT_SCALE_VEH - queue,
            readings.occupancy_ratio,
        ]
        if self._spec.kind == 'ideal':
            parts.append(readings.waiting_s / WAITING_SCALE_S)
        parts.append(advance_queue)
        parts.append(readings.advance_count_veh / COUNT_SCALE_VEH - advance_queue)
        return parts

    def _sumo_rl(self, readings: DetectorReadings, signal: SignalView) -> list[Floats]:
        head = [0.0] * self._spec.n_stages
        head[signal.stage] = 1.0
        head.append(float(signal.is_min_green_over))
        capacity_veh = self._lane_m / (SUMO_MIN_GAP_M + readings.vehicle_length_m)
        return [
            np.array(head),
            readings.count_veh / capacity_veh,
            readings.queue_veh / capacity_veh,
        ]
