"""Draws a junction from its network: one picture per stage, as shapes of an SVG."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
import math

from saferl_ros.report.approaches import edge_of
from saferl_ros.signals.plan import SignalPlan
from saferl_ros.sumo.network import Connection, Network, Point

LANE_WIDTH_M = 2.9  # SUMO's default is 3.2; the gap is the lane marking
MARGIN_M = 22.0  # how much of each approach is shown
EXIT_M = 7.0  # how far a movement is drawn into its exit lane
_KINDS = {'G': 'protected', 'g': 'permissive', 's': 'after-stop'}
_LAYERS = ('red', 'after-stop', 'permissive', 'protected')  # the last is drawn on top


@dataclass(frozen=True, slots=True, kw_only=True)
class Stroke:
    """One movement as it shows in a stage."""

    kind: str  # protected, permissive, after-stop or red
    path: str  # the data of an SVG path
    arrow: str  # the corners of its arrow head, empty for red


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """The name of an approach and where it stands."""

    x: float
    y: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The part of the network that is shown."""

    left_m: float
    right_m: float
    low_m: float
    high_m: float

    @property
    def unit_m(self) -> float:
        """A hundredth of the longer side."""
        return max(self.right_m - self.left_m, self.high_m - self.low_m) / 100

    def place(self, points: Iterable[Point]) -> list[Point]:
        """Move points to the picture's corner and turn y downwards, as SVG has it."""
        return [(x - self.left_m, self.high_m - y) for x, y in points]


@dataclass(frozen=True, slots=True, kw_only=True)
class JunctionDrawing:
    """The ground, which is the same in each picture, and the strokes of each stage."""

    view_box: str
    unit_m: float  # line widths are multiples of this, so that large junctions stay readable
    lane_width_m: float
    surface: tuple[str, ...]
    lanes: tuple[str, ...]
    stop_lines: tuple[str, ...]
    labels: tuple[Label, ...]
    stages: tuple[tuple[Stroke, ...], ...]


def draw_junction(
    plan: SignalPlan, network: Network, labels: Mapping[str, str]
) -> JunctionDrawing:
    """
    Return the drawing of a junction, north up, one unit a metre.

    :param plan: the stages.
    :param network: the one the plan was derived from.
    :param labels: approach edge to its label.
    """
    connections = [
        c for c in network.signalised(plan.junction_id) if (c.link_index or 0) < plan.n_links
    ]
    ways = [_way(network, connection) for connection in connections]
    cores = [network.lanes[c.from_lane].shape[-1] for c in connections]
    cores += [point for way in ways for point in way]
    frame = Frame(
        left_m=min(p[0] for p in cores) - MARGIN_M,
        right_m=max(p[0] for p in cores) + MARGIN_M,
        low_m=min(p[1] for p in cores) - MARGIN_M,
        high_m=max(p[1] for p in cores) + MARGIN_M,
    )
    place, unit_m = frame.place, frame.unit_m
    roads = [c for c in connections if not c.is_crossing]
    edges_in = dict.fromkeys(edge_of(c.from_lane) for c in roads)
    edges_out = dict.fromkeys(edge_of(c.to_lane) for c in roads)
    reach_m = 2 * MARGIN_M
    lanes = [_tail(shape, reach_m) for shape in _lane_shapes(network, edges_in)]
    lanes += [_head(shape, reach_m) for shape in _lane_shapes(network, edges_out)]
    stages = []
    for stage in plan.stages:
        strokes = [
            _stroke(place(way), stage.lamps[c.link_index or 0], unit_m)
            for c, way in zip(connections, ways, strict=True)
        ]
        stages.append(tuple(sorted(strokes, key=lambda s: _LAYERS.index(s.kind))))
    return JunctionDrawing(
        view_box=f'0 0 {frame.right_m - frame.left_m:.1f} {frame.high_m - frame.low_m:.1f}',
        unit_m=round(unit_m, 3),
        lane_width_m=LANE_WIDTH_M,
        surface=tuple(_points(place(shape)) for shape in _surfaces(network, connections)),
        lanes=tuple(_path(place(lane)) for lane in lanes),
        stop_lines=tuple(
            _path(place(_stop_line(network.lanes[lane].shape)))
            for lane in dict.fromkeys(c.from_lane for c in roads)
        ),
        labels=tuple(_label(network, edge, labels[edge], frame) for edge in edges_in),
        stages=tuple(stages),
    )


