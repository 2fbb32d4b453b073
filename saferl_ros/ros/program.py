"""Runs one node as a program: signals, exit codes, and one clear line for every bad input."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
import os
from pathlib import Path
import signal
import sys
from types import FrameType
from typing import Protocol

import rclpy
from rclpy.exceptions import (
    InvalidParameterTypeException,
    InvalidParameterValueException,
    ParameterAlreadyDeclaredException,
)
from rclpy.executors import ExternalShutdownException
from rclpy.signals import SignalHandlerOptions

from saferl_ros.errors import SaferlError, UsageError

EXIT_OK, EXIT_FAILED, EXIT_USAGE = 0, 1, 2


class Stopper:
    """Whether somebody asked this program to end."""

    def __init__(self) -> None:
        self.is_asked = False
        self._wake: Callable[[], None] | None = None

    def on_ask(self, wake: Callable[[], None]) -> None:
        """Have ``wake`` called once somebody asks."""
        self._wake = wake

    def ask(self, signum: int = 0, frame: FrameType | None = None) -> None:
        """Ask; a second time ends the program at once."""
        if self.is_asked:
            os._exit(128 + signum)
        self.is_asked = True
        if self._wake is not None:
            self._wake()


class Runnable(Protocol):
    """A node with a main loop of its own."""

    def run(self, stopper: Stopper) -> int:
        """Work until done or asked to stop; return the exit code."""

    def destroy_node(self) -> None:
        """Release everything."""


def _check_files(arguments: Sequence[str]) -> None:
    """Refuse a parameter file that is not there, in fewer words than rcl's."""
    for flag, name in pairwise(arguments):
        if flag == '--params-file' and not Path(name).is_file():
            raise UsageError(f"parameter file '{name}' does not exist; check the path")


def run_program(
    make: Callable[[], Runnable], name: str, arguments: Sequence[str] | None = None
) -> int:
    """
    Run a node until it is done or Ctrl-C or SIGTERM asks it to stop.

    The node gets to say a last word: rclpy's own handler would have closed its mouth.

    :param make: makes the node, once rclpy is ready.
    :returns: 0 after an orderly end, 1 if the node failed, 2 for parameters it cannot use.
    """
    stopper = Stopper()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stopper.ask)
    node: Runnable | None = None
    try:
        try:
            _check_files(arguments or sys.argv)
            rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
            node = make()
        except (
            *(SaferlError, InvalidParameterTypeException, InvalidParameterValueException),
            ParameterAlreadyDeclaredException,
        ) as error:
            print(f'{name}: {error}', file=sys.stderr)
            return EXIT_USAGE
        except RuntimeError as error:  # rcl: a missing or malformed parameter file
            print(f'{name}: {" ".join(str(error).split())}', file=sys.stderr)
            return EXIT_USAGE
        return node.run(stopper)
    except (KeyboardInterrupt, ExternalShutdownException):
        return EXIT_OK
    except SaferlError as error:
        print(f'{name}: {error}', file=sys.stderr)
        return EXIT_FAILED
    finally:
        if node is not None:
            node.destroy_node()
        if rclpy.ok():
            rclpy.shutdown()
