"""Bodies and headers made to hurt: each is kept as a dead letter, and nobody else's event suffers."""

from __future__ import annotations

import asyncio

from broker.codec import BODY_BYTES_MAX, encode
from broker.domain.events import Timeout
from broker.domain.ids import ChatName
from broker.domain.subjects import ChatPath, Kind
from broker.domain.wire import dump
from tests.conftest import poll
from tests.integration.routing.conftest import Body, Chat


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


async def test_a_held_message_too_large_for_a_run_does_not_keep_the_stub_from_its_link(chat: Chat) -> None:
    conversation = chat.conversation()
    await chat.register(f"{chat.path.prefix}.webchatmessagetype.firstmessage", stub="svc.A", action="first")
    await chat.open(conversation)
    await chat.say(conversation, "one")
    await chat.expect_runs(1)
    text = {"type": "text", "value": "two " + "x" * 60_000}
    body = chat.visitor_body(conversation, webchat_message=text, filler="x" * (BODY_BYTES_MAX - 61_000))
    assert len(encode(body)) <= BODY_BYTES_MAX, "a run has the text twice, so it is longer than its event"
    await chat.publish(conversation.subject(Kind.MESSAGE), body)
    await chat.say(conversation, "three")
    await chat.settled()
    await chat.link(conversation, "svc.B")
    await chat.expect_dead("too_large")
    await chat.say(conversation, "four")
    runs = await chat.expect_runs(3)
    assert [(stub, post["message"]) for stub, _, post in runs[1:]] == [("svc.B", "three"), ("svc.B", "four")]


async def test_a_timeout_at_another_chats_path_tells_nothing_there_and_changes_nothing_here(chat: Chat) -> None:
    conversation = chat.conversation()
    epoch = await chat.link_after_open(conversation, "svc.B")
    other = ChatPath(chat.path.channel, chat.org, ChatName("draftother")).conversation(conversation.session)
    body = dump(Timeout(timer="link", epoch=epoch, deadline_at_ms=1))
    await chat.publish(other.subject(Kind.TIMEOUT), body)
    await chat.expect_dead("forbidden")
    links = (await chat.command("links", {}))["links"]
    assert [link["chat_name"] for link in links] == [chat.path.chat]


async def test_an_event_nested_as_deep_as_may_be_reaches_its_stub_or_a_dead_letter_at_once(chat: Chat) -> None:
    """Never a run that the service then cannot read."""
    conversation = chat.conversation()
    await chat.link_after_open(conversation, "svc.B")
    for levels in range(55, 66):
        deep: Body = {}
        for _ in range(levels):
            deep = {"a": deep}
        await chat.publish(conversation.subject(Kind.MESSAGE), chat.visitor_body(conversation, webchat_meta_data=deep))
    await chat.settled()

    async def all_there() -> bool:
        return len(await chat.runs()) + len(await chat.dead()) == 11

    await poll(all_there)
    assert {letter["reason"] for letter in await chat.dead()} == {"undecodable"}
    events = (await chat.command("transcript", {"sessionuuid": conversation.session}))["events"]
    assert len(events) >= 11


async def test_a_transcript_of_long_events_comes_in_pages_that_fit_a_reply(chat: Chat) -> None:
    conversation = chat.conversation()
    sent = []
    for size in (400_000, 400_000, 400_000, 999_500, 10):
        body = {"heimdall": {"webchat": {"sessionuuid": conversation.session, "filler": "x" * size}}}
        sent.append(await chat.publish(conversation.subject(Kind.NOTICE), body))
    await chat.settled()
    events: list[Body] = []
    while page := (await chat.command("transcript", _after(conversation.session, events)))["events"]:
        events += page
    assert [event["sequence"] for event in events] == sent
    assert [event["body"] is None for event in events] == [False, False, False, True, False]


def _after(session: str, events: list[Body]) -> Body:
    return {"sessionuuid": session, "after": events[-1]["sequence"] if events else 0}
