"""``saferl report``."""

from __future__ import annotations

import argparse
from pathlib import Path
import sys

from saferl_ros.cli.arguments import add_command, check_output, Subparsers
from saferl_ros.errors import UsageError


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        'report',
        main,
        'write one self-contained HTML page of a run',
        'saferl report runs/demo -o report.html',
    )
    parser.add_argument(
        'run_dir', type=Path, metavar='RUN_DIR', help='a folder that holds evaluation.json'
    )
    parser.add_argument(
        '--network',
        type=Path,
        metavar='NET.xml',
        help="to draw the junctions from (default: that of the run's configuration, or the "
        'built-in one of that name)',
    )
    parser.add_argument('-o', '--output', type=Path, metavar='FILE', help='default: in RUN_DIR')


def main(options: argparse.Namespace) -> int:
    """Write the report."""
    from saferl_ros.report.page import write_report

    if not options.run_dir.is_dir():
        raise UsageError(
            f"'{options.run_dir}' is no folder; name the one that holds evaluation.json, as "
            "'saferl run' makes it"
        )
    path = options.output or options.run_dir / 'report.html'
    check_output(path)
    for reason in write_report(options.run_dir, path, options.network):
        print(f'note: {reason}', file=sys.stderr)
    print(f'written: {path}')
    return 0
