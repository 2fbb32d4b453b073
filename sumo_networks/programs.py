"""Signal programs: clearances from posted speeds and the size of the junction, then phases."""

from __future__ import annotations

from dataclasses import dataclass, replace
import math
from pathlib import Path
from xml.etree import ElementTree

from model import Movement, movements, NetworkSpec, Stage

from saferl_ros.signals.clearance import (
    kinematic_yellow_s,
    MIN_WALK_S,
    pedestrian_clearance_s,
    red_clearance_s,
)
from saferl_ros.sumo.network import read_network

MIN_GREEN_S = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """What netconvert says of a junction's size [m]."""

    way_m: dict[int, float]  # by lamp of a vehicle movement: over the junction
    crossing_m: dict[str, float]  # by leg: from kerb to kerb


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedStage:
    """A stage with its times [s] and lamps; the green counts the pedestrian clearance in."""

    stage: Stage
    green_s: int
    pedestrian_clearance_s: int
    yellow_s: int
    all_red_s: int
    phases: tuple[tuple[str, int, str], ...]  # name, duration, lamps


def measure(spec: NetworkSpec, net_file: Path) -> dict[str, Measures]:
    """Return the measures of every signal of a network that netconvert has built."""
    network = read_network(net_file)
    ways_m = {(c.from_lane, c.to_lane): network.crossing_m(c) for c in network.connections}
    lengths_m = {
        frozenset(edge.get('crossingEdges', '').split()): float(edge[0].get('length', 0))
        for edge in ElementTree.parse(net_file).iter('edge')
        if edge.get('function') == 'crossing'
    }
    return {
        node: Measures(
            way_m={
                m.link_index: ways_m[f'{m.start.name}_{m.from_lane}', f'{m.end.name}_{m.to_lane}']
                for m in movements(spec, node)
            },
            crossing_m={
                leg: lengths_m[frozenset(edge.name for edge in spec.legs(node)[leg])]
                for leg in spec.crossings.get(node, '')
            },
        )
        for node in spec.programs
    }


def lamps_of(stage: Stage, links: list[Movement], crossings: str) -> str:
    """Return the lamps of a stage."""
    rights = dict.fromkeys(stage.permissive.split(), 'g')
    rights |= dict.fromkeys(stage.protected.split(), 'G')
    walks = ('G' if leg in stage.walk else 'r' for leg in crossings)
    return ''.join([rights.get(link.name, 'r') for link in links] + [*walks])


def timed_stages(spec: NetworkSpec, node: str, measures: Measures) -> list[TimedStage]:
    """
    Return the program of a signal.

    A change takes the longest yellow and the longest all-red among the movements that lose green;
    a protected green that becomes permissive is lost too. Walk ends so early that whoever has
    just stepped off the kerb is across when all-red ends.

    :raises ValueError: if the cycle leaves a walk or a green less than its minimum.
    """
    program, links = spec.programs[node], movements(spec, node)
    crossings = spec.crossings.get(node, '')
    shown = [lamps_of(stage, links, crossings) for stage in program.stages]
    timed = []
    for stage, lamps, after in zip(program.stages, shown, shown[1:] + shown[:1], strict=True):
        losing = {
            link.link_index: link
            for link in links
            if lamps[link.link_index] + after[link.link_index] in ('Gg', 'Gr', 'gr')
        }
        yellow_s = max(
            math.ceil(kinematic_yellow_s(link.start.speed_mps, is_left=link.name[1] == 'l'))
            for link in losing.values()
        )
        all_red_s = max(
            math.ceil(
                red_clearance_s(
                    measures.way_m[index], link.start.speed_mps, is_turn=link.name[1] != 's'
                )
            )
            for index, link in losing.items()
        )
        across_s = [pedestrian_clearance_s(measures.crossing_m[leg]) for leg in stage.walk]
        kerb_s = max(0, math.ceil(max(across_s, default=0)) - yellow_s - all_red_s)
        no_walk = lamps[: len(links)] + 'r' * len(crossings)
        changing = {
            lamp: ''.join(lamp if i in losing else kept for i, kept in enumerate(no_walk))
            for lamp in 'yr'
        }
        timed.append(
            TimedStage(
                stage=stage,
                green_s=stage.green_s,
                pedestrian_clearance_s=kerb_s,
                yellow_s=yellow_s,
                all_red_s=all_red_s,
                phases=(
                    (stage.name, 0, lamps),
                    ('pedestrian clearance', kerb_s, no_walk),
                    ('yellow', yellow_s, changing['y']),
                    ('all-red', all_red_s, changing['r']),
                ),
            )
        )
    used_s = sum(t.green_s + t.yellow_s + t.all_red_s for t in timed)
    return [_with_green(node, t, t.green_s or program.cycle_s - used_s) for t in timed]


def _with_green(node: str, timed: TimedStage, green_s: int) -> TimedStage:
    """Give a stage its green, and drop the phases that last no time."""
    first_s = green_s - timed.pedestrian_clearance_s
    if first_s < (MIN_WALK_S if timed.stage.walk else MIN_GREEN_S):
        raise ValueError(f"'{node}', stage '{timed.stage.name}': {first_s} s are too short")
    name, _, lamps = timed.phases[0]
    phases = ((name, first_s, lamps), *timed.phases[1:])
    return replace(timed, green_s=green_s, phases=tuple(phase for phase in phases if phase[1]))


def stage_table(spec: NetworkSpec, programs: dict[str, list[TimedStage]]) -> str:
    """Return the stages as a table in Markdown; signals with the same stages share their rows."""
    shared: dict[str, list[str]] = {}
    for node, stages in programs.items():
        rows = [
            f'| {t.stage.name} | {t.stage.protected} | {t.stage.permissive} | {t.stage.walk} '
            f'| {t.green_s} | {t.pedestrian_clearance_s or ""} | {t.yellow_s} | {t.all_red_s} |'
            for t in stages
        ]
        head = f'cycle {spec.programs[node].cycle_s} s'
        shared.setdefault('\n'.join([head, *rows]), []).append(node)
    lines = []
    for text, nodes in shared.items():
        head, *rows = text.split('\n')
        offsets = ', '.join(f'`{node}` {spec.programs[node].offset_s} s' for node in nodes)
        lines += [
            f'{head}; offset of {offsets}:',
            '',
            '| stage | `G` | `g` | walk across | green [s] | of it pedestrian clearance [s] '
            '| yellow [s] | all-red [s] |',
            '|---|---|---|---|---|---|---|---|',
            *rows,
            '',
        ]
    return '\n'.join(lines)
