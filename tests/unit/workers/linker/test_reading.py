"""Which stored messages the linker leaves unread."""

from __future__ import annotations

import pytest

from broker.transport.client import NO_HEADERS, Message
from broker.transport.connection import Connection
from broker.transport.pull import Delivery, PullLoop
from broker.transport.requests import Position
from workers.linker.reading import not_folded

CHAT = "p.3.stubber.systems.notifications.webchat.org.0f6c2f58-8f43-5a0e-9b7e-2f1b6a1d7c90.name.draftshop"
CONVERSATION = f"{CHAT}.sessionuuid.5b0c7f0e-2a41-4a55-8f7d-6c2f0e8a9d11"


@pytest.mark.parametrize(
    ("subject", "left"),
    [
        pytest.param(f"{CONVERSATION}.stubsession.linked", True, id="a fact"),
        pytest.param(f"{CONVERSATION}.receipt", True, id="a receipt"),
        pytest.param(f"{CONVERSATION}.webchatmessagetype.message", False, id="a visitor's event"),
        pytest.param(f"{CONVERSATION}.stubsession.set", False, id="a task"),
        pytest.param(f"{CHAT[4:]}.receipt", False, id="a receipt without a session is outside the grammar"),
        pytest.param(f"{CONVERSATION}.x.receipt", False, id="and so is one that stands too deep"),
    ],
)
async def test_facts_and_receipts_are_left_unread_and_nothing_else(*, subject: str, left: bool) -> None:
    async def accept(_: Delivery) -> None:
        raise AssertionError

    loop = PullLoop(Connection("nats://127.0.0.1:1"), "S", "c", accept)
    delivery = Delivery(loop, Message(subject, "r", b"", NO_HEADERS), Position(1, 1, 1, 0, 0))
    assert not_folded(delivery) is left
