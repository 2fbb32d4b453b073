"""
Runs an object in a fresh process of its own.

A second libsumo simulation in one process is not the same as a first, so an environment that is
reset many times keeps each episode in its own process: the same seed then gives the same episode,
whatever ran before. Unlike ``multiprocessing``, the child never imports the caller's main script,
so scripts need no ``__main__`` guard.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed, ThreadPoolExecutor
from multiprocessing.connection import Connection
import os
import pickle
import select
import socket
import subprocess
import sys
import threading
import time
from typing import Any, TypeVar

import cloudpickle

from saferl_ros.errors import SimulationError

CLEAN_END_S = 5.0  # what a child may need to close what it holds once its parent is gone
Task = TypeVar('Task')
Result = TypeVar('Result')


class IsolatedObject:
    """
    A proxy: ``call(name, ...)`` runs that method in the child and returns its result.

    Exceptions of the child are raised here. The child ends when this object is closed, deleted, or
    its process dies, whichever comes first.

    :param factory: makes the object, in the child.
    """

    def __init__(self, factory: Callable[[], Any]) -> None:
        ours, theirs = socket.socketpair()
        self._process = subprocess.Popen(
            [sys.executable, '-m', 'saferl_ros.isolation', str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            env={**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path))},
        )
        theirs.close()
        self._connection = Connection(ours.detach())
        self._exchange(cloudpickle.dumps(factory))

    def call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """
        Run a method of the object in the child.

        :raises SimulationError: if the child died.
        """
        return self._exchange(cloudpickle.dumps((name, args, kwargs)))

    def _exchange(self, message: bytes) -> Any:
        try:
            self._connection.send_bytes(message)
            is_ok, result = cloudpickle.loads(self._connection.recv_bytes())
        except (EOFError, OSError) as error:
            code = self._process.wait(timeout=10)
            raise SimulationError(
                f'the simulation process ended with exit code {code}; SUMO may have quit, see its '
                'messages above'
            ) from error
        if not is_ok:
            raise result
        return result

    def close(self) -> None:
        """End the child and wait for it. May be called twice."""
        self._connection.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def kill(self) -> None:
        """End the child at once, whatever it is doing."""
        self._process.kill()

    def __del__(self) -> None:
        if hasattr(self, '_connection'):
            self.close()


class _Call:
    """A function as an object, so that it can be called from outside."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.run = function


def run_isolated(
    function: Callable[[Task], Result], tasks: Sequence[Task], *, jobs: int
) -> Iterator[tuple[int, Result]]:
    """
    Run ``function(task)`` for every task, each in a fresh process, ``jobs`` at a time.

    Stopping early (Ctrl-C, an exception, closing the generator) ends the running processes.

    :yields: (index of the task, result), in the order of completion.
    """
    running: set[IsolatedObject] = set()

    def run(task: Task) -> Result:
        child = IsolatedObject(lambda: _Call(function))
        running.add(child)
        try:
            result: Result = child.call('run', task)
            return result
        finally:
            running.discard(child)
            child.close()

    pool = ThreadPoolExecutor(max_workers=max(1, jobs))
    try:
        futures = {pool.submit(run, task): index for index, task in enumerate(tasks)}
        for future in as_completed(futures):
            yield futures[future], future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for child in list(running):
            child.kill()
        pool.shutdown(wait=True)


def _packed(answer: tuple[bool, Any]) -> bytes:
    """Return the answer as bytes; an error of SUMO's C++ library cannot travel, its words can."""
    is_ok, result = answer
    try:
        packed: bytes = cloudpickle.dumps(answer)
    except (TypeError, pickle.PicklingError):
        if is_ok:
            raise
        packed = cloudpickle.dumps((False, SimulationError(f'{type(result).__name__}: {result}')))
    return packed


def _end_with_parent(fd: int) -> None:
    """End this process when the other side is gone, whatever it is computing by then."""
    poll = select.poll()
    poll.register(fd, 0)  # a hang-up is always reported, messages are the main thread's to read
    poll.poll()
    time.sleep(CLEAN_END_S)
    os._exit(1)


def _serve(fd: int) -> None:
    """Answer calls until the other side goes away."""
    threading.Thread(target=_end_with_parent, args=(fd,), daemon=True).start()
    connection = Connection(fd)
    target: Any = None
    while True:
        try:
            message = connection.recv_bytes()
        except (EOFError, OSError):
            break  # closed, or the parent is gone
        try:
            request = cloudpickle.loads(message)
            if target is None:
                target, result = request(), None
            else:
                name, args, kwargs = request
                result = getattr(target, name)(*args, **kwargs)
            answer = (True, result)
        except Exception as error:  # noqa: BLE001 - it is raised again on the other side
            answer = (False, error)
        try:
            connection.send_bytes(_packed(answer))
        except OSError:
            break  # nobody is there to hear it
    if hasattr(target, 'close'):
        target.close()


if __name__ == '__main__':
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    _serve(int(sys.argv[1]))
