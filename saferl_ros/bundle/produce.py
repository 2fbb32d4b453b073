"""Trains all algorithms and seeds of a configuration, side by side, and exports bundles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
import json
from pathlib import Path
import shutil
import threading
from typing import Any

from pydantic import ValidationError

from saferl_ros.bundle.export import export_bundle
from saferl_ros.bundle.folders import bundle_folder
from saferl_ros.bundle.manifest import joint_sha256, Manifest, MANIFEST_NAME, sha256
from saferl_ros.dataset.io import read_record
from saferl_ros.errors import BundleError, UsageError
from saferl_ros.isolation import run_isolated
from saferl_ros.train.config import TrainConfig
from saferl_ros.train.learner import train_algorithm
from saferl_ros.train.lesson import lesson_of, shared_lesson
from saferl_ros.train.library import load_torch

POLL_S = 0.5
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainTask:
    """One training: an algorithm with a seed, at one junction or at all of a shared policy."""

    record_files: tuple[Path, ...]
    dataset_sha256: str
    algorithm: str
    seed: int
    config: TrainConfig
    folders: tuple[Path, ...]  # where the bundle of each record's junction goes
    log_dir: Path
    device: str

    @property
    def is_shared(self) -> bool:
        """Whether one network is learned from all records; behaviour cloning never is."""
        return self.config.shared and self.algorithm != 'bc'


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
    may_replace: bool = True,
    progress: Progress = lambda done, total: None,
) -> dict[str, Path]:
    """
    Train everything the configuration names; finished bundles of the same records are kept.

    Each training runs in a process of its own with one torch thread.

    :param record_files: one per junction.
    :param out: bundles go to ``out/<name>``, logs to ``out/logs/<name>``; of several junctions to
        a folder per junction in there.
    :param may_replace: whether finished bundles of other records or settings give way.
    :param progress: called with (gradient steps done, steps in all).
    :returns: policy name to its bundle, or to its folder of bundles.
    :raises UsageError: if one would have to give way and may not.
    """
    junction_ids = [read_record(file).plan.junction_id for file in record_files]  # fails early
    config.check_left_out(junction_ids)
    digests = [sha256(file) for file in record_files]
    is_alone = len(record_files) == 1
    tasks = []
    for name, (algorithm, seed) in bundle_names(config).items():
        folders = [bundle_folder(out / name, of, is_alone=is_alone) for of in junction_ids]
        logs = [bundle_folder(out / 'logs' / name, of, is_alone=is_alone) for of in junction_ids]
        parts = [slice(n, n + 1) for n in range(len(record_files))]
        if config.shared and algorithm != 'bc':
            parts, logs = [slice(None)], [out / 'logs' / name]
        tasks += [
            TrainTask(
                record_files=tuple(record_files[part]),
                dataset_sha256=joint_sha256(digests[part]),
                algorithm=algorithm,
                seed=seed,
                config=config,
                folders=tuple(folders[part]),
                log_dir=log_dir,
                device=device,
            )
            for part, log_dir in zip(parts, logs, strict=True)
        ]
    left = [task for task in tasks if not _is_done(task)]
    if not may_replace:
        _refuse_to_replace(left)
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
    return {name: out / name for name in bundle_names(config)}


def _refuse_to_replace(tasks: Sequence[TrainTask]) -> None:
    for folder in (folder for task in tasks for folder in task.folders):
        if (folder / MANIFEST_NAME).exists():
            raise UsageError(
                f"'{folder}' holds a bundle of another record or other settings, or a damaged "
                'one; remove it or choose another output'
            )


def _steps(task: TrainTask) -> int:
    return task.config.bc.steps if task.algorithm == 'bc' else task.config.cql.steps


def _is_done(task: TrainTask) -> bool:
    """
    Whether finished bundles of the same records and settings are there.

    Whichever release made them: a bundle is worth what its evaluation says, and its manifest
    states the release.
    """
    try:
        manifests = [Manifest.read(folder) for folder in task.folders]
    except BundleError:
        return False
    return all(
        manifest.dataset_sha256 == task.dataset_sha256
        and is_same(manifest.config, task.config, task.algorithm)
        and manifest.algorithm == task.algorithm
        and manifest.seed == task.seed
        for manifest in manifests
    )


def is_same(stored: dict[str, Any], config: TrainConfig, algorithm: str) -> bool:
    """
    Whether settings written earlier, perhaps before newer ones existed, train the same policy.

    :param stored: of a bundle's manifest.
    :param algorithm: what else is trained beside it does not matter.
    """
    try:
        then = TrainConfig.model_validate(stored)
    except ValidationError:  # of a version with other settings
        return False
    return _decisive(then, algorithm) == _decisive(config, algorithm)


def _decisive(config: TrainConfig, algorithm: str) -> dict[str, Any]:
    """Return the settings that a training follows from: what else is trained changes nothing."""
    others = {'algorithms', 'seeds', 'cql' if algorithm == 'bc' else 'bc'}
    return config.model_dump(mode='json', exclude=others)


def _steps_done(task: TrainTask) -> int:
    if _is_done(task):
        return _steps(task)
    try:
        return int((task.log_dir / 'progress').read_text() or 0)
    except (OSError, ValueError):  # not started, or being written this very moment
        return 0


def run_training(task: TrainTask) -> None:
    """Train in this process and export a bundle for each junction of the task."""
    load_torch().set_num_threads(1)
    records = [read_record(file) for file in task.record_files]
    marker = task.log_dir / 'training.json'
    identity = json.dumps(
        {
            'record': task.dataset_sha256,
            'algorithm': task.algorithm,
            'seed': task.seed,
            'config': _decisive(task.config, task.algorithm),
        },
        sort_keys=True,
    )
    if not marker.exists() or marker.read_text(encoding='utf-8') != identity:
        shutil.rmtree(task.log_dir, ignore_errors=True)  # of another training
        task.log_dir.mkdir(parents=True)
        marker.write_text(identity, encoding='utf-8')

    def note(done: int, total: int) -> None:
        (task.log_dir / 'progress').write_text(str(done), encoding='utf-8')

    config, device = task.config, task.device
    if task.is_shared:
        taught = [r for r in records if r.plan.junction_id not in config.leave_out]
        lesson = shared_lesson(taught, task.algorithm, config, device=device)
    else:
        lesson = lesson_of(records[0], task.algorithm, config, device=device)
    training = train_algorithm(
        lesson, task.algorithm, config, task.seed, task.log_dir, progress=note
    )
    for record, folder in zip(records, task.folders, strict=True):
        export_bundle(
            training,
            record,
            config,
            folder,
            dataset_sha256=task.dataset_sha256,
            is_shared=task.is_shared,
            has_guard=not task.is_shared or record.plan.junction_id not in config.leave_out,
        )
