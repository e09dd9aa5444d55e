"""What the demo tells: who did what, and beside it the events of the log, in the order in which they came."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Literal

from rich.text import Text

from broker.cli.event_line import ARROWS, STYLES, EventLine, Seen
from broker.cli.terminal import Terminal, clock_time, one_line
from broker.errors import DemoStuckError
from broker.transport.connection import Connection
from broker.transport.reader import LogReader, StoredMessage
from broker.transport.topology import CONVERSATIONS

STEP_WAIT_S = 60.0
"""A machine under load is slow, and that is no fault; longer than this is."""
WHO_WIDTH = 9
KIND_WIDTH = 13
SESSION_SHOWN = 8

Who = Literal["visitor", "program", "operator", "agent", "webim", "giosg", "heimdall"]
STYLE_OF: dict[Who, str] = {
    "visitor": "bold cyan",
    "program": "bold green",
    "operator": "bold magenta",
    "agent": "bold magenta",
    "webim": "dim",
    "giosg": "dim",
    "heimdall": "bold",
}


@dataclass(frozen=True, slots=True)
class Happened:
    """One event of the log."""

    kind: str
    facts: str


class Story:
    """Tells, and remembers the log's events so that the play can wait for them."""

    def __init__(self, out: Terminal) -> None:
        self._out = out
        self._events: list[Happened] = []
        self._read = 0
        self._more = asyncio.Event()

    def tell(self, who: Who, did: str, text: str = "", **facts: Any) -> None:
        """One line: ``did`` is a constant in the past tense, ``text`` what a person reads."""
        at_ms = int(time.time() * 1000)
        if self._out.as_json:
            self._out.record({"at_ms": at_ms, "who": who, "did": did, "text": text, **facts})
            return
        when_and_who = Text.assemble((clock_time(at_ms), "dim"), "  ", (f"{who:<{WHO_WIDTH}}", STYLE_OF[who]), " ")
        self._out.hanging(when_and_who, Text(one_line(text or did)))

    def event(self, line: EventLine) -> None:
        """One event of the log, as `heimdall tap` shows it."""
        facts = line.facts()
        self._events.append(Happened(line.kind, facts))
        self._more.set()
        if self._out.as_json:
            seen = line.seen
            known = {"sequence": seen.sequence, "session": (line.session or "")[:SESSION_SHOWN]}
            self._out.record({"at_ms": seen.at_ms, "who": "log", "did": line.kind, "text": facts, **known})
            return
        sequence = "" if line.seen.sequence is None else str(line.seen.sequence)
        self._out.row(
            Text.assemble(
                (clock_time(line.seen.at_ms), "dim"),
                (f"  {'log':<{WHO_WIDTH}} {sequence:>4} ", "dim"),
                f"{ARROWS.get(line.group, '·')} ",
                (f"{line.kind:<{KIND_WIDTH}}", STYLES[line.group]),
                (f" {one_line(facts)}", "dim"),
            )
        )

    async def logged(self, kind: str, text: str = "") -> None:
        """Return when the log has such an event that was not waited for before.

        Raises:
            DemoStuckError: it does not come.
        """
        await self._until(lambda found: found.kind == kind and text in found.facts, f"{kind} {text}".strip())

    async def _until(self, fits: Callable[[Happened], bool], expected: str) -> None:
        try:
            async with asyncio.timeout(STEP_WAIT_S):
                while True:
                    while self._read < len(self._events):
                        self._read += 1
                        if fits(self._events[self._read - 1]):
                            return
                    self._more.clear()
                    await self._more.wait()
        except TimeoutError as error:
            raise DemoStuckError(f"the log has no {expected!r}", wait_s=STEP_WAIT_S) from error

    def blank(self) -> None:
        """A line that parts what people read."""
        if not self._out.as_json:
            self._out.text("")


@contextlib.asynccontextmanager
async def log_told(connection: Connection, chats: str, story: Story) -> AsyncIterator[None]:
    """Tell the events of some chats' conversations as they are stored, until the end of the block.

    ``chats``: a pattern below ``stubber.systems.notifications``.
    """

    async def accept(message: StoredMessage) -> None:
        found = (message.public_subject, message.data, message.headers, message.sequence, message.stored_at_ms)
        story.event(EventLine.read(Seen(CONVERSATIONS, *found)))

    pattern = f"stubber.systems.notifications.{chats}"
    async with LogReader(connection, CONVERSATIONS, accept, filters=(f"p.*.{pattern}", pattern)):
        yield
