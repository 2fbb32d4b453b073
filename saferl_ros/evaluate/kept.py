"""Keeps each episode that was played, so that an interrupted judging goes on where it stopped."""

from __future__ import annotations

from dataclasses import asdict
import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from saferl_ros.control.rollout import EpisodeResult
from saferl_ros.dataset.io import cannot_write
from saferl_ros.errors import DatasetError

_RESULT = TypeAdapter(EpisodeResult)


def kept_file(evaluation_file: Path) -> Path:
    """Return where the episodes of an evaluation are kept: ``evaluation.episodes.jsonl``."""
    return evaluation_file.with_suffix('.episodes.jsonl')


class KeptEpisodes:
    """
    Episodes in a file, a JSON object per line: ``key``, ``controller``, ``demand``, ``result``.

    A line that a kill cut short counts as not played.

    :param path: need not exist.
    :raises DatasetError: if it is there and cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._results: dict[str, EpisodeResult] = {}
        try:
            text = path.read_text(encoding='utf-8', errors='replace') if path.exists() else ''
        except OSError as error:
            raise DatasetError(
                f"'{path}' keeps the episodes already played and cannot be read: "
                f'{error.strerror}; remove it to play them again'
            ) from error
        for line in text.splitlines():
            try:
                data = json.loads(line)
                self._results[data['key']] = _RESULT.validate_python(data['result'])
            except (ValueError, KeyError, TypeError, ValidationError):
                continue  # cut short, or of another release: it is played again

    def get(self, key: str) -> EpisodeResult | None:
        """Return what the episode gave, or None if it was not played yet."""
        return self._results.get(key)

    def add(
        self, key: str, result: EpisodeResult, controller: str, demand: dict[str, Any]
    ) -> None:
        """
        Keep one more.

        :raises UsageError: if the file cannot be written.
        """
        self._results[key] = result
        line = json.dumps(
            {'key': key, 'controller': controller, 'demand': demand, 'result': asdict(result)}
        )
        try:
            with self.path.open('a', encoding='utf-8') as file:
                file.write(f'\n{line}\n')  # whatever a kill left before it
        except OSError as error:
            raise cannot_write(self.path, error) from error
