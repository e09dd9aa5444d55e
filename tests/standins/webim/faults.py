"""Records every call that is made to us, and spoils those for which a test has asked so.

A fault is used up by the first calls that fit it. ``taken`` false: the call had no effect, as if it had never come;
true: it had its effect, and only the answer is spoilt or late. A delay alone spoils nothing; whoever goes away during a
delay of a call that is not yet taken was never there.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.standins.exchange import Answer, gone_within, inner_answer, send_answer, whole_body
from tests.standins.webim.world import Body, World

CONTROL_PREFIX = "/_sim"


class Fault(BaseModel):
    """What shall go wrong; ``count`` None: until it is taken back. ``path``: a part of the paths it is for."""

    model_config = ConfigDict(extra="forbid")

    path: str = ""
    chat_id: int | str | None = None
    skip: int = Field(0, ge=0)
    count: int | None = Field(1, ge=1)
    taken: bool = False
    delay_ms: int = Field(0, ge=0)
    status: int | None = None
    retry_after: int | str | None = None
    close_connection: bool = False
    truncate: bool = False
    html_body: bool = False
    error_200: str | None = None

    @property
    def spoils(self) -> bool:
        """Whether the answer is not what it would have been."""
        broken = self.close_connection or self.truncate or self.html_body
        return broken or any(one is not None for one in (self.status, self.retry_after, self.error_200))


@dataclass(slots=True)
class Faults:
    """The queue of faults."""

    waiting: list[Fault] = field(default_factory=list)

    def take(self, path: str, body: Any) -> Fault | None:
        """The first fault for such a call; it is used once more."""
        for place, fault in enumerate(self.waiting):
            if fault.path not in path or not _is_for(fault, body):
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
    """Stands before the simulated Webim; the control interface is not its business."""

    def __init__(self, app: ASGIApp, world: World, faults: Faults) -> None:
        self._app = app
        self._world = world
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(CONTROL_PREFIX):
            await self._app(scope, receive, send)
            return
        began_s = time.monotonic()
        data = await whole_body(receive)
        if data is None:
            return
        call = _record_of(scope, data)
        call["n"] = len(self._world.calls)
        self._world.calls.append(call)
        fault = self._faults.take(scope["path"], call["body"])
        answer = await self._answer(scope, receive, data, fault, call)
        call["ms"] = round((time.monotonic() - began_s) * 1000)
        dropped, cut = (False, False) if fault is None else (fault.close_connection, fault.truncate)
        await send_answer(answer, scope, send, call=call, is_dropped=dropped, is_cut=cut)

    async def _answer(
        self, scope: Scope, receive: Receive, data: bytes, fault: Fault | None, call: Body
    ) -> Answer | None:
        """What is to be sent; None: the caller has gone."""
        if fault is None:
            call["taken"] = True
            return await inner_answer(self._app, scope, data)
        call["fault"] = fault.model_dump(exclude_defaults=True)
        if fault.taken:
            call["taken"] = True
            answer = await inner_answer(self._app, scope, data)
            await asyncio.sleep(fault.delay_ms / 1000)
            return _spoilt(fault, answer)
        if fault.delay_ms and await gone_within(receive, fault.delay_ms / 1000):
            return None
        if fault.spoils:
            return _spoilt(fault, Answer(200, [(b"content-type", b"application/json")], b'{"result":"ok"}'))
        call["taken"] = True
        return await inner_answer(self._app, scope, data)


def recorded(app: FastAPI, world: World, faults: Faults) -> ASGIApp:
    """The application behind its recorder."""
    return Recorder(app, world, faults)


def _is_for(fault: Fault, body: Any) -> bool:
    return fault.chat_id is None or (isinstance(body, dict) and str(body.get("chat_id")) == str(fault.chat_id))


def _record_of(scope: Scope, data: bytes) -> Body:
    try:
        body = json.loads(data) if data else None
    except ValueError:
        body = {"not_json": data.decode(errors="replace")}
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    return {
        "at_ms": time.time_ns() // 1_000_000,
        "method": scope["method"],
        "path": scope["path"],
        "query": scope["query_string"].decode("latin-1"),
        "headers": headers,
        "body": body,
        "taken": False,
        "fault": None,
        "status": None,
        "answer": None,
        "ms": None,
    }


def _spoilt(fault: Fault, answer: Answer) -> Answer:
    status = fault.status or (429 if fault.retry_after is not None else answer.status)
    kind, body = b"application/json", answer.body
    if fault.error_200 is not None:
        status, body = 200, json.dumps({"error": fault.error_200, "desc": "a fault was asked for"}).encode()
    elif fault.html_body:
        kind, body = b"text/html; charset=utf-8", b"<html><body><h1>Webim is being updated</h1></body></html>"
    elif fault.status is not None or fault.retry_after is not None:
        body = json.dumps({"error": "fault", "desc": "a fault was asked for"}).encode()
    headers = [(b"content-type", kind)]
    if fault.retry_after is not None:
        headers.append((b"retry-after", str(fault.retry_after).encode()))
    return Answer(status, headers, body)
