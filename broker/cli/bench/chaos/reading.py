"""Reads what a run left behind: every stream from its beginning, through consumers, so on a cluster from its leader."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from broker.cli.bench.chaos.book import Book, Event, Letter, Run, Sent
from broker.codec import decode
from broker.domain import headers as names
from broker.errors import BackboneError
from broker.transport.connection import Connection
from broker.transport.reader import LogReader, StoredMessage
from broker.transport.topology import CONVERSATIONS, DEADLETTER_STREAM, DELIVERIES

T = TypeVar("T")


async def read_book(
    connection: Connection, sent: tuple[Sent, ...], disturbed: tuple[tuple[int, int], ...] = ()
) -> Book:
    """All of it; nothing may be on its way any more."""
    return Book(
        events=tuple(await _all(connection, CONVERSATIONS, _event)),
        runs=tuple(await _all(connection, DELIVERIES, _run)),
        letters=tuple(await _all(connection, DEADLETTER_STREAM, _letter)),
        sent=sent,
        read_at_ms=time.time_ns() // 1_000_000,
        disturbed=disturbed,
    )


async def _all(connection: Connection, stream: str, read: Callable[[StoredMessage], T]) -> list[T]:
    found: list[StoredMessage] = []

    async def accept(message: StoredMessage) -> None:
        found.append(message)

    async with LogReader(connection, stream, accept, filters=(">",), after=0) as reader:
        await reader.caught_up.wait()
    return [read(message) for message in found]


def _event(message: StoredMessage) -> Event:
    """The parts of the subject by hand: the grammar is the product's, and is on trial here as well."""
    before, _, after = message.public_subject.partition(".sessionuuid.")
    tokens = before.split(".")
    session, _, what = after.partition(".")
    kind = what.partition("messagetype.")[2] or what or tokens[-1]
    try:
        body = decode(message.data)
    except BackboneError:
        body = {}
    return Event(
        sequence=message.sequence,
        at_ms=message.stored_at_ms,
        id=message.headers.get(names.MESSAGE_ID, ""),
        session=session or _member(body, "heimdall", "webchat", "sessionuuid") or "",
        chat=tokens[tokens.index("name") + 1] if "name" in tokens[:-1] else "",
        kind=kind,
        stub=body.get("stub") or message.headers.get(names.STUB, ""),
        **_link(kind, body),
    )


def _link(kind: str, body: dict[str, Any]) -> dict[str, Any]:
    """What an event says of a link; where the hours are left out, the documented ones."""
    wish: dict[str, Any] | None = None
    if kind == "notification":
        wish = _member(body, "platforms", "webchat", "stubsession")
    elif kind == "stubsession.set":
        wish = _member(body, "params", "webchat")
    deadline_ms = body.get("deadline_at_ms") or body.get("expires_at_ms") or 0
    hours = 0.0 if wish is None else float(wish.get("set_new_with_timeout_hours", 24.0))
    action = "" if wish is None else wish.get("set_feedback_action", "")
    return {"hours": hours, "action": action, "epoch": body.get("epoch", 0), "deadline_ms": deadline_ms}


def _member(body: Any, *path: str) -> Any:
    for name in path:
        body = body.get(name) if isinstance(body, dict) else None
    return body


def _run(message: StoredMessage) -> Run:
    tokens = message.public_subject.split(".")
    service, ref, action = (tokens[tokens.index(label) + 1] for label in ("service", "stubref", "action"))
    conversation = message.headers.get(names.CONVERSATION, "")
    return Run(
        sequence=message.sequence,
        session=conversation.partition(".sessionuuid.")[2],
        event=int(message.headers.get(names.EVENT, "0")),
        stub=f"{service}.{ref}",
        action=action,
    )


def _letter(message: StoredMessage) -> Letter:
    body = decode(message.data)
    return Letter(stream=body["stream"], event=body["sequence"], reason=body["reason"])
