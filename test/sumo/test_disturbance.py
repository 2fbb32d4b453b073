"""Broken detectors, a closed lane and rain reach whoever they should, and nothing unsafe shows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from saferl_ros.control.max_pressure import MaxPressureConfig
from saferl_ros.control.rollout import EpisodeResult
from saferl_ros.env.disturbance import (
    BrokenDetectors,
    closable_lanes,
    closed_lane_xml,
    Disturbance,
)
from saferl_ros.env.junction import derive_junctions, Junction
from saferl_ros.env.network_simulation import NetworkSimulation
from saferl_ros.errors import ScenarioError, SimulationError
from saferl_ros.evaluate.contest import Contestant, Match, play
from saferl_ros.evaluate.degradation import degradation, DegradationConfig, troubles
from saferl_ros.isolation import run_isolated
from saferl_ros.naming import edge_of
from saferl_ros.observation import DetectorReadings
from saferl_ros.observation.spec import VEHICLE_SPACE_M
from saferl_ros.scenario import DemandVariation, load_scenario, Split
from saferl_ros.scenario.demand import travelled_turns
from saferl_ros.sumo.actuated import ActuatedConfig

DEMAND = DemandVariation(split=Split.TEST, seed=5)


@pytest.fixture(scope='module')
def junction() -> Junction:
    return Junction.derive(load_scenario('cologne1', horizon_s=900))


def readings(junction: Junction) -> DetectorReadings:
    n, m = len(junction.spec.lanes), len(junction.spec.approaches)
    return DetectorReadings(
        sim_time_s=0.0,
        count_veh=np.full(n, 3.0),
        queue_veh=np.full(n, 2.0),
        occupancy_ratio=np.full(n, 0.2),
        waiting_s=np.zeros(n),
        vehicle_length_m=np.zeros(n),
        advance_count_veh=np.full(m, 3.0),
        advance_queue_veh=np.full(m, 2.0),
    )


@pytest.mark.parametrize('share', [0.0, 0.25, 0.5, 1.0])
def test_the_stated_share_of_the_detectors_goes_blind(junction: Junction, share: float) -> None:
    spec, true = junction.spec, readings(junction)
    seen = BrokenDetectors(spec, Disturbance(blind_share=share), 1).distort(true)
    blind = np.concatenate([seen.count_veh == 0, seen.advance_count_veh == 0])
    assert blind.sum() == round(share * (len(spec.lanes) + len(spec.approaches)))
    assert (seen.queue_veh[seen.count_veh == 0] == 0).all()
    assert (seen.count_veh[seen.count_veh > 0] == 3).all()


def test_a_stuck_detector_sees_a_full_lane(junction: Junction) -> None:
    seen = BrokenDetectors(junction.spec, Disturbance(stuck_share=1.0), 1).distort(
        readings(junction)
    )
    full = [lane.capacity_veh for lane in junction.spec.lanes]
    assert seen.count_veh.tolist() == seen.queue_veh.tolist() == full
    assert (seen.occupancy_ratio == 1).all()


def test_a_lane_is_closed_only_where_traffic_can_pass(junction: Junction) -> None:
    closed = {
        closed_lane_xml([junction], seed).split('closingLaneReroute id="')[1].split('"')[0]
        for seed in range(20)
    }
    network = junction.network
    assert len(closed) > 1
    assert all(len(network.edge_lanes(network.lanes[lane].edge_id)) > 1 for lane in closed)
    spec = replace(junction.spec, lanes=())
    with pytest.raises(ScenarioError, match='can be closed'):
        closed_lane_xml([replace(junction, spec=spec)], 0)


def test_no_lane_is_closed_from_which_nobody_goes_on() -> None:
    junctions = derive_junctions(load_scenario('arterial4x4'))
    turns = travelled_turns(junctions[0].scenario)
    assert turns is not None
    closable, ways = set(closable_lanes(junctions)), junctions[0].network.connections
    ahead = {
        lane: {edge_of(way.to_lane) for way in ways if way.from_lane == lane} for lane in closable
    }
    assert all(any((edge_of(lane), to) in turns for to in ahead[lane]) for lane in closable)
    wide = {
        lane.lane_id
        for junction in junctions
        for lane in junction.spec.lanes
        if len(junction.network.edge_lanes(edge_of(lane.lane_id))) > 1
    }
    idle = {lane for lane in wide - closable if edge_of(lane) in {edge_of(o) for o in closable}}
    assert closable < wide
    assert idle  # lanes of roads in use from which no route goes on


def test_where_one_junction_has_no_lane_to_spare_another_one_loses_it(junction: Junction) -> None:
    narrow = replace(junction, spec=replace(junction.spec, lanes=()))
    assert closed_lane_xml([narrow, junction], 0) == closed_lane_xml([junction], 0)


def test_a_broken_detector_misleads_about_the_lanes_behind_it_too(
    junction: Junction,
) -> None:
    spec = junction.spec
    stop_lines = {lane.lane_id for lane in spec.lanes}
    behind = {s[0] for a in spec.approaches for s in a.spans} - stop_lines
    assert behind
    blind = BrokenDetectors(spec, Disturbance(blind_share=1.0), 1)
    assert blind.stop_lines.keys() == stop_lines
    assert blind.lanes.keys() >= stop_lines | behind
    assert not any(blind.lanes.values())
    stuck = BrokenDetectors(spec, Disturbance(stuck_share=1.0), 1)
    assert stuck.lanes.keys() == blind.lanes.keys()
    assert all(stuck.lanes.values())
    lane = spec.lanes[0]
    assert stuck.lanes[lane.lane_id] == lane.lane_length_m / VEHICLE_SPACE_M


def test_a_junctions_broken_detectors_mislead_nobody_else() -> None:
    junctions = derive_junctions(load_scenario('cologne8'), observation='neighbours')
    simulation = NetworkSimulation(junctions, disturbance=Disturbance(stuck_share=1.0))
    stop_lines = [{lane.lane_id for lane in j.spec.lanes} for j in junctions]
    shared = [
        (n, other, lane)
        for n, one in enumerate(simulation.broken)
        for lane in one.lanes
        for other in range(len(junctions))
        if other != n and lane in stop_lines[other]
    ]
    assert shared
    few = [BrokenDetectors(j.spec, Disturbance(), n) for n, j in enumerate(junctions)]
    n, other, lane = shared[0]
    few[n] = simulation.broken[n]
    simulation.broken = few
    assert simulation.told(n, lane) == few[n].lanes[lane]
    assert simulation.told(other, lane) is None
    simulation.close()


def test_the_smallest_share_is_one_detector(junction: Junction) -> None:
    few = replace(junction.spec, lanes=junction.spec.lanes[:2], approaches=())
    assert len(BrokenDetectors(few, Disturbance(blind_share=0.1), 1).lanes) >= 1


def test_a_closed_lane_without_another_way_ends_no_simulation(monkeypatch: Any) -> None:
    junctions = tuple(derive_junctions(load_scenario('cologne3')))
    alone = '241660955#14_1'  # leads where no other lane of its road does
    lanes = tuple(lane for lane in junctions[0].spec.lanes if lane.lane_id == alone)
    first = replace(junctions[0], spec=replace(junctions[0].spec, lanes=lanes))
    assert alone in closed_lane_xml([first], 0)
    monkeypatch.setattr(
        'saferl_ros.env.network_simulation.closed_lane_xml', lambda *_: closed_lane_xml([first], 0)
    )
    demand = DemandVariation(split=Split.TEST, seed=900_000)
    result = play(
        Match(
            junctions=junctions,
            contestant=Contestant(name='net_plan'),
            demand=demand,
            disturbance=Disturbance(closed_lane=True),
        )
    )
    assert result.trips.n_vehicles > 1000


def test_an_error_that_cannot_travel_is_told_in_words() -> None:
    def fail(_: int) -> None:
        class Unpicklable(Exception):
            """Like those of SUMO's C++ library."""

            def __reduce__(self) -> str:
                raise TypeError('cannot pickle')

        raise Unpicklable('vehicle 7 has no valid route')

    with pytest.raises(SimulationError, match='Unpicklable: vehicle 7 has no valid route'):
        list(run_isolated(fail, [0], jobs=1))


