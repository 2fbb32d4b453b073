"""Who travels, as SUMO's route and bus stop files have it."""

from __future__ import annotations

from xml.etree import ElementTree

from model import HORIZON_S, NetworkSpec
from plain_xml import element

DWELL_S = 20  # of a bus at a stop
STOP_M = (60, 85)  # a bus stop, from the start of its edge: behind the junction just crossed


def demand_elements(spec: NetworkSpec) -> list[ElementTree.Element]:
    """Return vehicle types, then everything that moves in the order in which it begins."""
    kinds = [
        element('vType', {'id': 'car', 'vClass': 'passenger', 'probability': 0.95}),
        element('vType', {'id': 'truck', 'vClass': 'truck', 'probability': 0.05}),
    ]
    types = [element('vTypeDistribution', {'id': 'traffic'}, kinds)]
    if spec.bus_lines:
        types.append(element('vType', {'id': 'bus', 'vClass': 'bus'}))
    moving = [*walk_elements(spec), *flow_elements(spec), *bus_elements(spec)]
    return types + sorted(moving, key=lambda e: int(e.get('begin') or e.get('depart') or 0))


def walk_elements(spec: NetworkSpec) -> list[ElementTree.Element]:
    """Return the pedestrians."""
    return [
        element(
            'personFlow',
            {
                'id': f'walk_{walk.start}_to_{walk.end}',
                'begin': 0,
                'end': HORIZON_S,
                'period': f'exp({walk.rate_persons_h / 3600:.6f})',
                'departPos': 'random',
            },
            [element('walk', {'from': walk.start, 'to': walk.end, 'arrivalPos': 'random'})],
        )
        for walk in spec.walks
    ]


def flow_elements(spec: NetworkSpec) -> list[ElementTree.Element]:
    """Return the vehicles; SUMO finds their ways."""
    first = {edge.start: edge.name for edge in spec.edges if edge.start not in spec.programs}
    last = {edge.end: edge.name for edge in spec.edges if edge.end not in spec.programs}
    return [
        element(
            'flow',
            {
                'id': f'{flow.start}_to_{flow.end}_{flow.begin_s}',
                'type': 'traffic',
                'begin': flow.begin_s,
                'end': flow.end_s,
                'period': f'exp({flow.rate_veh_h / 3600:.6f})',
                'from': first[flow.start],
                'to': last[flow.end],
                'departLane': 'best',
                'departSpeed': 'max',
            },
        )
        for flow in spec.flows
    ]


def bus_elements(spec: NetworkSpec) -> list[ElementTree.Element]:
    """Return the buses one by one, as a timetable has them."""
    return [
        element(
            'vehicle',
            {
                'id': f'bus_{line.name}_{n}',
                'type': 'bus',
                'depart': depart_s,
                'departLane': 'best',
            },
            [
                element('route', {'edges': line.edges}),
                *(
                    element('stop', {'busStop': f'stop_{edge}', 'duration': DWELL_S})
                    for edge in line.stops.split()
                ),
            ],
        )
        for line in spec.bus_lines
        for n, depart_s in enumerate(range(line.first_s, HORIZON_S, line.headway_s))
    ]


def stop_elements(spec: NetworkSpec) -> list[ElementTree.Element]:
    """Return the bus stops: in the lane at the kerb, behind the junction just crossed."""
    return [
        element(
            'busStop',
            {
                'id': f'stop_{edge}',
                'lane': f'{edge}_{spec.n_sidewalks}',
                'startPos': STOP_M[0],
                'endPos': STOP_M[1],
                'lines': line.name,
            },
        )
        for line in spec.bus_lines
        for edge in line.stops.split()
    ]
