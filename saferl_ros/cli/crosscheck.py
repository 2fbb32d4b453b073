"""``saferl crosscheck``."""

from __future__ import annotations

import argparse
from dataclasses import asdict
import os
from pathlib import Path

from saferl_ros.bundle.folders import find_bundles
from saferl_ros.bundle.load import load_bundle
from saferl_ros.cli.arguments import add_command, add_json, add_scenario, junctions_of, Subparsers
from saferl_ros.cli.screen import print_json, print_table
from saferl_ros.env.junction import Junction
from saferl_ros.errors import ScenarioError, UsageError
from saferl_ros.evaluate.crosscheck import cross_check
from saferl_ros.isolation import run_isolated
from saferl_ros.sumo.outputs import TripSummary


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
    parser.add_argument(
        '--bundle',
        type=Path,
        required=True,
        metavar='DIR',
        help="of one junction; of a network's policy name one of the folders in it",
    )
    add_json(parser)


def main(options: argparse.Namespace) -> int:
    """Print the delay under sumo-rl's environment beside that of the own program."""
    folder, *others = find_bundles(options.bundle)
    if others:
        raise UsageError(
            f"'{options.bundle}' is the policy of a network, sumo-rl is asked about one signal; "
            f"name a single bundle, such as '{folder}'"
        )
    bundle = load_bundle(folder)
    if options.junction not in (None, bundle.manifest.junction_id):
        raise UsageError(
            f"--junction '{options.junction}' is not the bundle's, which is for "
            f"'{bundle.manifest.junction_id}'; leave it out"
        )
    options.observation = bundle.spec.kind
    options.junction = bundle.manifest.junction_id
    try:
        (junction,) = junctions_of(options)
    except ScenarioError as error:
        raise ScenarioError(
            f"the bundle was made for junction '{options.junction}' of "
            f"'{bundle.manifest.scenario}': {error}"
        ) from error
    bundle.require(junction.plan, junction.spec)
    tasks = [(junction, None), (junction, folder)]
    trips_of = dict(run_isolated(_run_quietly, tasks, jobs=len(tasks)))
    found = {'net_plan': trips_of[0], options.bundle.name: trips_of[1]}
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


def _run_quietly(task: tuple[Junction, Path | None]) -> TripSummary:
    """Run in a process of its own, without what TraCI and SUMO say on the standard output."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    junction, folder = task
    return cross_check(junction, None if folder is None else load_bundle(folder))
