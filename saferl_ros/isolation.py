"""
Runs an object in a fresh process of its own.

A second libsumo simulation in one process is not the same as a first, so an environment that is
reset many times keeps each episode in its own process: the same seed then gives the same episode,
whatever ran before. The processes are forked from a ``Nursery``, which has imported what they
need and done nothing else, so that a short episode does not spend its time on imports. Unlike
those of ``multiprocessing``, they never import the caller's main script, so scripts need no
``__main__`` guard.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed, ThreadPoolExecutor
import contextlib
from multiprocessing.connection import Connection, Pipe
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from typing import Any, TypeVar

import cloudpickle

from saferl_ros.errors import SimulationError

LONGEST_END_S = 10.0  # what a child may take to end when it is told to
Task = TypeVar('Task')
Result = TypeVar('Result')


class Nursery:
    """
    A process that forks others, each as fresh as it is itself.

    They have the environment variables, working folder and outputs that this process had when the
    nursery was made. It ends when it is closed or deleted, or when this process ends.

    :param prepare: called in the nursery, once, so that what it imports, and the module that it is
        of, are there for all children. It must start neither a thread nor a simulation, so it is
        a function of ours: what users write is seen by their children alone.
    :param temporary: where its children make their temporary files; else where this process does.

    :raises Exception: what ``prepare`` raised.
    """

    def __init__(
        self, prepare: Callable[[], Any] | None = None, *, temporary: str | None = None
    ) -> None:
        self._owner = os.getpid()
        self._is_sending = threading.Lock()
        self._control, control = socket.socketpair()
        greeting, theirs = Pipe()
        with greeting:
            with control, theirs:
                fds = (control.fileno(), theirs.fileno())
                self._process = subprocess.Popen(
                    [sys.executable, '-m', 'saferl_ros.nursery', *map(str, fds)],
                    pass_fds=fds,
                    stdin=subprocess.DEVNULL,
                    env={
                        **os.environ,
                        'PYTHONPATH': os.pathsep.join(filter(None, sys.path)),
                        **({'TMPDIR': temporary} if temporary else {}),
                    },
                )
            try:
                is_ok, result = _ask(greeting, prepare)
            except (EOFError, OSError) as error:
                self.close()
                raise SimulationError(self._gone()) from error
        if not is_ok:
            self.close()
            raise result

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def start(self, factory: Callable[[], Any]) -> IsolatedObject:
        """
        Make an object in a fresh process and return the proxy of it.

        :param factory: makes the object, there.

        :raises Exception: what the factory raised.
        :raises SimulationError: if the nursery has died.
        """
        connection, theirs = Pipe()
        fate, teller = Pipe(duplex=False)
        try:
            with theirs, teller, self._is_sending:
                socket.send_fds(self._control, [b'+'], [theirs.fileno(), teller.fileno()])
        except OSError as error:
            self.close()
            raise SimulationError(self._gone()) from error
        return IsolatedObject(connection, fate, factory)

    def _gone(self) -> str:
        return (
            'the process that simulations are started from ended with exit code '
            f'{self._process.returncode}; see its messages above'
        )

    def close(self) -> None:
        """Start no more processes; those that run are not touched. May be called twice."""
        if os.getpid() == self._owner:  # a forked copy has none of its own
            with contextlib.suppress(OSError):  # closed before, or the other side is gone
                self._control.shutdown(socket.SHUT_RDWR)  # a copy may hold it open elsewhere
            self._process.wait()
        self._control.close()

    def __del__(self) -> None:
        if hasattr(self, '_process'):
            self.close()

    def __enter__(self) -> Nursery:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class IsolatedObject:
    """
    A proxy: ``call(name, ...)`` runs that method in the child and returns its result.

    Exceptions of the child are raised here. The child ends when this object is closed or deleted,
    or when this process ends, whichever comes first.

    :param connection: to the child.
    :param fate: brings the child's exit code when it has ended.
    :param factory: makes the object, in the child.
    """

    def __init__(
        self, connection: Connection, fate: Connection, factory: Callable[[], Any]
    ) -> None:
        self._owner = os.getpid()
        self._connection = connection
        self._fate = fate
        self._exit_code: int | str | None = None
        self._child: int | None = None  # pidfd; a number alone may come to be another's
        try:
            with contextlib.suppress(ProcessLookupError):  # it has ended since it answered
                self._child = os.pidfd_open(self._exchange(None))
            self._exchange(factory)
        except BaseException:
            self.close()
            raise

    def call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """
        Run a method of the object in the child.

        :raises SimulationError: if the child died.
        """
        return self._exchange((name, args, kwargs))

    def _exchange(self, request: Any) -> Any:
        try:
            is_ok, result = _ask(self._connection, request)
        except (EOFError, OSError) as error:
            raise SimulationError(
                f'the simulation process ended with exit code {self._wait()}; SUMO may have '
                'quit, see its messages above'
            ) from error
        if not is_ok:
            raise result
        return result

    def _wait(self) -> int | str:
        """Wait until the child has ended, and return its exit code."""
        if self._child is not None:
            _is_over(self._child)
        if self._exit_code is None:
            try:
                self._exit_code = int(self._fate.recv())
            except (EOFError, OSError):
                self._exit_code = 'unknown'  # the nursery, which alone is told, has ended too
        return self._exit_code

    def close(self) -> None:
        """End the child and wait for it. May be called twice."""
        if os.getpid() == self._owner:  # a forked copy only lets go of it
            if not self._connection.closed:
                _hang_up(self._connection)
            if self._child is not None:
                if not _is_over(self._child, LONGEST_END_S):
                    self.kill()
                self._wait()
        if self._child is not None:
            os.close(self._child)
            self._child = None
        self._connection.close()
        self._fate.close()

    def kill(self) -> None:
        """End the child at once, whatever it is doing."""
        if self._child is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._child, signal.SIGKILL)


class _Call:
    """A function as an object, so that it can be called from outside."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.run = function


