"""One HTTP call of a stand-in from end to end: read whole, answered whole, sent whole or broken off."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.standins.connections import drop


@dataclass(slots=True)
class Answer:
    """A whole HTTP answer."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


async def send_answer(
    answer: Answer | None, scope: Scope, send: Send, *, call: dict[str, Any], is_dropped: bool, is_cut: bool
) -> None:
    """Send it, and note it in the record of the call; or break the connection off, at once or half-way."""
    if answer is None or is_dropped:
        drop(scope["client"])
        await asyncio.sleep(0)  # uvicorn notices, and does not try to answer by itself
        return
    call["status"] = answer.status
    call["answer"] = answer.body.decode(errors="replace")
    others = [(name, value) for name, value in answer.headers if name != b"content-length"]
    headers = [*others, (b"content-length", str(len(answer.body)).encode())]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    if is_cut:
        half = answer.body[: len(answer.body) // 2]
        # uvicorn closes the connection of an application that ends before its answer does.
        await send({"type": "http.response.body", "body": half, "more_body": True})
        return
    await send({"type": "http.response.body", "body": answer.body})


async def whole_body(receive: Receive) -> bytes | None:
    """None: the caller went away, and there never was a call."""
    pieces = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        pieces.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(pieces)


async def inner_answer(app: ASGIApp, scope: Scope, data: bytes) -> Answer:
    """What the application answers, as a whole."""
    answer = Answer(500, [], b"")

    async def give() -> Message:
        return {"type": "http.request", "body": data, "more_body": False}

    async def keep(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.status, answer.headers = message["status"], list(message["headers"])
        else:
            answer.body += message.get("body", b"")

    await app(scope, give, keep)
    return answer


async def gone_within(receive: Receive, wait_s: float) -> bool:
    """Wait; whether the caller went away meanwhile."""
    try:
        async with asyncio.timeout(wait_s):
            while (await receive())["type"] != "http.disconnect":
                pass
            return True
    except TimeoutError:
        return False
