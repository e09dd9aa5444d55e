"""`heimdall tap`: watch conversations, from the log and as they happen."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Protocol

import typer

from broker.cli.bus import connected
from broker.cli.event_line import EventLine, Seen
from broker.cli.options import AsJson, NatsUrl, nats_url_of, org_of, span_s
from broker.cli.tap_merge import Feed, Merge
from broker.cli.tap_sources import Narrowing, Source, sources
from broker.cli.terminal import Terminal, note
from broker.domain.ids import session_id
from broker.domain.patterns import Pattern, read_pattern
from broker.domain.subjects import NOTIFICATIONS
from broker.errors import NoStreamError, RequestRefusedError
from broker.transport.connection import Connection
from broker.transport.reader import LogReader, StoredMessage

NAME = "tap"
EVERYTHING = f"{NOTIFICATIONS}.>"
NOT_FOUND_STATUS = 404

_SPANS: dict[str, float | None] = {"now": 0.0, "all": None}


@dataclass(frozen=True, slots=True)
class View:
    """How much of it is wanted; ``since_s`` None means all that is stored, 0 only what is new."""

    since: str
    since_s: float | None
    count: int | None
    follow: bool
    with_subjects: bool


def command(  # noqa: PLR0913 - one parameter for each option
    pattern: Annotated[
        str, typer.Argument(help="Subjects to watch, in heimdall's or NATS's spelling of wildcards.")
    ] = EVERYTHING,
    *,
    since: Annotated[
        str, typer.Option(help="How far back: 30s, 10m, 2h, 7d, 'all' that is stored, or 'now' for new events only.")
    ] = "10m",
    session: Annotated[str | None, typer.Option(help="Only this session's uuid.")] = None,
    org: Annotated[str | None, typer.Option(help="Only this org's uuid.")] = None,
    count: Annotated[int | None, typer.Option(min=1, help="Stop after so many.")] = None,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="Go on with what comes.")] = True,
    with_subjects: Annotated[bool, typer.Option("--subjects", help="Show each event's full subject as well.")] = False,
    nats: Annotated[bool, typer.Option("--nats", help="Read the pattern as NATS spells it.")] = False,
    heimdall: Annotated[bool, typer.Option("--heimdall", help="Read it as heimdall spells it.")] = False,
    as_json: AsJson = False,
    nats_url: NatsUrl = None,
) -> None:
    """Watch events: what is stored, then what comes.

    One line each, all in one order. It only reads, so it disturbs nobody.

    Example: heimdall tap --since 1h
    Example: heimdall tap 'stubber.systems.notifications.webchat.org.#.name.draftmywebchat.*' --json
    Runs for stubs, dead letters: heimdall tap 'stubber.systems.stubs.>', heimdall tap 'stubber.systems.deadletters.>'
    """
    checked = Narrowing(
        org=None if org is None else org_of(org),
        session=None if session is None else session_id(session.strip().lower()),
    )
    read, remark = _read(pattern, nats=nats, heimdall=heimdall)
    wanted = sources(read, checked)
    view = View(since, _since(since), count, follow, with_subjects)
    if remark:
        note(remark)
    with contextlib.suppress(KeyboardInterrupt):  # the usual way to end it
        asyncio.run(_watch(nats_url_of(nats_url), wanted, checked, view, Terminal(as_json=as_json)))


def _read(text: str, *, nats: bool, heimdall: bool) -> tuple[Pattern, str | None]:
    """The pattern, and how it was read where nobody said so and it can matter."""
    if nats and heimdall:
        raise typer.BadParameter("--nats and --heimdall are the two readings: choose one")
    if nats:
        return Pattern.from_nats(text), None
    if heimdall:
        return Pattern.from_heimdall(text), None
    pattern, dialect = read_pattern(text)
    if text == EVERYTHING or not any(sign in text for sign in "*#>"):
        return pattern, None
    other = "nats" if dialect == "heimdall" else "heimdall"
    rule = "'#' is one level, a last '*' anything deeper" if dialect == "heimdall" else "'*' is one level"
    return pattern, f"pattern read as {dialect} spells it ({rule}; --{other} for the other reading)"


def _since(text: str) -> float | None:
    if text in _SPANS:
        return _SPANS[text]
    if (found := span_s(text)) is not None:
        return found
    raise typer.BadParameter(f"--since {text!r} is no time span: write 30s, 10m, 2h, 7d, 'all' or 'now'")


async def _watch(url: str, wanted: tuple[Source, ...], narrowing: Narrowing, view: View, out: Terminal) -> None:
    merge = Merge()
    shown = 0
    async with connected(url) as connection, _reading(connection, merge, wanted, view.since_s):
        while view.count is None or shown < view.count:
            seen = await merge.next()
            if seen is None:
                if not view.follow:
                    break
                if not shown and not out.as_json:
                    _say_that_it_waits(view)
                continue
            line = EventLine.read(seen)
            if narrowing.session is None or line.session == narrowing.session:
                _show(line, out, with_subjects=view.with_subjects)
                shown += 1
    if dropped := sum(feed.dropped for feed in merge.feeds):
        note(f"{dropped} signals came faster than they could be shown")


@contextlib.asynccontextmanager
async def _reading(
    connection: Connection, merge: Merge, wanted: tuple[Source, ...], since_s: float | None
) -> AsyncIterator[None]:
    """Read all sources into the merge until the end of the block."""
    async with contextlib.AsyncExitStack() as stack:
        for source in wanted:
            feed = merge.feed()
            if source.stream is None:
                await _subscribe(connection, source, feed)
                continue
            reader = _reader(connection, source.stream, source.filters, feed, since_s)
            await stack.enter_async_context(_started(reader, source.filters[0]))
            ended = asyncio.create_task(_end_history(reader, feed))
            stack.callback(ended.cancel)
        yield


def _reader(
    connection: Connection, stream: str, filters: tuple[str, ...], feed: Feed, since_s: float | None
) -> LogReader:
    async def accept(message: StoredMessage) -> None:
        await feed.put(
            Seen(
                stream,
                message.public_subject,
                message.data,
                message.headers,
                message.sequence,
                message.stored_at_ms,
            )
        )

    if since_s is None:
        return LogReader(connection, stream, accept, filters=filters, after=0)
    since_ms = int((time.time() - since_s) * 1000) if since_s else None
    return LogReader(connection, stream, accept, filters=filters, since_ms=since_ms)


@contextlib.asynccontextmanager
async def _started(reader: LogReader, subject: str) -> AsyncIterator[None]:
    try:
        await reader.start()
    except RequestRefusedError as error:
        if error.status == NOT_FOUND_STATUS:
            raise NoStreamError(subject) from error
        raise
    try:
        yield
    finally:
        await reader.stop()


async def _end_history(reader: LogReader, feed: Feed) -> None:
    await reader.caught_up.wait()
    feed.end_history()


async def _subscribe(connection: Connection, source: Source, feed: Feed) -> None:
    """Signals have no history; a terminal that is too slow for them loses some, and says how many."""

    async def received(message: _Message) -> None:
        feed.offer(Seen(None, message.subject, message.data, message.headers or {}, None, int(time.time() * 1000)))

    callback: Callable[[_Message], Awaitable[None]] = received
    for pattern in source.filters:
        await connection.subscribe(pattern, callback)
    feed.end_history()


class _Message(Protocol):
    """The part of nats-py's message that is read here; only transport imports nats-py."""

    subject: str
    data: bytes
    headers: dict[str, str] | None


def _show(line: EventLine, out: Terminal, *, with_subjects: bool) -> None:
    if out.as_json:
        out.record(line.record())
        return
    out.row(line.text())
    if with_subjects:
        out.aside(line.seen.subject)


def _say_that_it_waits(view: View) -> None:
    span = "at all" if view.since_s is None else f"in the last {view.since}"
    stored = f"nothing stored {span}; " if view.since_s != 0 else ""
    note(f"{stored}waiting for what comes, Ctrl-C ends")
