"""Names: files of junctions, whose ids may hold any character, and edges of lanes."""

from __future__ import annotations

import hashlib
from urllib.parse import quote

LONGEST_NAME = 200  # file systems take 255 bytes; endings come after it


def file_name(junction_id: str) -> str:
    """Return a name that every file system takes; different junctions have different names."""
    name = quote(junction_id, safe='').replace('.', '%2E')
    if len(name) > LONGEST_NAME:
        digest = hashlib.sha256(name.encode()).hexdigest()[:16]
        name = f'{name[: LONGEST_NAME - len(digest) - 1]}~{digest}'
    return name


def edge_of(lane_id: str) -> str:
    """Return the edge of a lane: SUMO names a lane after its edge, an underscore and a number."""
    return lane_id.rsplit('_', 1)[0]
