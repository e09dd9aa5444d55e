"""What a benchmark is doing right now, for a person who waits; nothing in a pipe."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

REFRESH_PER_S = 4
Advance = Callable[[int], None]


class Show:
    """A line with a bar on stderr, one at a time, gone when its work is done."""

    def __init__(self, *, wanted: bool) -> None:
        self._console = Console(stderr=True)
        self._wanted = wanted and self._console.is_terminal

    @contextlib.contextmanager
    def doing(self, what: str, total: int | None = None, *, still: bool = False) -> Iterator[Advance]:
        """Show ``what`` until the end of the block; call what it yields with how much is done by then.

        ``still``: drawn once and never again, where drawing would disturb what this very process measures.
        """
        if not self._wanted:
            yield lambda _: None
            return
        columns: list[ProgressColumn] = [SpinnerColumn(), TextColumn("{task.description}", markup=False)]
        if not still:
            columns += [BarColumn(bar_width=30), *([MofNCompleteColumn()] if total is not None else ())]
            columns.append(TimeElapsedColumn())
        with Progress(
            *columns,
            console=self._console,
            transient=True,
            refresh_per_second=REFRESH_PER_S,
            auto_refresh=not still,
        ) as progress:
            task = progress.add_task(what, total=total)
            progress.refresh()
            yield (lambda _: None) if still else lambda done: progress.update(task, completed=done)
