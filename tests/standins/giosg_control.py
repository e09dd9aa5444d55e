"""Drives the stand-in giosg from a test: its process, and a typed client of its control plane.

Source: specs/giosg.md section 10. The fixtures are in tests/standins/giosg_fixtures.py.
"""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import httpx2

from tests.standins.giosg.configuration import API_TOKEN, ORGANIZATION_ID, ROOM_ID
from tests.standins.webim_control import NO_TLS

__all__ = ["API_TOKEN", "ORGANIZATION_ID", "ROOM_ID", "Call", "Chat", "Delivery", "Giosg", "giosg_at", "giosg_process"]

ROOT = Path(__file__).parents[2]
STOP_WAIT_S = 10.0
CONTROL_WAIT_S = 120.0

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt to hand a webhook over; ``status`` None: no answer, and ``error`` says why."""

    at_ms: int
    url: str
    channel: str
    action: str
    resource_id: str
    attempt: int
    body: Record
    status: int | None
    answer: str | None
    error: str | None
    ms: float | None


@dataclass(frozen=True, slots=True)
class Call:
    """A call made to giosg; ``processed`` says whether it had its effect, ``status`` None: never answered."""

    at_ms: int
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: Any
    processed: bool
    fault: Record | None
    status: int | None
    answer: str | None
    ms: int | None


@dataclass(frozen=True, slots=True)
class Chat:
    """A chat as it stands; ``record`` has the whole of it, with all that giosg's own view has."""

    id: str
    visitor_id: str
    visitor_name: str
    origin: str
    is_waiting: bool
    is_pending: bool
    is_ended: bool
    ended_by: str | None
    tags: tuple[str, ...]
    messages: tuple[Record, ...]
    memberships: tuple[Record, ...]
    record: Record

    def texts(self, sender_type: str | None = None) -> list[str]:
        """The texts that one kind of sender wrote, or all, in order."""
        wanted = [one for one in self.messages if one["type"] == "msg"]
        return [one["message"] for one in wanted if sender_type in (None, one["sender_type"])]

    def types(self) -> list[str]:
        """The types of all entries, in order."""
        return [one["type"] for one in self.messages]


