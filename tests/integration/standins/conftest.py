"""A little bot as the other side of the stand-in Webim: it takes events, and calls what Webim offers a bot."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest_asyncio

from tests.standins.webim_control import NO_TLS, Webim
from tests.standins.webim_fixtures import webim, webim_url

__all__ = ["webim", "webim_url"]

TOKEN = "bot-token"
Record = dict[str, Any]


class Bot:
    """Serves one endpoint over plain asyncio streams, and is a client of the stand-in."""

    def __init__(self, webim_url: str, client: httpx2.AsyncClient) -> None:
        self.url = ""
        self.received: list[Record] = []
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.answers: list[tuple[int, Any] | None] = []
        """For the next events: status and body; None drops the connection. Empty: 200 {"result":"ok"}."""
        self.delay_s = 0.0
        self.at_once = 0
        self.at_once_max = 0
        self._webim_url = webim_url
        self._client = client

    async def call(self, method: str, body: object, *, token: str | None = TOKEN, **options: Any) -> httpx2.Response:
        """One call of the Bot API."""
        headers = {} if token is None else {"Authorization": f"Token {token}"}
        url = f"{self._webim_url}/api/bot/v2/{method}"
        return await self._client.post(url, json=body, headers=headers, **options)

    async def post(self, path: str, content: bytes, headers: dict[str, str]) -> httpx2.Response:
        """Any bytes to Webim."""
        return await self._client.post(f"{self._webim_url}{path}", content=content, headers=headers)

    async def get(self, path: str, **options: Any) -> httpx2.Response:
        """Read something from Webim."""
        return await self._client.get(f"{self._webim_url}{path}", **options)

    async def say(self, chat_id: object, text: str, **options: Any) -> httpx2.Response:
        """A text into a chat."""
        return await self.call(
            "send_message", {"chat_id": chat_id, "message": {"kind": "operator", "text": text}}, **options
        )

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one request."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
            content = await reader.readexactly(int(headers.get("content-length", "0")))
            self.at_once += 1
            self.at_once_max = max(self.at_once_max, self.at_once)
            self.paths.append(head[0])
            self.headers.append(headers)
            self.received.append(_parsed(content))
            answer = self.answers.pop(0) if self.answers else (200, {"result": "ok"})
            await asyncio.sleep(self.delay_s)
            self.at_once -= 1
            if answer is not None:
                writer.write(_http(*answer))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def _parsed(content: bytes) -> Record:
    try:
        found: Record = json.loads(content)
    except ValueError:
        return {"not_json": content.decode(errors="replace")}
    return found


def _http(status: int, body: Any) -> bytes:
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    head = f"HTTP/1.1 {status} So\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n"
    return f"{head}Connection: close\r\n\r\n".encode() + content


@pytest_asyncio.fixture
async def bot(webim: Webim) -> AsyncIterator[Bot]:
    """A bot that the stand-in knows, v2."""
    async with httpx2.AsyncClient(trust_env=False, verify=NO_TLS) as client:
        made = Bot(webim.url, client)
        async with await asyncio.start_server(made.serve, "127.0.0.1", 0) as server:
            made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/bot"
            await webim.configure(endpoint_url=made.url, bot_token=TOKEN)
            yield made
