"""The git revision of the code that made an artefact."""

from __future__ import annotations

from pathlib import Path
import subprocess


def git_revision() -> str:
    """Return the commit of this checkout, ``unknown`` outside one."""
    try:
        found = subprocess.run(
            ['git', 'rev-parse', 'HEAD'],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:  # no git on this machine
        return 'unknown'
    return found.stdout.strip() if found.returncode == 0 else 'unknown'
