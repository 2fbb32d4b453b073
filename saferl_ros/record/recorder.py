"""Records many episodes in parallel, resumably."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
import json
from pathlib import Path
import shutil
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from saferl_ros import __version__
from saferl_ros.control.family import FamilyConfig
from saferl_ros.dataset.io import cannot_write, load_episode, write_record
from saferl_ros.dataset.schema import FORMAT_VERSION, Record
from saferl_ros.env.junction import Junction
from saferl_ros.errors import UsageError
from saferl_ros.isolation import run_isolated
from saferl_ros.record.episode import record_episode, RecordTask
from saferl_ros.record.revision import git_revision
from saferl_ros.scenario import DemandVariation, Split, Surge
from saferl_ros.sumo.home import sumo_version


class RecordConfig(BaseModel):
    """What to record."""

    model_config = ConfigDict(frozen=True, extra='forbid')

    episodes: int = Field(default=100, ge=1, le=100_000)
    seed: int = Field(default=0, ge=0)
    scale_range: tuple[float, float] = (0.5, 1.25)
    surge_share: float = Field(default=0.2, ge=0, le=1)  # episodes with a surge from one direction
    own_plan_share: float = Field(default=0.2, gt=0, le=1)  # demands run under the own plan too
    family: FamilyConfig = FamilyConfig()
    reward: str = 'time_lost'


def draw_demands(config: RecordConfig) -> list[DemandVariation]:
    """Return the demand of each episode; the split keeps it apart from any test demand."""
    rng = np.random.default_rng([config.seed, 5])
    demands = []
    for n in range(config.episodes):
        scale = float(rng.uniform(*config.scale_range))
        start, length_s = float(rng.uniform(0.1, 0.7)), float(rng.uniform(600, 1200))
        factor, has_surge = float(rng.uniform(1.3, 2.0)), rng.random() < config.surge_share
        surge = Surge(start_ratio=start, length_s=length_s, factor=factor) if has_surge else None
        seed = config.seed * 100_000 + n
        demands.append(
            DemandVariation(split=Split.RECORD, seed=seed, scale=round(scale, 4), surge=surge)
        )
    return demands


def record(
    junction: Junction,
    config: RecordConfig,
    path: Path,
    *,
    jobs: int = 2,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Record:
    """
    Record the family on ``config.episodes`` demands, and the own plan on a share of the same.

    Finished episodes are kept in ``<path>.parts`` until the file is whole, so that an interrupted
    recording goes on where it stopped when it is started again.

    :param progress: called with (episodes done, episodes in all).
    :returns: the record that was written.
    :raises UsageError: if the path cannot be written, or its parts belong to another recording.
    """
    manifest = {
        'format_version': FORMAT_VERSION,
        'package_version': __version__,
        'git_revision': git_revision(),
        'sumo_version': sumo_version(),
        'scenario': junction.scenario.to_json(),
        'plan_fingerprint': junction.plan.fingerprint(),
        'spec_fingerprint': junction.spec.fingerprint(),
        'split': Split.RECORD.name.lower(),
        **json.loads(config.model_dump_json(exclude={'family'})),
        'family': json.loads(config.family.model_dump_json()),
    }
    parts = path.with_name(path.name + '.parts')
    _open_parts(parts, manifest)
    demands = draw_demands(config)
    own = FamilyConfig(plans='net')
    n_own = (
        0 if config.family.plans == 'net' else round(len(demands) * config.own_plan_share + 0.4)
    )
    jobs_to_do = [(config.family, demand) for demand in demands]
    jobs_to_do += [(own, demand) for demand in demands[: max(n_own, 0)]]
    tasks = [
        RecordTask(
            junction=junction,
            family=family,
            demand=demand,
            reward=config.reward,
            part_file=parts / f'{n:05d}.npz',
        )
        for n, (family, demand) in enumerate(jobs_to_do)
    ]
    left = [task for task in tasks if not task.part_file.exists()]
    done = len(tasks) - len(left)
    progress(done, len(tasks))
    try:
        for _ in run_isolated(record_episode, left, jobs=jobs):
            done += 1
            progress(done, len(tasks))
        result = Record(
            manifest=manifest,
            plan=junction.plan,
            spec=junction.spec,
            episodes=[load_episode(task.part_file) for task in tasks],
        )
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        if not any(parts.glob('*.npz')):  # nothing to go on from
            shutil.rmtree(parts, ignore_errors=True)
    write_record(result, path)
    shutil.rmtree(parts)
    return result


def _open_parts(parts: Path, manifest: dict[str, Any]) -> None:
    """Make the folder for finished episodes, or check that it belongs to this recording."""
    marker = parts / 'manifest.json'
    text = json.dumps(manifest, indent=1, sort_keys=True)
    partial = marker.with_suffix('.writing')
    try:
        if any(parts.glob('*.npz')):
            if not marker.exists() or marker.read_text(encoding='utf-8') != text:
                raise UsageError(
                    f"'{parts}' holds an interrupted recording with other settings; remove it, "
                    'finish it with its own settings, or choose another output'
                )
            return
        parts.mkdir(parents=True, exist_ok=True)
        partial.write_text(text, encoding='utf-8')
        partial.replace(marker)
    except OSError as error:
        with suppress(OSError):  # leave nothing half made; the folder may hold other things
            partial.unlink(missing_ok=True)
            parts.rmdir()
        raise cannot_write(parts, error) from error
