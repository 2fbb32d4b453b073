"""Places detectors on a network and reads them."""

from __future__ import annotations

from collections.abc import Callable
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
    Span,
    STREET_KINDS,
)
from saferl_ros.signals.plan import SignalPlan
from saferl_ros.sumo.home import direct
from saferl_ros.sumo.network import Network, SHORTEST_M

NEAR_M = 100.0  # reach of a lane detector before the stop line
STOP_LINE_M = 30.0  # a shorter lane's detector goes on up the road, as far as four cars stand
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

    Each approach lane has a lane detector over its last ``near_m``, but over ``STOP_LINE_M`` of
    the road at least; the next ``advance_m`` up the road are the approach's advance detectors, on
    the same lane or on those that lead to it, over however many edges (``Network.upstream``).
    ``neighbours`` sees the queues upstream of these too, and the space downstream.
    """
    lane_ids = list(dict.fromkeys(lane for link in plan.links for lane, _ in link.ways))
    lanes = tuple(
        LaneDetector(
            lane_id=lane_id,
            length_m=min(near_m, network.lanes[lane_id].length_m),
            lane_length_m=network.lanes[lane_id].length_m,
            upstream=_short_lane_spans(network, lane_id) if kind in STREET_KINDS else (),
        )
        for lane_id in lane_ids
    )
    edges = list(dict.fromkeys(network.lanes[lane_id].edge_id for lane_id in lane_ids))
    approaches = tuple(
        Approach(edge_id=edge, spans=_advance_spans(network, edge, lanes, near_m, advance_m))
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


def _short_lane_spans(network: Network, lane_id: str) -> tuple[Span, ...]:
    """Return where the detector of a short lane goes on: a car may wait before the lane begins."""
    left_m = STOP_LINE_M - network.lanes[lane_id].length_m
    if left_m <= SHORTEST_M:
        return ()
    return _spans(network.upstream([lane_id], left_m, to_signal=False))


def _spans(stretches: dict[str, tuple[float, float]]) -> tuple[Span, ...]:
    return tuple((lane, start_m, end_m) for lane, (start_m, end_m) in stretches.items())


def _upstream(network: Network, edges: list[str], seen_m: float) -> tuple[Approach, ...]:
    """Return the ends of the roads that lead to the approaches, where these are long."""
    return tuple(
        Approach(
            edge_id=f'{edge}_upstream',
            spans=_spans(network.upstream(network.edge_lanes(edge), NEIGHBOUR_M)),
        )
        for edge in edges
        if network.edge_m(edge) > seen_m - SHORTEST_M
    )


def _exits(network: Network, plan: SignalPlan) -> tuple[Approach, ...]:
    """Return the beginnings of the roads that lead away."""
    lanes = [lane for link in plan.links for _, lane in link.ways]
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
    network: Network,
    edge_id: str,
    lanes: tuple[LaneDetector, ...],
    near_m: float,
    advance_m: float,
) -> tuple[Span, ...]:
    spans, edge_lanes = [], network.edge_lanes(edge_id)
    for lane_id in edge_lanes:
        length_m = network.lanes[lane_id].length_m
        if length_m > near_m + 1.0:
            spans.append((lane_id, max(0.0, length_m - near_m - advance_m), length_m - near_m))
    left_m = near_m + advance_m - network.edge_m(edge_id)
    if left_m > SHORTEST_M:
        near_starts_m = {  # from where lane detectors see the rest
            upstream_id: start_m
            for lane in lanes
            if lane.lane_id in edge_lanes
            for upstream_id, start_m, _ in lane.upstream
        }
        for lane_id, start_m, end_m in _spans(network.upstream(edge_lanes, left_m)):
            end_m = min(end_m, near_starts_m.get(lane_id, end_m))
            if end_m - start_m > 1.0 or lane_id not in near_starts_m:
                spans.append((lane_id, start_m, end_m))
    return tuple(spans)


def approach_edges(network: Network, spec: ObservationSpec) -> list[str]:
    """
    Return the edges on which lost time counts: the approaches and all ways that lead to them.

    As far up as the detectors reach, and ``NEIGHBOUR_M`` at least: what costs nothing, the policy
    lets grow.
    """
    near = [network.lanes[lane.lane_id].edge_id for lane in spec.lanes]
    edges = list(dict.fromkeys(near))
    for edge in edges.copy():
        left_m = max(NEIGHBOUR_M, NEAR_M + ADVANCE_M - network.edge_m(edge))
        ways = network.upstream(network.edge_lanes(edge), left_m)
        edges += [network.lanes[lane].edge_id for lane in ways]
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


def _near(spec: ObservationSpec, network: Network) -> list[list[_Placed]]:
    """Return the detectors of each approach lane, the one at its stop line first."""
    return [
        [
            _Placed(
                f'saferl_near_{lane.lane_id}',  # a lane leads to one junction: names stay apart
                lane.lane_id,
                lane.lane_length_m - lane.length_m,
                lane.lane_length_m,
                lane.length_m > lane.lane_length_m - TOLERANCE_M,
            ),
            *(
                _placed(f'saferl_near_{lane.lane_id}_{span[0]}', span, network)
                for span in lane.upstream
            ),
        ]
        for lane in spec.lanes
    ]


def _advance(spec: ObservationSpec, network: Network) -> list[_Placed]:
    return [
        _placed(f'saferl_advance_{approach.edge_id}_{span[0]}', span, network)
        for approach in spec.approaches
        for span in approach.spans
    ]


def _placed(name: str, span: Span, network: Network) -> _Placed:
    lane_id, start_m, end_m = span
    is_whole_lane = end_m - start_m > network.lanes[lane_id].length_m - TOLERANCE_M
    return _Placed(name, lane_id, start_m, end_m, is_whole_lane)


def detector_xml(spec: ObservationSpec, network: Network) -> str:
    """Return the additional file that puts the detectors of ``spec`` on the network."""
    near = [detector for detectors in _near(spec, network) for detector in detectors]
    placed = [d for d in near + _advance(spec, network) if not d.is_whole_lane]
    # the speed threshold is that of a lane's own halting number, so that both kinds count alike
    lines = [
        f'    <laneAreaDetector id={quoteattr(d.name)} lane={quoteattr(d.lane_id)} '
        f'pos="{d.start_m:.2f}" endPos="{d.end_m - 0.01:.2f}" friendlyPos="true" '
        f'speedThreshold="{HALTING_MPS}" timeThreshold="0" period="86400" file="NUL"/>'
        for d in placed
    ]
    return '\n'.join(['<additional>', *lines, '</additional>'])


@dataclass(frozen=True, slots=True)
class _Part:
    """One of the detectors that see an approach lane, with its getters."""

    count: Callable[[str], int]
    halting: Callable[[str], int]
    occupancy: Callable[[str], float]
    detector: str
    share: float  # of the lane's occupancy, per unit that SUMO gives

    @classmethod
    def of(cls, api: Any, detector: _Placed, *, is_street: bool, reach_m: float) -> _Part:
        """Return it; ``reach_m`` is how much road all parts see."""
        domain = detector.domain(api) if is_street else api.lane
        is_lane = domain is api.lane
        share = (detector.end_m - detector.start_m) / reach_m
        return cls(
            direct(domain.getLastStepVehicleNumber),
            direct(domain.getLastStepHaltingNumber),
            direct(domain.getLastStepOccupancy),
            detector.lane_id if is_lane else detector.name,
            share * (1.0 if is_lane else 0.01),  # a share or per cent
        )


def _counter(parts: list[_Part]) -> tuple[Callable[[str], int], str]:
    """Return how many vehicles all parts see, as a getter and what to give it."""
    if len(parts) == 1:
        return parts[0].count, parts[0].detector

    def count(_: str) -> int:
        return sum(part.count(part.detector) for part in parts)

    return count, ''


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
        is_street = spec.kind in STREET_KINDS
        self._near = [
            [
                _Part.of(api, detector, is_street=is_street, reach_m=lane.reach_m)
                for detector in detectors
            ]
            for lane, detectors in zip(spec.lanes, _near(spec, network), strict=True)
        ]
        # by lane: getter of the vehicle count, and the detector to ask for
        self.counters = [_counter(parts) for parts in self._near]
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
        for parts in self._near:
            count_sum = queue_sum = occupancy_sum = 0.0
            for part in parts:
                n = part.count(part.detector)
                count_sum += n
                queue_sum += part.halting(part.detector) if n else 0
                occupancy_sum += part.occupancy(part.detector) * part.share
            near.append((count_sum, queue_sum, occupancy_sum))
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
