"""``saferl evaluate``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from saferl_ros.bundle.folders import find_bundles
from saferl_ros.bundle.load import load_bundle
from saferl_ros.cli.arguments import (
    add_command,
    add_jobs,
    add_json,
    add_scenario,
    check_output,
    junctions_of,
    not_negative,
    positive,
    Subparsers,
)
from saferl_ros.cli.run_config import read_part
from saferl_ros.cli.screen import print_json, print_table, progress_bar, write_json
from saferl_ros.control.family import FamilyConfig
from saferl_ros.errors import UsageError
from saferl_ros.evaluate.judge import evaluate, EvaluateConfig
from saferl_ros.evaluate.kept import kept_file
from saferl_ros.yaml_file import build_model


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        'evaluate',
        main,
        'judge bundles beside fixed-time, actuated and max-pressure control on unseen demand',
        'saferl evaluate cologne1 --bundle run/cql --bundle run/bc --seeds 10 -o evaluation.json',
    )
    add_scenario(parser)
    parser.add_argument(
        '--bundle',
        type=Path,
        action='append',
        default=[],
        metavar='DIR',
        help="a policy to judge, as 'saferl train' wrote it; may be repeated",
    )
    parser.add_argument(
        '--seeds',
        type=positive,
        metavar='N',
        help='test demands besides the nominal one (default: 10, or those of YAML)',
    )
    parser.add_argument(
        '--seed',
        type=not_negative,
        help='moves all test demands, but for those under disturbances (0 to 1000, default: 0)',
    )
    parser.add_argument(
        '--disturbances',
        type=not_negative,
        metavar='N',
        help='test demands that are played under each disturbance too (broken detectors, closed '
        'lane, rain, surge), without which no gate passes (default: 0, or those of YAML)',
    )
    parser.add_argument(
        '--config',
        type=Path,
        metavar='YAML',
        help="the 'evaluate' part of a run's configuration; other options win over it; for a "
        "quick look a file that holds 'tune: {scales: [1.0], finalists: 1}'",
    )
    parser.add_argument(
        '-o',
        '--output',
        type=Path,
        required=True,
        metavar='EVAL.json',
        help='the result; what was played is kept beside it, and not played again',
    )
    add_jobs(parser)
    add_json(parser)


def main(options: argparse.Namespace) -> int:
    """Evaluate, write the file and print the table."""
    bundles = {}
    for folder in options.bundle:
        if folder.name in bundles:
            raise UsageError(f"two bundles are named '{folder.name}'; rename one folder")
        bundles[folder.name] = folder
    found = [load_bundle(f) for place in bundles.values() for f in find_bundles(place)]
    kinds = {bundle.spec.kind for bundle in found}
    if len(kinds) > 1:
        told = ', '.join(f'{b.manifest.junction_id}: {b.spec.kind}' for b in found)
        raise UsageError(
            f'the bundles see different things ({told}); judge those of one observation at a time'
        )
    options.observation = kinds.pop() if kinds else 'detector'
    families = {json.dumps(bundle.manifest.family, sort_keys=True) for bundle in found}
    junctions = junctions_of(options)
    check_output(options.output)
    config = _config(options)
    with (
        progress_bar('tuning baselines') as tuning,
        progress_bar('judging') as judging,
        progress_bar('degradation') as degrading,
    ):
        result = evaluate(
            junctions,
            bundles,
            config,
            family=_family(families),
            keep=kept_file(options.output),
            jobs=options.jobs,
            progress=judging,
            tuning_progress=tuning,
            degradation_progress=degrading,
        )
    write_json(result, options.output)
    if options.json:
        print_json(result)
    else:
        print_evaluation(result)
        print(f'written: {options.output}')
    return 0


def _config(options: argparse.Namespace) -> EvaluateConfig:
    data = read_part(options.config, EvaluateConfig, 'evaluate').model_dump()
    given = {'seeds': options.seeds, 'seed': options.seed}
    data |= {key: value for key, value in given.items() if value is not None}
    if options.disturbances is not None:
        data['degradation']['demands'] = options.disturbances
    return build_model(EvaluateConfig, data, 'the options')


def _family(stated: set[str]) -> FamilyConfig | None:
    """Return the family that all bundles were learned from, ``None`` if they do not agree."""
    found = json.loads(stated.pop()) if len(stated) == 1 else None
    return FamilyConfig.model_validate(found) if found else None


def print_evaluation(result: dict[str, Any]) -> None:
    """Print the comparison for people."""
    rows = []
    has_pedestrians = any(
        found['pedestrians']['mean'] > 0 for found in result['controllers'].values()
    )
    for name, found in result['controllers'].items():
        delay = found['delay_s']
        ratio = result['delay_ratios'][name].get('net_plan')
        rows.append(
            [
                name,
                f'{delay["mean"]:.1f}',
                f'{delay["ci_low"]:.1f} to {delay["ci_high"]:.1f}',
                f'{ratio["mean"]:.2f}' if ratio else '1.00',
                f'{found["queue_veh"]["mean"]:.1f}',
                f'{max(found["max_wait_s"]["per_seed"]):.0f}',
                *(
                    (
                        f'{found["pedestrian_waiting_s"]["mean"]:.1f}',
                        f'{max(found["max_pedestrian_wait_s"]["per_seed"]):.0f}',
                    )
                    if has_pedestrians
                    else ()
                ),
                f'{sum(found["collisions"]["per_seed"]):.0f}',
                f'{sum(found["teleports"]["per_seed"]):.0f}',
                f'{sum(found["monitor_faults"]["per_seed"]):.0f}',
            ]
        )
    print_table(
        f'{result["scenario"]["name"]}: {len(result["demands"])} demands never recorded, '
        f'clearances: {result["clearance"]}',
        [
            'controller',
            'delay [s/veh]',
            '95 % interval',
            '/ net_plan',
            'queue [veh]',
            'longest wait [s]',
            *(('pedestrians stand [s]', 'longest [s]') if has_pedestrians else ()),
            'collisions',
            'teleports',
            'monitor faults',
        ],
        rows,
    )
    faults = result['fault_counts'].get('net_plan', {})
    if faults:
        words = ', '.join(f'{rule} {n}' for rule, n in faults.items())
        print(f"net_plan runs as it stands; against the '{result['clearance']}' rules: {words}")
