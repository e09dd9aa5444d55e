"""Bodies and headers made to hurt: each is kept as a dead letter, and nobody else's event suffers."""

from __future__ import annotations

import asyncio

from broker.domain.subjects import Kind
from tests.integration.routing.conftest import Chat


async def test_an_event_with_a_longest_body_and_headers_that_grow_is_kept_as_a_dead_letter(chat: Chat) -> None:
    """A byte of a header that is no text is read as three."""
    conversation = chat.conversation()
    headers, body = b"NATS/1.0\r\nX: " + b"\xff" * 64_000 + b"\r\n\r\n", b"y" * 980_000
    sizes = f"{len(headers)} {len(headers) + len(body)}"
    _, writer = await asyncio.open_connection(*chat.connection.url.removeprefix("nats://").split(":"))
    writer.write(b'CONNECT {"verbose":false,"headers":true}\r\n')
    writer.write(f"HPUB {conversation.subject(Kind.MESSAGE)} {sizes}\r\n".encode() + headers + body + b"\r\n")
    await writer.drain()
    try:
        letter = await chat.expect_dead("undecodable")
    finally:
        writer.close()
    assert len(letter["body"]) > 700_000
    assert "cut" in letter["detail"]
    await chat.settled()


async def test_an_event_with_a_very_long_field_name_is_kept_as_a_dead_letter(chat: Chat) -> None:
    conversation = chat.conversation()
    body = chat.visitor_body(conversation, webchat_meta_data={"k" * 980_000: b"no text"})
    await chat.publish(conversation.subject(Kind.MESSAGE), body)
    letter = await chat.expect_dead("invalid_body")
    assert len(letter["detail"]) < 1_000
    await chat.settled()
