"""What goes wrong in a street: blind or stuck detectors, a closed lane, rain."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np
import numpy.typing as npt

from saferl_ros.env.junction import Junction
from saferl_ros.observation import DetectorReadings, ObservationSpec

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
        n_blind = round(disturbance.blind_share * len(order))
        n_stuck = round(disturbance.stuck_share * len(order))
        blind, stuck = np.zeros(len(order), bool), np.zeros(len(order), bool)
        blind[order[:n_blind]] = True
        stuck[order[n_blind : n_blind + n_stuck]] = True
        self._blind, self._far_blind = blind[:n_lanes], blind[n_lanes:]
        self._stuck, self._far_stuck = stuck[:n_lanes], stuck[n_lanes:]
        self._full = np.array([lane.capacity_veh for lane in spec.lanes])
        self._far_full = np.array([approach.capacity_veh for approach in spec.approaches])
        self.lanes = {  # what whoever counts vehicles on the lane is told instead
            lane.lane_id: float(self._full[n]) if self._stuck[n] else 0.0
            for n, lane in enumerate(spec.lanes)
            if self._blind[n] or self._stuck[n]
        }

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
            told = self.lanes.get(api.inductionloop.getLaneID(loop))
            if told is not None:
                api.inductionloop.overrideTimeSinceDetection(loop, 0.0 if told else NEVER_S)


def closed_lane_xml(junction: Junction, seed: int) -> str:
    """
    Return an additional file that closes one approach lane in the middle third of the time.

    A lane is chosen whose road has another one, so that traffic can still pass.

    :param seed: which of them.
    """
    network, scenario = junction.network, junction.scenario
    lanes = [
        lane.lane_id
        for lane in junction.spec.lanes
        if len(network.edge_lanes(network.lanes[lane.lane_id].edge_id)) > 1
    ]
    if not lanes:
        return '<additional/>'
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