def _way(network: Network, connection: Connection) -> tuple[Point, ...]:
    """Return the way over the junction: the internal lanes and a piece of the exit."""
    if connection.is_crossing:  # a pedestrian crossing is a lane of its own
        return network.lanes[connection.to_lane].shape
    points = [network.lanes[connection.from_lane].shape[-1]]
    lane_id, seen = connection.via_lane, set[str]()
    while lane_id in network.lanes and lane_id not in seen:
        seen.add(lane_id)
        points.extend(network.lanes[lane_id].shape)
        lane_id = network.via_after.get(lane_id, '')
    points.extend(_head(network.lanes[connection.to_lane].shape, EXIT_M))
    return tuple(p for n, p in enumerate(points) if n == 0 or math.dist(p, points[n - 1]) > 0.01)


def _surfaces(network: Network, connections: Sequence[Connection]) -> list[tuple[Point, ...]]:
    """Return the outlines of the junctions that the signal controls."""
    rows = [network.right_of_way.get(c.via_lane or c.to_lane) for c in connections]
    owners = dict.fromkeys(row.junction_id for row in rows if row is not None)
    shapes = [network.junctions[owner].shape for owner in owners]
    return [shape for shape in shapes if len(shape) > 2]


def _head(shape: Sequence[Point], length_m: float) -> list[Point]:
    """Return the first metres of a line."""
    kept, left_m = [shape[0]], length_m
    for start, end in pairwise(shape):
        piece_m = math.dist(start, end)
        if piece_m >= left_m:
            share = left_m / piece_m if piece_m else 0.0
            kept.append(_between(start, end, share))
            break
        kept.append(end)
        left_m -= piece_m
    return kept


def _tail(shape: Sequence[Point], length_m: float) -> list[Point]:
    """Return the last metres of a line."""
    return _head(shape[::-1], length_m)[::-1]


def _between(start: Point, end: Point, share: float) -> Point:
    return (start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share)


def _direction(start: Point, end: Point) -> Point:
    length_m = math.dist(start, end) or 1.0
    return ((end[0] - start[0]) / length_m, (end[1] - start[1]) / length_m)


def _stop_line(shape: Sequence[Point]) -> list[Point]:
    """Return the bar across the end of an approach lane."""
    (x, y), (dx, dy) = shape[-1], _direction(shape[-2], shape[-1])
    half_m = LANE_WIDTH_M * 0.45
    return [(x - dy * half_m, y + dx * half_m), (x + dy * half_m, y - dx * half_m)]


def _stroke(way: Sequence[Point], lamp: str, unit_m: float) -> Stroke:
    kind = _KINDS.get(lamp, 'red')
    if kind == 'red':
        return Stroke(kind=kind, path=_path(way), arrow='')
    (x, y), (dx, dy) = way[-1], _direction(way[-2], way[-1])
    long, wide = 3.4 * unit_m, 1.5 * unit_m
    tip = (x + dx * long, y + dy * long)
    corners = [tip, (x - dy * wide, y + dx * wide), (x + dy * wide, y - dx * wide)]
    return Stroke(kind=kind, path=_path(way), arrow=_points(corners))


def _lane_shapes(network: Network, edges: Iterable[str]) -> list[tuple[Point, ...]]:
    return [network.lanes[lane].shape for edge in edges for lane in network.edge_lanes(edge)]


def _label(network: Network, edge: str, text: str, frame: Frame) -> Label:
    """Put the name of an approach on its lanes, a little inside the picture's border."""
    ends = [_tail(shape, 0.72 * MARGIN_M)[0] for shape in _lane_shapes(network, [edge])]
    middle = (sum(p[0] for p in ends) / len(ends), sum(p[1] for p in ends) / len(ends))
    ((x, y),) = frame.place([middle])
    return Label(x=round(x, 1), y=round(y, 1), text=text)


def _path(points: Sequence[Point]) -> str:
    return 'M' + 'L'.join(f'{x:.1f} {y:.1f}' for x, y in points)


def _points(points: Sequence[Point]) -> str:
    return ' '.join(f'{x:.1f},{y:.1f}' for x, y in points)
