"""``saferl shadow-report``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import asdict
import math
from pathlib import Path
from typing import Any

from saferl_ros.cli.arguments import add_command, add_json, check_output, require, Subparsers
from saferl_ros.cli.screen import print_json, progress_bar
from saferl_ros.errors import BagError, BundleError, DatasetError, MissingExtraError


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        'shadow-report',
        main,
        'write the scoreboard of a recorded shadow run as one HTML page',
        'saferl shadow-report recording -o shadow.html --bundle runs/demo/cql',
    )
    parser.add_argument('bag', type=Path, metavar='BAG', help='folder of the shadow_recorder')
    parser.add_argument(
        '-o', '--output', type=Path, default=Path('shadow.html'), metavar='FILE',
        help='the page (default: shadow.html)',
    )  # fmt: skip
    parser.add_argument('--junction', metavar='ID', help='only this one (default: all)')
    parser.add_argument(
        '--bundle', type=Path, action='append', default=[], metavar='DIR',
        help='the policy that was asked: adds an estimate of what it would change; needs the '
        'extra [train]; once per junction',
    )  # fmt: skip
    add_json(parser)


def main(options: argparse.Namespace) -> int:
    """Write the scoreboard."""
    from saferl_ros.bag.files import segment_folders
    from saferl_ros.bag.scoreboard import score_bag, unfinished_segments
    from saferl_ros.report.shadow_page import ShadowJunction, write_shadow_report

    require('bag', 'rosbags')
    require('report', 'plotly', 'jinja2')
    segment_folders(options.bag)  # refuses what is no bag before anything is written
    check_output(options.output)
    bundles = _bundles(options.bundle)
    with progress_bar('reading segments') as progress:
        scores = score_bag(
            options.bag,
            junction_id=options.junction,
            decisions_s={of: bundle.manifest.decision_s for of, bundle in bundles.items()},
            progress=progress,
        )
    known = [score.junction_id for score in scores]
    for of, bundle in bundles.items():
        if of not in known:
            raise BundleError(
                f"bundle '{bundle.folder}' is for junction '{of}', and the report is on: "
                f'{", ".join(known)}; name the bundle of one of them'
            )
    junctions = [
        ShadowJunction(
            score=score,
            value=_estimate(options.bag, bundles.get(score.junction_id), score.junction_id),
            has_bundle=score.junction_id in bundles,
        )
        for score in scores
    ]
    unfinished = unfinished_segments(options.bag)
    write_shadow_report(options.output, options.bag.resolve().name, junctions, unfinished)
    if options.json:
        print_json(
            {
                'page': str(options.output),
                'unfinished_segments': unfinished,
                'junctions': [as_json(junction) for junction in junctions],
            }
        )
    else:
        for junction in junctions:
            bundle = bundles.get(junction.score.junction_id)
            print_score(junction, gate_in_words(bundle) if bundle else '')
            asked = {digest for _, digest, _ in junction.score.policies}
            if bundle and asked and bundle.manifest.contents not in asked:
                print(
                    f"note: bundle '{bundle.folder}' did not answer in this recording; the "
                    'estimate is of it, the rest of the bundle that did'
                )
        for name in unfinished:
            print(f'note: segment {name} was never finished; it was read up to where it is torn')
        print(f'written: {options.output}')
    return 0


def _bundles(folders: list[Path]) -> dict[str, Any]:
    """Return the loaded bundles by junction."""
    from saferl_ros.bundle.folders import find_bundles
    from saferl_ros.bundle.load import load_bundle

    found: dict[str, Any] = {}
    for folder in (one for place in folders for one in find_bundles(place)):
        bundle = load_bundle(folder)
        of = bundle.manifest.junction_id
        if of in found:
            raise BundleError(
                f"bundles '{found[of].folder}' and '{folder}' are both for junction '{of}'; "
                'give one a junction'
            )
        found[of] = bundle
    return found


def _estimate(path: Path, bundle: Any, junction_id: str) -> Any:
    """Return the estimate, or why there is none."""
    from saferl_ros.evaluate.shadow_value import estimate_shadow_value
    from saferl_ros.report.missing import Missing

    if bundle is None:
        return Missing(
            reason=f'No estimate for {junction_id}: the policy itself is needed; give the folder '
            'of its bundle with --bundle.'
        )
    try:
        require('train', 'd3rlpy', 'torch')
        with progress_bar('estimating') as progress:
            return estimate_shadow_value(path, bundle, progress=progress)
    except (BagError, MissingExtraError, DatasetError) as error:
        return Missing(reason=f'No estimate for {junction_id}: {error}.')


def as_json(junction: Any) -> dict[str, Any]:
    """Return the numbers of a junction; unknown ones are null."""
    from saferl_ros.report.missing import Missing
    from saferl_ros.report.shadow_page import QUANTILES, quantiles

    score, value = junction.score, junction.value
    names = [f'p{100 * q:g}' if q < 1 else 'max' for q in QUANTILES]

    def ratio(part: str, whole: str) -> float | None:
        return score.total(part) / score.total(whole) if score.total(whole) else None

    def named(values: Any) -> Mapping[str, float | None]:
        known = (q if math.isfinite(q) else None for q in quantiles(values))
        return dict(zip(names, known, strict=True))

    hours = [
        {**asdict(h), 'standing_veh_h_per_hour': h.standing_veh if h.read_s else None}
        for h in score.hours.values()
    ]
    return {
        'junction_id': score.junction_id,
        'hours': score.total('covered_s') / 3600,
        'n_states': score.n_states,
        'n_missing_states': score.n_missing,
        'gaps': [{**asdict(gap), 'kind': gap.kind.value} for gap in score.gaps],
        'gap_counts': {kind.value: n for kind, n in score.gap_counts.items()},
        'gap_s': score.gap_s,
        'decision_s': score.decision_s,
        'n_answers': int(score.total('n_answers')),
        'n_due': int(score.total('n_due')),
        'n_unanswered': int(score.total('n_unanswered')),
        'n_compared': int(score.total('n_compared')),
        'n_unmatched': score.n_unmatched,
        'agreement': ratio('n_agreed', 'n_compared'),
        'stages': {str(n): asdict(stage) for n, stage in sorted(score.stages.items())},
        'reasons': dict(score.reasons),
        'veto_share': ratio('n_vetoes', 'n_verdicts'),
        'out_of_distribution_share': ratio('n_out_of_distribution', 'n_answers'),
        'out_of_distribution_score': named(score.odd_scores),
        'latency_s': named(score.latencies_s),
        'standing_veh_h_per_hour': ratio('standing_veh_s', 'read_s'),
        'by_hour': hours,
        'policies': [
            {'algorithm': algorithm, 'bundle_sha256': digest, 'source': source}
            for algorithm, digest, source in score.policies
        ],
        'estimate': None if isinstance(value, Missing) else asdict(value),
        'estimate_missing': value.reason if isinstance(value, Missing) else None,
    }


def gate_in_words(bundle: Any) -> str:
    """Return what keeps a bundle from commanding; nothing if its gate passed."""
    gate = bundle.manifest.gate
    if gate is None:
        return f"bundle '{bundle.folder}' was never put before a gate ('saferl gate --bundle')"
    if gate['passed']:
        return ''
    failed = ', '.join(check['name'] for check in gate['checks'] if not check['passed'])
    return f"bundle '{bundle.folder}' may not command: its gate failed ({failed})"


def print_score(junction: Any, verdict: str = '') -> None:
    """Print the score of a junction for people, and what its bundle's gate said."""
    found = as_json(junction)

    def percent(value: float | None) -> str:
        return 'not known' if value is None else f'{100 * value:.1f} %'

    print(
        f'junction {found["junction_id"]}: {found["hours"]:.2f} h, '
        f'{sum(found["gap_counts"].values())} gaps, {found["n_answers"]} answers, '
        f'{found["n_unanswered"]} of {found["n_due"]} decisions unanswered'
    )
    print(
        f'agreement {percent(found["agreement"])}, vetoes {percent(found["veto_share"])}, '
        f'out of distribution {percent(found["out_of_distribution_share"])}'
    )
    estimate = found['estimate']
    if estimate is None:
        print(f'note: {found["estimate_missing"]}')
    else:
        print(
            f'estimated standing time {100 * estimate["difference"]:+.1f} % '
            f'({100 * estimate["difference_low"]:+.1f} to '
            f'{100 * estimate["difference_high"]:+.1f} %); this estimate is no evidence for going '
            'live'
        )
    n_bundles = len({(one['algorithm'], one['bundle_sha256']) for one in found['policies']})
    if n_bundles > 1:
        print(f'note: {n_bundles} bundles answered in this recording; it mixes them')
    if verdict:
        print(f'note: {verdict}')
