"""A piece of a run that is not there, with the reason in words that the page prints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

Piece = TypeVar('Piece')


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """Stands in for an optional piece; a report is written without it."""

    reason: str


def present(piece: Piece | Missing) -> Piece | None:
    """Return the piece itself, ``None`` if it is missing."""
    return None if isinstance(piece, Missing) else piece
