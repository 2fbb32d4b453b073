"""What goes wrong in a street: blind or stuck detectors, a closed lane, rain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np
import numpy.typing as npt

from saferl_ros.env.junction import Junction
from saferl_ros.errors import ScenarioError
from saferl_ros.naming import edge_of
from saferl_ros.observation import DetectorReadings, ObservationSpec
from saferl_ros.observation.spec import VEHICLE_SPACE_M
from saferl_ros.scenario.demand import travelled_turns

NEVER_S = 1e6  # since when a blind loop has seen nobody
RAIN_SPEED = 0.85  # of the speed that a driver chooses; FHWA: 3 to 16 % slower in rain
RAIN_TAU = 1.3  # times the headway
RAIN_ACCEL = 0.8  # times the acceleration and the braking


@dataclass(frozen=True, slots=True, kw_only=True)
class Disturbance:
    """
    One kind of trouble, for a whole episode.

    A blind or stuck detector misleads whoever looks at it: a policy, max-pressure, and the loops
    of SUMO's actuated control. The calls that hold the maximum red stay true, as a failed detector
    is put on recall.
    """

    blind_share: float = 0.0  # of the detectors, those that see nobody
    stuck_share: float = 0.0  # those that always see a full lane
    closed_lane: bool = False  # one lane before a stop line is closed for a third of the time
    rain: bool = False  # slower, more careful drivers


class BrokenDetectors:
    """
    Which detectors of a junction fail, and what they report.

    :param spec: the detectors.
    :param disturbance: how many fail.
    :param seed: which ones.
    """

    def __init__(self, spec: ObservationSpec, disturbance: Disturbance, seed: int) -> None:
        rng = np.random.default_rng([seed, 23])
        n_lanes, n_approaches = len(spec.lanes), len(spec.approaches)
        order = rng.permutation(n_lanes + n_approaches)
        n_blind = _n_broken(disturbance.blind_share, len(order))
        n_stuck = _n_broken(disturbance.stuck_share, len(order))
        blind, stuck = np.zeros(len(order), bool), np.zeros(len(order), bool)
        blind[order[:n_blind]] = True
        stuck[order[n_blind : n_blind + n_stuck]] = True
        self._blind, self._far_blind = blind[:n_lanes], blind[n_lanes:]
        self._stuck, self._far_stuck = stuck[:n_lanes], stuck[n_lanes:]
        self._full = np.array([lane.capacity_veh for lane in spec.lanes])
        self._far_full = np.array([approach.capacity_veh for approach in spec.approaches])
        self.stop_lines = {  # what whoever counts vehicles on the lane is told instead
            lane.lane_id: lane.lane_length_m / VEHICLE_SPACE_M if self._stuck[n] else 0.0
            for n, lane in enumerate(spec.lanes)
            if self._blind[n] or self._stuck[n]
        }
        own = {lane.lane_id for lane in spec.lanes}
        spans = [approach.spans for approach in spec.approaches]
        spans += [lane.upstream for lane in spec.lanes]
        is_blind = np.concatenate([self._far_blind, self._blind])
        is_stuck = np.concatenate([self._far_stuck, self._stuck])
        behind = {  # the same of the lanes that lead there
            lane_id: (end_m - start_m) / VEHICLE_SPACE_M if is_stuck[n] else 0.0
            for n, covered in enumerate(spans)
            for lane_id, start_m, end_m in covered
            if (is_blind[n] or is_stuck[n]) and lane_id not in own
        }
        self.lanes = behind | self.stop_lines

    def distort(self, readings: DetectorReadings) -> DetectorReadings:
        """Return what the detectors report instead of the truth."""

        def near(true: npt.NDArray[np.float64], full: Any) -> npt.NDArray[np.float64]:
            return np.where(self._blind, 0.0, np.where(self._stuck, full, true))

        def far(true: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
            return np.where(self._far_blind, 0.0, np.where(self._far_stuck, self._far_full, true))

        return replace(
            readings,
            count_veh=near(readings.count_veh, self._full),
            queue_veh=near(readings.queue_veh, self._full),
            occupancy_ratio=near(readings.occupancy_ratio, 1.0),
            advance_count_veh=far(readings.advance_count_veh),
            advance_queue_veh=far(readings.advance_queue_veh),
        )

    def break_loops(self, api: Any) -> None:
        """Break the loops that SUMO's actuated control has on the same lanes."""
        for loop in api.inductionloop.getIDList():
            told = self.stop_lines.get(api.inductionloop.getLaneID(loop))
            if told is not None:
                api.inductionloop.overrideTimeSinceDetection(loop, 0.0 if told else NEVER_S)


def _n_broken(share: float, n_detectors: int) -> int:
    """Return how many detectors a share is: at least one, if it is any."""
    return max(1, round(share * n_detectors)) if share else 0


def closable_lanes(junctions: Sequence[Junction]) -> list[str]:
    """
    Return the approach lanes whose road has another one, so that traffic can still pass.

    Where the routes are stated, only those from which somebody goes on: to close another one would
    change nothing.
    """
    turns, network = travelled_turns(junctions[0].scenario), junctions[0].network
    used = {
        way.from_lane
        for way in network.connections
        if turns is None or (edge_of(way.from_lane), edge_of(way.to_lane)) in turns
    }
    return [
        lane.lane_id
        for junction in junctions
        for lane in junction.spec.lanes
        if lane.lane_id in used and len(network.edge_lanes(edge_of(lane.lane_id))) > 1
    ]


def closed_lane_xml(junctions: Sequence[Junction], seed: int) -> str:
    """
    Return an additional file that closes one approach lane in the middle third of the time.

    :param junctions: of one scenario.
    :param seed: which of the lanes that can be closed.
    :raises ScenarioError: if none can be.
    """
    network, scenario = junctions[0].network, junctions[0].scenario
    lanes = closable_lanes(junctions)
    if not lanes:
        raise ScenarioError(
            f"no lane of '{scenario.name}' can be closed: no approach in use has a second one"
        )
    lane_id = lanes[int(np.random.default_rng([seed, 29]).integers(len(lanes)))]
    edge = quoteattr(network.lanes[lane_id].edge_id)
    begin_s = scenario.begin_s + scenario.horizon_s / 3
    end_s = scenario.begin_s + scenario.horizon_s * 2 / 3
    return (
        f'<additional>\n    <rerouter id="saferl_closed" edges={edge}>\n'
        f'        <interval begin="{begin_s:g}" end="{end_s:g}">\n'
        f'            <closingLaneReroute id={quoteattr(lane_id)} disallow="all"/>\n'
        '        </interval>\n    </rerouter>\n</additional>\n'
    )


def make_it_rain(api: Any) -> None:
    """Let all drivers drive as in rain."""
    types = api.vehicletype
    for name in types.getIDList():
        types.setSpeedFactor(name, types.getSpeedFactor(name) * RAIN_SPEED)
        types.setTau(name, types.getTau(name) * RAIN_TAU)
        types.setAccel(name, types.getAccel(name) * RAIN_ACCEL)
        types.setDecel(name, types.getDecel(name) * RAIN_ACCEL)
