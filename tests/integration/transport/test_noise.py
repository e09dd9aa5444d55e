"""Bytes that are no text, from a client that minds nothing: the server takes them, so we must as well."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import pytest
from nats.aio.msg import Msg

from broker.domain.subjects import NOTIFICATIONS
from broker.runtime.embedded import EmbeddedServer
from broker.transport.connection import Connection
from broker.transport.pull import Delivery, PullLoop
from broker.transport.topology import CONVERSATIONS
from tests.conftest import Eventually
from tests.integration.transport.conftest import store, subject_of


async def send_raw(server: EmbeddedServer, *commands: bytes) -> None:
    """Publish as the protocol has it."""
    address = urlsplit(server.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(b'CONNECT {"headers":true,"verbose":false}\r\n' + b"".join(commands) + b"PING\r\n")
    async with asyncio.timeout(5):
        await reader.readuntil(b"PONG\r\n")
    writer.close()
    await writer.wait_closed()


def with_headers(subject: bytes, block: bytes) -> bytes:
    return b"HPUB %s %d %d\r\n%s\r\n" % (subject, len(block), len(block), block)


@pytest.mark.parametrize(
    "what",
    [
        pytest.param("subject", id="a subject that is no text"),
        pytest.param("status", id="a status that is no text"),
        pytest.param("header", id="a header that is no text"),
    ],
)
async def test_what_is_no_text_is_handed_over_and_stops_nothing(
    server: EmbeddedServer, connection: Connection, consumer: str, org: str, eventually: Eventually, what: str
) -> None:
    seen: list[tuple[str, bytes]] = []

    async def accept(delivery: Delivery) -> None:
        seen.append((delivery.public_subject, delivery.data))
        await delivery.ack()

    usual = subject_of(org, "x").encode()
    noise = {
        "subject": b"PUB %s 0\r\n\r\n" % subject_of(org, "x").encode().replace(b"message", b"\xff\xfe"),
        "status": with_headers(usual, b"NATS/1.0 \xff\xfe\r\nA: b\r\n\r\n"),
        "header": with_headers(usual, b"NATS/1.0\r\nA\xff: \xfe\r\n\r\n"),
    }
    async with PullLoop(connection, CONVERSATIONS, consumer, accept) as loop:
        await send_raw(server, noise[what])
        await store(connection, org, 1)
        await eventually(lambda: len(seen) == 2)
        assert loop.generation == 1
    assert seen[0][0].startswith(NOTIFICATIONS)
    assert seen[1][1] == b"0"


@pytest.mark.parametrize(
    "noise",
    [
        pytest.param(b"PUB noise.%s.\xff 1\r\n1\r\n", id="a subject that is no text"),
        pytest.param(b"PUB noise.%s.a \xff 1\r\n1\r\n", id="a reply address that is no text"),
        pytest.param(b"HPUB noise.%s.a 16 17\r\nNATS/1.0 \xff\xfe\xff\r\n\r\n1\r\n", id="a status that is no text"),
    ],
)
async def test_a_message_that_is_no_text_does_not_end_the_reading_of_the_others(
    server: EmbeddedServer, connection: Connection, org: str, eventually: Eventually, noise: bytes
) -> None:
    seen: list[bytes] = []

    async def heard(message: Msg) -> None:
        seen.append(message.data)

    await connection.subscribe(f"noise.{org}.>", heard)
    await connection.flush()
    await send_raw(server, noise % org.encode(), b"PUB noise.%s.a 1\r\n2\r\n" % org.encode())
    await eventually(lambda: seen[-1:] == [b"2"])
