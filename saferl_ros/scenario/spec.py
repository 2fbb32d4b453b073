"""A scenario: network, demand, additional files and the time they cover."""

from __future__ import annotations

from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import lru_cache
import gzip
import hashlib
import math
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from saferl_ros.errors import ScenarioError
from saferl_ros.scenario.catalogue import CATALOGUE

DEFAULT_HORIZON_S = 3600.0  # where a scenario states no end
LONGEST_STEP_S = 1.0  # SUMO's drivers react within a second; with longer steps they collide
# sections and options of a .sumocfg that are read by themselves, or that every run states anew
OWN_SECTIONS = frozenset(
    ('configuration', 'output', 'report', 'gui_only', 'random_number', 'traci_server')
)
OWN_OPTIONS = frozenset(
    (
        *('net-file', 'net', 'n', 'route-files', 'routes', 'r', 'additional-files', 'additional'),
        *('a', 'begin', 'b', 'end', 'e', 'step-length', 'time-to-teleport', 'scale', 'seed'),
        'random',
    )
)
# beginnings of the names of options that say how traffic moves: every controller's runs have them
TAKEN_OVER = (
    *('step-method.', 'lateral-resolution', 'extrapolate-departpos', 'default.', 'pedestrian.'),
    *('ignore-route-errors', 'ignore-junction-blocker', 'ignore-accidents', 'collision.check-'),
    *('collision.mingap', 'collision.stoptime', 'time-to-teleport.', 'time-to-impatience'),
    *('startup-wait-threshold', 'sloppy-insert', 'eager-insert', 'emergency-insert'),
    *('insertion-checks', 'random-depart-offset', 'lanechange.', 'tls.', 'emergencydecel.'),
    *('parking.', 'use-stop-', 'ride.', 'weights.', 'routing-algorithm', 'astar.', 'persontrip.'),
    *('device.rerouting.', 'person-device.rerouting.', 'device.driverstate.'),
)
DEMAND_TAGS = frozenset(
    ('vehicle', 'trip', 'flow', 'person', 'personFlow', 'container', 'containerFlow')
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One network with its nominal demand; every file is known to exist."""

    name: str
    net_file: Path
    route_files: tuple[Path, ...]
    additional_files: tuple[Path, ...] = ()
    begin_s: float
    end_s: float
    step_s: float = 1.0
    time_to_teleport_s: float = 300.0  # SUMO's default; below zero never
    junction_id: str | None = None
    options: tuple[tuple[str, str], ...] = ()  # of SUMO, beside those above: name and value
    left_out: tuple[str, ...] = ()  # options of a .sumocfg that are not taken over

    def __post_init__(self) -> None:
        if not (math.isfinite(self.begin_s) and self.begin_s < self.end_s < math.inf):
            raise ScenarioError(
                f"scenario '{self.name}': end {self.end_s:g} s must be after begin "
                f'{self.begin_s:g} s, and both must be finite'
            )
        if not 0 < self.step_s <= LONGEST_STEP_S:
            raise ScenarioError(
                f"scenario '{self.name}': step length {self.step_s:g} s must be above zero and at "
                f'most {LONGEST_STEP_S:g} s, the time in which drivers react'
            )

    @property
    def horizon_s(self) -> float:
        """How long an episode lasts [s]."""
        return self.end_s - self.begin_s

    def command_options(self) -> list[str]:
        """Return ``options`` as SUMO's command line takes them."""
        return [part for name, value in self.options for part in (f'--{name}', value)]

    def file_digests(self) -> list[list[str]]:
        """Return the name of every file with the SHA-256 of what is in it."""
        files = (self.net_file, *self.route_files, *self.additional_files)
        return [[path.name, hashlib.sha256(path.read_bytes()).hexdigest()] for path in files]

    def to_json(self) -> dict[str, Any]:
        """Return what identifies the scenario, without machine paths."""
        stated = {'options': dict(self.options)} if self.options else {}
        return {
            'name': self.name,
            'net_file': self.net_file.name,
            'route_files': [path.name for path in self.route_files],
            'additional_files': [path.name for path in self.additional_files],
            'begin_s': self.begin_s,
            'end_s': self.end_s,
            'step_s': self.step_s,
            'time_to_teleport_s': self.time_to_teleport_s,
            'junction_id': self.junction_id,
            **stated,
        }


def load_scenario(
    name: str,
    *,
    routes: tuple[Path, ...] = (),
    junction_id: str | None = None,
    begin_s: float | None = None,
    horizon_s: float | None = None,
) -> Scenario:
    """
    Return the scenario of that name or file.

    :param name: a built-in name, a ``.sumocfg``, or a ``.net.xml`` together with ``routes``.
    :param routes: route files for a ``.net.xml``; for the others they replace the scenario's own.
    :param junction_id: the signal that learns, where a network has several.
    :param begin_s: when an episode begins [s]; its length stays.
    :param horizon_s: shorten or set the length of an episode [s].
    :raises ScenarioError: if it is unknown or a file is missing or empty of departures.
    """
    if name in CATALOGUE:
        scenario = _built_in(name)
    elif name.endswith('.sumocfg'):
        scenario = _from_sumocfg(Path(name))
    elif name.endswith(('.net.xml', '.net.xml.gz')):
        if not routes:
            raise ScenarioError(
                f"'{name}' is a network without demand; add --routes FILE.rou.xml, or in a "
                "run's YAML 'routes: [FILE.rou.xml]'"
            )
        scenario = Scenario(
            name=Path(name).name.split('.')[0],
            net_file=Path(name),
            route_files=(),
            begin_s=0.0,
            end_s=DEFAULT_HORIZON_S,
        )
    elif '.' in name or '/' in name:
        raise ScenarioError(
            f"'{name}' is neither a built-in scenario nor a .sumocfg or .net.xml; 'saferl "
            "scenarios' lists the built-in ones"
        )
    else:
        near = get_close_matches(name, CATALOGUE, n=3, cutoff=0.4)
        hint = f'did you mean {" or ".join(near)}? ' if near else ''
        raise ScenarioError(
            f"unknown scenario '{name}'; {hint}"
            "'saferl scenarios' lists the built-in ones; a .sumocfg or a .net.xml with --routes "
            'is taken too'
        )
    scenario = replace(
        scenario, route_files=tuple(routes) or scenario.route_files, junction_id=junction_id
    )
    if begin_s is not None:
        scenario = replace(scenario, begin_s=begin_s, end_s=begin_s + scenario.horizon_s)
    if horizon_s is not None:
        scenario = replace(scenario, end_s=scenario.begin_s + horizon_s)
    for path in (scenario.net_file, *scenario.route_files, *scenario.additional_files):
        if not path.is_file():
            raise ScenarioError(
                f"scenario '{scenario.name}': file '{path}' does not exist; correct the path or "
                'put the file there'
            )
    for path in scenario.additional_files:
        _refuse_demand(path)
    if not scenario.route_files:
        raise ScenarioError(
            f"scenario '{scenario.name}' has no route file; add --routes FILE.rou.xml, or "
            "in a run's YAML 'routes: [FILE.rou.xml]'"
        )
    return scenario


@lru_cache(maxsize=64)
def _refuse_demand(path: Path) -> None:
    """
    Refuse an additional file with demand, which would neither vary nor be counted.

    :raises ScenarioError: naming what it holds.
    """
    for element in read_xml(path, 'additional'):
        if element.tag in DEMAND_TAGS:
            raise ScenarioError(
                f"additional file '{path}' holds demand ({element.tag} '{element.get('id')}'), "
                'which would neither be varied nor counted there; name the file among the '
                'route-files instead'
            )


def _built_in(name: str) -> Scenario:
    entry = CATALOGUE[name]
    folder = entry.folder
    return Scenario(
        name=name,
        net_file=folder / entry.net_file,
        route_files=(folder / entry.route_file,),
        additional_files=tuple(folder / file for file in entry.additional_files),
        begin_s=entry.begin_s,
        end_s=entry.end_s,
    )


def _from_sumocfg(path: Path) -> Scenario:
    root = read_xml(path, 'SUMO configuration')
    values = {element.tag: element.get('value', element.get('v', '')) for element in root.iter()}

    def files(*tags: str) -> tuple[Path, ...]:
        text = next((values[tag] for tag in tags if values.get(tag)), '')
        return tuple(path.parent / part.strip() for part in text.split(',') if part.strip())

    def number(default: float, *tags: str) -> float:
        text = next((values[tag] for tag in tags if values.get(tag)), None)
        try:
            return default if text is None else parse_time_s(text)
        except ScenarioError as error:
            raise ScenarioError(f"'{path}', <{tags[0]}>: {error}") from error

    nets = files('net-file', 'net', 'n')
    if not nets:
        raise ScenarioError(
            f'\'{path}\' names no net-file; state it under <input> as <net-file value="…"/>'
        )
    if values.get('scale', '1') not in ('1', '1.0', '-1', '-1.0'):
        raise ScenarioError(
            f'\'{path}\' multiplies its demand (<scale value="{values["scale"]}"/>), which is not '
            'taken over; leave it out and write the routes, or the rates of flows, for that demand'
        )
    others = {
        option.tag: option.get('value', option.get('v', ''))
        for section in root
        if section.tag not in OWN_SECTIONS
        for option in (section if len(section) else [section])
        if option.tag not in OWN_OPTIONS
    }
    begin_s = number(0.0, 'begin', 'b')
    end_s = number(-1.0, 'end', 'e')
    return Scenario(
        name=path.name.removesuffix('.sumocfg'),
        net_file=nets[0],
        route_files=files('route-files', 'routes', 'r'),
        additional_files=files('additional-files', 'additional', 'a'),
        begin_s=begin_s,
        end_s=end_s if end_s >= 0 else begin_s + DEFAULT_HORIZON_S,
        step_s=number(1.0, 'step-length'),
        time_to_teleport_s=number(300.0, 'time-to-teleport'),
        options=tuple((k, v) for k, v in sorted(others.items()) if k.startswith(TAKEN_OVER)),
        left_out=tuple(k for k in sorted(others) if not k.startswith(TAKEN_OVER)),
    )


def read_xml(path: Path, what: str) -> ElementTree.Element:
    """
    Return the root of an XML file, which may be packed as ``.gz``.

    :param what: what the file should be, for the message.
    :raises ScenarioError: if it cannot be read or is no XML.
    """
    try:
        with gzip.open(path) if path.suffix == '.gz' else path.open('rb') as file:
            return ElementTree.parse(file).getroot()
    except (OSError, EOFError) as error:
        reason = getattr(error, 'strerror', None) or error
        start = '' if path.is_absolute() else f", which begins at '{Path.cwd()}'"
        raise ScenarioError(
            f"{what} file '{path}' cannot be read: {reason}; check the path{start}"
        ) from error
    except ElementTree.ParseError as error:
        raise ScenarioError(
            f"{what} file '{path}' is not valid XML, it is damaged or cut short: {error}"
        ) from error


def parse_time_s(text: str) -> float:
    """
    Return SUMO's time notation as seconds: plain seconds, ``H:M:S`` or ``D:H:M:S``.

    :raises ScenarioError: if it is neither.
    """
    try:
        parts = [float(part) for part in text.split(':')]
    except ValueError as error:
        raise ScenarioError(f"'{text}' is no time; give seconds or H:M:S") from error
    weights = (1.0, 60.0, 3600.0, 86400.0)
    return sum(part * weight for part, weight in zip(reversed(parts), weights, strict=False))
