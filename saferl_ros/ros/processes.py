"""
Runs a graph of nodes as plain processes, for machines without ``ros2 launch``.

``python -m saferl_ros.ros.processes PARENT MODULE ...`` runs one node's module so that it does not
outlive its parent: that is what launch files start.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
import ctypes
from functools import partial
from importlib import import_module
import os
from pathlib import Path
import signal
import subprocess
import sys
import tempfile
import time
from types import FrameType

import yaml

from saferl_ros.ros.graph import NodeSpec

EXIT_OK, EXIT_FAILED = 0, 1
GRACE_S = 10.0  # for an orderly end; a recorder finishes its file in it
_POLL_S = 0.1
_PR_SET_PDEATHSIG = 1  # Linux: a signal for us when our parent dies


def command_of(node: NodeSpec, parameters: Path) -> list[str]:
    """
    Return what runs a node.

    :param parameters: file for what differs from the node's parameter file; written here.
    """
    data = {node.name: {'ros__parameters': node.parameters}}
    parameters.write_text(yaml.safe_dump(data), encoding='utf-8')
    return [
        *(sys.executable, '-m', node.module, '--ros-args', '-r', f'__node:={node.name}'),
        *('--params-file', str(node.params_file), '--params-file', str(parameters)),
    ]


def run_nodes(nodes: Sequence[NodeSpec], say: Callable[[str], None]) -> int:
    """
    Run the nodes until the one that ends all is done, one fails, or Ctrl-C.

    :param say: told what happens.
    :returns: 0 after an orderly end; 1 if a node died before.
    """
    with tempfile.TemporaryDirectory(prefix='saferl_sim_') as folder:
        running: dict[str, subprocess.Popen[bytes]] = {}
        # a shell's background job ignores SIGINT, and SIGTERM would leave the nodes to the kernel
        before = {n: signal.signal(n, _interrupt) for n in (signal.SIGINT, signal.SIGTERM)}
        end_with_me = partial(_end_with_parent, os.getpid())
        try:
            for node in nodes:
                command = command_of(node, Path(folder) / f'{node.name}.yaml')
                running[node.name] = subprocess.Popen(
                    command, start_new_session=True, preexec_fn=end_with_me
                )
            return _watch(nodes, running, say)
        except KeyboardInterrupt:
            say('interrupted; the nodes are asked to stop')
            return EXIT_OK
        finally:
            _stop(running, say)
            for number, handler in before.items():
                signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _watch(
    nodes: Sequence[NodeSpec],
    running: dict[str, subprocess.Popen[bytes]],
    say: Callable[[str], None],
) -> int:
    while True:
        for node in nodes:
            code = running[node.name].poll()
            if code is None:
                continue
            if code == 0 and node.ends_all:
                return EXIT_OK
            say(f"node '{node.name}' ended with exit code {code}; the others are stopped")
            return EXIT_FAILED
        time.sleep(_POLL_S)


def _stop(running: dict[str, subprocess.Popen[bytes]], say: Callable[[str], None]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        left = {name: process for name, process in running.items() if process.poll() is None}
        for name, process in left.items():
            if number is not signal.SIGINT:
                say(f"node '{name}' did not stop in {GRACE_S:g} s; sending {number.name}")
            process.send_signal(number)
            process.send_signal(signal.SIGCONT)  # one that was stopped has to hear it too
        until_s = time.monotonic() + GRACE_S
        for process in left.values():
            try:
                process.wait(timeout=max(0.0, until_s - time.monotonic()))
            except subprocess.TimeoutExpired:
                continue


def _end_with_parent(parent: int) -> None:
    """In the child: be interrupted when the parent dies, however it dies; it may have already."""
    if sys.platform == 'linux':
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGINT)


def main() -> int:
    """
    Run a node's module in a session of its own, and end when the parent does.

    In a session of its own it does not hear Ctrl-C in the terminal beside what its parent sends: a
    second interrupt would end it at once. If it is interrupted before the node is ready, it ends
    quietly.
    """
    parent, module = int(sys.argv[1]), sys.argv[2]
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end_quietly)
    if os.getsid(0) != os.getpid():
        os.setsid()
    if sys.platform == 'linux':
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
    if not _is_alive(parent):  # it died before we asked to be told
        return EXIT_OK
    sys.argv[:] = [module, *sys.argv[3:]]
    return int(import_module(module).main())


def _end_quietly(signum: int, frame: FrameType | None) -> None:
    os._exit(EXIT_OK)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == '__main__':
    sys.exit(main())
