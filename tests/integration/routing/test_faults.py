"""Kill -9 in the middle of traffic: nothing lost, nothing doubled, nothing reordered within a conversation."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from pathlib import Path
from uuid import uuid4

from broker.domain.subjects import Conversation, Kind
from broker.errors import BusError
from broker.runtime.embedded import nats_server
from broker.transport.connection import connect
from broker.transport.publisher import open_publisher
from tests.conftest import poll
from tests.integration.routing.conftest import Chat
from tests.processes import free_port, worker_process

SESSIONS = 12
ROUNDS = 25


async def _linked_conversations(chat: Chat) -> list[Conversation]:
    conversations = [chat.conversation() for _ in range(SESSIONS)]
    for conversation in conversations:
        await chat.open(conversation)
    await chat.settled()
    for conversation in conversations:
        await chat.link(conversation, "svc.B")
    return conversations


async def _say_until_stored(chat: Chat, conversation: Conversation, number: int) -> None:
    """What an adapter does: the same message under the same id until the log has it."""
    body = chat.visitor_body(conversation, webchat_message={"type": "text", "value": str(number)})
    while True:
        try:
            await chat.publish(conversation.subject(Kind.MESSAGE), body, message_id=f"{conversation.session}-{number}")
        except BusError:
            await asyncio.sleep(0.1)
        else:
            return


async def _talk(chat: Chat, conversations: list[Conversation]) -> None:
    for number in range(ROUNDS):
        await asyncio.gather(*(_say_until_stored(chat, conversation, number) for conversation in conversations))
        await asyncio.sleep(0.05)


async def _delivered(chat: Chat) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for _, _, post in await chat.runs():
        found[post["data"]["_incoming_webchat_data"]["sessionuuid"]].append(int(post["message"]))
    return found


async def _everything_once_in_order(chat: Chat, conversations: list[Conversation]) -> None:
    async def all_there() -> bool:
        try:
            return sum(map(len, (await _delivered(chat)).values())) >= SESSIONS * ROUNDS
        except BusError:
            return False

    await poll(all_there, within_s=45)
    await chat.settled()
    expected = {conversation.session: list(range(ROUNDS)) for conversation in conversations}
    assert await _delivered(chat) == expected
    assert await chat.dead() == []


async def test_the_linker_killed_again_and_again_loses_doubles_and_reorders_nothing(tmp_path: Path) -> None:
    chance = random.Random(4711)  # noqa: S311 - when to kill is no secret
    async with (
        nats_server(tmp_path) as server,
        connect(server.url, name="test") as connection,
        open_publisher(connection) as publisher,
    ):
        chat = Chat(connection, publisher, str(uuid4()))
        with worker_process("linker", server.url):
            conversations = await _linked_conversations(chat)
        talking = asyncio.create_task(_talk(chat, conversations))
        for _ in range(3):
            with worker_process("linker", server.url) as linker:
                await asyncio.sleep(chance.uniform(0.1, 0.6))
                linker.kill()
                linker.wait()
        with worker_process("linker", server.url):
            await talking
            await _everything_once_in_order(chat, conversations)


async def test_the_server_killed_under_traffic_loses_doubles_and_reorders_nothing(tmp_path: Path) -> None:
    async with (
        nats_server(tmp_path, port=free_port()) as server,
        connect(server.url, name="test") as connection,
        open_publisher(connection, timeout_s=1) as publisher,
    ):
        chat = Chat(connection, publisher, str(uuid4()))
        with worker_process("linker", server.url):
            conversations = await _linked_conversations(chat)
            talking = asyncio.create_task(_talk(chat, conversations))
            for _ in range(2):
                await asyncio.sleep(0.6)
                await server.kill()
                await server.start()
            await talking
            await _everything_once_in_order(chat, conversations)


async def test_a_link_that_ran_out_while_no_expiry_worker_ran_is_announced_once_when_it_comes_back(
    tmp_path: Path,
) -> None:
    async with (
        nats_server(tmp_path) as server,
        connect(server.url, name="test") as connection,
        open_publisher(connection) as publisher,
    ):
        chat = Chat(connection, publisher, str(uuid4()))
        quiet, busy = chat.conversation(), chat.conversation()
        with worker_process("linker", server.url):
            for conversation in (quiet, busy):
                await chat.link_after_open(conversation, "svc.B", hours=0.0003)
            await asyncio.sleep(1.5)
            await chat.say(busy, "routing is right all the same")
            await chat.expect_dead("unrouted")
            assert len(await chat.facts(busy, Kind.EXPIRED)) == 1
            assert await chat.facts(quiet, Kind.EXPIRED) == []
            with worker_process("expiry", server.url):

                async def announced() -> bool:
                    return bool(await chat.facts(quiet, Kind.EXPIRED))

                await poll(announced)
                await asyncio.sleep(1.5)
            assert len(await chat.facts(quiet, Kind.EXPIRED)) == 1
            assert len(await chat.facts(busy, Kind.EXPIRED)) == 1
