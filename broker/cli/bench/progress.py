"""What a benchmark is doing right now, for a person who waits; nothing in a pipe."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

Advance = Callable[[int], None]


class Show:
    """A line with a bar on stderr, one at a time, gone when its work is done."""

    def __init__(self, *, wanted: bool) -> None:
        self._console = Console(stderr=True)
        self._wanted = wanted and self._console.is_terminal

    @contextlib.contextmanager
    def doing(self, what: str, total: int | None = None) -> Iterator[Advance]:
        """Show ``what`` until the end of the block; call what it yields with how much is done by then."""
        if not self._wanted:
            yield lambda _: None
            return
        columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(bar_width=30))
        counted = (MofNCompleteColumn(),) if total is not None else ()
        with Progress(*columns, *counted, TimeElapsedColumn(), console=self._console, transient=True) as progress:
            task = progress.add_task(what, total=total)
            yield lambda done: progress.update(task, completed=done)
