"""Many messages before the program has answered the first: one conversation, one stub, all of them, in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio

from broker.domain.subjects import Conversation, Kind
from broker.transport.connection import Connection
from broker.transport.publisher import Publisher
from tests.conftest import poll
from tests.integration.routing.conftest import Chat
from tests.processes import worker_process

UPDATE = "_update_from_webchat"
WELCOME_STUB = "demo.create-draft"


@pytest_asyncio.fixture
async def guided(routing: None, connection: Connection, publisher: Publisher, org: str) -> AsyncIterator[Chat]:
    """The chat that the kit's demo program makes and answers, in an org of the test's own."""
    with worker_process("demo", connection.url, HEIMDALL_DEMO_ORG=org):
        yield Chat(connection, publisher, org, "draftmywebchat")


async def _answers(chat: Chat, conversation: Conversation) -> list[str]:
    found = await chat.facts(conversation, Kind.NOTIFICATION)
    texts = [body["platforms"]["webchat"].get("webchat_message", {}).get("value", "") for body in found]
    return [text for text in texts if not text.startswith("Welcome")]


async def _expect_one_conversation(chat: Chat, conversation: Conversation, said: dict[int, str]) -> None:
    """The first message in the log made the stub, and that stub got all others in the log's order; once each."""

    async def all_answered() -> bool:
        return len(await _answers(chat, conversation)) >= len(said)

    await poll(all_answered, within_s=20)
    await chat.settled()
    in_log_order = [said[sequence] for sequence in sorted(said)]
    runs = await chat.runs()
    made = [stub for stub, action, _ in runs if action == "_create"]
    assert len(made) == 1, made
    first = [post for stub, action, post in runs if (stub, action) == (WELCOME_STUB, "create_stub")]
    heard = [post["data"]["heimdall"]["webchat"]["webchat_message"]["value"] for post in first]
    assert heard == in_log_order[:1]
    updates = [(stub, post["message"]) for stub, action, post in runs if action == UPDATE]
    assert updates == [(made[0], text) for text in in_log_order[1:]]
    answers = await _answers(chat, conversation)
    assert answers == [
        "This is a message from create action",
        *["This is a message from update_from_webchat action"] * (len(said) - 1),
    ]
    assert await chat.dead() == []


async def test_one_hundred_first_messages_at_the_same_instant_are_one_conversation_with_all_of_them_in_order(
    guided: Chat,
) -> None:
    conversation = guided.conversation()
    await guided.open(conversation)
    texts = [f"message {number}" for number in range(100)]
    sequences = await asyncio.gather(*(guided.say(conversation, text, Kind.FIRSTMESSAGE) for text in texts))
    await _expect_one_conversation(guided, conversation, dict(zip(sequences, texts, strict=True)))


async def test_two_messages_typed_before_the_program_answered_are_one_conversation_with_both_in_order(
    guided: Chat,
) -> None:
    conversation = guided.conversation()
    await guided.open(conversation)
    said = {}
    for text in ("hello", "are you there?"):
        said[await guided.say(conversation, text, Kind.FIRSTMESSAGE)] = text
    await _expect_one_conversation(guided, conversation, said)
