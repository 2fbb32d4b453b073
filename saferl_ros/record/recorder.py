"""Records many episodes in parallel, resumably."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
import json
import math
from pathlib import Path
import shutil
from typing import Any

import numpy as np
from pydantic import BaseModel, Field, field_validator, ValidationInfo

from saferl_ros import __version__
from saferl_ros.control.family import FamilyConfig
from saferl_ros.dataset.io import cannot_write, load_episode, read_record, write_record
from saferl_ros.dataset.schema import FORMAT_VERSION, Record
from saferl_ros.env.junction import Junction
from saferl_ros.env.reward import RewardName
from saferl_ros.errors import DatasetError, UsageError
from saferl_ros.isolation import run_isolated
from saferl_ros.record.episode import prepare_to_record, record_episode, RecordTask
from saferl_ros.record.revision import git_revision
from saferl_ros.scenario import DemandVariation, Split, Surge
from saferl_ros.scenario.ranges import ScaleRange
from saferl_ros.sumo.home import sumo_version
from saferl_ros.yaml_file import CONFIG, differences

N_NAMED = 3  # settings that a refusal names
_VERSIONS = {'package_version', 'git_revision', 'sumo_version'}  # of what recorded


class RecordConfig(BaseModel):
    """What to record."""

    model_config = CONFIG

    episodes: int = Field(default=100, ge=1, le=100_000)
    """How many hours, or whatever an episode of the scenario lasts."""
    seed: int = Field(default=0, ge=0)
    """Another one records other demand and other plans."""
    scale_range: ScaleRange = (0.5, 1.25)
    """Demand over the nominal one, drawn for each episode."""
    surge_share: float = Field(default=0.2, ge=0, le=1)
    """Episodes with a surge from one direction."""
    own_plan_share: float = Field(default=0.2, gt=0, le=1)
    """Demands that are run under the own plan too, for the price and for cloning."""
    budget: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """
    Price of the data, such as 1.05: the widest family within it is searched; null records
    family.
    """
    family: FamilyConfig = FamilyConfig()
    reward: RewardName = 'time_lost'
    """time_lost, or one of sumo-rl's."""

    @field_validator('family')
    @classmethod
    def _one_of_both(cls, value: FamilyConfig, info: ValidationInfo) -> FamilyConfig:
        if info.data.get('budget') is not None and value != FamilyConfig():
            raise ValueError("must be left out where 'budget' searches one")
        return value


# (file to keep played episodes in) to (the family to record, JSON-ready notes on the search)
Search = Callable[[Path], tuple[FamilyConfig, Any]]


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
    junctions: Sequence[Junction],
    config: RecordConfig,
    paths: Sequence[Path],
    *,
    search: Search | None = None,
    jobs: int = 2,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """
    Record the family on ``config.episodes`` demands, and the own plan on a share of the same.

    All junctions of a network are recorded together, each into a record of its own. Finished
    episodes are kept in ``<first path>.parts`` until the files are whole, so that an interrupted
    recording goes on where it stopped when it is started again. A finished one of the same
    settings is left as it is.

    :param junctions: of one scenario.
    :param paths: the file of each junction.
    :param search: finds the family if the configuration states a budget; asked once, as the
        interrupted or finished record knows the answer.
    :param progress: called with (episodes done, episodes in all).
    :raises UsageError: if the path cannot be written, or it or its parts hold another recording.
    """
    digests = junctions[0].scenario.file_digests()
    manifests: list[dict[str, Any]] = [
        {
            'format_version': FORMAT_VERSION,
            'package_version': __version__,
            'git_revision': git_revision(),
            'sumo_version': sumo_version(),
            'scenario': json.loads(json.dumps(junction.scenario.to_json())),
            'file_digests': digests,
            'recorded_junctions': [j.plan.junction_id for j in junctions],
            'plan_fingerprint': junction.plan.fingerprint(),
            'spec_fingerprint': junction.spec.fingerprint(),
            'split': Split.RECORD.name.lower(),
            **json.loads(config.model_dump_json(exclude={'family'})),
            'family': json.loads(config.family.model_dump_json()),
            'search': None,
        }
        for junction in junctions
    ]
    parts = paths[0].with_name(paths[0].name + '.parts')
    demands = draw_demands(config)
    if _is_recorded(paths, manifests):
        progress(len(demands), len(demands))
        return
    family = config.family
    if config.budget is not None:
        family = _searched(parts, manifests, search)
    _open_parts(parts, manifests)
    own = FamilyConfig(plans='net')
    n_own = 0 if family.plans == 'net' else math.ceil(len(demands) * config.own_plan_share - 1e-9)
    jobs_to_do = [(family, demand) for demand in demands]
    jobs_to_do += [(own, demand) for demand in demands[:n_own]]
    tasks = [
        RecordTask(
            junctions=tuple(junctions),
            family=family,
            demand=demand,
            reward=config.reward,
            part_files=tuple(parts / f'{n:05d}_{k:03d}.npz' for k in range(len(junctions))),
        )
        for n, (family, demand) in enumerate(jobs_to_do)
    ]
    left = [task for task in tasks if not all(part.exists() for part in task.part_files)]
    done = len(tasks) - len(left)
    progress(done, len(tasks))
    try:
        for _ in run_isolated(record_episode, left, jobs=jobs, prepare=prepare_to_record):
            done += 1
            progress(done, len(tasks))
        for k, (junction, path) in enumerate(zip(junctions, paths, strict=True)):
            result = Record(
                manifest=manifests[k],
                plan=junction.plan,
                spec=junction.spec,
                episodes=[load_episode(task.part_files[k]) for task in tasks],
            )
            write_record(result, path)
    except OSError as error:
        raise cannot_write(paths[0], error) from error
    finally:
        if {path.name for path in parts.glob('*')} <= {'manifest.json'}:  # nothing to go on from
            shutil.rmtree(parts, ignore_errors=True)
    shutil.rmtree(parts)


