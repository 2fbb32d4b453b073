"""Reads a ``.net.xml``: lanes, signalised connections, right of way, programs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from functools import lru_cache
import math
from pathlib import Path
from xml.etree import ElementTree

from saferl_ros.errors import ScenarioError
from saferl_ros.scenario.spec import parse_time_s, read_xml

Point = tuple[float, float]
SHORTEST_M = 5.0  # a shorter rest of a way up the road is not followed
SPAN_M = 1.0  # a detector covers this much of a lane, or all of a shorter one


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One lane of the network."""

    lane_id: str
    edge_id: str
    length_m: float
    speed_mps: float
    shape: tuple[Point, ...]
    width_m: float = 3.2  # SUMO's default
    grade_ratio: float = 0.0  # uphill positive over its last 50 m; zero without elevations


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """One way from lane to lane; ``link_index`` is its lamp if it is signalised."""

    from_lane: str
    to_lane: str
    via_lane: str
    direction: str
    tls_id: str | None
    link_index: int | None

    @property
    def is_crossing(self) -> bool:
        """Whether people on foot go by it: they come from inside the junction."""
        return self.from_lane.startswith(':')


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramPhase:
    """One ``<phase>`` of a ``<tlLogic>``: fixed lamps for a time."""

    duration_s: float
    lamps: str
    max_green_s: float | None = None  # maxDur, if stated


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A ``<tlLogic>`` as it stands in the network, or in an additional file."""

    tls_id: str
    program_id: str
    kind: str
    offset_s: float
    phases: tuple[ProgramPhase, ...]
    file: Path  # where it is written


@dataclass(slots=True)
class _Junction:
    int_lanes: list[str]
    shape: tuple[Point, ...]
    requests: dict[int, tuple[str, str]] = field(default_factory=dict)  # index: response, foes


@dataclass(frozen=True, slots=True, kw_only=True)
class RightOfWay:
    """Where a connection stands in its junction's right-of-way table."""

    junction_id: str
    index: int
    response: str  # SUMO's bit string, last character is index 0: links it must give way to
    foes: str  # same layout: links whose path meets its own


@dataclass(slots=True)
class Network:
    """The parts of a network that signals and detectors are derived from."""

    path: Path
    lanes: dict[str, Lane]
    connections: list[Connection]
    programs: dict[str, Program]
    junctions: dict[str, _Junction]
    via_after: dict[str, str]  # internal lane to the internal lane that follows it, if any
    right_of_way: dict[str, RightOfWay]  # by the internal lane of the connection
    drives_left: bool = False

    def signalised(self, tls_id: str) -> list[Connection]:
        """Return the connections of one signal, sorted by lamp."""
        found = [c for c in self.connections if c.tls_id == tls_id]
        return sorted(found, key=lambda c: c.link_index or 0)

    def upstream(
        self, lane_ids: Collection[str], reach_m: float, *, to_signal: bool = True
    ) -> dict[str, tuple[float, float]]:
        """
        Return the lanes within ``reach_m`` before lanes begin, each with its stretch [m].

        SUMO splits a road wherever its lanes change, so the way up the road leads over many edges,
        and over the lanes inside the junctions between them. It ends at the first signal: what
        is behind that is another junction's. Streets that join the given lanes belong to it;
        further up the road goes straight on, where it can. Turning round is no way to come.

        :param lane_ids: the lanes, of one approach.
        :param reach_m: measured from where they begin, against the traffic [m].
        :param to_signal: whether the lanes that wait at that signal belong to it.
        """
        own = {self.lanes[lane].edge_id for lane in lane_ids}
        stretches: dict[str, tuple[float, float]] = {}
        ways = [(reach_m, lane) for lane in lane_ids]
        while ways:
            ways.sort(reverse=True)  # the shortest way to a lane first
            left_m, lane_id = ways.pop(0)
            for connection in self._into(lane_id, is_straight=lane_id not in lane_ids):
                is_signal = connection.tls_id is not None
                road = [self.lanes[connection.from_lane]]
                if is_signal and not to_signal:
                    continue
                if not is_signal:
                    road = [*reversed(self.way_over(connection)), *road]
                rest_m = left_m
                for lane in road:
                    if rest_m < SPAN_M or lane.lane_id in stretches or lane.edge_id in own:
                        break
                    is_inside = lane.lane_id.startswith(':')  # no detector on a part of it
                    start_m = 0.0 if is_inside else max(0.0, lane.length_m - rest_m)
                    stretches[lane.lane_id] = start_m, lane.length_m
                    rest_m -= lane.length_m
                else:
                    if not is_signal and rest_m > SHORTEST_M:
                        ways.append((rest_m, connection.from_lane))
        return dict(sorted(stretches.items()))

    def _into(self, lane_id: str, *, is_straight: bool) -> list[Connection]:
        ways = [
            c
            for c in self.connections
            if c.to_lane == lane_id and not c.is_crossing and c.direction != 't'
        ]
        straight = [c for c in ways if c.tls_id is not None or c.direction == 's']
        return (is_straight and straight) or ways

    def edge_lanes(self, edge_id: str) -> list[str]:
        """Return the lanes of one edge, in order."""
        return [lane.lane_id for lane in self.lanes.values() if lane.edge_id == edge_id]

    def edge_m(self, edge_id: str) -> float:
        """Return the length of an edge, that of its longest lane [m]."""
        return max(self.lanes[lane].length_m for lane in self.edge_lanes(edge_id))

    def crossing_m(self, connection: Connection) -> float:
        """Return the way over the junction along the connection's lanes on it [m]."""
        return sum(lane.length_m for lane in self.way_over(connection))

    def way_over(self, connection: Connection) -> list[Lane]:
        """Return the lanes by which a connection crosses the junction; of a crossing, itself."""
        if connection.is_crossing:
            return [self.lanes[connection.to_lane]]
        way: list[Lane] = []
        lane_id = connection.via_lane
        while lane_id and self.lanes[lane_id] not in way:
            way.append(self.lanes[lane_id])
            lane_id = self.via_after.get(lane_id, '')
        return way


