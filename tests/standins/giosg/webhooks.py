"""Sends webhooks to the subscriptions and records each attempt with what came back and how long it took."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any

import httpx2

from tests.standins.giosg.configuration import Subscription, Webhooks
from tests.standins.giosg.world import ABSENT, Body, Event, World

GOOD = range(200, 300)
EXCERPT_CHARS = 500
BODY_PIECES = 8
AUTH_LIFETIME_S = 300


@dataclass(slots=True)
class Standing:
    """What is kept of one subscription while it stands."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    seen: int = 0
    failed_in_a_row: int = 0
    held: list[Event] = field(default_factory=list)
    flush: asyncio.Task[None] | None = None


@dataclass(slots=True)
class Courier:
    """Everything that goes to endpoints goes through here."""

    world: World
    client: httpx2.AsyncClient
    _standings: dict[str, Standing] = field(default_factory=dict)
    _running: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def knobs(self) -> Webhooks:
        """As configured now."""
        return self.world.configuration.webhooks

    def send_soon(self, events: Iterable[Event]) -> None:
        """Send them, and do not wait."""
        for event in events:
            self._post_to_all(event)

    async def deliver(self, events: Iterable[Event]) -> None:
        """Send them; they were delivered or given up when this ends."""
        tasks = [task for event in events for task in self._post_to_all(event)]
        if tasks:
            await asyncio.wait(tasks)

    def send_later(self, events: list[Event], delay_ms: int) -> None:
        """Send them after that time."""

        async def wait_and_send() -> None:
            await asyncio.sleep(delay_ms / 1000)
            await self.deliver(events)

        self._start(wait_and_send())

    async def settle(self) -> None:
        """Nothing is on its way any more."""
        while self._running:
            await asyncio.wait(self._running)

    async def forget(self) -> None:
        """Break everything off."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        self._standings.clear()

    def _post_to_all(self, event: Event) -> list[asyncio.Task[None]]:
        """The tasks that end when the event was delivered, one or none for each subscription."""
        if not self.knobs.installed:
            return []
        wanting = [one for one in self.knobs.subscriptions if self._wants(one, event)]
        return [task for one in wanting if (task := self._post(one, event))]

    def _wants(self, one: Subscription, event: Event) -> bool:
        wanted = {"added": one.added, "changed": one.changed, "removed": one.removed}
        pattern = re.escape(one.channel.replace("{organization_id}", self.world.configuration.organization_id))
        matches = re.fullmatch(pattern.replace(r"\*", "[^/]+"), event.channel) is not None
        return matches and wanted.get(event.action, True)

    def _post(self, one: Subscription, event: Event) -> asyncio.Task[None] | None:
        standing = self._standings.setdefault(f"{one.channel} {one.url}", Standing())
        if self._is_lost(standing):
            self.world.deliveries.append({**self._record(one, event, 0), "error": "dropped"})
            return None
        if self.knobs.reorder_window_ms == 0:
            return self._start(self._copies(one, standing, event))
        standing.held.append(event)
        if standing.flush is None:
            standing.flush = self._start(self._flush(one, standing))
        return standing.flush

    def _is_lost(self, standing: Standing) -> bool:
        """Evenly spread, so that each run loses the same ones."""
        before, after = standing.seen, standing.seen + 1
        standing.seen = after
        return int(after * self.knobs.drop_rate + 1e-9) > int(before * self.knobs.drop_rate + 1e-9)

    async def _flush(self, one: Subscription, standing: Standing) -> None:
        await asyncio.sleep(self.knobs.reorder_window_ms / 1000)
        held, standing.held, standing.flush = standing.held, [], None
        for event in reversed(held):
            await self._copies(one, standing, event)

    async def _copies(self, one: Subscription, standing: Standing, event: Event) -> None:
        await asyncio.sleep(self.knobs.delay_ms / 1000)
        for _ in range(self.knobs.copies):
            if self.knobs.in_order:
                async with standing.turn:
                    await self._attempts(one, standing, event)
            else:
                await self._attempts(one, standing, event)

    async def _attempts(self, one: Subscription, standing: Standing, event: Event) -> None:
        waits_ms = [0, *self.knobs.retry_schedule_ms]
        for attempt, wait_ms in enumerate(waits_ms, start=1):
            await asyncio.sleep(wait_ms / 1000)
            limit = self.knobs.disable_after
            if limit is not None and standing.failed_in_a_row >= limit:
                self.world.deliveries.append({**self._record(one, event, attempt), "error": "disabled"})
                return
            if await self._attempt(one, event, attempt):
                standing.failed_in_a_row = 0
                return
            standing.failed_in_a_row += 1

    async def _attempt(self, one: Subscription, event: Event, attempt: int) -> bool:
        record = self._record(one, event, attempt)
        self.world.deliveries.append(record)
        began_s = time.monotonic()
        try:
            async with asyncio.timeout(self.knobs.timeout_ms / 1000):
                await self._post_once(one, record)
        except TimeoutError:
            record["error"] = "timeout"
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            record["error"] = type(error).__name__
        record["ms"] = round((time.monotonic() - began_s) * 1000, 1)
        self.world.changes.note()
        return record["status"] in GOOD

    async def _post_once(self, one: Subscription, record: Body) -> None:
        if self.knobs.refused:
            raise httpx2.ConnectError("the configuration says so")
        content = json.dumps(record["body"]).encode()
        headers = {"Content-Type": "application/json", "Content-Length": str(len(content)), **one.headers}
        body = _slowly(content, self.knobs.slow_body_ms) if self.knobs.slow_body_ms else content
        async with self.client.stream("POST", one.url, content=body, headers=headers) as answer:
            await asyncio.sleep(self.knobs.slow_reader_ms / 1000)
            read = await answer.aread()
        record["status"], record["answer"] = answer.status_code, read.decode(errors="replace")[:EXCERPT_CHARS]

    def _record(self, one: Subscription, event: Event, attempt: int) -> Body:
        return {
            "at_ms": time.time_ns() // 1_000_000,
            "url": one.url,
            "channel": event.channel,
            "action": event.action,
            "resource_id": event.resource_id,
            "attempt": attempt,
            "body": self._body(event),
            "status": None,
            "answer": None,
            "error": None,
            "ms": None,
        }

    def _body(self, event: Event) -> Body:
        body: Body = {"channel": event.channel, "action": event.action, "resource_id": event.resource_id}
        allowed, gone = self.knobs.changed_keys, self.knobs.removed_resource
        if event.is_forged:
            body |= {} if event.resource is ABSENT else {"resource": event.resource}
        elif event.resource is ABSENT:
            stands_there: dict[str, Body] = {"absent": {}, "null": {"resource": None}, "empty": {"resource": {}}}
            body |= stands_there[gone]
        elif event.action == "changed" and allowed is not None:
            kept = {"id", "member_id", *allowed}
            body["resource"] = {name: value for name, value in event.resource.items() if name in kept}
        else:
            body["resource"] = event.resource
        if self.knobs.app_user_auth:
            bot_id = next((agent.id for agent in self.world.agents.values() if agent.is_bot), None)
            body["app_user_auth"] = {
                "access_token": f"bot-token-{event.resource_id}",
                "token_type": "Bearer",
                "expires_in": AUTH_LIFETIME_S,
                "user_id": bot_id,
                "organization_id": self.world.configuration.organization_id,
            }
        return body

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task


async def _slowly(content: bytes, whole_ms: int) -> AsyncIterator[bytes]:
    size = max(1, -(-len(content) // BODY_PIECES))
    for begin in range(0, len(content), size):
        await asyncio.sleep(whole_ms / BODY_PIECES / 1000)
        yield content[begin : begin + size]
