"""`heimdall tap --json` in a second terminal: what a developer sees while a conversation goes on."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable

from tests.conftest import poll
from tests.e2e.stack import ROOT, Record, Stack

LINE_BYTES_MAX = 1 << 20


class Tap:
    """The events seen so far, oldest first."""

    def __init__(self) -> None:
        self.events: list[Record] = []

    def of(self, session: str, *kinds: str) -> list[Record]:
        """The events of one session, of these kinds or of all."""
        return [event for event in self.events if event["session"] == session and (not kinds or event["kind"] in kinds)]

    def kinds(self, session: str) -> list[str]:
        """What happened in a session, in order."""
        return [event["kind"] for event in self.of(session)]

    async def expect_in(self, org: str, kind: str) -> Record:
        """Wait for the first event of this kind in an org."""

        def found() -> list[Record]:
            return [event for event in self.events if event["kind"] == kind and f".org.{org}." in event["subject"]]

        await poll(found, 10.0)
        return found()[0]

    async def expect(
        self, session: str, kind: str, holds: Callable[[Record], bool] = lambda _: True, *, within_s: float = 10.0
    ) -> Record:
        """Wait for an event of this kind for which the condition holds."""

        def there() -> bool:
            return any(holds(event) for event in self.of(session, kind))

        await poll(there, within_s)
        return next(event for event in self.of(session, kind) if holds(event))


@contextlib.asynccontextmanager
async def tapping(stack: Stack, pattern: str = "stubber.systems.>") -> AsyncIterator[Tap]:
    """Watch a stack from now on, runs and dead letters too; it is reading when the block begins."""
    process = await asyncio.create_subprocess_exec(
        *stack.command_line("tap", pattern, "--nats", "--since", "all"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        limit=LINE_BYTES_MAX,
    )
    tap = Tap()
    reading = asyncio.create_task(_read(process, tap))
    try:
        # The registrations that the demo program makes at its start are commands, so the log may be empty here.
        yield tap
    finally:
        process.kill()
        await process.wait()
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading


async def _read(process: asyncio.subprocess.Process, tap: Tap) -> None:
    assert process.stdout is not None
    while line := await process.stdout.readline():
        tap.events.append(json.loads(line))
