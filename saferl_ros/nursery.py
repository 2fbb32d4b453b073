"""
The process that ``isolation`` has others forked from, and what these do.

It forks a child for every pair of file descriptors that it is sent: the child's connection, and
where its exit code is to be told. It starts no thread of Python, so a fork copies all there is of
it; numpy's library stops its own threads for a fork.
"""

from __future__ import annotations

import contextlib
from multiprocessing.connection import Connection
import os
import pickle
import select
import signal
import socket
import sys
import threading
import time
from typing import Any

import cloudpickle

from saferl_ros.errors import SimulationError

CLEAN_END_S = 5.0  # what a child may need to close what it holds once its parent is gone


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
            if request is None:
                result: Any = os.getpid()
            elif target is None:
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


def _prepare(connection: Connection) -> None:
    """Answer the one request that a nursery is greeted with."""
    answer: tuple[bool, Any] = (True, None)
    try:
        prepare = cloudpickle.loads(connection.recv_bytes())
        if prepare is not None:
            prepare()
    except Exception as error:  # noqa: BLE001 - it is raised again on the other side
        answer = (False, error)
    connection.send_bytes(_packed(answer))
    connection.close()


def _fork_when_asked(control: socket.socket) -> int | None:
    """Return in each forked child its connection's number, and in the nursery None at the end."""
    children: dict[int, tuple[int, Connection]] = {}  # by pidfd: number, and who hears its fate
    poll = select.poll()
    poll.register(control, select.POLLIN)
    while True:
        for fd, _ in poll.poll():
            if fd in children:
                pid, teller = children.pop(fd)
                poll.unregister(fd)
                os.close(fd)
                code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                with contextlib.suppress(OSError):  # nobody wants to hear it any more
                    teller.send(code)
                teller.close()
                continue
            asked, fds, _, _ = socket.recv_fds(control, 1, 2)
            if not asked:
                return None
            sys.stdout.flush()  # else each child writes it again
            sys.stderr.flush()
            pid = os.fork()
            if pid == 0:
                if 'numpy' in sys.modules:  # Python's own random numbers see to it themselves
                    sys.modules['numpy'].random.seed()
                control.close()
                os.close(fds[1])
                for other, (_, teller) in children.items():
                    os.close(other)
                    teller.close()
                return fds[0]
            os.close(fds[0])
            pidfd = os.pidfd_open(pid)
            poll.register(pidfd, select.POLLIN)
            children[pidfd] = (pid, Connection(fds[1], readable=False))


def main(control: int, greeting: int) -> None:
    """
    Be a nursery, or in each process that is forked from it a child.

    :param control: number of the socket that children are asked for on.
    :param greeting: number of the connection that ``prepare`` comes by.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # if ignored, there would be no exit codes
    try:
        _prepare(Connection(greeting))
    except (EOFError, OSError):
        return  # the parent is gone
    connection = _fork_when_asked(socket.socket(fileno=control))
    if connection is not None:
        _serve(connection)


if __name__ == '__main__':
    main(*map(int, sys.argv[1:]))
