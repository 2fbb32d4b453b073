"""Runs the command line: as a user does, or without the seconds that a process takes to start."""

from __future__ import annotations

from contextlib import chdir, redirect_stderr, redirect_stdout
import io
import os
from pathlib import Path
import subprocess
import sys

from saferl_ros.cli.main import main


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


def saferl_in_process(
    *arguments: object, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run ``saferl`` within this process and return what it printed; for what ends at once."""
    given = [str(one) for one in arguments]
    out, err = io.StringIO(), io.StringIO()
    with chdir(cwd or Path.cwd()), redirect_stdout(out), redirect_stderr(err):
        try:
            code = main(given)
        except SystemExit as end:  # bad usage, which argparse ends itself
            code = int(end.code or 0)
    return subprocess.CompletedProcess(given, code, out.getvalue(), err.getvalue())


def assert_refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """Exit code 2 and one clear line on stderr that holds every word."""
    assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
    assert 'Traceback' not in done.stderr, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith('saferl')]
    assert len(lines) == 1, done.stderr
    for word in words:
        assert word in lines[0], (word, lines[0])
