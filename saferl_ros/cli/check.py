"""``saferl check``."""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from saferl_ros.cli.arguments import add_command, add_json, Subparsers
from saferl_ros.cli.screen import print_json, print_table
from saferl_ros.scenario.spec import load_scenario
from saferl_ros.sumo.derive import pick_junction, signal_ids
from saferl_ros.sumo.network import read_network
from saferl_ros.sumo.preflight import check_junction, check_network

WORDS = {
    'conflicting_greens': 'conflicting greens',
    'short_yellow': 'yellow too short',
    'missing_yellow': 'no yellow after green',
    'short_all_red': 'all-red missing or too short',
    'red_failure': 'no indication',
    'long_green': 'green too long',
}


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        'check',
        main,
        "hold a network's own signal programs against the clearance rules; exit 1 on findings",
        'saferl check cologne1',
    )
    parser.add_argument('scenario', metavar='SCENARIO', help='built-in name, .sumocfg or .net.xml')
    parser.add_argument('--routes', type=Path, nargs='+', default=[], metavar='FILE')
    parser.add_argument('--junction', metavar='ID', help='only this signal')
    add_json(parser)


def main(options: argparse.Namespace) -> int:
    """Print findings; 0 if there are none, 1 otherwise."""
    if options.scenario.endswith(('.net.xml', '.net.xml.gz')):  # a check needs no demand
        network, step_s = read_network(Path(options.scenario)), 1.0
    else:
        scenario = load_scenario(options.scenario, routes=tuple(options.routes))
        network, step_s = read_network(scenario.net_file), scenario.step_s
    if options.junction or not signal_ids(network):
        junction_id = pick_junction(network, options.junction)
        found = {junction_id: check_junction(network, junction_id, step_s)}
    else:
        found = check_network(network, step_s)
    n_bad = sum(bool(findings) for findings in found.values())
    if options.json:
        print_json(
            {
                'junctions': [
                    {'junction_id': name, 'findings': [asdict(f) for f in findings]}
                    for name, findings in found.items()
                ]
            }
        )
        return int(n_bad > 0)
    for name, findings in found.items():
        counts = Counter(f.rule for f in findings)
        summary = ', '.join(f'{WORDS[rule]}: {n} links' for rule, n in sorted(counts.items()))
        short = [WORDS[rule] for rule in ('short_yellow', 'short_all_red') if not counts[rule]]
        clean = f' (no finding: {", ".join(short)})' if findings and short else ''
        print(f'junction {name}: {summary or "no findings"}{clean}')
        if findings:
            print_table(
                name,
                ['rule', 'link', 'movement', 'found [s]', 'required [s]', 'source'],
                [
                    [
                        WORDS[f.rule],
                        str(f.link),
                        f.movement,
                        f'{f.found:g}',
                        f'{f.required:g}',
                        f.source,
                    ]
                    for f in findings
                ],
            )
    print(f'{n_bad} of {len(found)} signals break a rule')
    return int(n_bad > 0)
