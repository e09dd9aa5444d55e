"""Deadlines kept by the server's own scheduler; a firing means "look", never "expired".

Source: nats-notes.md section 2; nats-architecture-and-design ADR-51.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from broker.domain import headers as names
from broker.domain.subjects import TIMERS, Conversation, DueSubject, TimerKind, partition_of
from broker.transport.publisher import Publisher, Stored
from broker.transport.topology import EXPIRY_PARTITIONS

FIRED_TTL = "168h"
"""How long a firing waits for an expiry worker, as long as the log keeps what it is about."""
CANCELLED_SUBJECT = f"{TIMERS}.cancelled"
CANCELLED_TTL = "1s"


async def arm(
    publisher: Publisher, subject: str, *, at_ms: int, partition: int, headers: Mapping[str, str] | None = None
) -> asyncio.Future[Stored]:
    """Set the one schedule of ``subject`` (a Conversation's timer()), in place of any before.

    It fires into the due subject of the partition, with ``headers``, and with ``Nats-Scheduler`` naming ``subject``.
    A moment that has passed fires at once. The headers must hold no message id: a firing would carry it as well.
    """
    return await publisher.submit(
        subject,
        b"",
        {
            **(headers or {}),
            "Nats-Schedule": "@at " + rfc3339(at_ms),
            "Nats-Schedule-Target": str(DueSubject(partition)),
            "Nats-Schedule-TTL": FIRED_TTL,
        },
    )


async def disarm(publisher: Publisher, subject: str) -> asyncio.Future[Stored]:
    """Remove the schedule of ``subject``, if there is one; seven times as fast as a purge."""
    return await publisher.submit(
        CANCELLED_SUBJECT,
        b"",
        {"Nats-Schedule-Next": "purge", "Nats-Scheduler": subject, "Nats-TTL": CANCELLED_TTL},
    )


class Timers:
    """The timers of conversations: at most one of each kind."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    async def arm(
        self, conversation: Conversation, kind: TimerKind, *, at_ms: int, epoch: int
    ) -> asyncio.Future[Stored]:
        """Set the conversation's timer of this kind, in place of any before."""
        return await arm(
            self._publisher,
            conversation.timer(kind),
            at_ms=at_ms,
            partition=partition_of((conversation.session,), EXPIRY_PARTITIONS),
            headers={names.EPOCH: str(epoch)},
        )

    async def arm_again(self, conversation: Conversation, kind: TimerKind, *, at_ms: int, epoch: int) -> None:
        """Set the timer after a firing, unless somebody has set one since: a firing leaves none behind.

        Raises:
            ConflictError: somebody has, and who set it knows the deadline better.
        """
        ack = await arm(
            self._publisher,
            conversation.timer(kind),
            at_ms=at_ms,
            partition=partition_of((conversation.session,), EXPIRY_PARTITIONS),
            headers={names.EPOCH: str(epoch), "Nats-Expected-Last-Subject-Sequence": "0"},
        )
        await ack

    async def disarm(self, conversation: Conversation, kind: TimerKind) -> asyncio.Future[Stored]:
        """Remove the conversation's timer of this kind, if there is one."""
        return await disarm(self._publisher, conversation.timer(kind))


def rfc3339(moment_ms: int) -> str:
    """A moment as the scheduler reads it, to the millisecond, in UTC."""
    seconds, milliseconds = divmod(moment_ms, 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{milliseconds:03d}Z"
