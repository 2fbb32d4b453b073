"""
Reads and writes records: HDF5, one file a run, arrays per episode and JSON attributes.

A file appears under its name only when it is whole: it is written beside it and renamed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
import csv
import json
from pathlib import Path
from types import ModuleType
from typing import Any
from zipfile import BadZipFile

import numpy as np

from saferl_ros.dataset.schema import Episode, FORMAT_VERSION, Record, STEP_COLUMNS
from saferl_ros.env.cost import COST_NAMES
from saferl_ros.errors import DatasetError, MissingExtraError, UsageError
from saferl_ros.observation import ObservationSpec
from saferl_ros.signals import SignalPlan

LAYOUT = ('v110', 'v110')  # HDF5's layout with checksums and with attributes of any length
_ARRAYS = (*STEP_COLUMNS, 'observations', 'legal', 'stage', 'green_elapsed_s', 'cost')


def load_h5py() -> ModuleType:
    """
    Import h5py.

    :raises MissingExtraError: if it is not installed.
    """
    try:
        import h5py
    except ImportError as error:
        raise MissingExtraError('h5py', 'sim') from error
    module: ModuleType = h5py
    return module


def write_record(record: Record, path: Path) -> None:
    """
    Write a record; an existing file is replaced only when the new one is complete.

    :raises UsageError: if the path cannot be written or the disk is full.
    """
    image = _hdf5_image(record)
    with whole_file(path) as partial:
        partial.write_bytes(image)


def _hdf5_image(record: Record) -> bytes:
    """
    Return the record as the bytes of an HDF5 file.

    HDF5 never touches the disk itself: on a full one it ends the whole process.
    """
    h5py = load_h5py()
    with h5py.File('record', 'w', driver='core', backing_store=False, libver=LAYOUT) as file:
        file.attrs['format_version'] = FORMAT_VERSION
        file.attrs['manifest'] = json.dumps(record.manifest)
        file.attrs['plan'] = json.dumps(record.plan.to_json())
        file.attrs['spec'] = json.dumps(record.spec.to_json())
        file.attrs['n_episodes'] = len(record.episodes)
        for n, episode in enumerate(record.episodes):
            group = file.create_group(f'episodes/{n:05d}')
            for name in _ARRAYS:
                data = getattr(episode, name)
                group.create_dataset(name, data=data, compression='lzf', fletcher32=True)
            group.attrs['family'] = episode.family
            group.attrs['truncated'] = episode.truncated
            group.attrs['demand'] = json.dumps(episode.demand)
            group.attrs['metrics'] = json.dumps(episode.metrics)
        file.flush()
        image: bytes = file.id.get_file_image()
    return image


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """
    Yield a name to write under, which becomes ``path`` once everything is written.

    :raises UsageError: if it cannot be written there.
    """
    partial = path.with_name(path.name + '.writing')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        partial.replace(path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        with suppress(OSError):  # the folder itself may be what cannot be written
            partial.unlink(missing_ok=True)


def cannot_write(path: Path, error: OSError) -> UsageError:
    """Return the exception for a path that could not be written."""
    reason = error.strerror or str(error)
    if isinstance(error, FileExistsError | NotADirectoryError):
        reason = f"'{error.filename}' is a file or lies in one, where a folder is needed"
    return UsageError(f"cannot write '{path}': {reason}; choose another place or free some room")


def read_record(path: Path) -> Record:
    """
    Read a record.

    :raises DatasetError: if the file is missing, truncated, or of another format version.
    """
    h5py = load_h5py()
    if path.is_dir():
        raise DatasetError(
            f"record '{path}' is a folder; name the file that 'saferl record' wrote"
        )
    if not path.is_file():
        raise DatasetError(f"record '{path}' does not exist; make one with 'saferl record'")
    if not h5py.is_hdf5(path) and path.suffix not in ('.h5', '.hdf5'):
        raise DatasetError(f"'{path}' is no record (HDF5); name what 'saferl record' wrote")
    try:
        with h5py.File(path, 'r') as file:
            refusal = _refusal(file)
            record = None if refusal else _read_whole(file)
    except (OSError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise DatasetError(
            f"record '{path}' cannot be read, it is truncated or damaged ({error}); record again"
        ) from error
    if record is None:
        raise DatasetError(f"record '{path}' {refusal}")
    return record


def _refusal(file: Any) -> str:
    """Return why a file that HDF5 can open is no record to read; empty if it is one."""
    version = file.attrs.get('format_version')
    if version is None:
        return "is an HDF5 file but no record of this package; make one with 'saferl record'"
    if version != FORMAT_VERSION:
        return (
            f'has format version {version}; this release reads version {FORMAT_VERSION}; record '
            'again or use the release that wrote it'
        )
    n_episodes, n_expected = len(file['episodes']), int(file.attrs['n_episodes'])
    if n_episodes != n_expected:
        return f'holds {n_episodes} of {n_expected} episodes; it is incomplete, record again'
    return ''


def _read_whole(file: Any) -> Record:
    groups = file['episodes']
    record = Record(
        manifest=json.loads(file.attrs['manifest']),
        plan=SignalPlan.from_json(json.loads(file.attrs['plan'])),
        spec=ObservationSpec.from_json(json.loads(file.attrs['spec'])),
        episodes=[_read_episode(groups[name]) for name in sorted(groups)],
    )
    for what in ('plan', 'spec'):
        if getattr(record, what).fingerprint() != record.manifest[f'{what}_fingerprint']:
            raise DatasetError(f'its {what} does not match its fingerprint')
    return record


def _read_episode(group: Any) -> Episode:
    return Episode(
        **{name: group[name][()] for name in _ARRAYS},
        family=str(group.attrs['family']),
        truncated=bool(group.attrs['truncated']),
        demand=json.loads(group.attrs['demand']),
        metrics=json.loads(group.attrs['metrics']),
    )


def export_csv(record: Record, path: Path) -> None:
    """
    Write one row per decision, for spreadsheets and other tools.

    :raises UsageError: if the path cannot be written.
    """
    features = [feature.name for feature in record.spec.features()]
    header = ['episode', 'family', 'decision', 'stage', 'green_elapsed_s']
    with whole_file(path) as partial, partial.open('w', newline='', encoding='utf-8') as file:
        writer = csv.writer(file)
        writer.writerow([*header, *STEP_COLUMNS, *COST_NAMES, *features])
        for n, episode in enumerate(record.episodes):
            for t in range(len(episode)):
                writer.writerow(
                    [
                        *(n, episode.family, t, episode.stage[t], episode.green_elapsed_s[t]),
                        *(getattr(episode, name)[t] for name in STEP_COLUMNS),
                        *episode.cost[t],
                        *episode.observations[t],
                    ]
                )


def save_episode(episode: Episode, path: Path) -> None:
    """Write one episode as a part file; it appears under its name only when whole."""
    partial = path.with_suffix('.writing')
    attributes = json.dumps(
        {'family': episode.family, 'demand': episode.demand, 'metrics': episode.metrics}
    )
    try:
        with partial.open('wb') as file:
            np.savez(
                file,
                **{name: getattr(episode, name) for name in _ARRAYS},
                attributes=np.array(attributes),
            )
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def load_episode(path: Path) -> Episode:
    """
    Read a part file that ``save_episode`` wrote.

    :raises DatasetError: if it is damaged.
    """
    try:
        with np.load(path) as data:
            return Episode(
                **{name: data[name] for name in _ARRAYS}, **json.loads(str(data['attributes']))
            )
    except (BadZipFile, EOFError, KeyError, OSError, TypeError, ValueError) as error:
        raise DatasetError(
            f"recorded episode '{path}' is damaged ({error}); remove it and start the same "
            'recording again'
        ) from error
