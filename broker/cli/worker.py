"""`heimdall worker NAME`: become one worker."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from broker.errors import UnknownWorkerError

NAME = "worker"


def command(name: Annotated[str, typer.Argument(help="The worker, such as 'linker'.", show_default=False)]) -> None:
    """Run one worker in this process.

    Its settings come from the environment, prefix HEIMDALL_.

    Example: HEIMDALL_NATS_URL=nats://127.0.0.1:4222 heimdall worker linker
    """
    known = known_workers()
    if name not in known:
        raise UnknownWorkerError(name, known=known)
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", f"workers.{name}"])  # noqa: S606 - one of our own modules


def known_workers() -> tuple[str, ...]:
    """The folders of the package `workers` that can be started, in order; nothing is imported for it."""
    package = importlib.util.find_spec("workers")
    folders = package.submodule_search_locations if package is not None else None
    found = {path.parent.name for folder in folders or () for path in Path(folder).glob("*/__main__.py")}
    return tuple(sorted(found))
