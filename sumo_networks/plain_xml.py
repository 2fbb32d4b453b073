"""A network as plain XML, which netconvert reads, and the configuration that SUMO reads."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree

from model import HORIZON_S, movements, NetworkSpec
from programs import TimedStage

SIDEWALK_M = 2.5
ORIGIN = '<!-- made by sumo_networks/build.py; Apache-2.0 -->\n'


def element(
    tag: str, attributes: dict[str, object], children: Iterable[ElementTree.Element] = ()
) -> ElementTree.Element:
    """Return an XML element."""
    made = ElementTree.Element(tag, {name: str(value) for name, value in attributes.items()})
    made.extend(children)
    return made


def write(path: Path, tag: str, children: Iterable[ElementTree.Element]) -> None:
    """Write an XML file."""
    root = element(tag, {}, children)
    ElementTree.indent(root, '    ')
    text = ElementTree.tostring(root, encoding='unicode')
    path.write_text(f'<?xml version="1.0" encoding="UTF-8"?>\n{ORIGIN}{text}\n', encoding='utf-8')


def node_elements(spec: NetworkSpec) -> list[ElementTree.Element]:
    """Return the nodes."""
    kinds = {name: 'traffic_light' if name in spec.programs else 'priority' for name in spec.nodes}
    return [
        element('node', {'id': name, 'x': f'{x_m:g}', 'y': f'{y_m:g}', 'type': kinds[name]})
        for name, (x_m, y_m) in spec.nodes.items()
    ]


def edge_elements(spec: NetworkSpec) -> list[ElementTree.Element]:
    """Return the edges; a sidewalk is lane 0."""
    sidewalk = {'index': 0, 'allow': 'pedestrian', 'width': SIDEWALK_M}
    found = []
    for edge in spec.edges:
        n_lanes = len(edge.lanes) + spec.n_sidewalks
        made = element(
            'edge',
            {
                'id': edge.name,
                'from': edge.start,
                'to': edge.end,
                'numLanes': n_lanes,
                'speed': edge.speed_mps,
            },
        )
        if spec.n_sidewalks:
            made.append(element('lane', sidewalk))
            for lane in range(1, n_lanes):
                made.append(element('lane', {'index': lane, 'disallow': 'pedestrian'}))
        found.append(made)
    return found


def connection_elements(spec: NetworkSpec) -> list[ElementTree.Element]:
    """Return every movement (no u-turns), and the crossings with their lamps."""
    found = []
    for node in spec.programs:
        links = movements(spec, node)
        found += [element('connection', link.attributes()) for link in links]
        for n, leg in enumerate(spec.crossings.get(node, '')):
            edges = ' '.join(edge.name for edge in spec.legs(node)[leg])
            index = len(links) + n
            found.append(
                element(
                    'crossing',
                    {'node': node, 'edges': edges, 'priority': 'true', 'linkIndex': index},
                )
            )
    return found


def program_elements(
    spec: NetworkSpec, programs: dict[str, list[TimedStage]]
) -> list[ElementTree.Element]:
    """Return the programs, and which lamp each movement obeys."""
    logics = [
        element(
            'tlLogic',
            {
                'id': node,
                'type': 'static',
                'programID': '0',
                'offset': spec.programs[node].offset_s,
            },
            (
                element('phase', {'duration': duration_s, 'state': lamps, 'name': name})
                for timed in stages
                for name, duration_s, lamps in timed.phases
            ),
        )
        for node, stages in programs.items()
    ]
    return logics + [
        element('connection', {**link.attributes(), 'tl': node, 'linkIndex': link.link_index})
        for node in programs
        for link in movements(spec, node)
    ]


def configuration_elements(spec: NetworkSpec) -> list[ElementTree.Element]:
    """Return what ``sumo -c`` needs."""
    files = {'net-file': f'{spec.name}.net.xml', 'route-files': f'{spec.name}.rou.xml'}
    if spec.bus_lines:
        files['additional-files'] = f'{spec.name}.add.xml'
    times = {'begin': 0, 'end': HORIZON_S}
    return [
        element('input', {}, (element(tag, {'value': name}) for tag, name in files.items())),
        element('time', {}, (element(tag, {'value': time_s}) for tag, time_s in times.items())),
    ]
