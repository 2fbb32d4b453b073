"""A few planted faults, each of them caught; ``make mutants`` plants all."""

from __future__ import annotations

from pathlib import Path
import subprocess
import sys

SCRIPT = Path(__file__).resolve().parents[2] / 'benchmarks/mutants.py'


def hunt(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *options], capture_output=True, text=True, timeout=300
    )


def test_the_fuzz_catches_a_fault_of_every_kind_and_finds_none_where_none_is_planted():
    done = hunt('--quick')
    assert done.returncode == 0, done.stdout + done.stderr
    assert '8 mutants, 8 killed' in done.stdout
    assert 'survived' not in done.stdout


def test_a_mutant_that_does_not_exist_is_refused():
    done = hunt('--only', 'no such fault')
    assert done.returncode == 2
    assert 'no such mutant: no such fault' in done.stderr
