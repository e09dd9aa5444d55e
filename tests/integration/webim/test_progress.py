"""How far an answer has got, in the real bucket, while others write the same record."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
import pytest_asyncio

from broker.errors import ChatNotOwnedError, ConflictError
from broker.transport.connection import Connection
from broker.transport.ensure import ensure_bucket
from broker.transport.publisher import Publisher
from broker.transport.records import Records
from broker.transport.topology import SESSIONS
from workers.webim.channel import Channel, ChannelSettings
from workers.webim.chat.chats import Chat, closed
from workers.webim.chat.store import CHATS, ChatStore
from workers.webim.sending.progress import Progress

IDLE_S = 600


@pytest_asyncio.fixture
async def chats(connection: Connection, publisher: Publisher) -> AsyncIterator[ChatStore]:
    await ensure_bucket(connection, CHATS, replicas=1)
    yield ChatStore(Records(connection, publisher, CHATS), Records(connection, publisher, SESSIONS))


@pytest.fixture
def channel(org: str) -> Channel:
    settings = ChannelSettings(name="Shop", domain="examplecom", session_idle_ttl_s=IDLE_S)
    return Channel(id=f"ch{uuid4().hex[:12]}", org=org, access_token=uuid4().hex, settings=settings, created_at_ms=1)


async def begun(chats: ChatStore, channel: Channel) -> Progress:
    """A new chat, whose answer with sequence 7 is at its first step."""
    now_ms = time.time_ns() // 1_000_000
    chat = Chat(
        org=channel.org,
        channel_id=channel.id,
        chat_id=1,
        session=str(uuid4()),
        dialect="2",
        opening_id="o",
        opened_at_ms=now_ms,
        last_at_ms=now_ms,
    )
    await chats.save(chat, revision=0, idle_s=IDLE_S)
    found = await progress_of(chats, channel)
    await found.begin(0, now_ms=now_ms, failed=None)
    return found


async def progress_of(chats: ChatStore, channel: Channel) -> Progress:
    return Progress(chats, channel, await chats.load(channel.id, "1"), sequence=7)


async def write(chats: ChatStore, channel: Channel, **changes: object) -> None:
    """As somebody else does."""
    kept = await chats.load(channel.id, "1")
    assert kept.chat is not None
    await chats.save(kept.chat.model_copy(update=changes), revision=kept.revision, idle_s=IDLE_S)


async def test_what_a_visitors_message_changed_meanwhile_is_kept(chats: ChatStore, channel: Channel) -> None:
    progress = await begun(chats, channel)
    await write(chats, channel, more=True)
    progress.bot_messages += 1
    await progress.begin(1, now_ms=1, failed="x")
    found = (await chats.load(channel.id, "1")).chat
    assert found is not None
    assert found.sending is not None
    assert (found.more, found.bot_messages, found.sending.step, found.sending.failed) == (True, 1, 1, "x")


async def test_a_chat_that_was_given_away_meanwhile_is_left_alone(chats: ChatStore, channel: Channel) -> None:
    progress = await begun(chats, channel)
    after = closed(progress.chat, "bot")
    await write(chats, channel, state=after.state, reason=after.reason, sending=None)
    with pytest.raises(ChatNotOwnedError):
        await progress.begin(1, now_ms=1, failed=None)


@pytest.mark.parametrize("step", [pytest.param(1, id="a step further"), pytest.param(None, id="done")])
async def test_a_process_that_was_paused_does_not_go_on_where_another_one_has_gone_on(
    chats: ChatStore, channel: Channel, step: int | None
) -> None:
    paused = await begun(chats, channel)
    other = await progress_of(chats, channel)
    if step is None:
        await other.change(sending=None, done=7)
    else:
        await other.begin(step, now_ms=1, failed=None)
    with pytest.raises(ConflictError):
        await paused.begin(1, now_ms=1, failed=None)
