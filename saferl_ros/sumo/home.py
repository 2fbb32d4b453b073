"""Finds SUMO and loads its Python libraries, each at one place."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
import os
from pathlib import Path
import sys
from types import ModuleType
from typing import Any

from saferl_ros.errors import MissingExtraError


def sumo_home() -> Path:
    """
    Return SUMO's home and set ``SUMO_HOME``, which SUMO's own tools insist on.

    So is where PROJ's data are, without which SUMO complains of a missing ``proj.db``.

    :raises MissingExtraError: if SUMO is not installed.
    """
    found = find_spec('sumo')
    if found is not None and found.origin is not None:
        home = Path(found.origin).parent  # the wheel's SUMO always fits the wheel's libraries
    elif os.environ.get('SUMO_HOME'):
        home = Path(os.environ['SUMO_HOME'])
    else:
        raise MissingExtraError('sumo', 'sim')
    os.environ['SUMO_HOME'] = str(home)
    for name in ('PROJ_DATA', 'PROJ_LIB'):  # its name since PROJ 9.1, and before
        os.environ.setdefault(name, str(home / 'data' / 'proj'))
    return home


def sumo_binary(name: str = 'sumo') -> str:
    """Return the path of a SUMO program such as ``sumo`` or ``sumo-gui``."""
    path = sumo_home() / 'bin' / name
    return str(path) if path.exists() else name


def load_library(name: str) -> ModuleType:
    """
    Import ``libsumo``, ``traci`` or ``sumo_rl`` with ``SUMO_HOME`` set.

    :raises MissingExtraError: if it is not installed.
    """
    sumo_home()
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingExtraError(name, 'sim') from error


def direct(getter: Callable[..., Any]) -> Callable[..., Any]:
    """
    Return the C function behind one of libsumo's getters: a Python call less, every second.

    :param getter: such as ``libsumo.edge.getLastStepMeanSpeed``; TraCI's are returned unchanged.
    """
    module = getattr(sys.modules.get(getter.__module__), '_libsumo', None)
    found: Callable[..., Any] = getattr(module, getter.__qualname__.replace('.', '_'), getter)
    return found


def sumo_version() -> str:
    """Return the version of the SUMO in use, for manifests."""
    return str(load_library('libsumo').getVersion()[1])
