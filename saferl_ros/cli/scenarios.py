"""``saferl scenarios``."""

from __future__ import annotations

import argparse
from typing import Any

from saferl_ros.cli.arguments import add_command, add_json, Subparsers
from saferl_ros.cli.screen import print_json, print_table
from saferl_ros.errors import MissingExtraError
from saferl_ros.scenario.catalogue import CATALOGUE, OWN
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
    """Print the catalogue; without sumo-rl our own networks, and how to get the others."""
    rows: list[dict[str, Any]] = []
    missing: MissingExtraError | None = None
    for name, entry in CATALOGUE.items():
        try:
            scenario = load_scenario(name)
        except MissingExtraError as error:
            missing = error
            continue
        rows.append(
            {
                'name': name,
                'origin': 'saferl_ros' if entry.is_own else 'sumo-rl',
                'signals': len(
                    signal_ids(read_network(scenario.net_file, scenario.additional_files))
                ),
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
            f'built-in scenarios ({", ".join(OWN)}: ours; the others: files of sumo-rl)',
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
        if missing:
            print(f'{len(CATALOGUE) - len(rows)} more with sumo-rl: {missing}')
    return 0
