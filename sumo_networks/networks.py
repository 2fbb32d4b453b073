"""The three networks as tables."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from model import (
    BusLine,
    Edge,
    Flow,
    HORIZON_S,
    LEGS,
    NetworkSpec,
    Program,
    Stage,
    street,
    Walk,
)

QUARTERS_S = (0, 900, 1800, 2700)


def through(axis: str, *, walk: str = '', with_lefts: bool = False, green_s: int = 0) -> Stage:
    """
    Return the stage of a street: straight on and right from both legs.

    :param axis: its two legs.
    :param walk: legs with walk; right turns then give way.
    :param with_lefts: left turns go in the gaps of the traffic ahead.
    :param green_s: green [s]; zero, what the cycle leaves.
    """
    straights, rights, lefts = (' '.join(leg + turn for leg in axis) for turn in 'srl')
    return Stage(
        name=f'{axis} through',
        protected=straights if walk else f'{straights} {rights}',
        permissive=' '.join([rights] * bool(walk) + [lefts] * with_lefts),
        walk=walk,
        green_s=green_s,
    )


def left(axis: str, *, green_s: int) -> Stage:
    """Return the stage of a street's protected left turns."""
    return Stage(name=f'{axis} left', protected=f'{axis[0]}l {axis[1]}l', green_s=green_s)


def in_quarters(flow: Flow, factors: tuple[float, ...]) -> list[Flow]:
    """Return a flow that changes every quarter of an hour."""
    return [
        replace(flow, rate_veh_h=flow.rate_veh_h * factor, begin_s=begin_s, end_s=begin_s + 900)
        for begin_s, factor in zip(QUARTERS_S, factors, strict=True)
    ]


def in_halves(flow: Flow) -> list[Flow]:
    """Return a flow that is heavier in the first half hour on the east-west streets."""
    first, half_s = (1.15 if flow.start[0] in 'ew' else 0.85), HORIZON_S // 2
    return [
        replace(flow, rate_veh_h=flow.rate_veh_h * first, end_s=half_s),
        replace(flow, rate_veh_h=flow.rate_veh_h * (2 - first), begin_s=half_s),
    ]


def spread(rates_veh_h: dict[str, tuple[float, float]], straight: float) -> list[Flow]:
    """
    Return flows from every end of a network to every other.

    :param rates_veh_h: what each end sends, and what it draws (a weight).
    :param straight: how much more a way along one street draws than another.
    """
    flows = []
    for start, (sent_veh_h, _) in rates_veh_h.items():
        weights = {
            end: drawn * (straight if end[1:] == start[1:] else 1.0)
            for end, (_, drawn) in rates_veh_h.items()
            if end != start
        }
        for end, weight in weights.items():
            rate_veh_h = round(sent_veh_h * weight / sum(weights.values()), 1)
            flows.append(Flow(start=start, end=end, rate_veh_h=rate_veh_h))
    return flows


def walks_around(node: str, around: str, rate_persons_h: float) -> list[Walk]:
    """Return walks between the four streets of a junction, straight ones on both sides."""
    legs = around.split()  # the neighbours, clockwise
    walks = []
    for start in legs:
        for end in legs:
            if start != end:
                walks.append((f'{start}_{node}', f'{node}_{end}'))
        opposite = legs[(legs.index(start) + 2) % 4]
        walks.append((f'{node}_{start}', f'{opposite}_{node}'))
    return [Walk(start=a, end=b, rate_persons_h=rate_persons_h) for a, b in walks]


