"""What the linker does with several events of one lane at once, driven without a process around it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import pytest_asyncio

from broker.codec import encode
from broker.domain import headers as names
from broker.domain.ids import Stub
from broker.domain.session import Limits
from broker.domain.subjects import Conversation, Kind
from broker.errors import BusError
from broker.runtime.backbone import Backbone
from broker.runtime.deadletters import DeadLetters, Original
from broker.runtime.embedded import nats_server
from broker.transport.connection import Connection, connect
from broker.transport.ensure import ensure
from broker.transport.publisher import Publisher, open_publisher
from broker.transport.timers import Timers
from broker.transport.topology import CONVERSATIONS, PROFILES, REGISTRATIONS, SESSIONS, STUBSESSIONS
from tests.integration.routing.conftest import Chat
from workers.linker.directory import Directory
from workers.linker.effects import Effects
from workers.linker.handle import LinkAndRoute
from workers.linker.states import States
from workers.linker.stubs import StubNotes


class Linker(NamedTuple):
    """A linker's core, and what it knows."""

    handle: LinkAndRoute
    directory: Directory
    stubs: StubNotes


@contextlib.asynccontextmanager
async def linker_on(connection: Connection, publisher: Publisher) -> AsyncIterator[Linker]:
    """The core of a linker."""
    backbone = Backbone(connection, publisher, DeadLetters(publisher), Timers(publisher), asyncio.Event())
    directory = Directory(
        connection,
        registrations=backbone.records(REGISTRATIONS),
        profiles=backbone.records(PROFILES),
        sessions=backbone.records(SESSIONS),
    )
    states = backbone.records(STUBSESSIONS)
    stubs = StubNotes(states, directory.sessions)
    effects = Effects(backbone, directory)
    async with directory:
        yield Linker(LinkAndRoute(directory, States(states), stubs, effects, Limits()), directory, stubs)


@pytest_asyncio.fixture
async def linker(connection: Connection, publisher: Publisher) -> AsyncIterator[Linker]:
    """The core of a linker on the session's server."""
    async with linker_on(connection, publisher) as opened:
        yield opened


class Log:
    """Events as the log would hand them over, numbered by the test: no worker takes them from the stream."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._sequence = 10_000_000

    def event(self, subject: str, body: dict[str, object], stub: str | None = None) -> Original:
        """The next event."""
        self._sequence += 1
        headers = {names.MESSAGE_ID: str(uuid4())} | ({} if stub is None else {names.STUB: stub})
        return Original(subject, CONVERSATIONS, self._sequence, encode(body), headers, stored_at_ms=1_000_000)

    def opened(self, conversation: Conversation) -> Original:
        """The visitor opens the window."""
        return self.event(self._chat.path.initialize(), self._chat.visitor_body(conversation))

    def said(self, conversation: Conversation, text: str) -> Original:
        """The visitor writes."""
        body = self._chat.visitor_body(conversation, webchat_message={"type": "text", "value": text})
        return self.event(conversation.subject(Kind.MESSAGE), body)

    def linked(self, conversation: Conversation, stub: str) -> Original:
        """A stub takes the conversation."""
        content = {"sessionuuid": conversation.session, "stubsession": {"set_new_with_timeout_hours": 24}}
        return self.event(conversation.subject(Kind.NOTIFICATION), {"platforms": {"webchat": content}}, stub)


async def test_a_session_that_begins_behind_one_that_is_known_becomes_known_too(
    connection: Connection, publisher: Publisher, org: str, linker: Linker
) -> None:
    chat = Chat(connection, publisher, org)
    log = Log(chat)
    known, new = chat.conversation(), chat.conversation()
    await linker.handle.together([log.opened(known)])
    await linker.handle.together([log.linked(known, "svc.A")])
    await linker.handle.together([log.opened(known), log.opened(new)])
    assert await linker.directory.sessions.path_of(new.session) == chat.path


async def test_runs_that_wait_for_room_while_the_server_dies_do_not_overtake_those_that_were_lost(
    tmp_path: Path, org: str
) -> None:
    async with nats_server(tmp_path) as server, connect(server.url, name="test") as connection:
        await ensure(connection)
        async with open_publisher(connection, window=16) as publisher, linker_on(connection, publisher) as linker:
            chat = Chat(connection, publisher, org)
            log, conversation = Log(chat), chat.conversation()
            await linker.handle.together([log.opened(conversation)])
            await linker.handle.together([log.linked(conversation, "svc.A")])
            said = [log.said(conversation, f"{number}") for number in range(40)]
            assert server.pid is not None
            os.kill(server.pid, signal.SIGSTOP)  # it takes the messages in, and never gets to them
            together = asyncio.create_task(linker.handle.together(said))
            await asyncio.sleep(0.1)
            await server.kill()
            await server.start()
            with contextlib.suppress(BusError):
                await together
            for original in said:
                await _handled(linker, original)
            assert [post["message"] for _, _, post in await chat.runs()] == [f"{number}" for number in range(40)]


async def _handled(linker: Linker, original: Original) -> None:
    """One event, tried until it succeeds."""
    while True:
        try:
            return await linker.handle(original)
        except BusError:
            await asyncio.sleep(0.1)


async def test_a_linker_that_was_paused_takes_no_note_away_of_a_link_that_it_does_not_know(
    connection: Connection, publisher: Publisher, org: str
) -> None:
    async with linker_on(connection, publisher) as paused, linker_on(connection, publisher) as next_owner:
        chat = Chat(connection, publisher, org)
        log, conversation = Log(chat), chat.conversation()
        await paused.handle.together([log.opened(conversation)])
        await paused.handle.together([log.said(conversation, "hello")])
        in_hand = [log.linked(conversation, "svc.A"), log.linked(conversation, "svc.B")]
        await next_owner.handle.together(in_hand)
        await next_owner.handle.together([log.linked(conversation, "svc.A")])
        await paused.handle.together(in_hand)
        assert await paused.stubs.sessions(chat.org, Stub.parse("svc.A")) == [conversation.session]
