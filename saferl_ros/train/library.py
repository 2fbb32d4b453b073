"""The door to d3rlpy and torch."""

from __future__ import annotations

from contextlib import redirect_stderr
import io
import os
from typing import Any

from saferl_ros.errors import MissingExtraError, UsageError


def load_d3rlpy() -> Any:
    """
    Import d3rlpy quietly: the ``gym`` it pulls in prints a notice that concerns nobody here.

    :raises MissingExtraError: if it is not installed.
    """
    os.environ.setdefault('PYTHONWARNINGS', 'ignore')
    try:
        with redirect_stderr(io.StringIO()):
            import d3rlpy
    except ImportError as error:
        raise MissingExtraError('d3rlpy', 'train') from error
    return d3rlpy


def load_torch() -> Any:
    """
    Import torch.

    :raises MissingExtraError: if it is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError('torch', 'train') from error
    return torch


def check_device(device: str) -> str:
    """
    Return ``device`` if torch can use it.

    :param device: ``cpu`` or ``cuda:N``.
    :raises UsageError: if it cannot.
    """
    if device == 'cpu':
        return device
    torch = load_torch()
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).split('\n', maxsplit=1)[0]
        raise UsageError(
            f"device '{device}' cannot be used ({reason}); try --device cpu"
        ) from error
    return device
