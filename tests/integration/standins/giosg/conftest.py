"""A little platform as the other side of the stand-in giosg: it calls as a visitor and takes webhooks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest_asyncio

from tests.standins.giosg_control import API_TOKEN, ORGANIZATION_ID, ROOM_ID, Giosg
from tests.standins.giosg_fixtures import giosg, giosg_urls
from tests.standins.webim_control import NO_TLS

__all__ = ["giosg", "giosg_urls"]

Record = dict[str, Any]
PUBLIC = f"/api/v5/public/orgs/{ORGANIZATION_ID}"
ORGANIZATION = f"/api/v5/orgs/{ORGANIZATION_ID}"
ROOM = f"{PUBLIC}/rooms/{ROOM_ID}"


class Visitor:
    """One visitor's client, and beside it the organization's; the names are those of specs/giosg.md section 3."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client
        self.id = ""
        self.secret = ""
        self.token = ""

    async def call(self, method: str, path: str, body: object = None, **options: Any) -> httpx2.Response:
        """As the visitor, if there is a token."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        headers |= options.pop("headers", {})
        return await self._client.request(method, path, json=body, headers=headers, **options)

    async def organization(self, method: str, path: str, body: object = None) -> httpx2.Response:
        """As the organization; ``path`` is what follows its id."""
        headers = {"Authorization": f"Token {API_TOKEN}"}
        return await self._client.request(method, f"{ORGANIZATION}{path}", json=body, headers=headers)

    async def authenticate(self, secret: str | None = None) -> httpx2.Response:
        """C1; a good answer is kept."""
        answer = await self._client.post(f"{PUBLIC}/auth", json={"visitor_secret_id": secret})
        if answer.is_success:
            found = answer.json()
            self.id, self.secret = found["visitor_id"], found["visitor_secret_id"]
            self.token = found["access_token"]
        return answer

    async def enter(self, **more: Any) -> httpx2.Response:
        """C2."""
        return await self.call("POST", f"{ROOM}/visitors", {"id": self.id, **more})

    async def create_chat(self, **options: Any) -> httpx2.Response:
        """C6."""
        return await self.call("POST", f"{ROOM}/visitors/{self.id}/chats", **options)

    async def arrive(self) -> str:
        """C1, C2, C6; the id of the chat."""
        await self.authenticate()
        await self.enter()
        return str((await self.create_chat()).json()["id"])

    def mine(self, chat_id: str, rest: str = "") -> str:
        """The path of one of this visitor's chats."""
        return f"/api/v5/public/visitors/{self.id}/chats/{chat_id}{rest}"

    async def say(self, chat_id: str, text: object, **options: Any) -> httpx2.Response:
        """C9."""
        return await self.call("POST", self.mine(chat_id, "/messages"), {"type": "msg", "message": text}, **options)


class Endpoint:
    """Takes webhooks over plain asyncio streams, in the order in which they came whole."""

    def __init__(self) -> None:
        self.url = ""
        self.received: list[Record] = []
        self.paths: list[str] = []
        self.statuses: list[int] = []
        """For the next ones; empty: 200."""
        self.delay_s = 0.0

    def of(self, action: str, collection: str = "") -> list[Record]:
        """Those of one action whose channel ends so."""
        return [one for one in self.received if one["action"] == action and one["channel"].endswith(collection)]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one request."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
            content = await reader.readexactly(int(headers.get("content-length", "0")))
            self.paths.append(head[0].split(" ")[1])
            self.received.append(json.loads(content))
            await asyncio.sleep(self.delay_s)
            status = self.statuses.pop(0) if self.statuses else 200
            writer.write(f"HTTP/1.1 {status} So\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}".encode())
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@pytest_asyncio.fixture
async def visitor(giosg: Giosg) -> AsyncIterator[Visitor]:
    """Somebody who has not called yet."""
    async with httpx2.AsyncClient(base_url=giosg.url, trust_env=False, verify=NO_TLS) as client:
        yield Visitor(client)


@pytest_asyncio.fixture
async def endpoint(giosg: Giosg) -> AsyncIterator[Endpoint]:
    """An endpoint with the two subscriptions of the tutorial."""
    made = Endpoint()
    async with await asyncio.start_server(made.serve, "127.0.0.1", 0) as server:
        made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await giosg.subscribe(made.url, "?secret=s")
        yield made
