"""The contestants: how each is prepared and started. All take the same consumers of the same log."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Sequence

from broker.cli.bench import crowd as load
from broker.cli.bench.contestants.peer import Link, link_key, target
from broker.cli.bench.crowd import LINK_HOURS, Crowd
from broker.cli.bench.machine import version_of
from broker.cli.bench.process import Process, running
from broker.cli.bench.stage import Stage
from broker.errors import InvalidNameError
from broker.transport.topology import CONVERSATIONS, SESSIONS, STUBSESSIONS

PLACE = "broker.cli.bench.contestants"
OURS = "ours"
BARE = "bare"
FASTSTREAM = "faststream"
FASTSTREAM_SETTINGS = ("push", "pull", "batch", "single")
USUAL = (OURS, BARE, FASTSTREAM)
KNOWN = (*USUAL, *(f"{FASTSTREAM}-{setting}" for setting in FASTSTREAM_SETTINGS))
MODULES = {BARE: f"{PLACE}.bare", FASTSTREAM: f"{PLACE}.faststream_router"}
"""What runs; ours is a worker, and so started as one."""
BEST_FASTSTREAM = "push"
"""The fastest of its settings that keeps order (300 µs of processor a message; pull 440); see for yourself."""


def contestants(names: str) -> list[str]:
    """The names in a comma-separated list, ours first, since the ratios are to ours.

    Raises:
        InvalidNameError: nobody is called that.
    """
    found = [name.strip() for name in names.split(",") if name.strip()]
    for name in found:
        if name not in KNOWN:
            raise InvalidNameError("contestant", name, expected=f"one of {', '.join(KNOWN)}")
    return sorted(dict.fromkeys([OURS, *found]), key=KNOWN.index)


def absent(name: str) -> str | None:
    """Why a contestant cannot take part, None if it can."""
    if name.startswith(FASTSTREAM) and version_of("faststream") is None:
        return f"{name} is skipped: FastStream is not installed ('make test' installs it, it is in the extra 'test')"
    return None


async def link(stage: Stage, name: str, crowd: Crowd) -> None:
    """Have every session linked: for ours by the real linker, for a peer by writing what it keeps."""
    numbers = range(crowd.sessions)
    if name != OURS:
        await load.in_chunks(_peer_links(stage, crowd, numbers))
        return
    await load.make_known(stage.records(SESSIONS), crowd, numbers)
    async with stage.worker("linker") as linker:
        await load.ask_for_links(stage.publisher, crowd, numbers)
        await stage.wait_for_all(CONVERSATIONS, 2 * crowd.sessions, linker, "links set by the linker")


def _peer_links(stage: Stage, crowd: Crowd, numbers: Sequence[int]) -> list[object]:
    bucket = stage.records(STUBSESSIONS)
    expires_at_ms = int(time.time() * 1000 + LINK_HOURS * 3_600_000)
    return [
        bucket.write(
            link_key(crowd.org, crowd.session(number)),
            Link(target(crowd.org, crowd.stub(number)), expires_at_ms, 0).dump(),
            revision=None,
        )
        for number in numbers
    ]


@contextlib.asynccontextmanager
async def running_contestant(stage: Stage, name: str, crowd: Crowd) -> AsyncIterator[Process]:
    """One contestant at work, until the end of the block."""
    if name == OURS:
        async with stage.worker("linker") as process:
            yield process
        return
    peer, _, setting = name.partition("-")
    arguments = [stage.url, crowd.org, ",".join(stage.consumers())]
    if peer == FASTSTREAM:
        arguments.append(setting or BEST_FASTSTREAM)
    async with running(name, MODULES[peer], stage.folder, arguments=arguments) as process:
        yield process
    await stage.forget_push_consumers()
