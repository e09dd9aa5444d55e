"""What every demo stands on: its folder and its wishes, and an end at Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path

from broker.cli.dev_folder import DevFolder
from broker.cli.terminal import Terminal


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for; ``root`` is the source tree's folder."""

    folder: DevFolder
    root: Path
    keep: bool
    out: Terminal


async def until_stopped(playing: Coroutine[None, None, None], stop: asyncio.Event) -> None:
    """Return when the play is over, or at a stop signal; what the play raises is raised."""
    task = asyncio.create_task(playing)
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
