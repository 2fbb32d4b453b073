"""package.xml, setup.py and the package state one version."""

from __future__ import annotations

from pathlib import Path
import re
from xml.etree import ElementTree

import saferl_ros

ROOT = Path(saferl_ros.__file__).parents[1]


def test_the_version_is_the_same_everywhere():
    stated = ElementTree.parse(ROOT / 'package.xml').findtext('version')
    in_setup = re.search(r"version='([^']+)'", (ROOT / 'setup.py').read_text())
    assert in_setup is not None
    assert stated == in_setup.group(1) == saferl_ros.__version__
