"""Reads the parameter file of a launch, and warns of names in it that mean nothing."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any

from launch.logging import get_logger
import yaml

from saferl_ros.errors import UsageError
from saferl_ros.ros.graph import params_file

PARAMS_FILE = 'params_file'
NODES = ('sumo_bridge', 'fixed_time', 'policy', 'shadow_recorder')


def read_parameters(file: Path) -> dict[str, Any]:
    """
    Return a parameter file's entries by node.

    :raises UsageError: if it cannot be read, or holds none.
    """
    try:
        data = yaml.safe_load(file.read_text(encoding='utf-8'))
    except OSError as error:
        raise UsageError(f"{PARAMS_FILE} '{file}' cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        said = ' '.join(str(error).split())
        raise UsageError(f"{PARAMS_FILE} '{file}' is no YAML: {said}") from error
    if not isinstance(data, dict):
        raise UsageError(
            f"{PARAMS_FILE} '{file}' holds no parameters; "
            f'it has to look like {params_file("shadow")}'
        )
    _hint_at_misspelt(file, data)
    return data


def _hint_at_misspelt(file: Path, data: Mapping[str, Any]) -> None:
    """Warn of names in a parameter file that were surely meant for us: ROS takes any."""
    warn = get_logger('saferl_ros').warning
    for key, entry in data.items():
        node = str(key).rpartition('/')[2]
        if node not in NODES:
            near = get_close_matches(node, NODES, n=1, cutoff=0.7)
            if near:
                warn(f"{PARAMS_FILE} '{file}': no node is called '{key}'; did you mean {near[0]}?")
            continue
        known = [one.name for one in import_module(f'saferl_ros.ros.{node}').PARAMETERS]
        stated = entry.get('ros__parameters', {}) if isinstance(entry, dict) else {}
        for name in stated:
            near = get_close_matches(str(name), known, n=1, cutoff=0.7)
            if name not in known and near:
                warn(
                    f"{PARAMS_FILE} '{file}': {node} has no parameter '{name}', so it is ignored; "
                    f'did you mean {near[0]}?'
                )


def stated_values(name: str, data: object) -> list[object]:
    """Return the values of a parameter in a file, under whatever names of nodes."""
    if not isinstance(data, Mapping):
        return []
    own = [data[name]] if name in data else []
    return own + [value for part in data.values() for value in stated_values(name, part)]
