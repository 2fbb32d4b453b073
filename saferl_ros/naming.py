"""Names: files of junctions, whose ids may hold any character, and edges of lanes."""

from __future__ import annotations

from urllib.parse import quote


def file_name(junction_id: str) -> str:
    """Return a name that every file system takes; different junctions have different names."""
    return quote(junction_id, safe='').replace('.', '%2E')


def edge_of(lane_id: str) -> str:
    """Return the edge of a lane: SUMO names a lane after its edge, an underscore and a number."""
    return lane_id.rsplit('_', 1)[0]