def crossing() -> NetworkSpec:
    """Return the single junction: lanes for left turns and walk on all four legs."""
    fast_mps, slow_mps = 13.89, 11.11  # 50 and 40 km/h
    turns_veh_h = {  # right, straight, left
        'n': (45, 240, 70),
        'e': (55, 200, 65),
        's': (40, 270, 80),
        'w': (65, 180, 70),
    }
    quarters = {
        'n': (0.9, 1.1, 1.05, 0.95),
        'e': (1.0, 0.9, 1.0, 1.1),
        's': (0.9, 1.0, 1.15, 0.95),
        'w': (1.1, 0.9, 0.9, 1.1),
    }
    ends = 'nesw'
    flows = []
    for n, start in enumerate(ends):
        for rate_veh_h, steps in zip(turns_veh_h[start], (3, 2, 1), strict=True):
            flow = Flow(start=start, end=ends[(n + steps) % 4], rate_veh_h=rate_veh_h)
            flows += in_quarters(flow, quarters[start])
    return NetworkSpec(
        name='crossing',
        nodes={'c': (0, 0), 'n': (0, 300), 'e': (300, 0), 's': (0, -300), 'w': (-300, 0)},
        edges=(
            *street('n', 'c', 'rs l', 's s', fast_mps),
            *street('e', 'c', 'rs l', 's s', slow_mps),
            *street('s', 'c', 'rs l', 's s', fast_mps),
            *street('w', 'c', 'rs l', 's s', slow_mps),
        ),
        programs={
            'c': Program(
                cycle_s=90,
                stages=(
                    through('NS', walk='EW'),
                    left('NS', green_s=9),
                    through('EW', walk='NS', green_s=24),
                    left('EW', green_s=8),
                ),
            )
        },
        flows=tuple(flows),
        walks=tuple(walks_around('c', 'n e s w', rate_persons_h=16)),
        crossings={'c': LEGS},
    )


def corridor() -> NetworkSpec:
    """Return the main street with three junctions and a bus line; inbound is eastbound."""
    main_mps, side_mps = 13.89, 11.11  # 50 and 40 km/h
    x_m = {'a': 0, 'b': 350, 'c': 700}
    sides = {'a': ('rsl', 's'), 'b': ('rs l', 's s'), 'c': ('rsl', 's')}  # lanes in and out
    nodes: dict[str, tuple[float, float]] = {name: (x, 0) for name, x in x_m.items()}
    nodes |= {'w': (-350, 0), 'e': (1050, 0)}
    nodes |= {f'n{name}': (x, 250) for name, x in x_m.items()}
    nodes |= {f's{name}': (x, -250) for name, x in x_m.items()}
    edges = [
        *street('w', 'a', 'rs s l', 's s s', main_mps),
        *street('a', 'b', 'rs s l', 'rs s l', main_mps),
        *street('b', 'c', 'rs s l', 'rs s l', main_mps),
        *street('c', 'e', 's s s', 'rs s l', main_mps),
    ]
    for name, (lanes_in, lanes_out) in sides.items():
        for end in (f'n{name}', f's{name}'):
            edges += street(end, name, lanes_in, lanes_out, side_mps)
    outer = (
        through('EW', walk='NS'),
        left('EW', green_s=9),
        through('NS', walk='EW', with_lefts=True, green_s=24),
    )
    middle = (
        through('EW', walk='NS'),
        left('EW', green_s=9),
        through('NS', walk='EW', green_s=20),
        left('NS', green_s=10),
    )
    rates_veh_h = {
        'w': (760.0, 450.0),
        'e': (480.0, 720.0),
        'na': (115.0, 80.0),
        'sa': (130.0, 70.0),
        'nb': (190.0, 160.0),
        'sb': (170.0, 140.0),
        'nc': (105.0, 100.0),
        'sc': (125.0, 90.0),
    }
    quarters = {
        'w': (0.9, 1.1, 1.1, 0.9),
        'e': (1.0, 0.9, 1.0, 1.1),
        'n': (0.9, 1.0, 1.1, 1.0),
        's': (1.1, 1.0, 1.0, 0.9),
    }
    walks = [
        *walks_around('a', 'na b sa w', rate_persons_h=14),
        *walks_around('b', 'nb c sb a', rate_persons_h=16),
        *walks_around('c', 'nc e sc b', rate_persons_h=14),
    ]
    return NetworkSpec(
        name='corridor',
        nodes=nodes,
        edges=tuple(edges),
        programs={
            'a': Program(cycle_s=90, stages=outer),
            'b': Program(cycle_s=90, stages=middle, offset_s=25),  # 350 m at 13.89 m/s
            'c': Program(cycle_s=90, stages=outer, offset_s=50),
        },
        flows=tuple(
            part
            for flow in spread(rates_veh_h, straight=3.0)
            for part in in_quarters(flow, quarters[flow.start[0]])
        ),
        walks=tuple(walks),
        crossings=dict.fromkeys('abc', LEGS),
        bus_lines=(
            BusLine(
                name='east', edges='w_a a_b b_c c_e', stops='a_b b_c', first_s=60, headway_s=300
            ),
            BusLine(
                name='west', edges='e_c c_b b_a a_w', stops='c_b b_a', first_s=180, headway_s=300
            ),
        ),
    )


