"""Trains all algorithms and seeds of a configuration, side by side, and exports bundles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
import json
from pathlib import Path
import shutil
import threading

from saferl_ros.bundle.export import export_bundle
from saferl_ros.bundle.folders import bundle_folder
from saferl_ros.bundle.manifest import Manifest, MANIFEST_NAME, sha256
from saferl_ros.dataset.io import read_record
from saferl_ros.errors import BundleError
from saferl_ros.isolation import run_isolated
from saferl_ros.train.config import TrainConfig
from saferl_ros.train.ensemble import n_members, train_ensemble
from saferl_ros.train.library import load_torch

POLL_S = 0.5
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainTask:
    """One algorithm with one seed."""

    record_file: Path
    record_sha256: str
    algorithm: str
    seed: int
    config: TrainConfig
    folder: Path
    log_dir: Path
    device: str


def bundle_names(config: TrainConfig) -> dict[str, tuple[str, int]]:
    """Return bundle name to (algorithm, seed): ``cql``, and ``cql_2`` for the second seed."""
    return {
        algorithm if n == 0 else f'{algorithm}_{n + 1}': (algorithm, seed)
        for n, seed in enumerate(config.seeds)
        for algorithm in config.algorithms
    }


def train_all(
    record_files: Sequence[Path],
    config: TrainConfig,
    out: Path,
    *,
    jobs: int = 2,
    device: str = 'cpu',
    progress: Progress = lambda done, total: None,
) -> dict[str, Path]:
    """
    Train everything the configuration names; finished bundles of the same records are kept.

    Each training runs in a process of its own with one torch thread.

    :param record_files: one per junction.
    :param out: bundles go to ``out/<name>``, logs to ``out/logs/<name>``; of several junctions to
        a folder per junction in there.
    :param progress: called with (gradient steps done, steps in all).
    :returns: policy name to its bundle, or to its folder of bundles.
    """
    names, is_alone, tasks = bundle_names(config), len(record_files) == 1, []
    for file in record_files:
        junction_id = read_record(file).plan.junction_id  # fails early, with a clear message
        digest = sha256(file)
        tasks += [
            TrainTask(
                record_file=file,
                record_sha256=digest,
                algorithm=algorithm,
                seed=seed,
                config=config,
                folder=bundle_folder(out / name, junction_id, is_alone=is_alone),
                log_dir=bundle_folder(out / 'logs' / name, junction_id, is_alone=is_alone),
                device=device,
            )
            for name, (algorithm, seed) in names.items()
        ]
    left = [task for task in tasks if not _is_done(task)]
    # long ones first, so that two workers end together
    left.sort(key=lambda task: -_steps(task))
    total = sum(map(_steps, tasks))
    stop = threading.Event()

    def poll() -> None:
        while not stop.wait(POLL_S):
            progress(sum(map(_steps_done, tasks)), total)

    poller = threading.Thread(target=poll, daemon=True)
    poller.start()
    try:
        for _ in run_isolated(run_training, left, jobs=jobs):
            pass
    finally:
        stop.set()
        poller.join()
    progress(total, total)
    return {name: out / name for name in names}


def _steps(task: TrainTask) -> int:
    steps = task.config.bc.steps if task.algorithm == 'bc' else task.config.cql.steps
    return steps * n_members(task.config, task.algorithm)


def _is_done(task: TrainTask) -> bool:
    """Whether a finished bundle of the same record and configuration is there."""
    if not (task.folder / MANIFEST_NAME).exists():
        return False
    try:
        manifest = Manifest.read(task.folder)
    except BundleError:
        return False
    return (
        manifest.dataset_sha256 == task.record_sha256
        and manifest.config == task.config.model_dump(mode='json')
        and manifest.seed == task.seed
    )


def _steps_done(task: TrainTask) -> int:
    if _is_done(task):
        return _steps(task)
    try:
        return int((task.log_dir / 'progress').read_text() or 0)
    except (OSError, ValueError):  # not started, or being written this very moment
        return 0


def run_training(task: TrainTask) -> None:
    """Train and export one bundle in this process."""
    load_torch().set_num_threads(1)
    record = read_record(task.record_file)
    marker = task.log_dir / 'training.json'
    identity = json.dumps(
        {
            'record': task.record_sha256,
            'algorithm': task.algorithm,
            'seed': task.seed,
            'config': task.config.model_dump(mode='json'),
        },
        sort_keys=True,
    )
    if not marker.exists() or marker.read_text(encoding='utf-8') != identity:
        shutil.rmtree(task.log_dir, ignore_errors=True)  # of another training
        task.log_dir.mkdir(parents=True)
        marker.write_text(identity, encoding='utf-8')

    def note(done: int, total: int) -> None:
        (task.log_dir / 'progress').write_text(str(done), encoding='utf-8')

    training = train_ensemble(
        record,
        task.algorithm,
        task.config,
        task.seed,
        task.log_dir,
        device=task.device,
        progress=note,
    )
    export_bundle(training, record, task.config, task.folder, dataset_sha256=task.record_sha256)
