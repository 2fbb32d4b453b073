"""Reads the vehicles and people of a scenario's route files; refuses what SUMO would lose."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
import math
from pathlib import Path
from xml.etree import ElementTree

from saferl_ros.errors import ScenarioError
from saferl_ros.scenario.spec import DEMAND_TAGS, parse_time_s, read_xml, Scenario

FLOWS = ('flow', 'personFlow')
_VEHICLES = ('vehicle', 'trip', 'flow')
_PERSONS = ('person', 'personFlow')
_CONTAINERS = ('container', 'containerFlow')
_ON_CALL = ('triggered', 'containerTriggered')  # departs when its driver or load is there
_NO_TIME = (*_ON_CALL, 'split', 'begin')


@dataclass(frozen=True, slots=True)
class RouteElements:
    """The parsed route files of a scenario."""

    definitions: tuple[ElementTree.Element, ...]  # types and routes, in order
    vehicles: tuple[ElementTree.Element, ...]
    persons: tuple[ElementTree.Element, ...]
    others: tuple[ElementTree.Element, ...]  # kept as they are: who waits for a certain other


@lru_cache(maxsize=4)
def read_routes(scenario: Scenario) -> RouteElements:
    """
    Return what a scenario's route files hold.

    :raises ScenarioError: if a file includes another, or is not sorted by departure.
    """
    found: list[ElementTree.Element] = []
    for path in scenario.route_files:
        root = read_xml(path, 'route')
        _refuse_unsorted(root, path, scenario)
        found += root
    called = {e.get('id', '') for e in found if e.get('depart') in _ON_CALL}
    others: list[ElementTree.Element] = []
    left: list[ElementTree.Element] = []
    for element in found:
        waits = element.get('id') in called or not called.isdisjoint(_rides(element))
        (others if waits or element.tag in _CONTAINERS else left).append(element)
    return RouteElements(
        definitions=tuple(e for e in left if e.tag not in (*_VEHICLES, *_PERSONS)),
        vehicles=tuple(e for e in left if e.tag in _VEHICLES),
        persons=tuple(e for e in left if e.tag in _PERSONS),
        others=tuple(others),
    )


def element_time_s(element: ElementTree.Element, name: str, default_s: float) -> float:
    """
    Return a time that an element states [s], or ``default_s`` where it states none.

    :raises ScenarioError: if it is no time.
    """
    text = element.get(name)
    if text is None or text in _NO_TIME:
        return default_s
    try:
        return parse_time_s(text)
    except ScenarioError as error:
        raise ScenarioError(f'{_called(element)}, {name}: {error}') from error


def element_number(element: ElementTree.Element, name: str, text: str | None = None) -> float:
    """
    Return a number that an element states, zero where it states none.

    :param text: the part of the attribute that is the number, by default all of it.
    :raises ScenarioError: if it is no number, or a negative one.
    """
    stated = element.get(name, '0')
    try:
        number = float(stated if text is None else text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise ScenarioError(f"{_called(element)}: {name}='{stated}' is no number of 0 or more")
    return number


def _called(element: ElementTree.Element) -> str:
    return f"{element.tag} '{element.get('id', 'without an id')}' of the routes"


def _rides(person: ElementTree.Element) -> set[str]:
    """Return in whose vehicles, or by which lines, a person rides."""
    return {line for ride in person.iter('ride') for line in ride.get('lines', '').split()}


def _refuse_unsorted(root: ElementTree.Element, path: Path, scenario: Scenario) -> None:
    """
    Refuse a file out of which SUMO would not read everybody.

    :raises ScenarioError: naming who would be lost.
    """
    last_s, last = -math.inf, root
    for element in root:
        if element.tag == 'include':
            raise ScenarioError(
                f"route file '{path}' includes '{element.get('href')}', which is not taken over; "
                'name both among the route-files'
            )
        if element.tag not in DEMAND_TAGS:
            continue
        begins = 'begin' if element.tag.lower().endswith('flow') else 'depart'
        depart_s = element_time_s(element, begins, math.nan)
        if math.isnan(depart_s):
            continue
        if depart_s < last_s and scenario.begin_s <= depart_s < scenario.end_s:
            raise ScenarioError(
                f"route file '{path}' is not sorted by departure: SUMO ignores {element.tag} "
                f"'{element.get('id')}' ({depart_s:g} s), because it comes after {last.tag} "
                f"'{last.get('id')}' ({last_s:g} s); sort it with SUMO's "
                'tools/route/sort_routes.py'
            )
        if depart_s >= last_s:
            last_s, last = depart_s, element