def grid() -> NetworkSpec:
    """Return sixteen junctions of two arterials, three collectors and three local streets."""
    speeds_mps = {'arterial': 13.89, 'collector': 11.11, 'local': 8.33}  # 50, 40, 30 km/h
    lanes = {'arterial': 'rs s l', 'collector': 'rs l', 'local': 'rsl'}
    lanes_out = {'arterial': 's s s', 'collector': 's s', 'local': 's'}
    sent_veh_h = {'arterial': 560.0, 'collector': 250.0, 'local': 130.0}
    columns = {'a': 'local', 'b': 'collector', 'c': 'arterial', 'd': 'local'}
    rows = {'1': 'collector', '2': 'arterial', '3': 'local', '4': 'collector'}
    block_m, block_s = 200, 14  # 14 s: a block at 13.89 m/s

    nodes: dict[str, tuple[float, float]] = {}
    edges: list[Edge] = []
    ends: dict[str, str] = {}  # to the kind of their street
    streets = [([f's{c}', *(c + r for r in rows), f'n{c}'], kind) for c, kind in columns.items()]
    streets += [([f'w{r}', *(c + r for c in columns), f'e{r}'], kind) for r, kind in rows.items()]
    for n, (along, kind) in enumerate(streets):
        n_across, is_column = n % 4, n < 4
        for step, node in enumerate(along):
            place_m = (n_across * block_m, (step - 1) * block_m)
            nodes.setdefault(node, place_m if is_column else place_m[::-1])
        for start, end in pairwise(along):
            forth = lanes_out[kind] if end == along[-1] else lanes[kind]
            back = lanes_out[kind] if start == along[0] else lanes[kind]
            edges += street(start, end, forth, back, speeds_mps[kind])
        ends |= dict.fromkeys((along[0], along[-1]), kind)

    def stages(column: str, row: str) -> tuple[Stage, ...]:
        kinds = (columns[column], rows[row])
        if kinds == ('arterial', 'arterial'):
            return (
                through('EW'),
                left('EW', green_s=7),
                through('NS', green_s=18),
                left('NS', green_s=7),
            )
        if kinds[1] == 'arterial':  # lefts give way first and are protected afterwards
            return (
                through('EW', with_lefts=True),
                left('EW', green_s=7),
                through('NS', with_lefts=True, green_s=20),
            )
        if kinds[0] == 'arterial':  # lefts are protected first and give way afterwards
            return (
                through('NS', with_lefts=True),
                through('EW', with_lefts=True, green_s=20),
                left('NS', green_s=7),
            )
        return (through('EW', with_lefts=True), through('NS', with_lefts=True, green_s=28))

    return NetworkSpec(
        name='grid',
        nodes=nodes,
        edges=tuple(edges),
        programs={
            column + row: Program(
                cycle_s=70, stages=stages(column, row), offset_s=(x + y) * block_s % 70
            )
            for x, column in enumerate(columns)
            for y, row in enumerate(rows)
        },
        flows=tuple(
            part
            for flow in spread(
                {end: (sent_veh_h[kind], sent_veh_h[kind]) for end, kind in ends.items()},
                straight=4.0,
            )
            for part in in_halves(flow)
        ),
    )


NETWORKS = {'crossing': crossing, 'corridor': corridor, 'grid': grid}
