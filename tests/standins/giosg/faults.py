"""Records every call that is made to giosg's interfaces, and spoils those for which a test has asked so.

A fault is used up by the first calls that fit it. ``processed`` false: the call had no effect, as if it had never come;
true: it had its effect, and only the answer is spoilt or late. A delay alone spoils nothing; whoever goes away during a
delay of a call that is not yet processed was never there.
"""

from __future__ import annotations

import asyncio
import fnmatch
import json
import time
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.standins.giosg.calls import EVENTS
from tests.standins.giosg.webhooks import Courier
from tests.standins.giosg.world import Body, World
from tests.standins.webim.connections import drop


class Fault(BaseModel):
    """What shall go wrong; ``count`` None: until it is taken back. ``path``: how the paths end that it is for, with
    ``*`` for anything: ``/visitors`` is C2 alone, ``/rooms/*/chats`` C6, ``/messages`` C9 and C10.

    ``drop``: the connection breaks with nothing said. ``cut``: it breaks in the middle of the answer.
    ``truncate``: the answer comes whole, and holds half of the JSON.
    """

    model_config = ConfigDict(extra="forbid")

    method: str = "*"
    path: str = "*"
    skip: Annotated[int, Field(ge=0)] = 0
    count: Annotated[int, Field(ge=1)] | None = 1
    processed: bool = False
    delay_ms: Annotated[int, Field(ge=0)] = 0
    status: int | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    body: str | None = None
    drop: bool = False
    cut: bool = False
    truncate: bool = False

    @property
    def spoils(self) -> bool:
        """Whether the answer is not what it would have been."""
        return self.drop or self.cut or self.truncate or self.status is not None or self.body is not None


@dataclass(slots=True)
class Faults:
    """The queue of faults."""

    waiting: list[Fault] = field(default_factory=list)

    def take(self, method: str, path: str) -> Fault | None:
        """The first fault for such a call; it is used once more."""
        for place, fault in enumerate(self.waiting):
            if fault.method not in ("*", method) or not fnmatch.fnmatchcase(path, f"*{fault.path}"):
                continue
            if fault.skip:
                self.waiting[place] = fault.model_copy(update={"skip": fault.skip - 1})
                return None
            if fault.count == 1:
                del self.waiting[place]
            elif fault.count is not None:
                self.waiting[place] = fault.model_copy(update={"count": fault.count - 1})
            return fault
        return None


@dataclass(slots=True)
class Answer:
    """A whole HTTP answer."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Recorder:
    """Stands before the simulated giosg, and sends the webhooks that calls cause."""

    def __init__(self, app: ASGIApp, world: World, faults: Faults, courier: Courier) -> None:
        self._app = app
        self._world = world
        self._faults = faults
        self._courier = courier

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began_s = time.monotonic()
        data = await _whole_body(receive)
        if data is None:
            return
        call = _record_of(scope, data)
        self._world.calls.append(call)
        scope = {**_without_slash(scope), EVENTS: []}
        fault = self._faults.take(scope["method"], scope["path"])
        answer = await self._answer(scope, receive, data, fault, call)
        call["ms"] = round((time.monotonic() - began_s) * 1000)
        await _send(answer, fault, call, scope, send)
        knobs = self._world.configuration.webhooks
        if knobs.echo == "after" and scope[EVENTS]:
            self._courier.send_later(scope[EVENTS], knobs.echo_after_ms)

    async def _answer(
        self, scope: Scope, receive: Receive, data: bytes, fault: Fault | None, call: Body
    ) -> Answer | None:
        """What is to be sent; None: the caller has gone."""
        if fault is None:
            return await self._processed(scope, data, call)
        call["fault"] = fault.model_dump(exclude_defaults=True)
        if fault.processed:
            answer = await self._processed(scope, data, call)
            await asyncio.sleep(fault.delay_ms / 1000)
            return _spoilt(fault, answer)
        if fault.delay_ms and await _gone_within(receive, fault.delay_ms / 1000):
            return None
        if fault.spoils:
            return _spoilt(fault, Answer(200, [(b"content-type", b"application/json")], b'{"detail": "no effect"}'))
        return await self._processed(scope, data, call)

    async def _processed(self, scope: Scope, data: bytes, call: Body) -> Answer:
        call["processed"] = True
        answer = await _inner(self._app, scope, data)
        echo = self._world.configuration.webhooks.echo
        if echo == "immediate":
            self._courier.send_soon(scope[EVENTS])
        elif echo == "before":
            await self._courier.deliver(scope[EVENTS])
        return answer


def _without_slash(scope: Scope) -> Scope:
    """giosg takes both forms of a path."""
    path = scope["path"].rstrip("/") or "/"
    return {**scope, "path": path, "raw_path": path.encode()}


def _record_of(scope: Scope, data: bytes) -> Body:
    try:
        body = json.loads(data) if data else None
    except ValueError:
        body = {"not_json": data.decode(errors="replace")}
    return {
        "at_ms": time.time_ns() // 1_000_000,
        "method": scope["method"],
        "path": scope["path"],
        "query": scope["query_string"].decode("latin-1"),
        "headers": {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
        "body": body,
        "processed": False,
        "fault": None,
        "status": None,
        "answer": None,
        "ms": None,
    }


def _spoilt(fault: Fault, answer: Answer) -> Answer:
    body = answer.body
    if fault.body is not None:
        body = fault.body.encode()
    elif fault.status is not None:
        body = b'{"detail": "a fault was asked for"}'
    if fault.truncate:
        body = body[: len(body) // 2]
    headers = {b"content-type": b"application/json"}
    headers |= {name.lower().encode(): value.encode() for name, value in fault.headers.items()}
    return Answer(fault.status or answer.status, list(headers.items()), body)


async def _send(answer: Answer | None, fault: Fault | None, call: Body, scope: Scope, send: Send) -> None:
    if answer is None or (fault is not None and fault.drop):
        drop(scope["client"])
        await asyncio.sleep(0)  # uvicorn notices, and does not try to answer by itself
        return
    call["status"] = answer.status
    call["answer"] = answer.body.decode(errors="replace")
    others = [(name, value) for name, value in answer.headers if name != b"content-length"]
    headers = [*others, (b"content-length", str(len(answer.body)).encode())]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    if fault is not None and fault.cut:
        half = answer.body[: len(answer.body) // 2]
        # uvicorn closes the connection of an application that ends before its answer does.
        await send({"type": "http.response.body", "body": half, "more_body": True})
        return
    await send({"type": "http.response.body", "body": answer.body})


async def _whole_body(receive: Receive) -> bytes | None:
    """None: the caller went away, and there never was a call."""
    pieces = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        pieces.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(pieces)


async def _inner(app: ASGIApp, scope: Scope, data: bytes) -> Answer:
    """What the simulated giosg answers, as a whole."""
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


async def _gone_within(receive: Receive, wait_s: float) -> bool:
    """Wait; whether the caller went away meanwhile."""
    try:
        async with asyncio.timeout(wait_s):
            while (await receive())["type"] != "http.disconnect":
                pass
            return True
    except TimeoutError:
        return False
