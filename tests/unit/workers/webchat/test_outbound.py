"""The one writer of a socket, on an ASGI channel that a test can block."""

from __future__ import annotations

import asyncio
import json
from collections.abc import MutableMapping
from typing import Any

from starlette.websockets import WebSocket, WebSocketState

from workers.webchat.outbound import FRAMES_MAX, Outbound
from workers.webchat.wire import CloseCode, Stored


class Browser:
    """Takes frames while ``reads`` is set."""

    def __init__(self, *, is_gone: bool = False) -> None:
        self.reads = asyncio.Event()
        self.sent: list[MutableMapping[str, Any]] = []
        self.is_gone = is_gone

    async def receive(self) -> MutableMapping[str, Any]:
        return {"type": "websocket.connect"}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        await self.reads.wait()
        if self.is_gone:
            raise OSError
        self.sent.append(message)

    @property
    def sequences(self) -> list[int]:
        return [json.loads(message["text"])["sequence"] for message in self.sent if "text" in message]


def outbound_to(browser: Browser) -> Outbound:
    websocket = WebSocket({"type": "websocket"}, browser.receive, browser.send)
    websocket.client_state = websocket.application_state = WebSocketState.CONNECTED
    return Outbound(websocket)


def stored(number: int) -> Stored:
    return Stored(id="x", sequence=number)


async def test_frames_go_out_in_order() -> None:
    browser = Browser()
    browser.reads.set()
    outbound = outbound_to(browser)
    for number in range(3):
        outbound.put(stored(number))
    await outbound.flush()
    outbound.put(stored(3))
    await outbound.flush()
    assert browser.sequences == [0, 1, 2, 3]


async def test_a_browser_that_does_not_read_is_sent_away_and_holds_no_memory() -> None:
    browser = Browser()
    outbound = outbound_to(browser)
    outbound.put(stored(0))
    await asyncio.sleep(0)
    for number in range(FRAMES_MAX + 1):
        outbound.put(stored(number))
    assert outbound.is_closing
    browser.reads.set()
    await outbound.finish()
    assert browser.sequences == [0]
    assert browser.sent[-1]["code"] == CloseCode.TOO_SLOW


async def test_a_close_follows_what_waits_and_the_first_code_counts() -> None:
    browser = Browser()
    browser.reads.set()
    outbound = outbound_to(browser)
    outbound.put(stored(1))
    outbound.close(CloseCode.UNKNOWN_CHAT)
    outbound.close(CloseCode.TRY_LATER)
    outbound.put(stored(2))
    await outbound.finish()
    assert browser.sequences == [1]
    assert browser.sent[-1]["code"] == CloseCode.UNKNOWN_CHAT


async def test_a_browser_that_left_is_no_error() -> None:
    browser = Browser(is_gone=True)
    browser.reads.set()
    outbound = outbound_to(browser)
    outbound.put(stored(1))
    await outbound.finish()
    assert outbound.is_closing
