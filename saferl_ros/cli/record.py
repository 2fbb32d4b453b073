"""``saferl record``."""

from __future__ import annotations

import argparse
from pathlib import Path

from saferl_ros.bag.to_record import in_words, record_from_bag
from saferl_ros.cli.arguments import (
    add_command,
    add_jobs,
    add_json,
    add_observation,
    add_scenario,
    check_output,
    junctions_of,
    not_negative,
    positive,
    price_budget,
    require,
    Subparsers,
)
from saferl_ros.cli.budget import family_search
from saferl_ros.cli.inspect import print_qualities
from saferl_ros.cli.screen import print_json, progress_bar
from saferl_ros.control.family import FamilyConfig, PLAN_FAMILIES
from saferl_ros.dataset.coverage import quality
from saferl_ros.dataset.files import record_paths
from saferl_ros.dataset.io import export_csv, read_record, write_record
from saferl_ros.env.reward import REWARDS
from saferl_ros.errors import UsageError
from saferl_ros.record.recorder import record, RecordConfig
from saferl_ros.sumo.derive import ids_without_choice
from saferl_ros.yaml_file import read_yaml


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        'record',
        main,
        'record what safe fixed-time plans do; an interrupted recording goes on when rerun',
        'saferl record cologne1 -o data.h5 --episodes 100 --seed 0 --jobs 2',
    )
    add_scenario(parser, is_optional=True)
    parser.add_argument(
        '--from-bag',
        type=Path,
        metavar='BAG',
        help="make the record from a shadow run's recording instead of a simulation",
    )
    add_observation(parser)
    parser.add_argument(
        '-o',
        '--output',
        type=Path,
        required=True,
        metavar='DATA.h5',
        help='a file; of several junctions a folder of files',
    )
    parser.add_argument(
        '--episodes',
        type=positive,
        default=100,
        metavar='N',
        help='each as long as --horizon says (default: %(default)s)',
    )
    parser.add_argument(
        '--seed',
        type=not_negative,
        default=0,
        metavar='S',
        help='of demand and plans; another seed is another record (default: %(default)s)',
    )
    parser.add_argument(
        '--plans',
        choices=PLAN_FAMILIES,
        help='net: the own plan alone; library: one plan an hour; splits: greens vary by cycle; '
        'leadlag: lefts lead or lag and greens vary a little (default); order: any order',
    )
    parser.add_argument(
        '--family',
        type=Path,
        metavar='YAML',
        help='plans and ranges of the family (see the README), instead of --plans',
    )
    parser.add_argument(
        '--budget',
        type=price_budget,
        metavar='PRICE',
        help='search the widest family of plans whose delay is at most PRICE times that of the '
        'own plan, and record that, for example 1.05; costs 24 to 88 simulated hours more, and '
        'goes on when interrupted; if none keeps it, the cheapest is recorded',
    )
    parser.add_argument(
        '--reward',
        choices=REWARDS,
        default='time_lost',
        help="what the record's rewards count (default: time_lost; the others are sumo-rl's)",
    )
    parser.add_argument(
        '--csv', type=Path, metavar='FILE', help='also write every decision as CSV'
    )
    add_jobs(parser)
    add_json(parser)


def main(options: argparse.Namespace) -> int:
    """Record, then say what the record is worth."""
    require('sim', 'h5py')
    if options.from_bag:
        return _from_bag(options)
    if options.scenario is None:
        raise UsageError('name a SCENARIO to simulate, or a recording with --from-bag BAG')
    junctions = junctions_of(options)
    if not (options.junction or options.json):
        for name in ids_without_choice(junctions[0].network):
            print(f'note: signal {name} has fewer than two stages: it keeps its own program')
    if options.family and options.plans:
        raise UsageError(
            f"--family '{options.family}' says which plans; leave out --plans, or write "
            f"'plans: {options.plans}' into the file"
        )
    family = FamilyConfig(plans=options.plans) if options.plans else FamilyConfig()
    if options.family:
        family = read_yaml(options.family, FamilyConfig)
    if options.budget is not None and (options.family or options.plans):
        raise UsageError('--budget searches the family: leave out --family and --plans')
    config = RecordConfig(
        episodes=options.episodes,
        seed=options.seed,
        budget=options.budget,
        family=family,
        reward=options.reward,
    )
    paths = record_paths(options.output, [junction.plan.junction_id for junction in junctions])
    if options.csv and len(paths) > 1:
        raise UsageError(
            f"--csv writes one junction, '{options.scenario}' has {len(paths)} signals; name one "
            "with --junction, or export single files later with 'saferl inspect FILE --csv'"
        )
    for path in filter(None, (*paths, options.csv)):
        check_output(path)
    search = family_search(junctions, config, jobs=options.jobs, is_quiet=options.json)
    with progress_bar('recording') as progress:
        record(junctions, config, paths, search=search, jobs=options.jobs, progress=progress)
    return _show(options, paths)


def _from_bag(options: argparse.Namespace) -> int:
    """Turn a recorded bag into a record."""
    for name in ('budget', 'plans', 'family', 'signals', 'routes', 'begin', 'horizon'):
        if getattr(options, name) not in (None, []):
            raise UsageError(f'--from-bag records what was there; leave out --{name}')
    if options.scenario is not None:
        raise UsageError(
            f"--from-bag takes everything from the bag; leave out '{options.scenario}'"
        )
    for path in filter(None, (options.output, options.csv)):
        check_output(path)
    if options.output.exists():
        raise UsageError(f"'{options.output}' exists; remove it or choose another output")
    with progress_bar('reading the bag [h]') as progress:
        found = record_from_bag(
            options.from_bag,
            junction_id=options.junction,
            progress=lambda hours: progress(round(hours), None),
        )
    write_record(found, options.output)
    status = _show(options, [options.output])
    if not options.json and found.manifest['left_out']:
        print(f'note: left out: {in_words(found.manifest["left_out"])}')
    return status


def _show(options: argparse.Namespace, paths: list[Path]) -> int:
    """Say what the written records are worth."""
    reports, plans = [], []
    for path in paths:
        written = read_record(path)
        if options.csv:
            export_csv(written, options.csv)
        reports.append(quality(written))
        plans.append(written.plan)
    if options.json:
        print_json(reports[0] if len(reports) == 1 else reports)
    else:
        print_qualities(reports, plans)
        many = f'/ ({len(paths)} records)' if len(paths) > 1 else ''
        print(f'written: {options.output}{many}')
    return 0
