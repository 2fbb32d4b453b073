"""A table of the page, its cells already in words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line: what it is about, and the rest."""

    head: str
    cells: tuple[str, ...]
    colour: str = ''  # of the controller, the same as in the plots
    mark: str = ''  # 'policy', 'pass' or 'fail'


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table with a heading for each column."""

    name: str  # the id of its element
    caption: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    is_text: bool = False  # cells hold words rather than numbers
