"""Places detectors on a network and reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np

from saferl_ros.observation.readings import DetectorReadings
from saferl_ros.observation.spec import (
    Approach,
    LaneDetector,
    make_spec,
    ObservationSpec,
    STREET_KINDS,
)
from saferl_ros.signals.plan import SignalPlan
from saferl_ros.sumo.home import direct
from saferl_ros.sumo.network import Network

NEAR_M = 100.0  # reach of a lane detector before the stop line
TOLERANCE_M = 0.5  # a detector this close to a lane's length spans the lane
HALTING_MPS = 0.1  # SUMO's own definition of standing
ADVANCE_M = 150.0  # reach of the advance detectors beyond it
NEIGHBOUR_M = 100.0  # how much is seen of the roads beyond the approaches, and of the exits


def derive_spec(
    network: Network,
    plan: SignalPlan,
    kind: str,
    *,
    near_m: float = NEAR_M,
    advance_m: float = ADVANCE_M,
) -> ObservationSpec:
    """
    Return the observation of one junction, with the detectors placed on its approaches.

    Each approach lane has a lane detector over its last ``near_m``; the next ``advance_m`` up the
    road are the approach's advance detectors, on the same lane or on the lanes that lead to it.
    ``neighbours`` sees the queues upstream of these too, and the space downstream.
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
    if kind == 'neighbours':
        approaches += _upstream(network, edges, near_m + advance_m) + _exits(network, plan)
    return make_spec(
        kind,
        n_stages=plan.n_stages,
        max_green_s=max(stage.max_green_s for stage in plan.stages),
        lanes=lanes,
        approaches=tuple(a for a in approaches if a.spans),
    )


def _upstream(network: Network, edges: list[str], seen_m: float) -> tuple[Approach, ...]:
    """Return the ends of the roads that lead to the approaches, where these are long."""
    return tuple(
        Approach(
            edge_id=f'{edge}_upstream',
            spans=tuple(
                (lane, max(0.0, length_m - NEIGHBOUR_M), length_m)
                for lane in network.predecessors(edge)
                for length_m in [network.lanes[lane].length_m]
            ),
        )
        for edge in edges
        if max(network.lanes[lane].length_m for lane in network.edge_lanes(edge)) > seen_m - 5.0
    )


