"""Answers that never come, and workers that are killed: nothing is lost, nothing is there twice."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from broker.domain.subjects import Conversation
from broker.runtime.backbone import open_backbone
from broker.runtime.embedded import EmbeddedServer
from tests.conftest import poll
from tests.integration.giosg.conftest import Desk, connections_file
from tests.processes import free_port, worker_process
from tests.standins.giosg_control import Giosg
from workers.giosg.settings import GiosgSettings

SESSIONS = 37


@pytest.mark.parametrize(
    ("processed", "webhooks"),
    [
        pytest.param(True, True, id="taken, its echo comes"),
        pytest.param(True, False, id="taken, no webhooks"),
        pytest.param(False, True, id="not taken"),
    ],
)
async def test_check_28_a_message_whose_answer_is_lost_is_there_once(
    desk: Desk, giosg: Giosg, *, processed: bool, webhooks: bool
) -> None:
    if not webhooks:
        await giosg.webhooks(subscriptions=[])
    conversation = await desk.open()
    await desk.hand_over(conversation)
    chat_id = await desk.chat_id(conversation)
    await giosg.fault(method="POST", path="/messages", processed=processed, drop=True)
    await desk.say(conversation, "hello")
    await desk.say(conversation, "hello")
    await poll(lambda: _texts(giosg, chat_id, ["hello", "hello"]), within_s=15)


async def test_a_message_that_giosg_took_with_status_500_is_there_once(desk: Desk, giosg: Giosg) -> None:
    conversation = await desk.open()
    await desk.hand_over(conversation)
    chat_id = await desk.chat_id(conversation)
    await giosg.fault(method="POST", path="/messages", processed=True, status=500)
    await desk.say(conversation, "hello")
    await desk.say(conversation, "bye")
    await poll(lambda: _texts(giosg, chat_id, ["hello", "bye"]), within_s=15)


@pytest.mark.parametrize("processed", [True, False], ids=["made", "not made"])
async def test_check_29_a_chat_whose_answer_is_lost_is_the_one_that_is_used(
    desk: Desk, giosg: Giosg, *, processed: bool
) -> None:
    await giosg.webhooks(subscriptions=[])
    await giosg.fault(method="POST", path="/chats", processed=processed, drop=True)
    conversation = await desk.open()
    await desk.hand_over(conversation)
    await desk.say(conversation, "hello")
    chat_id = await desk.chat_id(conversation)
    await poll(lambda: _texts(giosg, chat_id, ["hello"]))
    assert len(await giosg.chats()) == 1


@pytest.mark.parametrize("webhooks", [True, False], ids=["with webhooks", "without webhooks"])
async def test_check_38_a_chat_made_just_before_a_kill_is_adopted(
    server: EmbeddedServer, routing: None, org: str, giosg: Giosg, tmp_path: Path, *, webhooks: bool
) -> None:
    async with _desk(server.url, org, giosg, tmp_path) as desk:
        await giosg.fault(method="POST", path="/chats", processed=True, delay_ms=5_000)
        conversation = await desk.open()
        with worker_process("giosg", server.url, **_settings(tmp_path, desk.port)) as worker:
            if webhooks:
                await desk.subscribe()
            await desk.hand_over(conversation)
            await poll(lambda: _count(giosg, 1))
            worker.kill()
            worker.wait()
        with worker_process("giosg", server.url, **_settings(tmp_path, desk.port)):
            await desk.say(conversation, "hello")
            chat_id = await desk.chat_id(conversation)
            await poll(lambda: _texts(giosg, chat_id, ["hello"]), within_s=20)
        assert len(await giosg.chats()) == 1


async def test_a_text_sent_just_before_a_kill_is_not_sent_again(
    server: EmbeddedServer, routing: None, org: str, giosg: Giosg, tmp_path: Path
) -> None:
    async with _desk(server.url, org, giosg, tmp_path) as desk:
        conversation = await desk.open()
        with worker_process("giosg", server.url, **_settings(tmp_path, desk.port)) as worker:
            await desk.hand_over(conversation)
            chat_id = await desk.chat_id(conversation)
            await giosg.fault(method="POST", path="/messages", processed=True, delay_ms=5_000)
            await desk.say(conversation, "hello")
            await poll(lambda: _texts(giosg, chat_id, ["hello"]))
            worker.kill()
            worker.wait()
        with worker_process("giosg", server.url, **_settings(tmp_path, desk.port)):
            await desk.say(conversation, "bye")
            await poll(lambda: _texts(giosg, chat_id, ["hello", "bye"]), within_s=20)


async def test_check_39_two_workers_on_one_connection_share_37_conversations(
    server: EmbeddedServer, routing: None, org: str, giosg: Giosg, tmp_path: Path
) -> None:
    async with _desk(server.url, org, giosg, tmp_path) as desk, contextlib.AsyncExitStack() as stack:
        for port in (desk.port, free_port()):
            stack.enter_context(worker_process("giosg", server.url, **_settings(tmp_path, port)))
        await desk.subscribe()
        await giosg.webhooks(copies=2)
        agent = (await giosg.agents())[0]["id"]
        talks = await asyncio.gather(*(_begin(desk, number) for number in range(SESSIONS)))
        wanted = sorted([f"I am {number}"] for number in range(SESSIONS))
        await poll(lambda: _all_texts(giosg, wanted), within_s=60)
        for chat in await giosg.chats():
            await giosg.say(chat.id, chat.texts("visitor")[0].replace("I am", "you are"), agent_id=agent)
        await giosg.settle()
        for number, conversation in enumerate(talks):
            await poll(lambda: _heard(desk, conversation), within_s=30)  # noqa: B023 - awaited in this very round
            assert await desk.heard(conversation) == [f"you are {number}"]


async def _begin(desk: Desk, number: int) -> Conversation:
    """One visitor is handed over, and writes."""
    conversation = await desk.open()
    await desk.hand_over(conversation)
    await desk.say(conversation, f"I am {number}")
    return conversation


async def _all_texts(giosg: Giosg, wanted: list[list[str]]) -> bool:
    return sorted(chat.texts("visitor") for chat in await giosg.chats()) == wanted


@contextlib.asynccontextmanager
async def _desk(url: str, org: str, giosg: Giosg, folder: Path) -> AsyncIterator[Desk]:
    """What a test needs of a desk whose workers are processes of their own."""
    port = free_port()
    connections_file(folder, org, giosg, port)
    async with open_backbone(GiosgSettings(nats_url=url), name="test-desk") as backbone:
        yield Desk(backbone, org, giosg, port)


def _settings(folder: Path, port: int) -> dict[str, str]:
    return {"HEIMDALL_GIOSG_CONNECTIONS": str(folder / "giosg.toml"), "HEIMDALL_GIOSG_PORT": str(port)}


async def _texts(giosg: Giosg, chat_id: str, texts: list[str]) -> bool:
    return (await giosg.chat(chat_id)).texts("visitor") == texts


async def _count(giosg: Giosg, count: int) -> bool:
    return len(await giosg.chats()) == count


async def _heard(desk: Desk, conversation: Conversation) -> bool:
    return bool(await desk.heard(conversation))
