"""A node ends with whoever started it, be that the first process of a container or not."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(('parent', 'said'), [('os.getppid()', 'lives'), ('1 << 30', '')])
def test_only_a_child_whose_parent_is_gone_is_interrupted(parent, said):
    code = (
        'import os, signal\n'
        'from saferl_ros.ros.processes import _end_with_parent\n'
        'signal.signal(signal.SIGINT, signal.SIG_DFL)\n'
        f'_end_with_parent({parent})\n'
        "print('lives', end='')"
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=60)
    assert done.stdout == said, done.stderr
