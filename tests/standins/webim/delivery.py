"""Sends events to the bot and records each attempt with what came back and how long it took.

Events of one chat go one after another, the next when the one before was answered or given up; the modes of a test
break that on purpose.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx2

from tests.standins.webim import events, v1_answers
from tests.standins.webim.world import Body, Chat, World

TWICE = 2
GOOD = range(200, 300)
Second = Literal["next", "together", "late"]


@dataclass(frozen=True, slots=True)
class Mode:
    """``duplicate``: each event twice; ``reorder``: each two change places; ``burst``: ``size`` events at once.

    ``second`` of a duplicate: right after the first, together with it, or late, behind what waits meanwhile. The
    opening of a chat never comes late: that would be a chat that is given back to the bot.
    """

    name: str = "normal"
    size: int = 1
    second: Second = "next"

    @classmethod
    def named(cls, text: str, second: Second) -> Mode:
        """From ``normal``, ``duplicate``, ``reorder`` or ``burst:<n>``.

        Raises:
            ValueError: it is none of these.
        """
        name, _, number = text.partition(":")
        if name not in ("normal", "duplicate", "reorder", "burst") or (name == "burst") != number.isdecimal():
            raise ValueError("mode must be normal, duplicate, reorder or burst:<n>")
        return cls(name, TWICE if name == "reorder" else int(number or 1), second)

    @property
    def holds(self) -> bool:
        """Whether events wait for others."""
        return self.name in ("reorder", "burst")


@dataclass(slots=True)
class Courier:
    """Everything that goes to the bot goes through here."""

    world: World
    client: httpx2.AsyncClient
    mode: Mode = field(default_factory=Mode)
    _held: list[tuple[Chat, Body]] = field(default_factory=list)
    _lanes: dict[str, asyncio.Lock] = field(default_factory=dict)

    async def deliver(self, chat: Chat, event: Body) -> list[Body]:
        """Send one event as the mode has it; the attempts that were made now, none if it is held back."""
        if self.mode.holds:
            self._held.append((chat, event))
            return await self._flush() if len(self._held) >= self.mode.size else []
        if self.mode.name != "duplicate":
            return await self._in_turn(chat, event)
        if self.mode.second != "late" or event["event"] == "new_chat":
            return await self._in_turn(chat, event, copies=TWICE, together=self.mode.second == "together")
        return [*await self._in_turn(chat, event), *await self._in_turn(chat, event, applies=False)]

    async def change(self, mode: Mode) -> list[Body]:
        """Another mode; what was held back goes out first, in its order."""
        held, self._held = self._held, []
        self.mode = mode
        return [record for chat, event in held for record in await self._in_turn(chat, event)]

    def forget(self) -> None:
        """The usual mode, with nothing held back."""
        self.mode = Mode()
        self._held = []
        self._lanes = {}

    async def call_handler(self, name: str, chat: Chat) -> list[Body]:
        """Tell one of the chat event handlers, if there is such an address."""
        url = self.world.configuration.handlers.get(name)  # type: ignore[call-overload]  # any name may be asked for
        if url is None:
            return []
        body = events.handler_call(self.world.configuration, chat)
        return [await self._attempt(url, chat, {"event": name}, body, attempt=1)]

    async def raw(self, method: str, url: str, headers: Mapping[str, str], content: bytes) -> Body:
        """Any bytes to an address of the bot."""
        began_s = time.monotonic()
        answer = await self.client.request(method, url, headers=dict(headers), content=content)
        return {
            "status": answer.status_code,
            "headers": dict(answer.headers),
            "body": answer.text,
            "body_base64": base64.b64encode(answer.content).decode(),
            "ms": _ms_since(began_s),
        }

    async def _flush(self) -> list[Body]:
        held, self._held = self._held, []
        if self.mode.name == "reorder":
            return [record for chat, event in reversed(held) for record in await self._in_turn(chat, event)]
        sent = await asyncio.gather(*(self._attempts(chat, event) for chat, event in held))
        for (chat, _), records in zip(held, sent, strict=True):
            self._answered(chat, records)
        return [record for records in sent for record in records]

    async def _in_turn(
        self, chat: Chat, event: Body, *, applies: bool = True, copies: int = 1, together: bool = False
    ) -> list[Body]:
        """Wait for the chat's earlier events, then send this one, so many times."""
        async with self._lanes.setdefault(str(chat.id), asyncio.Lock()):
            if together:
                sent = list(await asyncio.gather(*(self._attempts(chat, event) for _ in range(copies))))
            else:
                sent = [await self._attempts(chat, event) for _ in range(copies)]
            if applies:
                self._answered(chat, sent[0])
            return [record for records in sent for record in records]

    def _answered(self, chat: Chat, records: list[Body]) -> None:
        if self.world.configuration.is_v1 and records:
            v1_answers.apply(self.world, chat, records[-1])

    async def _attempts(self, chat: Chat, event: Body) -> list[Body]:
        """Until one is answered with 2xx, or there are no retries left."""
        records: list[Body] = []
        while len(records) <= self.world.configuration.retries:
            if records:
                await asyncio.sleep(self.world.configuration.retry_wait_ms / 1000)
            urls = self.world.configuration.endpoint_urls
            begins = chat.number if self.world.configuration.spread else 0
            url = urls[(begins + len(records)) % len(urls)]
            records.append(await self._attempt(url, chat, event, event, attempt=len(records) + 1))
            if records[-1]["status"] in GOOD:
                break
        return records

    async def _attempt(self, url: str, chat: Chat, event: Body, body: Body, *, attempt: int) -> Body:
        configuration = self.world.configuration
        headers = {"Content-Type": "application/json", **configuration.version_headers}
        record: Body = {
            "n": len(self.world.deliveries),
            "at_ms": time.time_ns() // 1_000_000,
            "chat_id": chat.id,
            "event": event["event"],
            "url": url,
            "attempt": attempt,
            "headers": headers,
            "body": body,
            "status": None,
            "answer": None,
            "error": None,
            "ms": None,
        }
        self.world.deliveries.append(record)
        began_s = time.monotonic()

        async def post() -> httpx2.Response:
            return await self.client.post(url, json=body, headers=headers, auth=self._auth)

        await _filled(record, post, configuration.timeout_ms / 1000)
        record["ms"] = _ms_since(began_s)
        return record

    @property
    def _auth(self) -> Any:
        user, password = self.world.configuration.basic_user, self.world.configuration.basic_password
        return None if user is None else (user, password or "")


async def _filled(record: Body, post: Callable[[], Awaitable[httpx2.Response]], wait_s: float) -> None:
    """Write what came back into the record."""
    try:
        async with asyncio.timeout(wait_s):
            answer = await post()
        record["status"], record["answer"] = answer.status_code, answer.text
    except TimeoutError:
        record["error"] = "timeout"
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        record["error"] = type(error).__name__


def _ms_since(began_s: float) -> float:
    return round((time.monotonic() - began_s) * 1000, 1)