def _is_recorded(paths: Sequence[Path], manifests: Sequence[dict[str, Any]]) -> bool:
    """Return whether these very records are there; refuse to replace others."""
    for path, manifest in zip(paths, manifests, strict=True):
        if not path.exists():
            continue
        try:
            known = read_record(path).manifest
        except DatasetError as error:
            raise UsageError(
                f"'{path}' exists and is no whole record ({error}); remove it or choose another "
                'output'
            ) from error
        files = zip(known.get('file_digests', []), manifest['file_digests'], strict=False)
        changed = [now[0] for then, now in files if then[0] == now[0] and then[1] != now[1]]
        if changed:
            raise UsageError(
                f"'{path}' was recorded before '{changed[0]}' changed; remove it "
                'or choose another output'
            )
        if not _agree(known, manifest):
            pairs = differences(*(_settings_of(one, manifest) for one in (known, manifest)))
            told = ', '.join(
                f'{name}: there {a}, now {b}' for name, (a, b) in list(pairs.items())[:N_NAMED]
            )
            raise UsageError(
                f"'{path}' holds a recording with other settings ({told}); remove it or choose "
                'another output'
            )
    return all(path.exists() for path in paths)


def _agree(known: dict[str, Any], manifest: dict[str, Any]) -> bool:
    """Return whether the settings are the same; a searched family follows from them."""
    return _settings_of(known, manifest) == _settings_of(manifest, manifest)


def _settings_of(one: dict[str, Any], manifest: dict[str, Any]) -> dict[str, Any]:
    leave_out = _VERSIONS | (set() if manifest['budget'] is None else {'family', 'search'})
    return {key: one.get(key) for key in manifest.keys() - leave_out}


def _searched(parts: Path, manifests: list[dict[str, Any]], search: Search | None) -> FamilyConfig:
    """Return the family within the budget, and note it and the search in the manifests."""
    marker = parts / 'manifest.json'
    known = []
    if any(parts.glob('*.npz')) and not marker.exists():
        raise _other_settings(parts)
    if marker.exists():
        known = json.loads(marker.read_text(encoding='utf-8'))
        if len(known) != len(manifests) or not all(map(_agree, known, manifests)):
            raise _other_settings(parts)
    if known:
        stated, notes = known[0]['family'], known[0]['search']
    elif search is None:
        raise UsageError('a budget needs a search for the family; state the family instead')
    else:
        try:
            parts.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(parts, error) from error
        family, notes = search(parts / 'search.episodes.jsonl')
        stated = json.loads(family.model_dump_json())
    for manifest in manifests:
        manifest.update(family=stated, search=notes)
    return FamilyConfig.model_validate(stated)


def _other_settings(parts: Path) -> UsageError:
    return UsageError(
        f"'{parts}' holds an interrupted recording with other settings; remove it, finish it with "
        'its own settings, or choose another output'
    )


def _check_versions(parts: Path, known: dict[str, Any], manifest: dict[str, Any]) -> None:
    """Refuse to go on with episodes of another release; a commit more or less is no release."""
    for key in ('package_version', 'sumo_version'):
        if known[key] != manifest[key]:
            raise UsageError(
                f"'{parts}' holds an interrupted recording of {key} {known[key]}, and this is "
                f'{manifest[key]}; remove it, finish it with that version, or choose another '
                'output'
            )


def _open_parts(parts: Path, manifest: list[dict[str, Any]]) -> None:
    """Make the folder for finished episodes, or check that it belongs to this recording."""
    marker = parts / 'manifest.json'
    text = json.dumps(manifest, indent=1, sort_keys=True)
    partial = marker.with_suffix('.writing')
    try:
        if any(parts.glob('*.npz')):
            known = json.loads(marker.read_text(encoding='utf-8')) if marker.exists() else []
            if len(known) != len(manifest) or not all(map(_agree, known, manifest)):
                raise _other_settings(parts)
            _check_versions(parts, known[0], manifest[0])
            return
        parts.mkdir(parents=True, exist_ok=True)
        partial.write_text(text, encoding='utf-8')
        partial.replace(marker)
    except OSError as error:
        with suppress(OSError):  # leave nothing half made; the folder may hold other things
            partial.unlink(missing_ok=True)
            parts.rmdir()
        raise cannot_write(parts, error) from error