def run_isolated(
    function: Callable[[Task], Result],
    tasks: Sequence[Task],
    *,
    jobs: int,
    prepare: Callable[[], Any] | None = None,
) -> Iterator[tuple[int, Result]]:
    """
    Run ``function(task)`` for every task, each in a fresh process, ``jobs`` at a time.

    Stopping early (Ctrl-C, an exception, closing the generator) ends the running processes, and
    takes away what they leave in the folder for temporary files.

    :param prepare: see ``Nursery``.

    :yields: (index of the task, result), in the order of completion.
    """
    if not tasks:
        return
    temporary = tempfile.TemporaryDirectory(prefix='saferl_', ignore_cleanup_errors=True)
    nursery = Nursery(prepare, temporary=temporary.name)
    running: set[IsolatedObject] = set()
    is_over = False
    changing = threading.Lock()  # of these two

    def run(task: Task) -> Result:
        child = nursery.start(lambda: _Call(function))
        with changing:
            running.add(child)
            if is_over:
                child.kill()
        try:
            result: Result = child.call('run', task)
            return result
        finally:
            with changing:
                running.discard(child)
            child.close()

    pool = ThreadPoolExecutor(max_workers=max(1, jobs))
    try:
        futures = {pool.submit(run, task): index for index, task in enumerate(tasks)}
        for future in as_completed(futures):
            yield futures[future], future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        with changing:
            is_over = True
            for child in running:
                child.kill()
        pool.shutdown(wait=True)
        nursery.close()
        temporary.cleanup()


def _is_over(pidfd: int, timeout_s: float | None = None) -> bool:
    """Wait for a process to end, and return whether it has."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(None if timeout_s is None else timeout_s * 1000))


def _hang_up(connection: Connection) -> None:
    """Let the other side see an end, even if a copy of ours is open in another process."""
    with socket.socket(fileno=os.dup(connection.fileno())) as ours, contextlib.suppress(OSError):
        ours.shutdown(socket.SHUT_RDWR)


def _ask(connection: Connection, request: Any) -> tuple[bool, Any]:
    """Return whether the other side succeeded, and its result or its exception."""
    connection.send_bytes(cloudpickle.dumps(request))
    answer: tuple[bool, Any] = cloudpickle.loads(connection.recv_bytes())
    return answer
