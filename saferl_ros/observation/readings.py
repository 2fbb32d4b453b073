"""One moment's detector readings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorReadings:
    """
    What the detectors of one junction report at one time.

    ``detector`` readings come from lane-area detectors before the stop line and from
    advance detectors further up; ``ideal`` and ``sumo_rl`` readings see whole lanes. The arrays
    follow ``ObservationSpec.lanes`` and ``ObservationSpec.approaches``.
    """

    sim_time_s: float
    count_veh: Array  # (n_lanes,) vehicles on the detector
    queue_veh: Array  # (n_lanes,) of them slower than 0.1 m/s
    occupancy_ratio: Array  # (n_lanes,) share of the detector that is covered, 0 to 1
    waiting_s: Array  # (n_lanes,) summed waiting time, only in the ideal observation
    vehicle_length_m: Array  # (n_lanes,) mean length, only in the sumo_rl observation
    advance_count_veh: Array  # (n_approaches,) vehicles upstream
    advance_queue_veh: Array  # (n_approaches,) of them halting
