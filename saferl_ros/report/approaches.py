"""Names the approaches of a junction and says in words which movements a stage serves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
import math

from saferl_ros.report.missing import Missing
from saferl_ros.signals.plan import Link, SignalPlan
from saferl_ros.sumo.network import Network, Point

_WINDS = ('N', 'NE', 'E', 'SE', 'S', 'SW', 'W', 'NW')
_TURNS = {  # SUMO's connection directions, in the order a sentence names them
    's': 'straight',
    'l': 'left',
    'L': 'half left',
    'r': 'right',
    'R': 'half right',
    't': 'U-turn',
}
CROSSING = 'pedestrian crossing'
HEADING_M = 30.0  # how far back from the stop line the compass reading looks


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproachRow:
    """One approach of the junction."""

    label: str
    edge_id: str
    n_lanes: int
    speed_kmh: float


def edge_of(lane_id: str) -> str:
    """Return the edge of a lane: SUMO appends ``_<index>``."""
    return lane_id.rpartition('_')[0]


def approach_labels(plan: SignalPlan, network: Network | Missing) -> dict[str, str]:
    """
    Return the label of each approach edge.

    With a network it is the compass direction that traffic comes from; without, the edge's name.
    """
    edges = list(dict.fromkeys(edge_of(link.from_lane) for link in _roads(plan.links)))
    if isinstance(network, Missing):
        return {edge: edge for edge in edges}
    winds = {edge: _wind(network.lanes[network.edge_lanes(edge)[0]].shape) for edge in edges}
    labels: dict[str, str] = {}
    for edge, wind in winds.items():
        alike = [other for other in edges if winds[other] == wind]
        labels[edge] = wind if len(alike) == 1 else f'{wind}{alike.index(edge) + 1}'
    return labels


def _roads(links: Iterable[Link]) -> list[Link]:
    """Return the links of vehicles; a lamp without a movement has no lanes."""
    return [link for link in links if link.from_lane and not link.is_crossing]


def _wind(shape: tuple[Point, ...]) -> str:
    """Return where traffic on a lane comes from, by its last metres; y points north."""
    end = shape[-1]
    back = next((p for p in reversed(shape) if math.dist(p, end) >= HEADING_M), shape[0])
    angle = math.degrees(math.atan2(back[0] - end[0], back[1] - end[1]))
    return _WINDS[round(angle / 45) % 8]


def approach_rows(plan: SignalPlan, labels: Mapping[str, str]) -> list[ApproachRow]:
    """Return the approaches in the order of their lamps."""
    rows = []
    for edge, label in labels.items():
        links = [link for link in _roads(plan.links) if edge_of(link.from_lane) == edge]
        rows.append(
            ApproachRow(
                label=label,
                edge_id=edge,
                n_lanes=len({link.from_lane for link in links}),
                speed_kmh=max(link.speed_mps for link in links) * 3.6,
            )
        )
    return rows


def movements_in_words(
    plan: SignalPlan, labels: Mapping[str, str], stage_index: int, lamp: str
) -> str:
    """Return which movements show ``lamp`` in a stage, such as ``N straight, right; S left``."""
    lamps = plan.stages[stage_index].lamps
    turns: dict[str, list[str]] = {}
    n_crossings = 0
    for link in plan.links:
        if lamps[link.index] != lamp:
            continue
        if link.is_crossing:
            n_crossings += 1
        elif link.from_lane:
            turns.setdefault(labels[edge_of(link.from_lane)], []).append(link.direction)
    order = ''.join(_TURNS)
    parts = [
        f'{label} ' + ', '.join(_TURNS.get(d, d) for d in sorted(set(found), key=order.find))
        for label, found in turns.items()
    ]
    if n_crossings:
        parts.append(f'{n_crossings} × {CROSSING}')
    return '; '.join(parts)


def has_crossings(plan: SignalPlan) -> bool:
    """Whether any link is a pedestrian crossing."""
    return any(link.is_crossing for link in plan.links)
