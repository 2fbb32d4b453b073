"""
What a network is made of.

Legs are named by the compass, movements by leg and turn: ``Nl`` comes from the north and turns
left. Lamps stand leg by leg clockwise from the north, in a leg lane by lane from the kerb; the
crossings come after the vehicles, again clockwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field
import math

LEGS = 'NESW'
LEG_OF_DIRECTION = {(0, 1): 'N', (1, 0): 'E', (0, -1): 'S', (-1, 0): 'W'}
TURNS = {'r': 3, 's': 2, 'l': 1}  # how many legs clockwise from where the vehicle comes from
HORIZON_S = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """One direction of a street; a word per lane, kerb first, names the turns that leave it."""

    start: str
    end: str
    lanes: tuple[str, ...]
    speed_mps: float

    @property
    def name(self) -> str:
        """SUMO's id."""
        return f'{self.start}_{self.end}'


def street(start: str, end: str, forth: str, back: str, speed_mps: float) -> tuple[Edge, Edge]:
    """Return both directions of a street."""
    return (
        Edge(start=start, end=end, lanes=tuple(forth.split()), speed_mps=speed_mps),
        Edge(start=end, end=start, lanes=tuple(back.split()), speed_mps=speed_mps),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Movements that hold green together, and the legs whose crossings hold walk."""

    name: str
    protected: str  # movements that show G
    permissive: str = ''  # movements that show g: they give way
    walk: str = ''
    green_s: int = 0  # walk and pedestrian clearance included; 0: what the cycle leaves


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A fixed-time program without its clearances, which are computed."""

    cycle_s: int
    stages: tuple[Stage, ...]
    offset_s: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """Vehicles that arrive at random (Poisson) at one end of the network and leave at another."""

    start: str
    end: str
    rate_veh_h: float
    begin_s: int = 0
    end_s: int = HORIZON_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """Pedestrians that arrive at random (Poisson) anywhere on one edge and walk to another."""

    start: str
    end: str
    rate_persons_h: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BusLine:
    """A bus line: its way, the edges on which it stops, its timetable."""

    name: str
    edges: str
    stops: str
    first_s: int
    headway_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSpec:
    """Everything that makes one network; with crossings, every street has sidewalks."""

    name: str
    nodes: dict[str, tuple[float, float]]  # x and y [m]
    edges: tuple[Edge, ...]
    programs: dict[str, Program]  # by node
    flows: tuple[Flow, ...]
    walks: tuple[Walk, ...] = ()
    crossings: dict[str, str] = field(default_factory=dict)  # legs by node
    bus_lines: tuple[BusLine, ...] = ()

    @property
    def n_sidewalks(self) -> int:
        """How many lanes SUMO counts before the first one for vehicles."""
        return int(bool(self.crossings))

    def legs(self, node: str) -> dict[str, tuple[Edge, Edge]]:
        """Return the edges in and out of each leg of a node, clockwise from the north."""
        x_m, y_m = self.nodes[node]
        found = {}
        for way_in in self.edges:
            if way_in.end == node:
                dx_m, dy_m = (
                    a - b for a, b in zip(self.nodes[way_in.start], (x_m, y_m), strict=True)
                )
                length_m = math.hypot(dx_m, dy_m)
                leg = LEG_OF_DIRECTION[round(dx_m / length_m), round(dy_m / length_m)]
                way_out = next(e for e in self.edges if e.name == f'{node}_{way_in.start}')
                found[leg] = (way_in, way_out)
        return {leg: found[leg] for leg in LEGS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """One connection over a junction with its lamp; ``name`` is leg and turn."""

    name: str
    link_index: int
    start: Edge
    end: Edge
    from_lane: int
    to_lane: int

    def attributes(self) -> dict[str, object]:
        """Return the connection as SUMO writes it."""
        return {
            'from': self.start.name,
            'to': self.end.name,
            'fromLane': self.from_lane,
            'toLane': self.to_lane,
        }


def movements(spec: NetworkSpec, node: str) -> list[Movement]:
    """
    Return the connections of a signal in the order of their lamps.

    Right turns reach the lane at the kerb, left turns the lane at the middle of the road; who
    goes straight on keeps the lane.
    """
    legs, found = spec.legs(node), list[Movement]()
    for leg, (start, _) in legs.items():
        for lane, turns in enumerate(start.lanes):
            for turn in turns:
                end = legs[LEGS[(LEGS.index(leg) + TURNS[turn]) % 4]][1]
                last = max(n for n, word in enumerate(end.lanes) if 's' in word)
                to_lane = {'r': 0, 's': min(lane, last), 'l': len(end.lanes) - 1}[turn]
                found.append(
                    Movement(
                        name=leg + turn,
                        link_index=len(found),
                        start=start,
                        end=end,
                        from_lane=lane + spec.n_sidewalks,
                        to_lane=to_lane + spec.n_sidewalks,
                    )
                )
    return found