@lru_cache(maxsize=4)
def read_network(path: Path, additional_files: tuple[Path, ...] = ()) -> Network:
    """
    Read a network file, and the signal programs that additional files bring.

    Of several programs of one signal the last is taken: it is the one that SUMO runs.

    :param additional_files: in the order in which SUMO loads them.
    :raises ScenarioError: if a file is missing, is no SUMO network, or switches programs.
    """
    root = read_xml(path, 'network')
    if root.tag != 'net':
        raise ScenarioError(
            f"'{path}' is not a SUMO network: its root is <{root.tag}>, not <net>; give a .net.xml"
        )
    try:
        network = _read_root(root, path)
    except (IndexError, KeyError, ValueError) as error:
        raise ScenarioError(
            f"network file '{path}' holds a value that cannot be understood: {error}; make it "
            'again with netconvert'
        ) from error
    for file in additional_files:
        _add_programs(network, file)
    return network


def _read_root(root: ElementTree.Element, path: Path) -> Network:
    lanes = {
        lane.get('id', ''): Lane(
            lane_id=lane.get('id', ''),
            edge_id=edge.get('id', ''),
            length_m=float(lane.get('length', 0.1)),
            speed_mps=float(lane.get('speed', 13.89)),
            shape=_shape(lane.get('shape', '')),
            width_m=float(lane.get('width', 3.2)),
            grade_ratio=_grade_ratio(lane.get('shape', '')),
        )
        for edge in root.iter('edge')
        for lane in edge.iter('lane')
    }
    junctions = {}
    for element in root.iter('junction'):
        junction = _Junction(
            int_lanes=element.get('intLanes', '').split(), shape=_shape(element.get('shape', ''))
        )
        for request in element.iter('request'):
            junction.requests[int(request.get('index', 0))] = (
                request.get('response', ''),
                request.get('foes', ''),
            )
        junctions[element.get('id', '')] = junction
    connections = [_connection(element) for element in root.iter('connection')]
    connections = [c for c in connections if c.from_lane in lanes and c.to_lane in lanes]
    network = Network(
        path=path,
        lanes=lanes,
        connections=connections,
        programs=_programs(root, path),
        junctions=junctions,
        via_after={c.from_lane: c.via_lane for c in connections if c.from_lane[0] == ':'},
        right_of_way={},
        drives_left=root.get('lefthand') in ('true', '1'),
    )
    _place_in_right_of_way(network)
    return network


def _shape(text: str) -> tuple[Point, ...]:
    points = (point.split(',') for point in text.split())
    return tuple((float(p[0]), float(p[1])) for p in points)


GRADE_OVER_M = 50.0  # the stretch in which a driver decides to stop


