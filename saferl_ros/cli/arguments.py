"""Options that several commands share."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib.util import find_spec
import math
import os
from pathlib import Path
import sys
from typing import Any

from saferl_ros.dataset.io import cannot_write
from saferl_ros.env.junction import derive_junctions, Junction
from saferl_ros.errors import MissingExtraError, UsageError
from saferl_ros.observation.spec import OBSERVATION_KINDS
from saferl_ros.scenario.demand import count_departures
from saferl_ros.scenario.spec import load_scenario, Scenario
from saferl_ros.signals.clearance import PROFILES
from saferl_ros.sumo.settings import NO_SETTINGS, SignalSettings
from saferl_ros.yaml_file import read_yaml

Subparsers = Any  # argparse's own type is private


def add_command(
    commands: Subparsers,
    name: str,
    function: Callable[[argparse.Namespace], int],
    about: str,
    example: str,
) -> argparse.ArgumentParser:
    """Add one command with its help text and an example."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=about,
        description=about[0].upper() + about[1:] + '.',
        epilog=f'example:\n  {example}',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(function=function)
    return parser


def positive(text: str) -> int:
    """Return ``text`` as a whole number of at least 1, for argparse."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"'{text}' must be a whole number of at least 1")
    return value


def not_negative(text: str) -> int:
    """Return ``text`` as a whole number of at least 0, for argparse."""
    try:
        value = int(text)
    except ValueError:
        value = -1
    if value < 0:
        raise argparse.ArgumentTypeError(f"'{text}' must be a whole number of at least 0")
    return value


def seconds(text: str) -> float:
    """Return ``text`` as a time above zero, for argparse."""
    return _above_zero(text, 'a number of seconds above zero')


def price_budget(text: str) -> float:
    """Return ``text`` as a price of recorded data, for argparse."""
    return _above_zero(
        text,
        'a ratio of delays above zero, such as 1.05: five per cent more than the own plan',
    )


def _above_zero(text: str, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"'{text}' must be {what}")
    return value


def require(extra: str, *libraries: str) -> None:
    """
    Refuse to begin work that would end for want of a library.

    :raises MissingExtraError: if one is not installed.
    """
    for library in libraries:
        if find_spec(library) is None:
            raise MissingExtraError(library, extra)


SUMO_FILES = ('.sumocfg', '.xml', '.xml.gz')


def check_output(path: Path, *, is_network: bool = False) -> None:
    """
    Refuse an output that cannot be written, before the work whose result would be lost.

    :param is_network: a network is to be written, where one may be from before.
    :raises UsageError: if ``path`` is a folder or a file of SUMO's, or no file can be made there.
    """
    if path.is_dir():
        raise UsageError(f"cannot write '{path}': it is a folder; name a file")
    if path.exists() and path.name.endswith(SUMO_FILES) and not is_network:
        raise UsageError(
            f"cannot write '{path}': a file of SUMO's is there already; name another file"
        )
    probe = path.with_name(path.name + '.writing')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        probe.open('ab').close()
        probe.unlink()
    except OSError as error:
        raise cannot_write(path, error) from error


class Once(argparse.Action):
    """An option that is refused when it is given twice, where argparse would take the last."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Take the value."""
        known = getattr(namespace, self.dest)
        if known is not None:
            parser.error(f"{option_string} names one, and was given twice: '{known}', '{values}'")
        setattr(namespace, self.dest, values)


def add_scenario(parser: argparse.ArgumentParser, *, is_optional: bool = False) -> None:
    """Add SCENARIO and what belongs to it."""
    parser.add_argument(
        'scenario',
        nargs='?' if is_optional else None,
        metavar='SCENARIO',
        help="built-in name (see 'saferl scenarios'), .sumocfg, or .net.xml with --routes",
    )
    parser.add_argument(
        '--routes', type=Path, nargs='+', default=[], metavar='FILE', help='route files'
    )
    parser.add_argument(
        '--junction',
        action=Once,
        metavar='ID',
        help='the only signal to control, where a network has several (default: all of them)',
    )
    parser.add_argument(
        '--begin',
        type=not_negative,
        metavar='S',
        help='when an episode begins [s] (default: its own; of a .net.xml 0)',
    )
    parser.add_argument(
        '--horizon',
        type=seconds,
        metavar='S',
        help='length of an episode [s] (default: its own; 3600 where none is stated)',
    )
    add_clearance(parser)
    add_signals(parser)


def add_clearance(parser: argparse.ArgumentParser) -> None:
    """Add the choice of clearance profile."""
    parser.add_argument(
        '--clearance',
        choices=PROFILES,
        default='legal',
        help='legal: by the book (default); net: as in the network; resco: for comparison only',
    )


def add_signals(parser: argparse.ArgumentParser) -> None:
    """Add the file of what an engineer states of the signals."""
    parser.add_argument(
        '--signals',
        type=Path,
        metavar='FILE.yaml',
        help='bounds, longer clearances and pedestrian policy by junction (see the README)',
    )


def add_observation(parser: argparse.ArgumentParser) -> None:
    """Add the choice of observation."""
    parser.add_argument(
        '--observation',
        choices=OBSERVATION_KINDS,
        default='detector',
        help='what the policy sees (default: detector, what a street has)',
    )


def add_jobs(parser: argparse.ArgumentParser) -> None:
    """Add the number of parallel processes."""
    parser.add_argument(
        '--jobs',
        type=positive,
        default=os.cpu_count() or 1,
        metavar='J',
        help='processes at a time (default: one per core)',
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add machine-readable output."""
    parser.add_argument('--json', action='store_true', help='print the result as JSON')


def junctions_of(options: argparse.Namespace) -> list[Junction]:
    """
    Return the junctions that the options name, with plan and observation derived.

    :raises ScenarioError: if it cannot be used, or nothing departs within its time.
    """
    require('sim', 'libsumo')
    scenario = load_scenario(
        options.scenario,
        routes=tuple(options.routes),
        junction_id=options.junction,
        begin_s=options.begin,
        horizon_s=options.horizon,
    )
    count_departures(scenario)
    tell_left_out(scenario)
    return derive_junctions(
        scenario,
        clearance=options.clearance,
        observation=getattr(options, 'observation', 'detector'),
        settings=settings_of(options),
    )


def tell_left_out(scenario: Scenario) -> None:
    """Say which options of a .sumocfg no run will have."""
    if scenario.left_out:
        print(
            f"note: scenario '{scenario.name}' states {', '.join(scenario.left_out)}, which is "
            'not taken over: all controllers are simulated without',
            file=sys.stderr,
        )


def settings_of(options: argparse.Namespace) -> SignalSettings:
    """Return what ``--signals`` states; nothing without it."""
    return read_yaml(options.signals, SignalSettings) if options.signals else NO_SETTINGS
