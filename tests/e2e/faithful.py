"""A visitor without a browser who does what the widget does: keeps what is not stored, comes back, asks on."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from typing import Any
from uuid import uuid4

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage

from broker.cli.options import DEMO_ORG
from tests.e2e.chat_page import DEMO_CHAT, FROM_VISITOR, TO_VISITOR

BACK_S_MAX = 0.3
Frame = dict[str, Any]


class FaithfulVisitor:
    """One session over as many connections as it takes."""

    def __init__(self, socket_url: str) -> None:
        self.answers: list[str] = []
        self.session = ""
        self._socket_url = socket_url
        self._token = ""
        self._seen = 0
        self._unsent: dict[str, str] = {}
        self._socket: ClientConnection | None = None

    @property
    def waits(self) -> bool:
        """Whether something that was said is not stored yet."""
        return bool(self._unsent)

    async def say(self, text: str) -> None:
        """Say it now, or as soon as there is a connection."""
        client_id = str(uuid4())
        self._unsent[client_id] = text
        if self._socket is not None:
            with contextlib.suppress(ConnectionClosed):
                await self._send(self._socket, "say", id=client_id, text=text)

    async def stay(self) -> None:
        """Be connected, again and again, until cancelled."""
        while True:
            with contextlib.suppress(ConnectionClosed, OSError, InvalidHandshake, InvalidMessage, TimeoutError):
                async with connect(self._socket_url, compression=None, max_queue=None) as socket:
                    await self._talk(socket)
            self._socket = None
            await asyncio.sleep(random.uniform(0, BACK_S_MAX))  # noqa: S311 - so that not all come in one instant

    async def _talk(self, socket: ClientConnection) -> None:
        await self._send(socket, "hello", orguuid=DEMO_ORG, chat_name=DEMO_CHAT, session=self._kept())
        async for text in socket:
            frame: Frame = json.loads(text)
            match frame["frame"]:
                case "welcome":
                    self.session, self._token = frame["sessionuuid"], frame["token"] or self._token
                case "replayed":
                    self._seen = max(self._seen, frame["through"])
                    for client_id, said in list(self._unsent.items()):
                        await self._send(socket, "say", id=client_id, text=said)
                    self._socket = socket
                case "stored":
                    self._unsent.pop(frame["id"], None)
                case "message" if frame["direction"] == TO_VISITOR:
                    assert frame["sequence"] > self._seen, "an answer came twice or out of order"
                    self._seen = frame["sequence"]
                    self.answers.append(frame["html"])
                case "message":
                    assert frame["direction"] == FROM_VISITOR
                case other:
                    raise AssertionError(f"{other}: {frame}")

    def _kept(self) -> Frame | None:
        if not self.session:
            return None
        return {"sessionuuid": self.session, "token": self._token, "replay_after": self._seen, "seen": self._seen}

    async def _send(self, socket: ClientConnection, frame: str, **members: object) -> None:
        await socket.send(json.dumps({"frame": frame, **members}))
