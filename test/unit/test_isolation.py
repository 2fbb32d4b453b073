"""Tasks in fresh processes: what they share, what they do not, and how they end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
import os
from pathlib import Path
import signal
import sys
import threading
import time
from typing import Any

import pytest

from saferl_ros.errors import SimulationError
from saferl_ros.isolation import Nursery, run_isolated


def counter_class() -> Callable[[], Any]:
    """Return a class that is sent as it is, since this file cannot be imported elsewhere."""

    class Counter:
        def __init__(self) -> None:
            self.n_calls = 0
            self.n_before = getattr(sys, 'n_counters', 0)
            sys.n_counters = self.n_before + 1  # type: ignore[attr-defined]
            self.had_colorsys = 'colorsys' in sys.modules

        def count(self) -> tuple[int, int, bool]:
            self.n_calls += 1
            return self.n_calls, self.n_before, self.had_colorsys

        def pid(self) -> int:
            return os.getpid()

        def fail(self) -> None:
            raise FileNotFoundError('no such lamp')

        def die(self) -> None:
            os._exit(3)

    return Counter


def is_alive(pid: int) -> bool:
    try:
        return ') Z ' not in Path(f'/proc/{pid}/stat').read_text()
    except OSError:
        return False


def test_each_object_is_as_fresh_as_the_first_and_has_what_was_prepared():
    with Nursery(partial(import_module, 'colorsys')) as nursery:
        for _ in range(2):
            child = nursery.start(counter_class())
            assert child.call('count') == (1, 0, True)
            assert child.call('count') == (2, 0, True)
            child.close()


def test_without_preparation_nothing_is_imported_beforehand():
    with Nursery() as nursery:
        assert nursery.start(counter_class()).call('count') == (1, 0, False)


def test_an_exception_of_the_object_arrives_and_the_object_lives_on():
    with Nursery() as nursery:
        child = nursery.start(counter_class())
        with pytest.raises(FileNotFoundError, match='no such lamp'):
            child.call('fail')
        assert child.call('count') == (1, 0, False)


def test_an_exception_of_the_preparation_arrives():
    with pytest.raises(ZeroDivisionError):
        Nursery(lambda: 1 / 0)


def test_a_child_that_dies_is_reported_with_its_exit_code():
    with Nursery() as nursery:
        child = nursery.start(counter_class())
        with pytest.raises(SimulationError, match='exit code 3'):
            child.call('die')
        other = nursery.start(counter_class())
        os.kill(other.call('pid'), signal.SIGKILL)
        with pytest.raises(SimulationError, match='exit code -9'):
            other.call('count')


def test_a_child_outlives_its_nursery_and_ends_when_it_is_closed():
    nursery = Nursery()
    child = nursery.start(counter_class())
    nursery.close()
    pid = child.call('pid')
    assert is_alive(pid)
    child.close()
    deadline = time.monotonic() + 10
    while is_alive(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def ends_within_s(limit_s: float, function: Callable[[], None]) -> bool:
    begin_s = time.monotonic()
    function()
    return time.monotonic() - begin_s < limit_s


@contextmanager
def forked_copy() -> Iterator[None]:
    """Let a copy of this process, with all that it has open, sleep meanwhile."""
    pid = os.fork()
    if pid == 0:
        time.sleep(60)
        os._exit(0)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_what_cannot_travel_is_refused_and_nothing_is_left():
    lock = threading.Lock()
    with pytest.raises(TypeError, match='pickle'):
        Nursery(lambda: lock.locked())
    with Nursery() as nursery, pytest.raises(TypeError, match='pickle'):
        nursery.start(lambda: lock.locked())


def test_all_of_it_ends_when_closed_though_a_copy_of_this_process_has_it_open():
    nursery = Nursery()
    child = nursery.start(counter_class())
    pid = child.call('pid')
    with forked_copy():
        assert ends_within_s(5, child.close)
        assert ends_within_s(5, nursery.close)
    assert not is_alive(pid)


def test_a_copy_of_this_process_lets_go_without_ending_anything():
    with Nursery() as nursery:
        child = nursery.start(counter_class())
        pid = os.fork()
        if pid == 0:
            child.close()
            nursery.close()
            os._exit(0)
        os.waitpid(pid, 0)
        assert child.call('count') == (1, 0, False)
        assert nursery.start(counter_class()).call('count') == (1, 0, False)


def test_a_nursery_that_was_killed_is_named():
    nursery = Nursery()
    child = nursery.start(counter_class())
    os.kill(nursery.pid, signal.SIGKILL)
    assert child.call('count') == (1, 0, False)
    with pytest.raises(SimulationError, match=r'ended with exit code (-9|unknown)'):
        nursery.start(counter_class())
    child.kill()
    with pytest.raises(SimulationError, match='exit code unknown'):
        child.call('count')
    assert ends_within_s(5, child.close)


def test_a_caller_that_ignores_the_end_of_its_children_is_told_theirs():
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        nursery = Nursery()
    finally:
        signal.signal(signal.SIGCHLD, before)
    with nursery:
        for _ in range(2):
            with pytest.raises(SimulationError, match='exit code 3'):
                nursery.start(counter_class()).call('die')


def test_stopping_early_ends_what_runs(tmp_path):
    def wait(n: int) -> int:
        (tmp_path / str(os.getpid())).touch()
        while n or len(list(tmp_path.iterdir())) < 2:  # the first one ends once another runs
            time.sleep(0.01)
        return n

    results = run_isolated(wait, [0, 1, 2, 3], jobs=2)
    assert next(results) == (0, 0)
    results.close()
    assert len(list(tmp_path.iterdir())) >= 2
    assert not any(is_alive(int(path.name)) for path in tmp_path.iterdir())


def test_what_a_child_leaves_among_temporary_files_goes_with_it():
    def leave_a_folder(_: int) -> str:
        from tempfile import mkdtemp

        return mkdtemp(prefix='left_')

    ((_, left),) = run_isolated(leave_a_folder, [0], jobs=1)
    assert Path(left).name.startswith('left_')
    assert not Path(left).exists()


def test_no_task_starts_no_process():
    assert list(run_isolated(str, [], jobs=2, prepare=lambda: 1 / 0)) == []