def _grade_ratio(shape: str) -> float:
    """Return the mean slope of a lane's last stretch, uphill positive [-]."""
    points = [tuple(map(float, point.split(','))) for point in shape.split()]
    if not points or len(points[0]) < 3:
        return 0.0
    run_m = rise_m = 0.0
    for (x0, y0, z0), (x1, y1, z1) in zip(points[-2::-1], points[:0:-1], strict=True):
        run_m += math.hypot(x1 - x0, y1 - y0)
        rise_m += z1 - z0
        if run_m >= GRADE_OVER_M:
            break
    return rise_m / run_m if run_m > 0 else 0.0


def _connection(element: ElementTree.Element) -> Connection:
    link_index = element.get('linkIndex')
    return Connection(
        from_lane=f'{element.get("from")}_{element.get("fromLane", 0)}',
        to_lane=f'{element.get("to")}_{element.get("toLane", 0)}',
        via_lane=element.get('via', ''),
        direction=element.get('dir', 's').replace('T', 't'),  # T: where one drives on the left
        tls_id=element.get('tl'),
        link_index=None if link_index is None else int(link_index),
    )


def _add_programs(network: Network, file: Path) -> None:
    """
    Take the programs of an additional file.

    :raises ScenarioError: if one cannot be understood, or programs are switched by the clock.
    """
    root = read_xml(file, 'additional')
    if next(root.iter('WAUT'), None) is not None:
        raise ScenarioError(
            f"additional file '{file}' switches signal programs by the clock (WAUT), which is not "
            'understood; leave it out and state the program of the time that is simulated'
        )
    try:
        found = _programs(root, file)
    except ValueError as error:
        raise ScenarioError(
            f"additional file '{file}' has a signal program that cannot be understood: {error}"
        ) from error
    for tls_id, program in found.items():
        known = network.programs.get(tls_id)
        if known is None:
            raise ScenarioError(
                f"additional file '{file}' has a program for signal '{tls_id}', which is not in "
                f"'{network.path.name}'; correct its id or leave it out"
            )
        if not program.phases:  # SUMO's way to give a known program another offset
            program = replace(known, offset_s=program.offset_s)
        if len(program.phases[0].lamps) < len(known.phases[0].lamps):
            raise ScenarioError(
                f"additional file '{file}': the program of signal '{tls_id}' has "
                f'{len(program.phases[0].lamps)} lamps, the network '
                f'{len(known.phases[0].lamps)}; write it for this network'
            )
        network.programs[tls_id] = program


def _programs(root: ElementTree.Element, file: Path) -> dict[str, Program]:
    programs = {}
    for logic in root.iter('tlLogic'):
        phases = tuple(
            ProgramPhase(
                duration_s=_program_time_s(phase.get('duration', '0'), file),
                lamps=phase.get('state', '').replace('Y', 'y').replace('R', 'r'),
                max_green_s=float(phase.get('maxDur', 0)) or None,
            )
            for phase in logic.iter('phase')
        )
        tls_id = logic.get('id', '')
        shortest_s = min((phase.duration_s for phase in phases), default=0.0)
        if shortest_s < 0 or (phases and not any(phase.duration_s for phase in phases)):
            raise ScenarioError(
                f"'{file}': the program of signal '{tls_id}' has no phase that lasts, or one of "
                f'{shortest_s:g} s; every duration must be 0 s or more, and one above'
            )
        programs[tls_id] = Program(
            tls_id=tls_id,
            program_id=logic.get('programID', '0'),
            kind=logic.get('type', 'static'),
            offset_s=_program_time_s(logic.get('offset', '0'), file),
            phases=phases,
            file=file,
        )
    return programs


def _program_time_s(text: str, file: Path) -> float:
    try:
        return parse_time_s(text)
    except ScenarioError as error:
        raise ScenarioError(f"'{file}', a signal program: {error}") from error


def _place_in_right_of_way(network: Network) -> None:
    """Match each connection over a junction with its row of the right-of-way table."""
    owner = {}
    for junction_id, junction in network.junctions.items():
        if not junction.requests:
            continue
        for index, lane_id in enumerate(junction.int_lanes):
            owner[lane_id] = (junction_id, index)
    for connection in network.connections:
        if connection.tls_id is None:
            continue
        lane_id, seen = connection.via_lane or connection.to_lane, set[str]()
        while lane_id and lane_id not in owner and lane_id not in seen:
            seen.add(lane_id)  # a turn that waits inside the junction has a second internal lane
            lane_id = network.via_after.get(lane_id, '')
        if lane_id in owner:
            junction_id, index = owner[lane_id]
            response, foes = network.junctions[junction_id].requests.get(index, ('', ''))
            network.right_of_way[connection.via_lane or connection.to_lane] = RightOfWay(
                junction_id=junction_id, index=index, response=response, foes=foes
            )
