"""
Varied demand: the same junction on another day.

Every vehicle and every pedestrian of the nominal route file is drawn a Poisson number of times,
moved by a few seconds, and, during a surge, vehicles from the chosen direction are drawn more
often. Flows become single vehicles and persons with random headways; a vehicle with stops (a bus)
keeps its timetable and its name; who waits for a certain other (a car that its driver calls, a
container) is as in the file. The random stream is keyed by the split (``record``, ``tune``,
``test``) *and* the seed, so that demand held out for judging is disjoint from recorded demand by
construction, whatever the seeds.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import asdict, dataclass
from enum import Enum
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from saferl_ros.errors import ScenarioError
from saferl_ros.scenario.route_files import (
    element_number,
    element_time_s,
    FLOWS,
    read_routes,
    RouteElements,
)
from saferl_ros.scenario.spec import Scenario

MAX_SCALE = 10.0  # times the scenario's own demand


class Split(Enum):
    """What a demand is used for; each split has its own random streams."""

    RECORD = 1  # behaviour is recorded on it, policies learn from it
    TUNE = 2  # baselines are tuned on it
    TEST = 3  # controllers are judged on it, nothing else


@dataclass(frozen=True, slots=True, kw_only=True)
class Surge:
    """More traffic from one direction for a while."""

    start_ratio: float  # when it starts, as a share of the horizon
    length_s: float
    factor: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandVariation:
    """
    One day's demand; ``seed`` also seeds SUMO.

    ``is_nominal`` is the scenario's own file, vehicle by vehicle, and ignores the rest.
    """

    split: Split
    seed: int
    scale: float = 1.0
    jitter_s: float = 30.0
    surge: Surge | None = None
    is_nominal: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.scale <= MAX_SCALE:
            raise ScenarioError(
                f'demand scale {self.scale:g} must lie above 0 and up to {MAX_SCALE:g}'
            )
        if self.seed < 0:
            raise ScenarioError(f'seed {self.seed} must not be negative')

    @property
    def sumo_seed(self) -> int:
        """The seed for SUMO's own draws."""
        stream = np.random.SeedSequence([self.split.value, self.seed, 1])
        return int(stream.generate_state(1)[0] % 2**30)

    def to_json(self) -> dict[str, Any]:
        """Return the variation as JSON-ready data."""
        return {**asdict(self), 'split': self.split.name.lower()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> DemandVariation:
        """Return the variation that ``to_json`` wrote."""
        surge = data.get('surge')
        return cls(
            **{
                **data,
                'split': Split[data['split'].upper()],
                'surge': Surge(**surge) if surge else None,
            }
        )


def count_departures(scenario: Scenario) -> int:
    """
    Return how many vehicles want to depart within the scenario's time, flows by their mean.

    :raises ScenarioError: if there is none.
    """
    demand = read_routes(scenario)
    n = sum(_departures(element, scenario) for element in demand.vehicles)
    if n <= 0:
        files = ', '.join(path.name for path in scenario.route_files)
        raise ScenarioError(
            f"scenario '{scenario.name}': none of the {len(demand.vehicles)} departures in "
            f'{files} lies within {scenario.begin_s:g} to {scenario.end_s:g} s; '
            'a .sumocfg states begin and end, a .net.xml begins at 0 without --begin'
        )
    return max(1, round(n))


def travelled_turns(scenario: Scenario) -> frozenset[tuple[str, str]] | None:
    """
    Return from which edge to which next one anybody drives who departs within the scenario's time.

    :returns: ``None`` where SUMO is to find the way of some vehicle: then no file tells.
    """
    demand = read_routes(scenario)
    named = {
        element.get('id'): _turns(element)
        for definition in demand.definitions
        for element in definition.iter()
        if element.tag in ('route', 'routeDistribution') and element.get('id')
    }
    found: set[tuple[str, str]] = set()
    for vehicle in demand.vehicles:
        if not _departures(vehicle, scenario):
            continue
        turns = _turns(vehicle)
        if turns is None:
            turns = named.get(vehicle.get('route'))
        if turns is None:
            return None
        found |= turns
    return frozenset(found)


def _turns(element: ElementTree.Element) -> set[tuple[str, str]] | None:
    """Return the turns of the routes in an element, or of the route that it is, if any."""
    routes = [edges.split() for r in element.iter('route') if (edges := r.get('edges'))]
    return {turn for route in routes for turn in pairwise(route)} if routes else None


def _departures(element: ElementTree.Element, scenario: Scenario) -> float:
    """Return how many of an element's vehicles want to depart within the scenario's time."""
    if element.tag in FLOWS:
        begin_s, end_s = _window(element, scenario)
        if end_s > begin_s:
            return _flow_rate_hz(element, scenario) * (end_s - begin_s)
        return element_number(element, 'number') if end_s == begin_s else 0.0
    depart_s = element_time_s(element, 'depart', scenario.begin_s)
    return float(scenario.begin_s <= depart_s < scenario.end_s)


def _window(flow: ElementTree.Element, scenario: Scenario) -> tuple[float, float]:
    """Return from when to when a flow runs within the scenario's time [s]."""
    begin_s, end_s = _own_window(flow, scenario)
    return max(begin_s, scenario.begin_s), min(end_s, scenario.end_s)


def _own_window(flow: ElementTree.Element, scenario: Scenario) -> tuple[float, float]:
    """Return from when to when a flow runs [s]; one with a number and a rate ends when full."""
    begin_s = element_time_s(flow, 'begin', scenario.begin_s)
    end_s = element_time_s(flow, 'end', scenario.end_s)
    rate_hz, number = _stated_rate_hz(flow), flow.get('number')
    if rate_hz and number is not None:
        end_s = min(end_s, begin_s + element_number(flow, 'number') / rate_hz)
    return begin_s, end_s


def write_demand(scenario: Scenario, variation: DemandVariation, path: Path) -> None:
    """
    Write the varied demand of a scenario as one route file.

    :param path: file to write.
    :raises ScenarioError: if nothing departs within the scenario's time.
    """
    count_departures(scenario)
    demand = read_routes(scenario)
    rng = np.random.default_rng(np.random.SeedSequence([variation.split.value, variation.seed]))
    origin = _surge_origin(demand, scenario, rng) if variation.surge else None
    drawn: list[tuple[float, ElementTree.Element]] = []
    for element in demand.vehicles + demand.persons:
        singles = _expand_flow(element, scenario, rng) if element.tag in FLOWS else [element]
        for single in singles:
            depart_s = element_time_s(single, 'depart', scenario.begin_s)
            if not scenario.begin_s <= depart_s < scenario.end_s:
                continue
            weight = variation.scale * _surge_factor(single, depart_s, origin, scenario, variation)
            is_on_schedule = single.find('stop') is not None
            for copy in range(1 if is_on_schedule else int(rng.poisson(weight))):
                moved_s = depart_s + rng.uniform(-variation.jitter_s, variation.jitter_s)
                moved_s = round(min(max(moved_s, scenario.begin_s), scenario.end_s - 1.0), 2)
                clone = deepcopy(single)
                if not is_on_schedule:  # who rides in it names it
                    clone.set('id', f'{single.get("id")}.{copy}')
                clone.set('depart', f'{moved_s:.2f}')
                drawn.append((moved_s, clone))
    drawn.extend((element_time_s(e, 'depart', scenario.begin_s), e) for e in demand.others)
    drawn.sort(key=lambda pair: pair[0])
    root = ElementTree.Element('routes')
    root.extend(demand.definitions)
    root.extend(element for _, element in drawn)
    ElementTree.ElementTree(root).write(path, encoding='utf-8', xml_declaration=True)


def _expand_flow(
    flow: ElementTree.Element, scenario: Scenario, rng: np.random.Generator
) -> Iterator[ElementTree.Element]:
    """Yield single vehicles that arrive at random at the flow's mean rate."""
    begin_s, end_s = _window(flow, scenario)
    if end_s <= begin_s:  # SUMO lets a flow release all its vehicles at once
        departs_s = [begin_s] * int(element_number(flow, 'number'))
    else:
        n_expected = _flow_rate_hz(flow, scenario) * (end_s - begin_s)
        n_vehicles = int(n_expected + rng.random())  # how many of each is drawn by the caller
        departs_s = sorted(rng.uniform(begin_s, end_s, size=n_vehicles))
    has_route = flow.get('route') is not None or flow.find('route') is not None
    tag = 'person' if flow.tag == 'personFlow' else 'vehicle' if has_route else 'trip'
    dropped = {'begin', 'end', 'vehsPerHour', 'period', 'probability', 'number', 'perHour'}
    for n, depart_s in enumerate(departs_s):
        single = ElementTree.Element(
            tag, {k: v for k, v in flow.attrib.items() if k not in dropped}
        )
        single.extend(flow)
        single.set('id', f'{flow.get("id")}.{n}')
        single.set('depart', f'{depart_s:.2f}')
        yield single


def _flow_rate_hz(flow: ElementTree.Element, scenario: Scenario) -> float:
    """Return the stated rate, or that by which a number is spread over the flow's time."""
    stated_hz = _stated_rate_hz(flow)
    if stated_hz is not None:
        return stated_hz
    begin_s, end_s = _own_window(flow, scenario)
    return element_number(flow, 'number') / max(1.0, end_s - begin_s)


def _stated_rate_hz(flow: ElementTree.Element) -> float | None:
    for name in ('vehsPerHour', 'perHour'):
        if flow.get(name):
            return element_number(flow, name) / 3600
    period = flow.get('period')
    if period:
        if period.startswith('exp('):
            return element_number(flow, 'period', period[4:-1])
        period_s = element_time_s(flow, 'period', 0.0)
        if not period_s > 0:
            raise ScenarioError(f"flow '{flow.get('id')}': its period '{period}' must be above 0")
        return 1 / period_s
    if flow.get('probability'):
        return element_number(flow, 'probability')
    return None


def _origin(element: ElementTree.Element) -> str:
    route = element.find('route')
    if route is not None:
        return (route.get('edges') or '').split(' ')[0]
    return element.get('from') or element.get('fromTaz') or element.get('route') or ''


def _surge_origin(demand: RouteElements, scenario: Scenario, rng: np.random.Generator) -> str:
    """Draw the direction of the surge among origins with at least a twentieth of the traffic."""
    origins: dict[str, float] = {}
    for element in demand.vehicles:
        origin = _origin(element)
        origins[origin] = origins.get(origin, 0.0) + _departures(element, scenario)
    total = sum(origins.values())
    busy = sorted(o for o, n in origins.items() if n >= 0.05 * total)
    return str(rng.choice(busy or sorted(origins)))


def _surge_factor(
    element: ElementTree.Element,
    depart_s: float,
    origin: str | None,
    scenario: Scenario,
    variation: DemandVariation,
) -> float:
    surge = variation.surge
    if surge is None or _origin(element) != origin:
        return 1.0
    start_s = scenario.begin_s + surge.start_ratio * scenario.horizon_s
    return surge.factor if start_s <= depart_s < start_s + surge.length_s else 1.0
