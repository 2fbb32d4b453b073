"""File names for junctions, whose ids may hold any character."""

from __future__ import annotations

from urllib.parse import quote


def file_name(junction_id: str) -> str:
    """Return a name that every file system takes; different junctions have different names."""
    return quote(junction_id, safe='').replace('.', '%2E')
