"""The ways in which a session ends, with the real bus and linker: what is said, how often, and who has the link."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from broker.codec import decode, encode
from broker.domain.deliveries import default_feedback_action
from broker.domain.dialogs import LIVECHAT_FINISHED, LIVECHAT_STARTED, NO_OPERATORS, request_in
from broker.domain.ids import OrgId, SessionId
from broker.domain.sessions import SessionRecord
from broker.domain.subjects import STUBS, partition_of
from broker.domain.wire import dump
from broker.runtime.embedded import EmbeddedServer
from broker.transport.connection import Connection
from broker.transport.ensure import ensure_bucket
from broker.transport.publisher import Publisher
from broker.transport.reader import read_range
from broker.transport.records import Records
from broker.transport.topology import CONVERSATIONS, DELIVERIES, PARTITIONS, SESSIONS
from tests.conftest import poll
from tests.processes import worker_process
from workers.webim.channel import WEBIM, Channel, ChannelSettings
from workers.webim.chat.chats import Chat
from workers.webim.chat.conversations import Conversations
from workers.webim.chat.endings import Endings, Target
from workers.webim.chat.store import CHATS, ChatStore, Kept
from workers.webim.chat.transfer_notes import TransferNotes

OWNER = "bot.chat-1"
OPERATOR = Target("operator", "240001")


@pytest.fixture(scope="module")
def linker(server: EmbeddedServer) -> Iterator[None]:
    """One linker for all of them."""
    with worker_process("linker", server.url):
        yield


class Scene:
    """One chat of one channel, with everything that an ending needs, and a view of the log."""

    def __init__(self, connection: Connection, publisher: Publisher, org: str, *, login: bool) -> None:
        email, password = ("admin@example.com", "secret") if login else (None, None)
        settings = ChannelSettings(name="Shop", domain="examplecom", email=email, password=password)
        self.channel = Channel(
            id=f"ch{uuid4().hex[:8]}", org=org, access_token=uuid4().hex, settings=settings, created_at_ms=0
        )
        self._connection = connection
        self.sessions = Records(connection, publisher, SESSIONS)
        self.chats = ChatStore(Records(connection, publisher, CHATS), self.sessions)
        self.notes = TransferNotes(Records(connection, publisher, CHATS))
        self.conversations = Conversations(publisher)
        self.endings = Endings(self.conversations, self.chats, self.notes)

    async def open(self, **members: Any) -> Chat:
        """A chat that the bot has, linked to its stub."""
        now_ms = time.time_ns() // 1_000_000
        whole = {"chat_id": 7, "session": str(uuid4()), "dialect": "2", "stub": OWNER, "stored": True}
        whole |= {"org": self.channel.org, "channel_id": self.channel.id, "opening_id": str(uuid4())}
        whole |= {"opened_at_ms": now_ms, "last_at_ms": now_ms, "link_until_ms": now_ms + 3_600_000}
        chat = Chat.model_validate(whole | members)
        path = self.channel.path
        session = SessionRecord(channel=path.channel, org=path.org, chat_name=path.chat, created_at_ms=now_ms)
        await self.sessions.write(chat.session, encode(dump(session)), revision=0)
        kept = await self.chats.load(chat.channel_id, chat.conversation_id)
        await self.chats.save(chat, revision=kept.revision, idle_s=3_600)
        if chat.stub is not None:
            await self.conversations.link(self.channel, chat, chat.stub, hours=1, event_id=str(uuid4()))
        return chat

    async def now(self, chat: Chat) -> Kept:
        """The record as it is kept."""
        return await self.chats.load(chat.channel_id, chat.conversation_id)

    async def log(self, chat: Chat) -> list[tuple[str, dict[str, Any]]]:
        """Every event of the conversation: what it is (a notice by its event's name), and its body."""
        prefix = self.channel.path.conversation(SessionId(chat.session)).prefix
        pattern = f"p.{partition_of((chat.session,), PARTITIONS)}.{prefix}.>"
        found = []
        for message in await read_range(self._connection, CONVERSATIONS, (pattern,), limit=100):
            what, body = (
                message.public_subject[len(prefix) + 1 :].removeprefix("webimmessagetype."),
                decode(message.data),
            )
            content = body.get("heimdall", {}).get(WEBIM, {})
            request = request_in(WEBIM, content)
            found.append((what if request is None or request.event is None else request.event, content or body))
        return found

    async def said(self, chat: Chat) -> list[str]:
        """What the log says, in order."""
        return [what for what, _ in await self.log(chat)]

    async def runs(self) -> list[tuple[str, str | None]]:
        """What the stub was told: the action, and the event."""
        pattern = f"p.*.{STUBS}.org.{OrgId(self.channel.org)}.service.bot.>"
        found = []
        for message in await read_range(self._connection, DELIVERIES, (pattern,), limit=100):
            data = decode(message.data)["stubpost"]["data"]["_incoming_webim_data"]
            request = request_in(WEBIM, data)
            found.append((message.subject.rpartition(".")[2], None if request is None else request.event))
        return found


@pytest_asyncio.fixture
async def scene(linker: None, connection: Connection, publisher: Publisher, org: str) -> AsyncIterator[Scene]:
    """A channel with an admin login."""
    await ensure_bucket(connection, CHATS)
    yield Scene(connection, publisher, org, login=True)


async def test_a_transfer_is_told_to_the_program_then_takes_the_link_then_is_kept(scene: Scene) -> None:
    chat = await scene.open()
    kept = await scene.endings.transfer(scene.channel, chat, OPERATOR)
    assert kept == await scene.now(chat)
    assert kept.chat is not None
    assert (kept.chat.state, kept.chat.owner) == ("transferred", OWNER)
    await poll(lambda: _has(scene, chat, "stubsession.cancelled"))
    assert [what for what in await scene.said(chat) if what != "stubsession.linked"] == [
        "stubsession.set",
        LIVECHAT_STARTED,
        "stubsession.delete",
        "stubsession.cancelled",
    ]
    assert await scene.runs() == [(default_feedback_action(WEBIM), LIVECHAT_STARTED)]
    [event] = [content for what, content in await scene.log(chat) if what == LIVECHAT_STARTED]
    assert event["webim_request"]["event_data"] == {"target": "operator", "id": "240001"}
    note, _ = await scene.notes.read(scene.channel.id, "7")
    assert note is not None
    assert (note.chat.session, note.chat.chat_id) == (chat.session, 7)


async def test_the_end_of_an_operators_dialog_goes_to_whoever_gave_the_chat_away(scene: Scene) -> None:
    chat = await scene.open(stub=None)
    await scene.endings.transfer(scene.channel, chat, OPERATOR, owner="bot.other")
    kept = await scene.endings.finish(scene.channel, chat)
    assert kept.chat is not None
    assert (kept.chat.state, kept.chat.reason) == ("closed", "operator")
    await poll(lambda: _has(scene, chat, "stubsession.cancelled"))
    said = [what for what in await scene.said(chat) if what not in ("stubsession.linked", "stubsession.cancelled")]
    assert said == [LIVECHAT_STARTED, "stubsession.delete", "stubsession.set", LIVECHAT_FINISHED, "ended"]
    action = default_feedback_action(WEBIM)
    assert await scene.runs() == [(action, LIVECHAT_FINISHED), (action, None)]
    assert await scene.notes.read(scene.channel.id, "7") != (None, 0)
    assert (await scene.notes.read(scene.channel.id, "7"))[0] is None


async def test_each_ending_repeated_says_nothing_twice(scene: Scene) -> None:
    chat = await scene.open()
    for _ in range(2):
        await scene.endings.transfer(scene.channel, chat, OPERATOR)
        await scene.endings.failed_transfer(scene.channel, chat, cause="9", error="operator-offline", desc="asleep")
    before = await scene.now(chat)
    for _ in range(2):
        await scene.endings.finish(scene.channel, chat)
    # A crash between what is said and what is saved: all of it is done again on the record as it was.
    after = await scene.now(chat)
    assert before.chat is not None
    await scene.chats.save(before.chat, revision=after.revision, idle_s=60)
    await scene.endings.finish(scene.channel, chat)
    await scene.endings.close(scene.channel, chat, "bot")
    said = [what for what in await scene.said(chat) if not what.startswith("stubsession.")]
    assert sorted(said) == sorted([LIVECHAT_STARTED, NO_OPERATORS, LIVECHAT_FINISHED, "ended"])


async def test_an_ending_of_a_session_that_another_has_replaced_changes_nothing(scene: Scene) -> None:
    old = await scene.open()
    new = await scene.open()
    await scene.endings.transfer(scene.channel, old, OPERATOR)
    await scene.endings.finish(scene.channel, old)
    await scene.endings.close(scene.channel, old, "idle")
    kept = await scene.now(new)
    assert kept.chat == new
    assert [what for what in await scene.said(old) if not what.startswith("stubsession.")] == []


async def test_a_close_ends_the_link_and_tells_the_reason(scene: Scene) -> None:
    chat = await scene.open()
    kept = await scene.endings.close(scene.channel, chat, "bot")
    assert kept.chat is not None
    assert (kept.chat.state, kept.chat.reason) == ("closed", "bot")
    await poll(lambda: _has(scene, chat, "stubsession.cancelled"))
    [ended] = [content for what, content in await scene.log(chat) if what == "ended"]
    assert ended["webim_control_event"] == {"reason": "bot"}
    [fact] = [body for what, body in await scene.log(chat) if what == "stubsession.cancelled"]
    assert fact["reason"] == "ended"


async def test_an_idle_chat_whose_link_ran_out_is_closed_without_another_word(scene: Scene) -> None:
    chat = await scene.open(link_until_ms=1)
    kept = await scene.endings.close(scene.channel, chat, "idle")
    assert kept.chat is not None
    assert (kept.chat.state, kept.chat.reason) == ("closed", "idle")
    assert "ended" not in await scene.said(chat)


async def test_a_chat_closed_in_webim_waits_for_its_dialog_where_that_is_collected(scene: Scene) -> None:
    chat = await scene.open()
    kept = await scene.endings.transfer(scene.channel, chat, OPERATOR)
    assert kept.chat is not None
    kept = await scene.endings.closed_in_webim(scene.channel, kept.chat)
    assert kept.chat is not None
    assert kept.chat.state == "transferred"
    note, _ = await scene.notes.read(scene.channel.id, "7")
    assert note is not None
    assert note.closing_since_ms == note.next_poll_at_ms


async def test_a_chat_closed_in_webim_is_finished_at_once_without_an_admin_login(
    linker: None, connection: Connection, publisher: Publisher, org: str
) -> None:
    await ensure_bucket(connection, CHATS)
    scene = Scene(connection, publisher, org, login=False)
    chat = await scene.open()
    kept = await scene.endings.transfer(scene.channel, chat, OPERATOR)
    assert (await scene.notes.read(scene.channel.id, "7")) == (None, 0)
    assert kept.chat is not None
    kept = await scene.endings.closed_in_webim(scene.channel, kept.chat)
    assert kept.chat is not None
    assert (kept.chat.state, kept.chat.reason) == ("closed", "operator")


async def test_a_chat_closed_while_its_redirect_is_being_noted_is_finished_as_an_operators(scene: Scene) -> None:
    chat = await scene.open(sending={"sequence": 1, "step": 0})
    closing = asyncio.create_task(scene.endings.closed_in_webim(scene.channel, chat))
    await asyncio.sleep(0)
    await scene.endings.transfer(scene.channel, chat, OPERATOR)
    kept = await closing
    assert kept.chat is not None
    assert kept.chat.state == "transferred", "the collector finishes it, with the operator's last words"
    assert "ended" not in await scene.said(chat)


async def test_a_chat_closed_in_webim_that_the_bot_has_is_closed_without_a_finish(scene: Scene) -> None:
    chat = await scene.open()
    kept = await scene.endings.closed_in_webim(scene.channel, chat)
    assert kept.chat is not None
    assert (kept.chat.state, kept.chat.reason) == ("closed", "visitor_or_system")
    assert LIVECHAT_FINISHED not in await scene.said(chat)


async def test_a_call_that_may_still_be_answered_is_not_given_to_the_queue(scene: Scene) -> None:
    chat = await scene.open(question={"id": "open", "until_ms": time.time_ns() // 1_000_000}, dialect="1")
    assert await scene.endings.settle(scene.channel, chat) == chat


async def _has(scene: Scene, chat: Chat, what: str) -> bool:
    return what in await scene.said(chat)
