"""``saferl scenarios``."""

from __future__ import annotations

import argparse

from saferl_ros.cli.arguments import add_command, add_json, Subparsers
from saferl_ros.cli.screen import print_json, print_table
from saferl_ros.scenario.catalogue import CATALOGUE
from saferl_ros.scenario.demand import count_departures
from saferl_ros.scenario.spec import load_scenario
from saferl_ros.sumo.derive import signal_ids
from saferl_ros.sumo.network import read_network


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        commands, 'scenarios', main, 'list the built-in scenarios', 'saferl scenarios'
    )
    add_json(parser)


def main(options: argparse.Namespace) -> int:
    """Print the catalogue."""
    rows = []
    for name, entry in CATALOGUE.items():
        scenario = load_scenario(name)
        rows.append(
            {
                'name': name,
                'signals': len(signal_ids(read_network(scenario.net_file))),
                'departures': count_departures(scenario),
                'begin_s': scenario.begin_s,
                'end_s': scenario.end_s,
                'about': entry.about,
            }
        )
    if options.json:
        print_json({'scenarios': rows})
    else:
        print_table(
            'built-in scenarios (files of the installed sumo-rl package)',
            ['name', 'signals', 'departures', 'begin [s]', 'end [s]', 'about'],
            [
                [
                    str(row['name']),
                    str(row['signals']),
                    str(row['departures']),
                    f'{row["begin_s"]:g}',
                    f'{row["end_s"]:g}',
                    str(row['about']),
                ]
                for row in rows
            ],
        )
    return 0
