"""``saferl inspect``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from saferl_ros.cli.arguments import add_command, add_json, check_output, Subparsers
from saferl_ros.cli.screen import print_json, print_table
from saferl_ros.dataset.coverage import notes_of, quality, RARE
from saferl_ros.dataset.files import check_together, find_records
from saferl_ros.dataset.io import export_csv, read_record
from saferl_ros.errors import UsageError
from saferl_ros.report.approaches import approach_labels, movements_in_words
from saferl_ros.report.missing import Missing
from saferl_ros.signals import SignalPlan


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        'inspect',
        main,
        'report what a record can teach, and what it cost',
        'saferl inspect data.h5',
    )
    parser.add_argument(
        'record', type=Path, metavar='DATA.h5', help='a record, or a folder of them'
    )
    parser.add_argument(
        '--csv', type=Path, metavar='FILE', help='also write every decision as CSV'
    )
    parser.add_argument(
        '--minari',
        metavar='ID',
        help='also export to Minari, as saferl/mine-v0 or so',
    )
    add_json(parser)


def main(options: argparse.Namespace) -> int:
    """Print the quality report."""
    if options.csv:
        check_output(options.csv)
    paths = find_records(options.record)
    if len(paths) > 1 and (options.csv or options.minari):
        raise UsageError(
            f"'{options.record}' holds {len(paths)} records; to export name one of them, for "
            f'example {paths[0]}'
        )
    records = [read_record(path) for path in paths]
    check_together(records, paths)
    reports = [quality(found) for found in records]
    if options.csv:
        export_csv(records[0], options.csv)
    if options.minari:
        from saferl_ros.dataset.minari_export import export_minari

        export_minari(records[0], options.minari)
    if options.json:
        print_json(reports[0] if len(reports) == 1 else reports)
    else:
        print_qualities(reports, [found.plan for found in records])
    return 0


def print_qualities(reports: list[dict[str, Any]], plans: list[SignalPlan]) -> None:
    """Print the quality reports of one junction or of a network for people."""
    if len(reports) == 1:
        print_quality(reports[0], plans[0])
        return
    print_price(reports[0])
    print_table(
        f'{reports[0]["scenario"]}: {len(reports)} junctions recorded together, '
        f'{reports[0]["hours"]:.1f} h',
        ['junction', 'decisions', 'changes', 'effective size', 'stages', 'thin'],
        [
            [
                report['junction_id'],
                str(report['n_decisions']),
                str(report['n_changes']),
                f'{report["effective_size"]:.0f}',
                str(len(report['follows'])),
                str(len(report['thin'])),
            ]
            for report in reports
        ],
    )
    print(f'thin: changes of stage made fewer than {RARE} times; inspect one record to see which')
    for note in notes_of(reports):
        print(f'note: {note}')


def print_price(report: dict[str, Any]) -> None:
    """Print what the data cost, if that is known."""
    price = report['price']
    if price:
        interval = f' [{price["ci_low"]:.3f} to {price["ci_high"]:.3f}]'
        n_pairs = round(price['n_pairs'])
        print(
            f'price of the data: {price["mean"]:.3f}{interval if n_pairs > 1 else ""} of the own '
            f"plan's delay, on {n_pairs} pair{'s' if n_pairs > 1 else ''} of episodes"
        )


def print_stages(plan: SignalPlan) -> None:
    """Print which movements each stage serves: tables name stages by their numbers."""
    labels = approach_labels(plan, Missing(reason='the record holds no network'))
    for n in range(plan.n_stages):
        served = movements_in_words(plan, labels, n, 'G')
        gives_way = movements_in_words(plan, labels, n, 'g')
        print(f'stage {n}: {served}{f"; giving way: {gives_way}" if gives_way else ""}')


def print_quality(report: dict[str, Any], plan: SignalPlan) -> None:
    """Print a quality report for people."""
    print(
        f'{report["hours"]:.1f} h of junction {report["junction_id"]} ({report["scenario"]}), '
        f'plans: {report["family"]["plans"]}, demand scale {report["demand_scale"]["min"]:.2f} to '
        f'{report["demand_scale"]["max"]:.2f}, a surge in {report["n_surges"]} of '
        f'{report["n_episodes"]} episodes'
    )
    print(
        f'{report["n_decisions"]} decisions, {report["n_changes"]} changes of stage, effective '
        f'size {report["effective_size"]:.0f}'
    )
    print_price(report)
    print_stages(plan)
    n_stages = len(report['follows'])
    print_table(
        'which stage followed which',
        ['from \\ to', *map(str, range(n_stages))],
        [[str(a), *map(str, row)] for a, row in enumerate(report['follows'])],
    )
    keeps: dict[tuple[int, float], list[int]] = {}
    for row in report['coverage']:
        cell = keeps.setdefault((row['stage'], row['elapsed_s']), [0] * n_stages)
        cell[row['action']] = row['count']
    print_table(
        'decisions by stage, displayed green and next stage',
        ['stage', 'green [s]', *(f'→ {n}' for n in range(n_stages))],
        [
            [str(stage), f'{elapsed_s:g}', *map(str, counts)]
            for (stage, elapsed_s), counts in sorted(keeps.items())
        ],
    )
    for warning in report['warnings']:
        print(f'note: {warning}')
