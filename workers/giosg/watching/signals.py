"""Hears of visitors what is shown and never stored: they come, leave and type."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable

from broker.codec import decode
from broker.domain.grammar import parse_subject
from broker.domain.subjects import SIGNALS, Signal, SignalSubject
from broker.errors import BackboneError
from broker.transport.connection import Connection
from broker.transport.signals import hearing
from workers.giosg.watching.presence import Presence
from workers.giosg.watching.typing_to import TypingToGiosg

VISITOR = "visitor"


@contextlib.asynccontextmanager
async def hearing_visitors(
    connection: Connection, orgs: Iterable[str], presence: Presence, typing: TypingToGiosg
) -> AsyncIterator[None]:
    """Hand on the visitors' signals of those orgs until the end of the block."""

    def heard(subject: str, data: bytes) -> None:
        with contextlib.suppress(BackboneError):  # anybody may publish there
            parsed, body = parse_subject(subject), decode(data)
            if not isinstance(parsed, SignalSubject) or body.get("from") != VISITOR:
                return
            if parsed.signal == "presence":
                presence.hear(parsed.conversation.session, is_present=body.get("present") is not False)
            else:
                typing.hear(parsed.conversation.session)

    signals: tuple[Signal, ...] = ("presence", "typing") if typing.is_wanted else ("presence",)
    subjects = [f"{SIGNALS}.*.org.{org}.name.*.sessionuuid.*.{signal}" for org in orgs for signal in signals]
    async with hearing(connection, subjects, heard):
        yield
