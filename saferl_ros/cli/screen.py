"""What commands print: tables, progress bars, JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from saferl_ros.dataset.io import whole_file

SHORT_NAME = 16  # characters of a row's name that are never broken
FILE_WIDTH = 200  # characters of a line where nobody's terminal sets a limit

_errors = Console(stderr=True)


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[[int, int | None], None]]:
    """Show a bar on stderr from the first call on; yields what to call with (done, total)."""
    with Progress(
        TextColumn(f'{label:<22}'),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=_errors,
        refresh_per_second=4,
    ) as bar:
        task = bar.add_task(label, total=None, visible=False)
        yield lambda done, total: bar.update(task, completed=done, total=total, visible=True)


def print_json(data: Any) -> None:
    """Print data as JSON."""
    print(json.dumps(data, indent=1))


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; the first column is left-aligned, the others are right-aligned."""
    table = Table(title=Text(title), title_justify='left', title_style='bold')
    has_short_names = max((len(row[0]) for row in rows), default=0) <= SHORT_NAME
    for n, column in enumerate(columns):
        table.add_column(
            Text(column),  # as text, or rich would take '[s/veh]' for markup and print nothing
            justify='left' if n == 0 else 'right',
            overflow='fold',
            no_wrap=n == 0 and has_short_names,
        )
    for row in rows:
        table.add_row(*map(Text, row))
    console = Console()
    if not console.is_terminal:
        console = Console(width=FILE_WIDTH)
    console.print(table)


def write_json(data: Any, path: Path) -> None:
    """
    Write data as JSON, whole or not at all.

    :raises UsageError: if the path cannot be written.
    """
    with whole_file(path) as partial:
        partial.write_text(json.dumps(data, indent=1) + '\n', encoding='utf-8')