def _exits(network: Network, plan: SignalPlan) -> tuple[Approach, ...]:
    """Return the beginnings of the roads that lead away."""
    lanes = [link.to_lane for link in plan.links if link.to_lane and not link.is_crossing]
    return tuple(
        Approach(
            edge_id=f'{edge}_exit',
            spans=tuple(
                (lane, 0.0, min(NEIGHBOUR_M, network.lanes[lane].length_m))
                for lane in network.edge_lanes(edge)
            ),
        )
        for edge in dict.fromkeys(network.lanes[lane].edge_id for lane in lanes)
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


def approach_edges(network: Network, spec: ObservationSpec) -> list[str]:
    """Return the edges on which lost time counts: the approaches and those that lead to them."""
    near = [network.lanes[lane.lane_id].edge_id for lane in spec.lanes]
    edges = list(dict.fromkeys(near))
    for edge in edges.copy():
        edges += [network.lanes[lane].edge_id for lane in network.predecessors(edge)]
    return list(dict.fromkeys(edges))


@dataclass(frozen=True, slots=True)
class _Placed:
    """One detector on one lane; one that spans its whole lane is read from the lane itself."""

    name: str
    lane_id: str
    start_m: float
    end_m: float
    is_whole_lane: bool

    @property
    def source_id(self) -> str:
        return self.lane_id if self.is_whole_lane else self.name

    def domain(self, api: Any) -> Any:
        """The part of SUMO's interface that reads it; both have the same getters."""
        return api.lane if self.is_whole_lane else api.lanearea


def _near(spec: ObservationSpec) -> list[_Placed]:
    return [
        _Placed(
            f'saferl_near_{lane.lane_id}',  # a lane leads to one junction: names stay apart
            lane.lane_id,
            lane.lane_length_m - lane.length_m,
            lane.lane_length_m,
            lane.length_m > lane.lane_length_m - TOLERANCE_M,
        )
        for lane in spec.lanes
    ]


def _advance(spec: ObservationSpec, network: Network) -> list[_Placed]:
    return [
        _Placed(
            f'saferl_advance_{approach.edge_id}_{lane_id}',
            lane_id,
            start_m,
            end_m,
            end_m - start_m > network.lanes[lane_id].length_m - TOLERANCE_M,
        )
        for approach in spec.approaches
        for lane_id, start_m, end_m in approach.spans
    ]


def detector_xml(spec: ObservationSpec, network: Network) -> str:
    """Return the additional file that puts the detectors of ``spec`` on the network."""
    placed = [d for d in _near(spec) + _advance(spec, network) if not d.is_whole_lane]
    # the speed threshold is that of a lane's own halting number, so that both kinds count alike
    lines = [
        f'    <laneAreaDetector id={quoteattr(d.name)} lane={quoteattr(d.lane_id)} '
        f'pos="{d.start_m:.2f}" endPos="{d.end_m - 0.01:.2f}" friendlyPos="true" '
        f'speedThreshold="{HALTING_MPS}" timeThreshold="0" period="86400" file="NUL"/>'
        for d in placed
    ]
    return '\n'.join(['<additional>', *lines, '</additional>'])


class DetectorReader:
    """
    Reads what ``spec`` needs from a running simulation.

    :param api: libsumo or a TraCI connection, started with ``detector_xml``.
    :param spec: which detectors.
    :param network: where they lie.
    """

    def __init__(self, api: Any, spec: ObservationSpec, network: Network) -> None:
        self._spec = spec
        self._lane = api.lane
        self._lane_ids = [lane.lane_id for lane in spec.lanes]
        near = [(d.domain(api), d) for d in _near(spec)]
        if spec.kind not in STREET_KINDS:
            near = [(api.lane, d) for _, d in near]
        ids = [d.lane_id if domain is api.lane else d.name for domain, d in near]
        domains = [domain for domain, _ in near]
        # by lane: getter of the vehicle count, and the detector to ask for
        self.counters = [
            (direct(x.getLastStepVehicleNumber), n) for x, n in zip(domains, ids, strict=True)
        ]
        self._near = [
            (
                *(direct(x.getLastStepVehicleNumber), direct(x.getLastStepHaltingNumber)),
                *(direct(x.getLastStepOccupancy), n),
                1.0 if x is api.lane else 0.01,  # a share or per cent
            )
            for x, n in zip(domains, ids, strict=True)
        ]
        owners = [n for n, approach in enumerate(spec.approaches) for _ in approach.spans]
        self._advance = [
            (
                owner,
                direct(d.domain(api).getLastStepVehicleNumber),
                direct(d.domain(api).getLastStepHaltingNumber),
                d.source_id,
            )
            for owner, d in zip(owners, _advance(spec, network), strict=True)
        ]
        self._zeros = np.zeros(len(spec.lanes))

    def read(self, sim_time_s: float) -> DetectorReadings:
        """Return the readings of this moment."""
        vehicle_length_m = waiting_s = self._zeros
        if self._spec.kind not in STREET_KINDS:
            vehicle_length_m = np.array([self._lane.getLastStepLength(n) for n in self._lane_ids])
            waiting_s = np.array([self._lane.getWaitingTime(n) for n in self._lane_ids])
        n_approaches = len(self._spec.approaches)
        advance_count_veh, advance_queue_veh = [0.0] * n_approaches, [0.0] * n_approaches
        for owner, count, halting, detector in self._advance:
            n = count(detector)
            if n:
                advance_count_veh[owner] += n
                advance_queue_veh[owner] += halting(detector)
        near = []
        for count, halting, occupancy, detector, unit in self._near:
            n = count(detector)
            near.append((n, halting(detector) if n else 0, occupancy(detector) * unit))
        count_veh, queue_veh, occupancy_ratio = np.array(near).T
        return DetectorReadings(
            sim_time_s=sim_time_s,
            count_veh=count_veh,
            queue_veh=queue_veh,
            occupancy_ratio=occupancy_ratio,
            waiting_s=waiting_s,
            vehicle_length_m=vehicle_length_m,
            advance_count_veh=np.array(advance_count_veh),
            advance_queue_veh=np.array(advance_queue_veh),
        )
