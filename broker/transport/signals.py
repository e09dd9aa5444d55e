"""Hears what is published to nobody in particular and never stored, such as who is typing."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterable

from nats.errors import Error as NatsError

from broker.transport.connection import Connection

Heard = Callable[[str, bytes], None]
"""Called with subject and body, where the message is read: it must neither wait nor raise."""


@contextlib.asynccontextmanager
async def hearing(connection: Connection, subjects: Iterable[str], heard: Heard) -> AsyncIterator[None]:
    """Hear these subjects until the end of the block; whatever comes while the server is away is lost.

    Raises:
        BusError: this connection cannot subscribe.
    """

    def read(subject: bytes, _reply: bytes, data: bytes, _headers: bytes) -> None:
        with contextlib.suppress(UnicodeDecodeError):  # no subject of ours
            heard(subject.decode(), data)

    subscriptions = [await connection.hear(subject, read) for subject in subjects]
    try:
        yield
    finally:
        for subscription in subscriptions:
            with contextlib.suppress(NatsError):
                await subscription.unsubscribe()
