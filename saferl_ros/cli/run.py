"""``saferl run``: the whole path."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
import json
from pathlib import Path
import sys
import time
from typing import Any

from saferl_ros.cli.arguments import (
    add_command,
    add_jobs,
    add_json,
    require,
    Subparsers,
    tell_left_out,
)
from saferl_ros.cli.budget import family_search
from saferl_ros.cli.evaluate import print_evaluation
from saferl_ros.cli.gate import decide, print_gate
from saferl_ros.cli.inspect import print_qualities
from saferl_ros.cli.run_config import RunConfig
from saferl_ros.cli.screen import print_json, progress_bar, write_json
from saferl_ros.cli.train import print_unestimated, print_unguarded
from saferl_ros.control.family import FamilyConfig
from saferl_ros.dataset.coverage import quality
from saferl_ros.dataset.files import record_paths
from saferl_ros.dataset.io import cannot_write, read_record
from saferl_ros.errors import DatasetError, UsageError
from saferl_ros.evaluate.contest import played_by
from saferl_ros.evaluate.judge import evaluate, judged_bundles, judged_by, read_evaluation
from saferl_ros.evaluate.kept import kept_file
from saferl_ros.record.recorder import record
from saferl_ros.yaml_file import differences, read_yaml


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        'run',
        main,
        'go the whole path: record, inspect, train, evaluate, gate, report; resumes when rerun',
        "saferl run config/demo.yaml\n\nexit code 0 whatever the gate says; 'saferl gate' answers "
        'with its own',
    )
    parser.add_argument(
        'config', type=Path, metavar='CONFIG.yaml', help='its keys: docs/configuration.md'
    )
    parser.add_argument(
        '-o', '--output', type=Path, metavar='DIR', help='default: runs/<name of the config>'
    )
    parser.add_argument('--device', default='cpu', help='cpu (default) or cuda:0')
    add_jobs(parser)
    add_json(parser)


def main(options: argparse.Namespace) -> int:
    """Run every step that is not done yet."""
    from saferl_ros.bundle.gate_stamp import stamp_gate
    from saferl_ros.bundle.produce import train_all
    from saferl_ros.report.page import write_report
    from saferl_ros.train.library import check_device

    started = time.monotonic()
    config = read_yaml(options.config, RunConfig)
    require('sim', 'libsumo', 'h5py')
    require('train', 'torch', 'd3rlpy', 'onnx', 'tensorboard')
    require('report', 'plotly', 'jinja2')
    junctions = config.load_junctions()
    tell_left_out(junctions[0].scenario)
    config.train.check_left_out([junction.plan.junction_id for junction in junctions])
    check_device(options.device)
    folder = options.output or Path('runs') / config.name
    open_run_folder(folder, config)
    place = folder / ('dataset.h5' if len(junctions) == 1 else 'dataset')
    files = record_paths(place, [junction.plan.junction_id for junction in junctions])

    with timed(folder, 'record'), progress_bar('recording') as progress:
        record(
            junctions,
            config.record,
            files,
            search=family_search(
                junctions, config.record, jobs=options.jobs, is_quiet=options.json
            ),
            jobs=options.jobs,
            progress=progress,
        )
    records = [read_record(file) for file in files]
    family = FamilyConfig.model_validate(records[0].manifest['family'])
    reports = [quality(one) for one in records]
    n_episodes = len(records[0].behaviour())
    del records  # they may be large
    write_json(reports[0] if len(reports) == 1 else reports, folder / 'quality.json')
    if not options.json:
        print_qualities(reports, [junction.plan for junction in junctions])

    with timed(folder, 'train'), progress_bar('training') as progress:
        bundles = train_all(
            files,
            config.train,
            folder,
            jobs=options.jobs,
            device=options.device,
            progress=progress,
        )

    print_unguarded(bundles.values())
    print_unestimated(n_episodes, config.train)

    evaluation_file = folder / 'evaluation.json'
    evaluation = known_evaluation(evaluation_file)
    judged = judged_bundles(bundles, [junction.plan.junction_id for junction in junctions])
    asked = config.evaluate.model_dump(mode='json')
    code = {'played_by': played_by(), 'judged_by': judged_by()}
    same: dict[str, Any] = {'policies': judged, 'config': asked, **code}
    if any(evaluation.get(key) != value for key, value in same.items()):
        with (
            timed(folder, 'judge'),
            progress_bar('tuning baselines') as tuning,
            progress_bar('judging') as judging,
            progress_bar('degradation') as degrading,
        ):
            evaluation = evaluate(
                junctions,
                bundles,
                config.evaluate,
                family=family,
                keep=kept_file(evaluation_file),
                jobs=options.jobs,
                progress=judging,
                tuning_progress=tuning,
                degradation_progress=degrading,
            )
        write_json(evaluation, evaluation_file)
    verdict = decide(evaluation, 'cql' if 'cql' in bundles else next(iter(bundles)), config.gate)
    write_json(verdict, folder / 'gate.json')
    stamp_gate(bundles[verdict['controller']], verdict, evaluation)
    write_report(folder, folder / 'report.html')
    if options.json:
        print_json({'run_dir': str(folder), 'evaluation': evaluation, 'gate': verdict})
    else:
        print_evaluation(evaluation)
        print_gate(verdict)
        minutes = (time.monotonic() - started) / 60
        print(f'report: {folder / "report.html"} ({minutes:.1f} min)')
    return 0


def known_evaluation(path: Path) -> dict[str, Any]:
    """Return what was judged here before, empty if nothing was or it cannot be read any more."""
    if not path.exists():
        return {}
    try:
        return read_evaluation(path)
    except DatasetError as error:
        print(f'note: {error}; judging again', file=sys.stderr)
        return {}


@contextmanager
def timed(folder: Path, step: str) -> Iterator[None]:
    """Add the time that a step takes to ``times.json``, over all resumptions of the run [s]."""
    path, started = folder / 'times.json', time.monotonic()
    try:
        yield
    finally:
        known = json.loads(path.read_text(encoding='utf-8')) if path.exists() else {}
        known[step] = round(known.get(step, 0.0) + time.monotonic() - started, 1)
        write_json(known, path)


def open_run_folder(folder: Path, config: RunConfig) -> None:
    """
    Make the run's folder, or check that what it holds was made as this configuration says.

    How policies are judged and what the gate allows may change: both are done again.
    """
    marker = folder / 'config.yaml'
    try:
        folder.mkdir(parents=True, exist_ok=True)
        known = read_yaml(marker, RunConfig) if marker.exists() else config
        same = {'evaluate': config.evaluate, 'gate': config.gate}
        if known.model_copy(update=same) != config:
            then, now = (  # read both from JSON, where numbers that are keys are alike
                RunConfig.model_validate_json(one.model_dump_json()).model_dump(mode='json')
                for one in (known, config)
            )
            pairs = differences(then, now)
            changed = ', '.join(f'{key} was {a} and is {b}' for key, (a, b) in pairs.items())
            raise UsageError(
                f"'{folder}' holds a run with another configuration ({changed}); remove it or "
                'give another folder with -o'
            )
    except OSError as error:
        raise cannot_write(folder, error) from error
    write_json(config.model_dump(mode='json'), marker)  # JSON is YAML
