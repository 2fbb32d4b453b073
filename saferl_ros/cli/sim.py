"""``saferl sim``."""

from __future__ import annotations

import argparse
from pathlib import Path
import sys

from saferl_ros.bundle.folders import find_bundles
from saferl_ros.bundle.load import load_bundle
from saferl_ros.cli.arguments import (
    add_clearance,
    add_command,
    add_signals,
    not_negative,
    require,
    seconds,
    settings_of,
    Subparsers,
)
from saferl_ros.errors import UsageError
from saferl_ros.ros.graph import nodes_of
from saferl_ros.ros.processes import run_nodes
from saferl_ros.ros.street_of import check_street, observation_of
from saferl_ros.scenario import load_scenario
from saferl_ros.scenario.catalogue import CATALOGUE


def add_parser(commands: Subparsers) -> None:
    """Add the command to the parser."""
    parser = add_command(
        commands,
        'sim',
        sim,
        'run a simulated street with its ROS 2 nodes, without ros2 launch',
        'saferl sim --scenario cologne1 --bundle runs/demo/cql --mode shadow --record recording',
    )
    parser.add_argument(
        '--scenario',
        metavar='SCENARIO',
        help='built-in name or .sumocfg (default: the built-in one that the bundle was made for)',
    )
    parser.add_argument(
        '--bundle',
        action='append',
        required=True,
        type=Path,
        metavar='DIR',
        help="policy bundle; once per junction, or a network's folder of bundles",
    )
    add_clearance(parser)
    add_signals(parser)
    parser.add_argument(
        '--mode',
        choices=('shadow', 'advisory', 'active'),
        default='shadow',
        help='shadow and advisory: beside the fixed-time controller; active: in command '
        '(default: %(default)s)',
    )
    parser.add_argument(
        '--real-time-factor',
        type=float,
        default=1.0,
        metavar='F',
        help='simulated over real time; 0: as fast as the nodes answer (default: %(default)s)',
    )
    parser.add_argument('--gui', action='store_true', help='show sumo-gui')
    parser.add_argument(
        '--record',
        default='',
        metavar='DIR',
        help="folder for the recording (shadow: 'recording')",
    )
    parser.add_argument('--seed', type=not_negative, default=0, help='of SUMO (default: 0)')
    parser.add_argument('--horizon', type=seconds, metavar='S', help='length of the run [s]')
    parser.add_argument(
        '--allow-ungated',
        action='store_true',
        help='let a bundle without a passed gate command; diagnostics then warn',
    )


def sim(options: argparse.Namespace) -> int:
    """Check what can be checked before anything starts, then run the nodes."""
    require('sim', 'libsumo')
    require('ros', 'rclpy', 'saferl_msgs')
    if not 0 <= options.real_time_factor <= 1000:
        raise UsageError(
            f'--real-time-factor {options.real_time_factor:g} must lie between 0 and 1000'
        )
    bundles = [load_bundle(folder) for place in options.bundle for folder in find_bundles(place)]
    given = options.scenario or bundles[0].manifest.scenario
    if not options.scenario and given not in CATALOGUE:
        raise UsageError(
            f"the bundle was made for '{given}', which is not built in; name it: "
            '--scenario FILE.sumocfg'
        )
    if given.endswith(('.net.xml', '.net.xml.gz')):
        raise UsageError(
            f"--scenario '{given}' is a network without demand; name a .sumocfg that states both"
        )
    scenario = load_scenario(given)
    check_street(scenario, bundles, clearance=options.clearance, settings=settings_of(options))
    more: dict[str, object] = {
        'seed': options.seed,
        'observation': observation_of(bundles),
        'clearance': options.clearance,
        'signals': str(options.signals.resolve()) if options.signals else '',
    }
    if options.horizon:
        more['horizon_s'] = options.horizon
    name = scenario.name if Path(given).suffix == '' else str(Path(given).resolve())
    nodes = nodes_of(
        'simulation' if options.mode == 'active' else 'shadow',
        scenario=name,
        bundles=list(map(str, options.bundle)),
        mode=options.mode,
        gui=options.gui,
        real_time_factor=options.real_time_factor,
        record=options.record,
        allow_ungated=options.allow_ungated,
        more=more,
    )
    if options.record and Path(options.record).is_dir() and any(Path(options.record).iterdir()):
        print(
            f"saferl sim: '{options.record}' holds recordings already; this one is added to them",
            file=sys.stderr,
        )
    return run_nodes(nodes, lambda line: print(f'saferl sim: {line}', file=sys.stderr))
