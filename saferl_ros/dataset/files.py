"""Where the records of a network's junctions lie: one file per junction."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from saferl_ros.errors import DatasetError
from saferl_ros.naming import file_name


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
