"""Reading a stream from its newest message back, and counting without reading: for people who ask."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from broker.errors import BackboneError, NoStreamError, RequestRefusedError
from broker.transport.connection import Connection
from broker.transport.reader import StoredMessage, read_range
from broker.transport.requests import SECOND_NS

WINDOW = 2_000
"""Sequences that the first step back covers; each further one covers twice as many."""
WINDOW_MAX = 16_000
SPARSE_WINDOW_MAX = 256_000
"""Where few messages match: the server passes over the others quickly."""
PAGE = 500
EVERYTHING = ">"
NOT_FOUND_STATUS = 404
COUNTER_INACTIVE_S = 5


@dataclass(frozen=True, slots=True)
class Span:
    """Which sequences a stream holds now; ``last`` below ``first``: none."""

    first: int
    last: int


async def span_of(connection: Connection, stream: str) -> Span:
    """Ask the server; NoStreamError where there is no such stream."""
    state = (await _ask(connection, f"STREAM.INFO.{stream}", {}, stream))["state"]
    return Span(max(1, state["first_seq"]), state["last_seq"])


async def read_back(
    connection: Connection, stream: str, pattern: str = EVERYTHING, *, since_ms: int | None = None
) -> AsyncIterator[tuple[Span, list[StoredMessage]]]:
    """Step by step towards the beginning: the sequences covered, and what matches among them, oldest first.

    ``since_ms`` ends it at that moment.
    """
    held = await span_of(connection, stream)
    lowest, high, size = held.first, held.last, WINDOW
    if since_ms is not None:
        oldest = await read_range(connection, stream, (EVERYTHING,), limit=1, since_ms=since_ms)
        lowest = max(lowest, oldest[0].sequence) if oldest else high + 1
    while high >= lowest:
        window = Span(max(lowest, high - size + 1), high)
        yield window, await _read_window(connection, stream, pattern, window)
        high, size = window.first - 1, min(size * 2, WINDOW_MAX if pattern == EVERYTHING else SPARSE_WINDOW_MAX)


async def count_stored(connection: Connection, stream: str, pattern: str) -> int:
    """How many messages match, as the server knows it: a consumer is told at once how much lies before it.

    Raises:
        NoStreamError: no such stream.
    """
    name = connection.new_inbox().rsplit(".", 1)[1]
    config = {
        "name": name,
        "ack_policy": "none",
        "mem_storage": True,
        "num_replicas": 1,
        "inactive_threshold": COUNTER_INACTIVE_S * SECOND_NS,
        "filter_subject": pattern,
    }
    body = {"stream_name": stream, "config": config}
    answer = await _ask(connection, f"CONSUMER.CREATE.{stream}.{name}.{pattern}", body, pattern)
    with contextlib.suppress(BackboneError):  # else the server forgets it by itself
        await connection.ask(f"CONSUMER.DELETE.{stream}.{name}")
    return int(answer["num_pending"])


async def _ask(connection: Connection, api: str, body: Mapping[str, object], what: str) -> dict[str, Any]:
    try:
        return await connection.ask(api, body)
    except RequestRefusedError as error:
        if error.status == NOT_FOUND_STATUS:
            raise NoStreamError(what) from error
        raise


async def _read_window(connection: Connection, stream: str, pattern: str, window: Span) -> list[StoredMessage]:
    found: list[StoredMessage] = []
    after = window.first - 1
    while after < window.last:
        wanted = min(PAGE, window.last - after)
        page = await read_range(connection, stream, (pattern,), after=after, limit=wanted)
        found += [message for message in page if message.sequence <= window.last]
        if len(page) < wanted:
            break
        after = page[-1].sequence
    return found
