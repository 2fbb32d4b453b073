"""The git revision of the code that made an artefact."""

from __future__ import annotations

from pathlib import Path
import subprocess


def git_revision() -> str:
    """
    Return the commit of this package's checkout, ``unknown`` outside one.

    A package that is installed somewhere below another project's checkout is not of that one.
    """
    package = Path(__file__).resolve().parents[1]
    try:
        found = subprocess.run(
            ['git', 'rev-parse', 'HEAD', '--show-toplevel'],
            cwd=package,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:  # no git on this machine
        return 'unknown'
    if found.returncode != 0:
        return 'unknown'
    commit, top = found.stdout.split('\n', 1)
    return commit if Path(top.strip()).resolve() == package.parent else 'unknown'
