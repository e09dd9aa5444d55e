"""`heimdall explain`: the whole story of one message, out of the log and of what came of it."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Annotated

import typer

from broker.cli.bus import connected
from broker.cli.explained import message_text, page
from broker.cli.options import AsJson, NatsUrl, nats_url_of, span_s
from broker.cli.terminal import Terminal
from broker.codec import decode
from broker.domain.ids import OrgId, Stub
from broker.domain.story import Story, tell
from broker.domain.wire import validate
from broker.errors import BackboneError, NoStreamError
from broker.kit.records import StubRecord, stub_key, stubs_bucket
from broker.transport.connection import Connection
from broker.transport.event_search import Place, event_of, event_with_id
from broker.transport.evidence import Sources, gather
from broker.transport.outcome import StubProgress
from broker.transport.publisher import Publisher, open_publisher
from broker.transport.reader import StoredMessage
from broker.transport.records import Records
from broker.transport.topology import PROFILES, REGISTRATIONS, SESSIONS, STUBSESSIONS

NAME = "explain"
SEARCH_MAX = 200_000
"""Events that are searched for an id: some ten seconds."""


def command(  # noqa: PLR0913 - one parameter for each option
    event: Annotated[str, typer.Argument(help="Its sequence in the log, or its event id.", show_default=False)],
    *,
    of: Annotated[Place, typer.Option(help="What a number is: an event's, a run's or a dead letter's.")] = "event",
    text: Annotated[bool, typer.Option("--text", help="Show what the message says as well.")] = False,
    search: Annotated[int, typer.Option(min=1, help="Look for an id among so many of the newest.")] = SEARCH_MAX,
    since: Annotated[str | None, typer.Option(help="Look for an id so far back: 30s, 10m, 2h, 7d.")] = None,
    as_json: AsJson = False,
    nats_url: NatsUrl = None,
) -> None:
    """Explain one message: what was decided and why, and what came of it.

    'heimdall tap' shows sequences; ids are in its JSON, as the header Nats-Msg-Id. It only reads.

    Example: heimdall explain 1207
    Example: heimdall explain 884 --of run --json
    """
    out = Terminal(as_json=as_json)
    since_ms = None if since is None else _moment(since)
    story = asyncio.run(_story(nats_url_of(nats_url), event, of, search_max=search, since_ms=since_ms))
    if out.as_json:
        out.record({**story.record(), **({"text": message_text(story.event)} if text else {})})
    else:
        out.console.print(page(story, with_text=text), soft_wrap=False)


def _moment(since: str) -> int:
    span = span_s(since)
    if span is None:
        raise typer.BadParameter(f"--since {since!r} is no time span: write 30s, 10m, 2h or 7d")
    return int((time.time() - span) * 1000)


async def _story(url: str, event: str, of: Place, *, search_max: int, since_ms: int | None) -> Story:
    async with connected(url) as connection, open_publisher(connection) as publisher:
        message = await _message(connection, event.strip(), of, search_max=search_max, since_ms=since_ms)
        return tell(await gather(_sources(connection, publisher), message))


async def _message(
    connection: Connection, event: str, of: Place, *, search_max: int, since_ms: int | None
) -> StoredMessage:
    if event.isdecimal():
        return await event_of(connection, of, int(event))
    if of != "event":
        raise typer.BadParameter(f"{event!r} is no number: --of {of} takes a sequence")
    progress = _Progress()
    try:
        return await event_with_id(
            connection, event, search_max=search_max, since_ms=since_ms, progress=progress.passed
        )
    finally:
        progress.end()


def _sources(connection: Connection, publisher: Publisher) -> Sources:
    def records(bucket: str) -> Records:
        return Records(connection, publisher, bucket)

    async def progress(org: OrgId, stub: Stub) -> StubProgress | None:
        try:
            value = (await records(stubs_bucket(stub.service)).read(stub_key(org, stub.ref))).value
            record = None if value is None else validate(StubRecord, decode(value), what="stub record")
        except NoStreamError:
            return None  # not a service on the kit
        except BackboneError as error:
            if error.retryable:
                raise
            return None  # a newer kit's record
        return None if record is None else _progress_in(record)

    return Sources(
        connection=connection,
        registrations=records(REGISTRATIONS),
        profiles=records(PROFILES),
        sessions=records(SESSIONS),
        states=records(STUBSESSIONS),
        progress=progress,
    )


def _progress_in(record: StubRecord) -> StubProgress:
    return StubProgress(record.last_sequence, record.begun_sequence, record.begun_count)


class _Progress:
    """How far a search is, on one line of a terminal; nothing in a pipe."""

    def __init__(self) -> None:
        self._shown = False

    def passed(self, count: int) -> None:
        """So many events were looked at."""
        if sys.stderr.isatty():
            sys.stderr.write(f"\rheimdall: searched {count:,} events ")
            sys.stderr.flush()
            self._shown = True

    def end(self) -> None:
        """Leave no half line behind."""
        if self._shown:
            sys.stderr.write("\r" + " " * 60 + "\r")
