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

SUMO_MIN_GAP_M = 2.5  # SUMO's default gap, the constant in sumo-rl's density


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalView:
    """What the controller itself knows at a decision."""

    stage: int
    green_elapsed_s: float
    since_served_s: tuple[float, ...]  # (n_stages,)
    legal: tuple[bool, ...]  # (n_stages,)
    is_min_green_over: bool


def observe(
    spec: ObservationSpec,
    readings: DetectorReadings,
    signal: SignalView,
    bounds: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]],
) -> npt.NDArray[np.float32]:
    """Return the feature vector.

    :param spec: which features.
    :param readings: arrays in the order of the spec's lanes and approaches.
    :param signal: the controller's own state.
    :param bounds: ``(spec.low(), spec.high())``, computed once by the caller; values are cut to it.
    :returns: features within their ranges, shape ``(spec.size,)``.
    """
    shows = [0.0] * spec.n_stages
    shows[signal.stage] = 1.0
    if spec.kind == 'sumo_rl':
        lane_m = np.array([lane.lane_length_m for lane in spec.lanes])
        capacity_veh = lane_m / (SUMO_MIN_GAP_M + readings.vehicle_length_m)
        parts = [
            shows,
            [float(signal.is_min_green_over)],
            readings.count_veh / capacity_veh,
            readings.queue_veh / capacity_veh,
        ]
    else:
        parts = [
            shows,
            [signal.green_elapsed_s / TIME_SCALE_S],
            np.array(signal.since_served_s) / TIME_SCALE_S,
            np.array(signal.legal, dtype=np.float64),
            readings.queue_veh / COUNT_SCALE_VEH,
            (readings.count_veh - readings.queue_veh) / COUNT_SCALE_VEH,
            readings.occupancy_ratio,
            *([readings.waiting_s / WAITING_SCALE_S] if spec.kind == 'ideal' else []),
            readings.advance_queue_veh / COUNT_SCALE_VEH,
            (readings.advance_count_veh - readings.advance_queue_veh) / COUNT_SCALE_VEH,
        ]
    vector = np.concatenate(parts).astype(np.float32)
    return np.clip(vector, *bounds)
