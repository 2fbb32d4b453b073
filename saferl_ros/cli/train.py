"""``saferl train``."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
import math
from pathlib import Path
import sys
from typing import Any

from saferl_ros.bundle.folders import without_guard
from saferl_ros.cli.arguments import (
    add_command,
    add_jobs,
    add_json,
    positive,
    require,
    Subparsers,
)
from saferl_ros.cli.run_config import read_part
from saferl_ros.cli.screen import print_json, progress_bar
from saferl_ros.dataset.coverage import notes_of, quality
from saferl_ros.dataset.files import check_alike, check_together, find_records
from saferl_ros.dataset.io import cannot_write, read_record
from saferl_ros.errors import ConfigError, UsageError
from saferl_ros.train.config import ALGORITHMS, TrainConfig
from saferl_ros.yaml_file import build_model


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        'train',
        main,
        'learn policies from a record and export them as bundles',
        'saferl train data.h5 --algo cql,bc -o run',
    )
    parser.add_argument(
        'record', type=Path, metavar='DATA.h5', help='a record, or a folder of them'
    )
    parser.add_argument(
        '--algo', metavar='LIST', help='cql, bc, dqn, separated by commas (default: cql,bc)'
    )
    parser.add_argument(
        '-o',
        '--output',
        type=Path,
        required=True,
        metavar='DIR',
        help='for the bundles, a folder for each algorithm and seed; finished ones are kept',
    )
    parser.add_argument(
        '--config',
        type=Path,
        metavar='YAML',
        help="the 'train' part of a run's configuration (docs/configuration.md)",
    )
    parser.add_argument('--steps', type=positive, help='gradient steps of cql and dqn')
    parser.add_argument('--seeds', metavar='LIST', help='training seeds, for example 1,2,3')
    parser.add_argument('--device', default='cpu', help='cpu (default) or cuda:0')
    add_jobs(parser)
    add_json(parser)


def main(options: argparse.Namespace) -> int:
    """Train and export."""
    from saferl_ros.bundle.produce import train_all
    from saferl_ros.train.library import check_device, load_d3rlpy

    require('train', 'torch', 'd3rlpy', 'onnx', 'tensorboard')
    config = _config(options)  # before anything slow
    paths = find_records(options.record)
    records = [read_record(path) for path in paths]
    (check_alike if config.shared else check_together)(records, paths)
    reports = [quality(record) for record in records]
    n_episodes = len(records[0].behaviour())
    del records  # they may be large
    load_d3rlpy()
    check_device(options.device)
    try:
        options.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(options.output, error) from error
    for note in notes_of(reports):
        print(f'note: {note}', file=sys.stderr)
    with progress_bar('training') as progress:
        bundles = train_all(
            paths,
            config,
            options.output,
            jobs=options.jobs,
            device=options.device,
            may_replace=False,
            progress=progress,
        )
    print_unguarded(bundles.values())
    print_unestimated(n_episodes, config)
    if options.json:
        print_json({'bundles': {name: str(folder) for name, folder in bundles.items()}})
    else:
        for name, folder in bundles.items():
            print(f'bundle {name}: {folder}')
    return 0


def print_unguarded(places: Iterable[Path]) -> None:
    """Say which junctions' policies will not be stopped where traffic is unlike the record."""
    unguarded = without_guard(places)
    if unguarded:
        print(
            f'note: no guard for junction {", ".join(unguarded)}, which was left out of learning '
            'or has too short a record: nothing notices traffic that is unlike what was learned',
            file=sys.stderr,
        )


def print_unestimated(n_episodes: int, config: TrainConfig) -> None:
    """Say that nothing was held out for the estimate that the gate asks for."""
    share = config.holdout_share
    if config.fqe.steps and not min(round(n_episodes * share), n_episodes - 1):
        n_needed = max(2, math.floor(0.5 / share) + 1) if share else 0
        more = f'record {n_needed} or more' if share else 'state a share above 0'
        print(
            'note: no fitted Q evaluation, which the gate asks for: of '
            f'{n_episodes} episodes none is held out (train.holdout_share {share:g}); {more}',
            file=sys.stderr,
        )


def _config(options: argparse.Namespace) -> TrainConfig:
    config = read_part(options.config, TrainConfig, 'train')
    changes: dict[str, tuple[Any, ...]] = {}
    if options.algo:
        changes['algorithms'] = _algorithms(options.algo)
    if options.seeds:
        try:
            changes['seeds'] = tuple(int(seed) for seed in options.seeds.split(','))
        except ValueError as error:
            raise ConfigError(
                f"--seeds '{options.seeds}' must be whole numbers and commas"
            ) from error
    data = {**config.model_dump(), **changes}
    if options.steps:
        data['cql']['steps'] = options.steps
    return build_model(TrainConfig, data, 'the options')


def _algorithms(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(','))
    for name in names:
        if name not in ALGORITHMS:
            raise UsageError(f"--algo '{name}' is unknown; choose from {', '.join(ALGORITHMS)}")
    return names
