"""``saferl check``."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict
import gzip
from pathlib import Path
from typing import Any

from saferl_ros.cli.arguments import (
    add_command,
    add_json,
    add_signals,
    check_output,
    Once,
    settings_of,
    Subparsers,
)
from saferl_ros.cli.screen import print_json, print_table
from saferl_ros.dataset.io import whole_file
from saferl_ros.errors import UsageError
from saferl_ros.scenario.spec import load_scenario
from saferl_ros.signals.rules import RULE_WORDS
from saferl_ros.sumo.derive import ids_without_choice, pick_junction, signal_ids
from saferl_ros.sumo.fix import fix_network, NetworkFix, SignalFix
from saferl_ros.sumo.network import Network, read_network
from saferl_ros.sumo.preflight import check_junction, check_network, Finding, PAIRED
from saferl_ros.sumo.settings import SignalSettings

Findings = dict[str, list[Finding]]


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        'check',
        main,
        "hold a network's own signal programs against the clearance rules; exit 1 on findings",
        'saferl check cologne1 --fix legal.net.xml',
    )
    parser.add_argument('scenario', metavar='SCENARIO', help='built-in name, .sumocfg or .net.xml')
    parser.add_argument(
        '--routes', type=Path, nargs='+', default=[], metavar='FILE', help='not needed for a check'
    )
    parser.add_argument('--junction', action=Once, metavar='ID', help='only this signal')
    add_signals(parser)
    parser.add_argument(
        '--fix',
        type=Path,
        metavar='OUT',
        help='write the network with legal programs to OUT (.net.xml or .net.xml.gz); exit 0 if '
        'no finding is left in it',
    )
    add_json(parser)


def main(options: argparse.Namespace) -> int:
    """Print findings, and what a fix costs; 0 if none are (left), 1 otherwise."""
    if options.scenario.endswith(('.net.xml', '.net.xml.gz')):  # a check needs no demand
        net_file, step_s, inputs = Path(options.scenario), 1.0, [Path(options.scenario)]
        additional: tuple[Path, ...] = ()
    else:
        scenario = load_scenario(options.scenario, routes=tuple(options.routes))
        net_file, step_s = scenario.net_file, scenario.step_s
        additional = scenario.additional_files
        inputs = [net_file, *scenario.route_files, *scenario.additional_files]
    network = read_network(net_file, additional)
    settings = settings_of(options)
    settings.check_against(network)
    if options.fix is not None:
        if not options.fix.name.endswith(('.net.xml', '.net.xml.gz')):
            raise UsageError(f"--fix '{options.fix}' must end in .net.xml or .net.xml.gz")
        _refuse_inputs(options.fix, [*inputs, *options.routes, options.signals])
        check_output(options.fix, is_network=True)
    found = _check(network, options.junction, step_s, settings)
    data: dict[str, Any] = {'junctions': _junctions_json(found)}
    data['unchecked'] = [] if options.junction else ids_without_choice(network)
    left = found
    fix = None
    if options.fix is not None:
        bad = [name for name, findings in found.items() if findings]
        fix = fix_network(network, bad, step_s, settings)
        _write(fix.text, options.fix)
        # as it stands there now, not as remembered
        fixed = read_network.__wrapped__(options.fix, additional)
        left = _check(fixed, options.junction, step_s, settings)
        data['fix'] = _fix_json(fix, options.fix, left)
    if options.json:
        print_json(data)
    else:
        _print_findings(found)
        for name in data['unchecked']:
            print(f'note: signal {name} has fewer than two stages: not checked, nor ever recorded')
        if fix is not None:
            _print_fix(fix, options.fix, left)
    return int(any(left.values()))


def _refuse_inputs(out: Path, inputs: Iterable[Path | None]) -> None:
    """
    Refuse to write over a file that was given to read.

    :raises UsageError: if ``out`` is one of them, by whatever path.
    """
    for path in inputs:
        with suppress(OSError):  # one of them does not exist: then they are not the same
            if path is not None and out.samefile(path):
                raise UsageError(
                    f"cannot write '{out}': it is the input '{path}' itself; name another file"
                )


def _check(
    network: Network, junction_id: str | None, step_s: float, settings: SignalSettings
) -> Findings:
    if junction_id or not signal_ids(network):
        name = pick_junction(network, junction_id)
        return {name: check_junction(network, name, step_s, settings.of(name))}
    return check_network(network, step_s, settings)


def _write(text: bytes, path: Path) -> None:
    """
    Write a network, packed if the name ends so, whole or not at all.

    :raises UsageError: if the path cannot be written.
    """
    with whole_file(path) as partial:
        partial.write_bytes(gzip.compress(text, mtime=0) if path.suffix == '.gz' else text)


def _junctions_json(found: Findings) -> list[dict[str, Any]]:
    return [
        {'junction_id': name, 'findings': [asdict(finding) for finding in findings]}
        for name, findings in found.items()
    ]


def _fix_json(fix: NetworkFix, out: Path, left: Findings) -> dict[str, Any]:
    return {
        'out': str(out),
        'junctions': [
            {
                'junction_id': signal.junction_id,
                'cycle_before_s': signal.before.cycle_s,
                'cycle_after_s': signal.after.cycle_s,
                'cycle_grows_s': signal.cycle_grows_s,
                'green_ratio_before': round(signal.before.green_ratio, 4),
                'green_ratio_after': round(signal.after.green_ratio, 4),
                'greens_before_s': signal.before.greens_s,
                'greens_after_s': signal.after.greens_s,
                'added_links': signal.added_links,
            }
            for signal in fix.signals
        ],
        'not_fixed': [{'junction_id': name, 'reason': why} for name, why in fix.left.items()],
        'left': _junctions_json({name: found for name, found in left.items() if found}),
    }


def _print_findings(found: Findings) -> None:
    for name, findings in found.items():
        counts = Counter(f.rule for f in findings)
        summary = ', '.join(f'{RULE_WORDS[rule]}: {n} links' for rule, n in sorted(counts.items()))
        short = [
            RULE_WORDS[rule] for rule in ('short_yellow', 'short_all_red') if not counts[rule]
        ]
        clean = f' (no finding: {", ".join(short)})' if findings and short else ''
        print(f'junction {name}: {summary or "no findings"}{clean}')
        if findings:
            print_table(
                name,
                ['rule', 'link', 'movement', 'found [s]', 'required [s]', 'source'],
                [
                    [
                        RULE_WORDS[f.rule],
                        str(f.link),
                        _movement_in_words(f),
                        f'{f.found:g}',
                        f'{"≤" if f.bound == "at most" else "≥"} {f.required:g}',
                        f.source,
                    ]
                    for f in findings
                ],
            )
    print(f'{_n_bad(found)} of {len(found)} signals break a rule')


def _movement_in_words(finding: Finding) -> str:
    if finding.foe is None:
        return finding.movement
    how = 'with' if finding.rule in PAIRED else 'before'
    return f'{finding.movement} ({how} {finding.foe}: {finding.foe_movement})'


def _n_bad(found: Findings) -> int:
    return sum(bool(findings) for findings in found.values())


def _print_fix(fix: NetworkFix, out: Path, left: Findings) -> None:
    if fix.signals:
        print_table(
            'what the fix costs (green: share of the cycle in which stages serve vehicles)',
            [
                *('junction', 'cycle before [s]', 'after [s]'),
                *('green before', 'after', 'greens before [s]', 'after [s]'),
            ],
            [_fix_row(signal) for signal in fix.signals],
        )
    for signal in fix.signals:
        if signal.cycle_grows_s > 0:
            print(
                f'junction {signal.junction_id}: the cycle grows by {signal.cycle_grows_s:g} s, '
                'because its greens are at their minimum; coordination with its neighbours is lost'
            )
        if signal.added_links:
            links = ', '.join(map(str, signal.added_links))
            print(
                f'junction {signal.junction_id}: a stage was added for links {links}, which no '
                'other stage may serve'
            )
    for name, reason in fix.left.items():
        print(f'junction {name}: not fixed: {reason}')
    for name, findings in left.items():
        if findings:
            rules = sorted({RULE_WORDS[f.rule] for f in findings})
            print(f'junction {name}: still in the fixed network: {", ".join(rules)}')
    print(f'{out}: {len(fix.signals)} programs replaced; ', end='')
    print(f'{_n_bad(left)} of {len(left)} signals break a rule')


def _fix_row(signal: SignalFix) -> list[str]:
    before, after = signal.before, signal.after
    return [
        signal.junction_id,
        f'{before.cycle_s:g}',
        f'{after.cycle_s:g}',
        f'{before.green_ratio:.1%}',
        f'{after.green_ratio:.1%}',
        ' '.join(f'{green_s:g}' for green_s in before.greens_s),
        ' '.join(f'{green_s:g}' for green_s in after.greens_s),
    ]
