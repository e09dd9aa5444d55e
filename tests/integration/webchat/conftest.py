"""The real webchat application in this process, and browsers played by a WebSocket client."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from broker.codec import decode, encode
from broker.domain.ids import ChannelName, ChatName, OrgId, SessionId
from broker.domain.profiles import Profile, profile_key
from broker.domain.subjects import ChatPath, Kind, partition_of
from broker.domain.wire import dump
from broker.runtime.backbone import Backbone, open_backbone
from broker.runtime.embedded import EmbeddedServer
from broker.transport.publisher import Stored
from broker.transport.reader import StoredMessage, read_range
from broker.transport.topology import CONVERSATIONS, PARTITIONS, PROFILES
from tests.conftest import TIME_FACTOR, poll
from tests.processes import free_port
from workers.webchat.__main__ import work
from workers.webchat.settings import WebchatSettings

CHAT = ChatName("draftshop")
FRAME_WAIT_S = 5.0 * TIME_FACTOR
READ_MAX = 1_000
Frame = dict[str, Any]


class Browser:
    """One connection to the worker; what comes is taken in order."""

    def __init__(self, socket: ClientConnection, org: str) -> None:
        self._socket = socket
        self._org = org

    async def send(self, frame: str, **members: object) -> None:
        """One frame up."""
        await self._socket.send(json.dumps({"frame": frame, **members}))

    async def next(self, *kinds: str) -> Frame:
        """The next frame, of these kinds if any are named: others are passed over."""
        while True:
            async with asyncio.timeout(FRAME_WAIT_S):
                found: Frame = json.loads(await self._socket.recv())
            if not kinds or found["frame"] in kinds:
                return found

    async def hello(self, session: Frame | None = None, **members: object) -> tuple[Frame, list[Frame]]:
        """Say hello; the welcome, and everything up to ``replayed``."""
        hello = {"orguuid": self._org, "chat_name": CHAT, "session": session, **members}
        await self.send("hello", **hello)
        welcome = await self.next()
        frames = [welcome]
        while frames[-1]["frame"] not in {"replayed", "refused"}:
            frames.append(await self.next())
        return welcome, frames[1:]

    async def say(self, text: str, client_id: str | None = None, **members: object) -> Frame:
        """Say something; the answer to it."""
        await self.send("say", id=client_id or str(uuid4()), text=text, **members)
        return await self.next("stored", "refused")

    async def close_code(self) -> int:
        """Read until the worker ends the connection; its code."""
        with contextlib.suppress(ConnectionClosed):
            async with asyncio.timeout(FRAME_WAIT_S):
                while True:
                    await self._socket.recv()
        assert self._socket.close_code is not None
        return self._socket.close_code


class Webchat:
    """One running worker with one chat of the test's own org."""

    def __init__(self, backbone: Backbone, org: str, port: int) -> None:
        self.backbone = backbone
        self.org = org
        self.port = port
        self.stop = asyncio.Event()
        self.path = ChatPath(ChannelName("webchat"), OrgId(org), CHAT)

    @contextlib.asynccontextmanager
    async def browser(self, origin: str | None = None) -> AsyncIterator[Browser]:
        """One more browser."""
        url = f"ws://127.0.0.1:{self.port}/webchat/socket"
        # Without a bound on what is unread, a browser that leaves in the middle of a stream closes at once.
        async with connect(url, origin=origin, compression=None, max_queue=None) as socket:  # type: ignore[arg-type] # a plain str is one
            yield Browser(socket, self.org)

    async def notify(self, session: str, *, path: ChatPath | None = None, **members: object) -> Stored:
        """What a stub sends to a visitor."""
        content = {"sessionuuid": session, **{f"webchat_{name}": value for name, value in members.items()}}
        subject = (path or self.path).conversation(SessionId(session)).subject(Kind.NOTIFICATION)
        return await self.backbone.publisher.store(subject, encode({"platforms": {"webchat": content}}))

    async def tell(self, session: str, kind: Kind, body: Frame) -> Stored:
        """Any other event of a conversation."""
        subject = self.path.conversation(SessionId(session)).subject(kind)
        return await self.backbone.publisher.store(subject, encode(body))

    async def log(self, session: str) -> list[tuple[str, Frame]]:
        """Kinds and bodies of everything in the log of a session; the kind is the last token."""
        prefix = self.path.conversation(SessionId(session)).prefix
        return await self._read(f"p.{partition_of((session,), PARTITIONS)}.{prefix}.>")

    async def initialized(self) -> list[Frame]:
        """The bodies of all initialize events of the chat."""
        return [body["heimdall"]["webchat"] for _, body in await self._read(self.path.initialize())]

    async def _read(self, pattern: str) -> list[tuple[str, Frame]]:
        found: list[StoredMessage] = await read_range(
            self.backbone.connection, CONVERSATIONS, (pattern,), after=0, limit=READ_MAX
        )
        return [(message.subject.rsplit(".", 1)[1], decode(message.data)) for message in found]


@contextlib.asynccontextmanager
async def running_webchat(url: str, org: str, **changes: object) -> AsyncIterator[Webchat]:
    """A worker on that server, ready, with one chat; it must end by itself when told to."""
    settings = WebchatSettings(nats_url=url, port=free_port()).model_copy(update=changes)
    async with open_backbone(settings, name="webchat") as backbone:
        webchat = Webchat(backbone, org, settings.port)
        profile = Profile(
            org=org, branch="draft", name="shop", chat_name=CHAT, profile_uuid=str(uuid4()), title="The shop"
        )
        key = profile_key(webchat.path.org, CHAT)
        await backbone.records(PROFILES).write(key, encode(dump(profile)), revision=None)
        task = asyncio.create_task(work(settings, backbone, webchat.stop))
        try:
            await poll(lambda: _listens(settings.port))
            yield webchat
        finally:
            webchat.stop.set()
            async with asyncio.timeout(5.0 * TIME_FACTOR):
                await task


@pytest_asyncio.fixture
async def webchat(server: EmbeddedServer, org: str) -> AsyncIterator[Webchat]:
    """The worker that most tests use."""
    async with running_webchat(server.url, org) as running:
        yield running


@pytest.fixture
def resume() -> Callable[..., Frame]:
    """What a browser keeps of a session: ``resume(welcome, replay_after=7)``."""

    def kept(welcome: Frame, *, replay_after: int = 0) -> Frame:
        return {
            "sessionuuid": welcome["sessionuuid"],
            "token": welcome["token"],
            "replay_after": replay_after,
            "seen": replay_after,
        }

    return kept


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True
