"""Sessions by number, and what their visitors write: every process of a benchmark makes the same ones."""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID, uuid5

from broker.codec import MSGPACK, encode
from broker.domain import headers as names
from broker.domain.ids import ChannelName, ChatName, OrgId, SessionId
from broker.domain.sessions import SessionRecord
from broker.domain.subjects import ChatPath, Conversation, Kind
from broker.domain.wire import Body, dump
from broker.transport.publisher import Publisher, Stored
from broker.transport.records import Records

CHANNEL = ChannelName("webchat")
CHAT = ChatName("draftbench")
SERVICE = "bench"
STUBS = 100
"""The sessions are linked to so many stubs in turn."""
LINK_HOURS = 24.0
CHUNK = 10_000
"""Acknowledgements that are gathered at a time."""
MARK = re.compile(rb"#(\d+)-(\d+)#")
"""Session number and message number, in the text of every message: whoever forwards it forwards them."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """The sessions of one turn, in an org of its own."""

    org: OrgId
    sessions: int

    @property
    def path(self) -> ChatPath:
        """The chat they all write in."""
        return ChatPath(CHANNEL, self.org, CHAT)

    def session(self, number: int) -> SessionId:
        """The uuid of a session."""
        return SessionId(str(uuid5(UUID(self.org), str(number))))

    def conversation(self, number: int) -> Conversation:
        """The conversation of a session."""
        return self.path.conversation(self.session(number))

    @staticmethod
    def stub(number: int) -> str:
        """Whom a session is linked to."""
        return f"{SERVICE}.s-{number % STUBS}"


@dataclass(frozen=True, slots=True)
class Message:
    """Message ``number`` of session ``session``, both counted from 0."""

    session: int
    number: int

    @property
    def mark(self) -> str:
        """What its text begins with."""
        return f"#{self.session}-{self.number}#"


def marked(data: bytes) -> Message | None:
    """Which message this body carries, None if none of ours."""
    found = MARK.search(data)
    return None if found is None else Message(int(found[1]), int(found[2]))


def plan(active: Sequence[int], count: int, seed: int) -> list[Message]:
    """``count`` messages of these sessions in random order, the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311 - a load, no secret
    said = dict.fromkeys(active, 0)
    found = []
    for session in chance.choices(active, k=count):
        found.append(Message(session, said[session]))
        said[session] += 1
    return found


def lanes(messages: Iterable[Message]) -> dict[int, list[int]]:
    """The numbers of each session, in order: what the checker compares with."""
    found: dict[int, list[int]] = {}
    for message in messages:
        found.setdefault(message.session, []).append(message.number)
    return found


def visitor_body(conversation: Conversation, text: str, size: int = 0) -> bytes:
    """A visitor's message with the documented members; the text is filled up until the body has ``size`` bytes."""
    body = _visitor(conversation, text)
    missing = size - len(encode(body))
    data = encode(_visitor(conversation, text + "." * missing)) if missing > 0 else encode(body)
    # A longer text needs one or two bytes more for its own length.
    return encode(_visitor(conversation, text + "." * (missing - len(data) + size))) if len(data) > size > 0 else data


def _visitor(conversation: Conversation, text: str) -> Body:
    content: Body = {
        "sessionuuid": conversation.session,
        "webchat_message": {"type": "text", "value": text},
        "webchat_configuration": {"orguuid": conversation.path.org, "chatname": conversation.path.chat},
    }
    return {"heimdall": {CHANNEL: content}}


def link_body(conversation: Conversation, hours: float) -> Body:
    """A stub's notification that sets the link and says nothing."""
    content: Body = {
        "sessionuuid": conversation.session,
        "stubsession": {"set_new_with_timeout_hours": hours},
    }
    return {"platforms": {CHANNEL: content}}


async def say(publisher: Publisher, crowd: Crowd, messages: Sequence[Message], size: int, *, seed: int) -> None:
    """Publish what the visitors say, in that order, as fast as the server takes it.

    The seed that the messages were planned with is part of their ids: the next plan has the same numbers again.
    """
    conversations: dict[int, Conversation] = {}
    acks: list[asyncio.Future[Stored]] = []
    for message in messages:
        conversation = conversations.get(message.session)
        if conversation is None:
            conversation = conversations[message.session] = crowd.conversation(message.session)
        headers = {names.MESSAGE_ID: f"{conversation.session}-v{seed}-{message.number}", names.CONTENT_TYPE: MSGPACK}
        body = visitor_body(conversation, message.mark, size)
        acks.append(await publisher.submit(conversation.subject(Kind.MESSAGE), body, headers))
        if len(acks) >= CHUNK:
            await asyncio.gather(*acks)
            acks.clear()
    await asyncio.gather(*acks)


async def make_known(sessions: Records, crowd: Crowd, numbers: Iterable[int]) -> None:
    """Write the sessions' records, as a channel adapter does before their first event."""
    record = SessionRecord(channel=CHANNEL, org=crowd.org, chat_name=CHAT, created_at_ms=int(time.time() * 1000))
    value = encode(dump(record))
    await in_chunks(sessions.write(crowd.session(number), value, revision=None) for number in numbers)


async def ask_for_links(publisher: Publisher, crowd: Crowd, numbers: Iterable[int], hours: float = LINK_HOURS) -> None:
    """Publish a notification for each session that sets its link; the linker does the rest."""

    async def ask(number: int) -> None:
        conversation = crowd.conversation(number)
        headers = {
            names.MESSAGE_ID: f"{conversation.session}-link",
            names.CONTENT_TYPE: MSGPACK,
            names.STUB: crowd.stub(number),
        }
        await publisher.store(conversation.subject(Kind.NOTIFICATION), encode(link_body(conversation, hours)), headers)

    await in_chunks(ask(number) for number in numbers)


async def in_chunks(work: Iterable[asyncio.Future[object]] | Iterable[object]) -> None:
    """Await them side by side, some thousands at a time."""
    chunk = []
    for one in work:
        chunk.append(one)
        if len(chunk) >= CHUNK:
            await asyncio.gather(*chunk)  # type: ignore[call-overload]
            chunk = []
    await asyncio.gather(*chunk)  # type: ignore[call-overload]
