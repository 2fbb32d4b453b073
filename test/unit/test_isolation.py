"""Tasks in fresh processes: what they share, what they do not, and how they end."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
import os
from pathlib import Path
import signal
import sys
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


def test_stopping_early_ends_what_runs(tmp_path):
    def wait(n: int) -> int:
        (tmp_path / str(os.getpid())).touch()
        time.sleep(600 if n else 0)
        return n

    results = run_isolated(wait, [0, 1, 2, 3], jobs=2)
    assert next(results) == (0, 0)
    results.close()
    assert len(list(tmp_path.iterdir())) >= 2
    assert not any(is_alive(int(path.name)) for path in tmp_path.iterdir())


def test_no_task_starts_no_process():
    assert list(run_isolated(str, [], jobs=2, prepare=lambda: 1 / 0)) == []
