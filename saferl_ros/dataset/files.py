"""Where the records of a network's junctions lie: one file per junction."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from saferl_ros.dataset.schema import Record
from saferl_ros.errors import DatasetError
from saferl_ros.naming import file_name

_TOGETHER = ('scenario', 'seed', 'episodes', 'family', 'reward', 'recorded_junctions')


def record_paths(place: Path, junction_ids: Sequence[str]) -> list[Path]:
    """
    Return the file of each junction's record.

    :param place: the file itself where there is one junction, a folder of files where there are
        several.
    """
    if len(junction_ids) == 1:
        return [place]
    return [place / f'{file_name(junction_id)}.h5' for junction_id in junction_ids]


def find_records(place: Path) -> list[Path]:
    """
    Return the records at ``place``, a file or a folder of them, in the order of their names.

    :raises DatasetError: if a folder holds none.
    """
    if not place.is_dir():
        return [place]
    found = sorted(place.glob('*.h5'))
    if not found:
        raise DatasetError(
            f"'{place}' is a folder without records; name what 'saferl record' wrote"
        )
    return found


def _common(value: Any) -> Any:
    """Return what the records of a network have in common: all but which junction each is of."""
    if not isinstance(value, dict):
        return value
    return {key: one for key, one in value.items() if key != 'junction_id'}


def check_together(records: Sequence[Record], paths: Sequence[Path]) -> None:
    """
    Refuse records that were not made together, or a network's that are not all there.

    :param paths: the file of each.
    :raises DatasetError: naming the file and what differs.
    """
    if len(records) < 2:
        return
    first = records[0].manifest
    for record, path in zip(records[1:], paths[1:], strict=True):
        for key in _TOGETHER:
            if _common(record.manifest.get(key)) != _common(first.get(key)):
                raise DatasetError(
                    f"'{path}' was not recorded together with '{paths[0]}' (another {key}); keep "
                    'the records of one recording in a folder, or name a single one'
                )
    found = {record.plan.junction_id for record in records}
    missing = [one for one in first.get('recorded_junctions', []) if one not in found]
    if missing:
        raise DatasetError(
            f"'{paths[0].parent}' lacks the records of junctions {', '.join(missing)}, which were "
            'recorded together with the others; put them back, or name a single record'
        )


def check_alike(records: Sequence[Record], paths: Sequence[Path]) -> None:
    """
    Refuse records that cannot teach one network, of whatever maps they are.

    :param paths: the file of each.
    :raises DatasetError: naming the file and what differs.
    """
    seen: dict[str, Path] = {}
    for record, path in zip(records, paths, strict=True):
        junction_id = record.plan.junction_id
        if junction_id in seen:
            raise DatasetError(
                f"'{path}' and '{seen[junction_id]}' are both of junction '{junction_id}'; keep "
                'one of them'
            )
        seen[junction_id] = path
        for what, first, other in (
            ('observation', records[0].spec.kind, record.spec.kind),
            ('reward', records[0].manifest.get('reward'), record.manifest.get('reward')),
        ):
            if first != other:
                raise DatasetError(
                    f"'{path}' has {what} '{other}' and '{paths[0]}' '{first}'; one network "
                    'learns from one kind'
                )
