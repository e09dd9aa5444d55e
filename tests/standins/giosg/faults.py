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
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.standins.exchange import Answer, gone_within, inner_answer, send_answer, whole_body
from tests.standins.giosg.calls import EVENTS
from tests.standins.giosg.webhooks import Courier
from tests.standins.giosg.world import Body, World


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


class Recorder:
    """Stands before the simulated giosg, and sends the webhooks that calls cause."""

    def __init__(self, app: ASGIApp, world: World, faults: Faults, courier: Courier) -> None:
        self._app = app
        self._world = world
        self._faults = faults
        self._courier = courier

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began_s = time.monotonic()
        data = await whole_body(receive)
        if data is None:
            return
        call = _record_of(scope, data)
        self._world.calls.append(call)
        scope = {**_without_slash(scope), EVENTS: []}
        fault = self._faults.take(scope["method"], scope["path"])
        answer = await self._answer(scope, receive, data, fault, call)
        call["ms"] = round((time.monotonic() - began_s) * 1000)
        dropped, cut = (False, False) if fault is None else (fault.drop, fault.cut)
        await send_answer(answer, scope, send, call=call, is_dropped=dropped, is_cut=cut)
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
        if fault.delay_ms and await gone_within(receive, fault.delay_ms / 1000):
            return None
        if fault.spoils:
            return _spoilt(fault, Answer(200, [(b"content-type", b"application/json")], b'{"detail": "no effect"}'))
        return await self._processed(scope, data, call)

    async def _processed(self, scope: Scope, data: bytes, call: Body) -> Answer:
        call["processed"] = True
        answer = await inner_answer(self._app, scope, data)
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
