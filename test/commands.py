"""Runs the command line as a user does: in a process of its own."""

from __future__ import annotations

import os
from pathlib import Path
import subprocess
import sys


def saferl(
    *arguments: object, cwd: Path | None = None, timeout_s: float = 600, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run ``saferl`` and return what it printed."""
    return subprocess.run(
        [sys.executable, '-m', 'saferl_ros', *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        env={**os.environ, 'TERM': 'dumb', **environment},
        check=False,
    )


def assert_refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """Exit code 2 and one clear line on stderr that holds every word."""
    assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
    assert 'Traceback' not in done.stderr, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith('saferl')]
    assert len(lines) == 1, done.stderr
    for word in words:
        assert word in lines[0], (word, lines[0])