class Giosg:
    """One running stand-in; ``url`` is what an adapter's base_url has to be, ``control_url`` also has /console/."""

    def __init__(self, url: str, control_url: str, client: httpx2.AsyncClient) -> None:
        self.url = url
        self.control_url = control_url
        self._client = client

    async def reset(self) -> None:
        """As after its start."""
        await self._post("/reset")

    async def configure(self, **changes: Any) -> Record:
        """Change some fields of Configuration in tests/standins/giosg/configuration.py; the whole of it."""
        return await self._post("/config", **changes)

    async def webhooks(self, **changes: Any) -> Record:
        """Change some fields of Webhooks there: subscriptions and how they are served."""
        return await self.configure(webhooks=changes)

    async def subscribe(self, base_url: str, query: str = "") -> None:
        """The two webhooks of the tutorial, to ``<base_url>/chats`` and ``<base_url>/messages``; all others go."""
        channel = "/api/v5/orgs/{organization_id}/owned_chats"
        both = {"chats": channel, "messages": f"{channel}/*/messages"}
        await self.webhooks(
            subscriptions=[{"channel": path, "url": f"{base_url}/{name}{query}"} for name, path in both.items()]
        )

    async def room(
        self, state: Literal["online", "offline", "closed"] | None = None, *, room_id: str = ROOM_ID, **order: Any
    ) -> Record:
        """Open, close or staff a room; also ``humans``, ``bots``, ``has_router``, ``name``, ``language_code``."""
        return await self._post(f"/rooms/{room_id}", state=state, **order)

    async def add_agent(self, public_name: str, name: str, **order: Any) -> Record:
        """Another agent, in all rooms: ``is_online``, ``is_bot``."""
        return await self._post("/agents", public_name=public_name, name=name, **order)

    async def agents(self) -> list[Record]:
        """All agents: id, public_name, name, is_online, is_bot."""
        return await self._list("agents")

    async def join(self, chat_id: str, **order: Any) -> Chat:
        """An agent (``agent_id``, or the first who is there) takes the chat."""
        return _chat(await self._post(f"/chats/{chat_id}/join", **order))

    async def say(self, chat_id: str, text: str | None, **order: Any) -> Record:
        """An agent writes: SayOrder in tests/standins/giosg/orders.py; the message."""
        return await self._post(f"/chats/{chat_id}/say", text=text, **order)

    async def type(self, chat_id: str, composing_status: str = "composing", **order: Any) -> None:
        """An agent of the chat begins or stops writing."""
        await self._post(f"/chats/{chat_id}/type", composing_status=composing_status, **order)

    async def leave(self, chat_id: str, **order: Any) -> Chat:
        """An agent closes the window."""
        return _chat(await self._post(f"/chats/{chat_id}/leave", **order))

    async def end(self, chat_id: str, **order: Any) -> Chat:
        """The agent ends the chat; then comes ``tag``, and the agent leaves if ``leave``."""
        return _chat(await self._post(f"/chats/{chat_id}/end", **order))

    async def tag(self, chat_id: str, name: str) -> None:
        """A tag, in an ended chat too."""
        await self._post(f"/chats/{chat_id}/tag", name=name)

    async def remove(self, chat_id: str) -> None:
        """The chat is erased."""
        await self._post(f"/chats/{chat_id}/remove")

    async def visitor_says(self, chat_id: str, text: str) -> Record:
        """The visitor writes from another device, or on the website."""
        return await self._post(f"/chats/{chat_id}/visitor", text=text)

    async def edit_message(self, chat_id: str, message_id: str, text: str) -> None:
        """Another text."""
        await self._post(f"/chats/{chat_id}/messages/{message_id}/edit", text=text)

    async def remove_message(self, chat_id: str, message_id: str) -> None:
        """One message is erased."""
        await self._post(f"/chats/{chat_id}/messages/{message_id}/remove")

    async def foreign_chat(self, **order: Any) -> Chat:
        """A chat of the website's own widget: ``room_id``, ``visitor_name``, ``text`` (None: silent)."""
        return _chat(await self._post("/foreign-chats", **order))

    async def api_tokens(self, *tokens: str) -> None:
        """These are good from now on, all others revoked."""
        await self._post("/api-tokens", tokens=tokens)

    async def expire_visitor_tokens(self, visitor_id: str | None = None) -> None:
        """One visitor's, or all."""
        await self._post("/visitor-tokens/expire", visitor_id=visitor_id)

    async def forget_secret(self, visitor_id: str) -> None:
        """The visitor's secret is unknown from now on."""
        await self._post(f"/visitors/{visitor_id}/forget-secret")

    async def clock(self, *, frozen: bool | None = None, advance_ms: int = 0) -> int:
        """Stop the clock or let it go on, put it forward; what it shows, in milliseconds."""
        return int((await self._post("/clock", frozen=frozen, advance_ms=advance_ms))["now_ms"])

    async def fault(self, **fault: Any) -> None:
        """Another fault in the queue: fields of Fault in tests/standins/giosg/faults.py."""
        await self._post("/faults", **fault)

    async def clear_faults(self) -> None:
        """No faults any more."""
        (await self._client.delete("/faults")).raise_for_status()

    async def settle(self) -> None:
        """Wait until no webhook is on its way."""
        await self._post("/settle")

    async def webhook(self, channel: str, action: str, resource_id: str, **resource: Any) -> None:
        """A forged webhook to the subscriptions of the channel; ``resource=…``, or without that key."""
        await self._post("/webhook", channel=channel, action=action, resource_id=resource_id, **resource)

    async def raw(self, url: str, content: bytes, *, method: str = "POST", headers: Record | None = None) -> Record:
        """Any bytes to an address; ``status``, ``headers``, ``body``, ``ms`` of the answer."""
        sent = {"Content-Type": "application/json"} if headers is None else headers
        body = base64.b64encode(content).decode()
        return await self._post("/raw", method=method, url=url, headers=sent, body_base64=body)

    async def chat(self, chat_id: str) -> Chat:
        """The chat as it stands."""
        return _chat(await self._get(f"/chats/{chat_id}"))

    async def chats(self) -> list[Chat]:
        """All chats that were not removed, oldest first."""
        return [_chat(one) for one in await self._list("chats")]

    async def visitors(self) -> list[Record]:
        """All visitors with their secrets, oldest first."""
        return await self._list("visitors")

    async def calls(self, path: str = "", *, method: str | None = None, since: int = 0) -> list[Call]:
        """The calls received, whose path holds ``path``."""
        found = [Call(**one) for one in (await self._get(f"/calls?since={since}"))["calls"]]
        return [one for one in found if path in one.path and method in (None, one.method)]

    async def deliveries(self, *, since: int = 0) -> list[Delivery]:
        """Every attempt to deliver a webhook so far."""
        return [Delivery(**one) for one in (await self._get(f"/deliveries?since={since}"))["deliveries"]]

    async def state(self) -> Record:
        """Everything."""
        return await self._get("/state")

    async def _post(self, path: str, /, **body: Any) -> Record:
        return _checked(await self._client.post(path, json=body))

    async def _get(self, path: str) -> Record:
        return _checked(await self._client.get(path))

    async def _list(self, name: str) -> list[Record]:
        found: list[Record] = (await self._get(f"/{name}"))[name]
        return found


@contextlib.contextmanager
def giosg_process() -> Iterator[tuple[str, str]]:
    """A stand-in as a process of its own: its address and its control plane's. It ends in an orderly way."""
    arguments = [sys.executable, "-m", "tests.standins.giosg", "--with-stdin"]
    with subprocess.Popen(arguments, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            ports = json.loads(process.stdout.readline())
            yield f"http://127.0.0.1:{ports['port']}", f"http://127.0.0.1:{ports['control_port']}"
            process.terminate()
            assert process.wait(STOP_WAIT_S) == 0
        finally:
            process.kill()


@contextlib.asynccontextmanager
async def giosg_at(url: str, control_url: str) -> AsyncIterator[Giosg]:
    """A client of the stand-in at those addresses."""
    async with httpx2.AsyncClient(
        base_url=control_url, trust_env=False, timeout=CONTROL_WAIT_S, verify=NO_TLS
    ) as client:
        yield Giosg(url, control_url, client)


def _checked(answer: httpx2.Response) -> Record:
    assert answer.is_success, f"the stand-in refused {answer.request.url.path}: {answer.text}"
    found: Record = answer.json()
    return found


def _chat(record: Record) -> Chat:
    names = ("id", "visitor_id", "visitor_name", "origin", "is_waiting", "is_pending", "is_ended", "ended_by")
    values: Record = {name: record[name] for name in names}
    values |= {name: tuple(record[name]) for name in ("tags", "messages", "memberships")}
    return Chat(**values, record=record)
