"""The options that the benchmarks share, called as `nats bench` calls them where it has them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Annotated, Any, TypeVar

import typer

from broker.runtime.main import event_loop

T = TypeVar("T")

Msgs = Annotated[int | None, typer.Option(min=1, help="Messages in each turn.", show_default=False)]
Size = Annotated[int, typer.Option(min=250, max=60_000, help="Bytes of a message's body.")]
Sessions = Annotated[int | None, typer.Option(min=1, help="Sessions that exist.", show_default=False)]
Repeat = Annotated[int | None, typer.Option(min=1, max=99, help="Turns of each contestant.", show_default=False)]
Quick = Annotated[bool, typer.Option("--quick", help="A short form that only shows that it works.")]
NoProgress = Annotated[bool, typer.Option("--no-progress", help="Do not show what is being done.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object, as in a pipe.")]


def chosen(given: T | None, *, usual: T, quick: T | None = None) -> T:
    """What was given, else the usual; ``quick`` is not None where the short form is wanted."""
    if given is not None:
        return given
    return usual if quick is None else quick


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a benchmark on the loop that the workers use; Ctrl-C ends it in good order."""
    with asyncio.Runner(loop_factory=event_loop) as runner:
        return runner.run(work)