def played(junction: Junction, contestant: Contestant) -> dict[str, EpisodeResult]:
    """Play one demand undisturbed, blind and in rain."""
    kinds = {
        'none': None,
        'blind': Disturbance(blind_share=1.0),
        'rain': Disturbance(rain=True),
        'closed': Disturbance(closed_lane=True),
    }
    matches = [
        Match(junctions=(junction,), contestant=contestant, demand=DEMAND, disturbance=kind)
        for kind in kinds.values()
    ]
    found = dict(run_isolated(play, matches, jobs=2))
    return {name: found[n] for n, name in enumerate(kinds)}


@pytest.mark.parametrize(
    'contestant',
    [
        Contestant(name='actuated', actuated=ActuatedConfig()),
        Contestant(name='max_pressure', max_pressure=MaxPressureConfig()),
    ],
    ids=lambda contestant: contestant.name,
)
def test_disturbances_change_what_happens(junction: Junction, contestant: Contestant) -> None:
    found = played(junction, contestant)
    calm_s = found['none'].trips.delay_s
    for name in ('blind', 'rain', 'closed'):
        assert found[name].trips.delay_s != calm_s, name
    assert found['blind'].trips.delay_s > calm_s
    assert found['rain'].trips.delay_s > calm_s
    assert all(result.monitor_faults == 0 for result in found.values())


def test_a_blind_plan_does_not_mind_broken_detectors(junction: Junction) -> None:
    own = Contestant(name='own_plan', programs={junction.plan.junction_id: junction.plan.program})
    found = played(junction, own)
    assert found['blind'].trips == found['none'].trips
    assert found['rain'].trips != found['none'].trips


def test_every_curve_starts_undisturbed() -> None:
    points = troubles(DegradationConfig(demands=1))
    assert points[0].kind == 'none'
    assert {'blind detectors', 'stuck detectors', 'demand', 'surge', 'closed lane', 'rain'} < {
        point.kind for point in points
    }
    assert all(Disturbance(**point.disturbance) for point in points)


def test_a_curve_has_every_point_for_every_controller() -> None:
    short = Junction.derive(load_scenario('cologne1', horizon_s=90))
    own = {short.plan.junction_id: short.plan.program}
    contestants = [Contestant(name='net_plan'), Contestant(name='own_plan', programs=own)]
    config = DegradationConfig(
        demands=1, blind_shares=(0.5,), stuck_shares=(), demand_scales=(1.5,)
    )
    rows = degradation([short], contestants, config, jobs=2)
    assert [row['kind'] for row in rows] == [point.kind for point in troubles(config)]
    for row in rows:
        assert list(row['controllers']) == ['net_plan', 'own_plan']
        assert row['controllers']['net_plan']['over_net_plan']['mean'] == 1.0
        assert row['controllers']['own_plan']['monitor_faults'] == 0
    assert rows[0]['controllers']['own_plan']['over_undisturbed']['mean'] == 1.0
