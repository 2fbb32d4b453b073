"""The ``saferl`` command: parses, dispatches, and turns errors into one clear line."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
import os
import signal
import sys
import threading
from typing import Any, NoReturn

from saferl_ros import __version__
from saferl_ros.cli import (
    check,
    crosscheck,
    evaluate,
    gate,
    inspect,
    record,
    report,
    run,
    scenarios,
    shadow_report,
    sim,
    train,
)
from saferl_ros.errors import SaferlError

EXIT_OK, EXIT_NO, EXIT_USAGE = 0, 1, 2
EXIT_INTERRUPTED, EXIT_PIPE, EXIT_TERMINATED = 130, 141, 143  # 128 + signal, as shells expect
_RESUMABLE = ('record', 'train', 'evaluate', 'run')

_COMMANDS = (
    scenarios,
    check,
    record,
    inspect,
    train,
    evaluate,
    gate,
    report,
    run,
    crosscheck,
    sim,
    shadow_report,
)

_EPILOG = """
the usual way:
  saferl scenarios                                  what is built in
  saferl check cologne1                             are its signals safe as they stand?
  saferl run config/demo.yaml                       record, train, evaluate and report in one go

exit codes: 0 done or yes, 1 the answer is no (faults found, gate failed), 2 bad usage or input
"""


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, like every other error; takes options by whole names."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **{'allow_abbrev': False, **options})

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Refuse what is unknown here, where it is known which command is meant."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            name = unknown[0].split('=')[0]
            near = get_close_matches(name, self._option_string_actions, n=1, cutoff=0.7)
            hint = f'; did you mean {near[0]}?' if near else ''
            self.error(f"unknown argument '{unknown[0]}'{hint}")
        return found, unknown

    def error(self, message: str) -> NoReturn:
        """Print the message and where to look, and exit."""
        self.exit(EXIT_USAGE, f"{self.prog}: {message}; see '{self.prog} --help'\n")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser with all commands."""
    parser = Parser(
        prog='saferl',
        description='Train a safer, better traffic signal offline from what a safe fixed-time '
        'controller already did, and judge it before it goes anywhere near a street.',
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--version', action='version', version=f'saferl {__version__}')
    commands = parser.add_subparsers(dest='command', required=True, metavar='COMMAND')
    for module in _COMMANDS:
        module.add_parser(commands)
    return parser


class Terminated(KeyboardInterrupt):
    """SIGTERM, by which job schedulers and service managers stop what a user stops by Ctrl-C."""


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM end a command as Ctrl-C does: files whole, times noted, no process left."""

    def end(number: int, frame: Any) -> NoReturn:
        raise Terminated

    if threading.current_thread() is not threading.main_thread():  # no handlers there
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run one command.

    :param arguments: without the program's name; ``sys.argv`` by default.
    :returns: the exit code.
    """
    options = build_parser().parse_args(arguments)
    try:
        with _terminable():
            code: int = options.function(options)
        sys.stdout.flush()
        return code
    except SaferlError as error:
        reason = ' '.join(line.strip() for line in str(error).splitlines())
        print(f'saferl {options.command}: {reason}', file=sys.stderr)
        return EXIT_USAGE
    except KeyboardInterrupt as interrupt:
        rest = '; the same command goes on where it stopped' * (options.command in _RESUMABLE)
        print(f'saferl {options.command}: interrupted{rest}', file=sys.stderr)
        return EXIT_TERMINATED if isinstance(interrupt, Terminated) else EXIT_INTERRUPTED
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_PIPE
