"""The way up the road from an approach, on networks worked out by hand."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
import pytest

from saferl_ros.observation import LaneDetector, make_spec
from saferl_ros.sumo.detectors import approach_edges
from saferl_ros.sumo.network import Connection, Lane, Network


def way(
    start: str, end: str, direction: str = 's', tls_id: str | None = None, via: str = ''
) -> Connection:
    return Connection(
        from_lane=f'{start}_0',
        to_lane=f'{end}_0',
        via_lane=via and f'{via}_0',
        direction=direction,
        tls_id=tls_id,
        link_index=None if tls_id is None else 0,
    )


def network(lengths_m: dict[str, float], *connections: Connection) -> Network:
    """Return a network of one-lane edges."""
    lanes = [
        Lane(lane_id=f'{edge}_0', edge_id=edge, length_m=length_m, speed_mps=13.9, shape=())
        for edge, length_m in lengths_m.items()
    ]
    return Network(
        path=Path(),
        lanes={lane.lane_id: lane for lane in lanes},
        connections=list(connections),
        programs={},
        junctions={},
        via_after={},
        right_of_way={},
    )


def seen(road: Network, edge: str, reach_m: float) -> dict[str, tuple[float, float]]:
    return road.upstream([f'{edge}_0'], reach_m)


def test_a_road_is_followed_over_its_pieces():
    road = network(
        {'a': 300.0, 'b': 1.0, 'c': 40.0, 'd': 9.0},
        way('a', 'b'),
        way('b', 'c'),
        way('c', 'd'),
    )
    assert seen(road, 'd', 100.0) == {
        'a_0': (241.0, 300.0),
        'b_0': (0.0, 1.0),
        'c_0': (0.0, 40.0),
    }
    assert seen(road, 'a', 100.0) == {}


def test_the_lanes_inside_a_junction_are_part_of_the_road():
    road = network({'a': 50.0, ':n': 12.0, 'b': 0.2}, way('a', 'b', via=':n'))
    assert seen(road, 'b', 30.0) == {':n_0': (0.0, 12.0), 'a_0': (32.0, 50.0)}
    assert seen(road, 'b', 8.0) == {':n_0': (0.0, 12.0)}  # whole: no detector ends inside
    assert seen(road, 'b', 12.02) == {':n_0': (0.0, 12.0)}  # nor covers two centimetres


def test_the_lanes_of_a_signalled_junction_are_not():
    road = network({'a': 50.0, ':n': 12.0, 'b': 0.2}, way('a', 'b', 's', 'A', via=':n'))
    assert seen(road, 'b', 30.0) == {'a_0': (20.0, 50.0)}


def test_turning_round_is_no_way_to_come():
    road = network(
        {'in': 50.0, 'before': 80.0, 'out': 50.0}, way('before', 'in'), way('out', 'in', 't')
    )
    assert list(seen(road, 'in', 200.0)) == ['before_0']


def test_side_streets_belong_to_the_approach_that_they_join_and_not_to_the_road_further_up():
    lengths_m = {'main': 50.0, 'side': 50.0, 'here': 20.0, 'next': 20.0}
    crossing = network(
        lengths_m, way('main', 'here'), way('side', 'here', 'r'), way('here', 'next')
    )
    assert list(seen(crossing, 'here', 100.0)) == ['main_0', 'side_0']
    assert list(seen(crossing, 'next', 100.0)) == ['here_0', 'main_0']
    bend = network(
        lengths_m, way('main', 'here', 'l'), way('side', 'here', 'r'), way('here', 'next')
    )
    assert list(seen(bend, 'next', 100.0)) == ['here_0', 'main_0', 'side_0']
    signal = network(
        lengths_m,
        way('main', 'here', 's', 'A'),
        way('side', 'here', 'r', 'A'),
        way('here', 'next'),
    )
    assert list(seen(signal, 'next', 100.0)) == ['here_0', 'main_0', 'side_0']


def test_lost_time_counts_up_the_road_and_not_on_the_way_out():
    roads = network(
        {'far': 200.0, 'mid': 40.0, 'lane': 60.0, 'side': 60.0, 'here': 20.0, 'out': 50.0},
        way('far', 'mid'),
        way('lane', 'mid', 'r'),
        way('mid', 'here'),
        way('side', 'here', 'r'),
        way('out', 'here', 't'),
    )
    spec = make_spec(
        'detector',
        n_stages=2,
        max_green_s=60.0,
        lanes=(LaneDetector(lane_id='here_0', length_m=20.0, lane_length_m=20.0),),
        approaches=(),
    )
    assert approach_edges(roads, spec) == ['here', 'far', 'mid', 'side']


@pytest.mark.parametrize(
    ('signals', 'lanes'),
    [
        ((None, None, 'A'), ['near_0']),
        ((None, 'A', None), ['mid_0', 'near_0']),
        (('A', None, None), ['far_0', 'mid_0', 'near_0']),
    ],
)
def test_the_way_ends_before_the_first_signal(signals, lanes):
    far, mid, near = signals
    road = network(
        {'far': 100.0, 'mid': 20.0, 'near': 20.0, 'here': 20.0},
        way('far', 'mid', 's', far),
        way('mid', 'near', 's', mid),
        way('near', 'here', 's', near),
    )
    assert list(seen(road, 'here', 500.0)) == lanes
    waits_there = ('far_0', 'mid_0', 'near_0')[signals.index('A')]
    after = road.upstream(['here_0'], 500.0, to_signal=False)
    assert list(after) == [lane for lane in lanes if lane != waits_there]


def test_a_roundabout_comes_to_an_end():
    ring = network({'a': 10.0, 'b': 10.0, 'c': 10.0}, way('a', 'b'), way('b', 'c'), way('c', 'a'))
    assert seen(ring, 'a', 1e6) == {'b_0': (0.0, 10.0), 'c_0': (0.0, 10.0)}


@given(
    lengths=st.lists(st.floats(0.1, 400), min_size=1, max_size=6),
    ways=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=15),
    reach_m=st.floats(5, 500),
)
def test_no_stretch_leaves_its_lane_or_is_longer_than_the_reach(lengths, ways, reach_m):
    n = len(lengths)
    road = network(
        {str(k): length_m for k, length_m in enumerate(lengths)},
        *(way(str(a % n), str(b % n)) for a, b in ways),
    )
    for lane_id, (start_m, end_m) in seen(road, '0', reach_m).items():
        length_m = road.lanes[lane_id].length_m
        assert 0.0 <= start_m < end_m == length_m
        assert end_m - start_m <= reach_m + 1e-9
        assert end_m - start_m >= 1.0 - 1e-9 or start_m == 0.0
