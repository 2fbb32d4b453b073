"""Every change of lamps as a line of CSV, for those who compare runs."""

from __future__ import annotations

import csv
from pathlib import Path

from saferl_ros.errors import UsageError


class LampLog:
    """
    Writes ``sim_time_s,junction_id,lamps`` whenever the lamps of a junction change.

    :param path: replaced if it exists.
    :raises UsageError: if it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open('w', newline='', encoding='utf-8')
        except OSError as error:
            raise UsageError(f"lamp_log: cannot write '{path}': {error.strerror}") from error
        self._writer = csv.writer(self._file)
        self._writer.writerow(['sim_time_s', 'junction_id', 'lamps'])
        self._shown: dict[str, str] = {}

    def write(self, sim_time_s: float, junction_id: str, lamps: str) -> None:
        """Take note of the lamps that show from this time on."""
        if self._shown.get(junction_id) != lamps:
            self._shown[junction_id] = lamps
            self._writer.writerow([f'{sim_time_s:g}', junction_id, lamps])

    def close(self) -> None:
        """Finish the file."""
        self._file.close()
