"""``saferl gate``."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from saferl_ros.bundle.gate_stamp import stamp_gate
from saferl_ros.cli.arguments import add_command, add_json, check_output, Subparsers
from saferl_ros.cli.run_config import read_part
from saferl_ros.cli.screen import print_json, write_json
from saferl_ros.errors import DatasetError
from saferl_ros.evaluate.conditions import easier_conditions
from saferl_ros.evaluate.gate import GateConfig, judge_gate, looser_limits
from saferl_ros.evaluate.judge import digest_of, read_evaluation


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        'gate',
        main,
        'pass or fail a policy by stated limits, with reasons; exit 1 on fail',
        'saferl gate run/evaluation.json --bundle run/cql',
    )
    parser.add_argument(
        'evaluation', type=Path, metavar='EVAL.json', help="what 'saferl evaluate' wrote"
    )
    parser.add_argument('--controller', default='cql', help='which one (default: cql)')
    parser.add_argument(
        '--config',
        type=Path,
        metavar='YAML',
        help='the limits (docs/configuration.md, under gate)',
    )
    parser.add_argument(
        '--bundle',
        type=Path,
        metavar='DIR',
        help='write the verdict into this bundle; a node lets it command only if it passed',
    )
    parser.add_argument(
        '-o',
        '--output',
        type=Path,
        metavar='FILE',
        help="the verdict as JSON, for 'saferl report' (default: gate.json beside EVAL.json)",
    )
    add_json(parser)


def main(options: argparse.Namespace) -> int:
    """Print the verdict; 0 if it passes, 1 if it fails."""
    out = options.output or options.evaluation.with_name('gate.json')
    check_output(out)
    config = read_part(options.config, GateConfig, 'gate')
    evaluation = read_evaluation(options.evaluation)
    verdict = decide(evaluation, options.controller, config)
    write_json(verdict, out)
    if options.bundle:
        stamp_gate(options.bundle, verdict, evaluation)
    if options.json:
        print_json(verdict)
    else:
        print_gate(verdict)
    return 0 if verdict['passed'] else 1


def decide(evaluation: dict[str, Any], controller: str, config: GateConfig) -> dict[str, Any]:
    """
    Return the verdict as JSON-ready data.

    :raises DatasetError: if the evaluation lacks what is to be judged.
    """
    try:
        checks = judge_gate(evaluation, controller, config)
        looser = looser_limits(config) + easier_conditions(evaluation)
    except DatasetError:  # says itself what is missing; a ValueError too
        raise
    except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
        raise DatasetError(
            f"the evaluation is damaged or incomplete ({error!r}); make one with 'saferl evaluate'"
        ) from error
    return {
        'controller': controller,
        'evaluation_sha256': digest_of(evaluation),
        'passed': all(check.passed for check in checks),
        'limits': config.model_dump(mode='json'),
        'looser': looser,
        'checks': [asdict(check) for check in checks],
    }


def print_gate(verdict: dict[str, Any]) -> None:
    """Print the verdict for people."""
    for check in verdict['checks']:
        print(f'{"pass" if check["passed"] else "FAIL"}  {check["name"]}: {check["reason"]}')
    if verdict['looser']:
        print(f'note: easier than by default: {", ".join(verdict["looser"])}')
    print(f'gate: {verdict["controller"]} {"passes" if verdict["passed"] else "fails"}')
