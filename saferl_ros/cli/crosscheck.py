"""``saferl crosscheck``."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from saferl_ros.bundle.load import load_bundle
from saferl_ros.cli.arguments import add_command, add_json, add_scenario, junctions_of, Subparsers
from saferl_ros.cli.screen import print_json, print_table
from saferl_ros.evaluate.crosscheck import cross_check


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        'crosscheck',
        main,
        'run a bundle inside an unmodified sumo_rl.SumoEnvironment, as a second opinion',
        'saferl crosscheck cologne1 --bundle runs/demo/cql',
    )
    add_scenario(parser)
    parser.add_argument('--bundle', type=Path, required=True, metavar='DIR')
    add_json(parser)


def main(options: argparse.Namespace) -> int:
    """Print the delay under sumo-rl's environment beside that of the own program."""
    bundle = load_bundle(options.bundle)
    options.observation = bundle.spec.kind
    options.junction = bundle.manifest.junction_id
    (junction,) = junctions_of(options)
    bundle.require(
        plan_fingerprint=junction.plan.fingerprint(),
        spec_fingerprint=junction.spec.fingerprint(),
    )
    found = {
        'net_plan': cross_check(junction, None),
        options.bundle.name: cross_check(junction, bundle),
    }
    if options.json:
        print_json({name: asdict(trips) for name, trips in found.items()})
    else:
        print_table(
            f"{junction.scenario.name} inside sumo_rl.SumoEnvironment (the scenario's own demand)",
            ['controller', 'delay [s/veh]', 'waiting [s/veh]', 'arrived', 'teleports'],
            [
                [
                    name,
                    f'{trips.delay_s:.1f}',
                    f'{trips.waiting_s:.1f}',
                    str(trips.throughput_veh),
                    str(trips.teleports),
                ]
                for name, trips in found.items()
            ],
        )
        ours, theirs = found[options.bundle.name].delay_s, found['net_plan'].delay_s
        print(
            f'{options.bundle.name}: {ours / theirs:.2f} of net_plan inside sumo-rl, at its own '
            "fixed intervals; hold it beside the nominal demand of 'saferl evaluate'"
        )
    return 0
