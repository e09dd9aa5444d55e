"""Finds the event that a person means: by sequence, by id, or by the run or dead letter that it caused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from broker.codec import decode
from broker.domain import headers as names
from broker.domain.events import DeadLetter
from broker.domain.ids import session_id
from broker.domain.subjects import NOTIFICATIONS
from broker.domain.wire import validate
from broker.errors import BackboneError, EventGoneError, EventNotFoundError, GrammarError, NoCauseError
from broker.transport.backwards import EVERYTHING, Span, read_back, span_of
from broker.transport.connection import Connection
from broker.transport.reader import StoredMessage, read_one
from broker.transport.topology import CONVERSATIONS, DEADLETTER_STREAM, DELIVERIES

UUID_CHARACTERS = 36

Place = Literal["event", "run", "letter"]
"""What a number counts: events of the log, runs in DELIVERIES, or dead letters."""


async def event_of(connection: Connection, place: Place, number: int) -> StoredMessage:
    """The event of that sequence, or the one behind the run or the dead letter of that sequence.

    Raises:
        EventGoneError: it is not in the log, any more or yet.
        NoCauseError: no event of the log caused the run, or the letter holds something else.
    """
    match place:
        case "event":
            found = await read_one(connection, CONVERSATIONS, number)
            if found is None:
                span = await span_of(connection, CONVERSATIONS)
                raise EventGoneError(number, first=span.first, last=span.last)
            return found
        case "run":
            return await _behind_run(connection, number)
        case "letter":
            return await _behind_letter(connection, number)


async def event_with_id(
    connection: Connection,
    event_id: str,
    *,
    search_max: int,
    since_ms: int | None,
    progress: Callable[[int], None],
) -> StoredMessage:
    """The newest event with that ``Nats-Msg-Id``; ids have no index, so the log is searched from its end.

    ``progress`` is told how many sequences were passed. An id that begins with a session's uuid, as those of the kit
    and of the workers do, is looked for in that session alone.

    Raises:
        EventNotFoundError: not among the newest ``search_max``, or not since then.
    """
    searched, oldest = 0, "none was looked at"
    async for span, page in read_back(connection, CONVERSATIONS, _where(event_id), since_ms=since_ms):
        for message in reversed(page):
            if message.headers.get(names.MESSAGE_ID) == event_id:
                return message
        searched += _length(span)
        oldest = f"back to event {span.first}"
        progress(searched)
        if searched >= search_max:
            break
    raise EventNotFoundError(event_id, searched=searched, back_to=oldest)


async def _behind_run(connection: Connection, number: int) -> StoredMessage:
    run = await read_one(connection, DELIVERIES, number) if number else None
    cause = "" if run is None else run.headers.get(names.EVENT, "")
    if not cause.isdecimal():
        raise NoCauseError(f"run {number}" if run is not None else f"run {number}, which is gone or never was,")
    return await event_of(connection, "event", int(cause))


async def _behind_letter(connection: Connection, number: int) -> StoredMessage:
    message = await read_one(connection, DEADLETTER_STREAM, number) if number else None
    if message is None:
        raise NoCauseError(f"dead letter {number}, which is gone or never was,")
    try:
        letter = validate(DeadLetter, decode(message.data), what="dead letter")
    except BackboneError as error:
        raise NoCauseError(f"dead letter {number}") from error
    if letter.stream == CONVERSATIONS:
        return await event_of(connection, "event", letter.sequence)
    if letter.stream != DELIVERIES:
        raise NoCauseError(f"dead letter {number} (of {letter.stream})")
    return await _behind_run(connection, letter.sequence)


def _where(event_id: str) -> str:
    """The stored subjects that an event with this id may have."""
    try:
        session = session_id(event_id[:UUID_CHARACTERS])
    except GrammarError:
        return EVERYTHING
    if len(event_id) == UUID_CHARACTERS:
        return EVERYTHING
    return f"p.*.{NOTIFICATIONS}.*.org.*.name.*.sessionuuid.{session}.>"


def _length(span: Span) -> int:
    return span.last - span.first + 1
