"""Places detectors on a network and reads them."""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np

from saferl_ros.observation.readings import DetectorReadings
from saferl_ros.observation.spec import Approach, LaneDetector, make_spec, ObservationSpec
from saferl_ros.signals.plan import SignalPlan
from saferl_ros.sumo.network import Network

NEAR_M = 100.0  # reach of a lane detector before the stop line
ADVANCE_M = 150.0  # reach of the advance detectors beyond it


def derive_spec(
    network: Network,
    plan: SignalPlan,
    kind: str,
    *,
    near_m: float = NEAR_M,
    advance_m: float = ADVANCE_M,
) -> ObservationSpec:
    """Return the observation of one junction, with the detectors placed on its approaches.

    Each approach lane has a lane detector over its last ``near_m``; the next ``advance_m`` up the
    road are the approach's advance detectors, on the same lane or on the lanes that lead to it.
    """
    lane_ids = list(
        dict.fromkeys(
            link.from_lane for link in plan.links if link.from_lane and not link.is_crossing
        )
    )
    lanes = tuple(
        LaneDetector(
            lane_id=lane_id,
            length_m=min(near_m, network.lanes[lane_id].length_m),
            lane_length_m=network.lanes[lane_id].length_m,
        )
        for lane_id in lane_ids
    )
    edges = list(dict.fromkeys(network.lanes[lane_id].edge_id for lane_id in lane_ids))
    approaches = tuple(
        Approach(edge_id=edge, spans=_advance_spans(network, edge, near_m, advance_m))
        for edge in edges
    )
    return make_spec(
        kind,
        n_stages=plan.n_stages,
        max_green_s=max(stage.max_green_s for stage in plan.stages),
        lanes=lanes,
        approaches=tuple(a for a in approaches if a.spans),
    )


def _advance_spans(
    network: Network, edge_id: str, near_m: float, advance_m: float
) -> tuple[tuple[str, float, float], ...]:
    spans, reach_m = [], 0.0
    for lane_id in network.edge_lanes(edge_id):
        length_m = network.lanes[lane_id].length_m
        if length_m > near_m + 1.0:
            spans.append((lane_id, max(0.0, length_m - near_m - advance_m), length_m - near_m))
        reach_m = max(reach_m, length_m)
    left_m = near_m + advance_m - reach_m
    if left_m > 5.0:
        for lane_id in network.predecessors(edge_id):
            length_m = network.lanes[lane_id].length_m
            spans.append((lane_id, max(0.0, length_m - left_m), length_m))
    return tuple(spans)


def approach_lanes(network: Network, spec: ObservationSpec) -> list[str]:
    """Return every lane on which lost time counts: the approach lanes and those that lead on."""
    lanes = [lane.lane_id for lane in spec.lanes]
    for edge in dict.fromkeys(network.lanes[lane_id].edge_id for lane_id in lanes.copy()):
        lanes += [lane for lane in network.edge_lanes(edge) if lane not in lanes]
        lanes += [lane for lane in network.predecessors(edge) if lane not in lanes]
    return lanes


def detector_xml(spec: ObservationSpec) -> str:
    """Return the additional file that puts the detectors of ``spec`` on the network."""
    lines = ['<additional>']
    for n, lane in enumerate(spec.lanes):
        lines.append(_lane_area(f'saferl_near_{n}', lane.lane_id, -lane.length_m, -0.01))
    for n, (lane_id, start_m, end_m) in enumerate(_all_spans(spec)):
        lines.append(_lane_area(f'saferl_advance_{n}', lane_id, start_m, end_m - 0.01))
    lines.append('</additional>')
    return '\n'.join(lines)


def _all_spans(spec: ObservationSpec) -> list[tuple[str, float, float]]:
    return [span for approach in spec.approaches for span in approach.spans]


def _lane_area(detector_id: str, lane_id: str, start_m: float, end_m: float) -> str:
    return (
        f'    <laneAreaDetector id="{detector_id}" lane={quoteattr(lane_id)} '
        f'pos="{start_m:.2f}" endPos="{end_m:.2f}" friendlyPos="true" '
        'period="86400" file="NUL"/>'
    )


class DetectorReader:
    """Reads what ``spec`` needs from a running simulation.

    :param api: libsumo or a TraCI connection, started with ``detector_xml(spec)``.
    """

    def __init__(self, api: Any, spec: ObservationSpec) -> None:
        self._api = api
        self._spec = spec
        self._near = [f'saferl_near_{n}' for n in range(len(spec.lanes))]
        self._advance = [f'saferl_advance_{n}' for n in range(len(_all_spans(spec)))]
        self._owner = np.array(
            [n for n, approach in enumerate(spec.approaches) for _ in approach.spans], dtype=int
        )
        self._lane_ids = [lane.lane_id for lane in spec.lanes]
        self._zeros = np.zeros(len(spec.lanes))

    def read(self, sim_time_s: float) -> DetectorReadings:
        """Return the readings of this moment."""
        if self._spec.kind == 'detector':
            area = self._api.lanearea
            ids = self._near
            occupancy_ratio = np.array([area.getLastStepOccupancy(d) for d in ids]) / 100.0
            vehicle_length_m = waiting_s = self._zeros
        else:
            area = self._api.lane
            ids = self._lane_ids
            occupancy_ratio = np.array([area.getLastStepOccupancy(d) for d in ids])
            vehicle_length_m = np.array([area.getLastStepLength(d) for d in ids])
            waiting_s = np.array([area.getWaitingTime(d) for d in ids])
        return DetectorReadings(
            sim_time_s=sim_time_s,
            count_veh=np.array([area.getLastStepVehicleNumber(d) for d in ids], dtype=float),
            queue_veh=np.array([area.getLastStepHaltingNumber(d) for d in ids], dtype=float),
            occupancy_ratio=occupancy_ratio,
            waiting_s=waiting_s,
            vehicle_length_m=vehicle_length_m,
            advance_count_veh=self._advance_sum('getLastStepVehicleNumber'),
            advance_queue_veh=self._advance_sum('getLastStepHaltingNumber'),
        )

    def _advance_sum(self, getter: str) -> Any:
        get = getattr(self._api.lanearea, getter)
        values = [get(d) for d in self._advance]
        return np.bincount(self._owner, weights=values, minlength=len(self._spec.approaches))
