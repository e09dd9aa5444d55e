"""A worker, the stand-in Webim behind its Bot API, and a program that a test plays itself."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2

from broker.runtime.backbone import open_backbone
from broker.runtime.embedded import EmbeddedServer
from broker.runtime.settings import Settings
from broker.transport.publisher import Stored
from tests.conftest import TIME_FACTOR, poll
from tests.integration.webim.conftest import Json, running_webim
from tests.integration.webim.conftest import Webim as Adapter
from tests.processes import free_port, worker_process
from tests.standins.webim_control import NO_TLS, Call, Transcript, Webim, webim_at

BOT_TOKEN = "bot-token-of-the-test"
ADMIN = {"email": "admin@example.com", "password": "planted-password"}
RECEIPT_WITHIN_S = 30.0

Start = Callable[[], contextlib.AbstractContextManager[subprocess.Popen[bytes]]]


class Talk:
    """Chats between a simulated visitor and whatever the test answers."""

    def __init__(self, installation: Webim, adapter: Adapter) -> None:
        self.installation = installation
        self.adapter = adapter

    async def use_channel(self, **settings: Any) -> None:
        """Another channel, with these settings; Webim has its endpoint, and its admin login if it has one."""
        await self.adapter.put_channel(bot_api_token=BOT_TOKEN, **settings)
        login = {f"admin_{name}": value for name, value in settings.items() if name in ADMIN}
        await self.installation.configure(endpoint_url=self.adapter.url, bot_token=BOT_TOKEN, **login)

    async def begin(self, *texts: str, **order: Any) -> Json:
        """A visitor comes and writes that; the question that this asks."""
        before = len(await self.adapter.questions())
        opened = await self.installation.open_chat(visitor={"id": "v"}, messages=list(texts), **order)
        assert opened.delivery.status == 200
        return (await self.adapter.questions())[before]

    async def answer(self, question: Json, *texts: str, **response: Any) -> Stored:
        """What a program says to a question; ``texts`` are its replies."""
        replies = [{"type": "text", "text": text} for text in texts]
        answer = {"question_id": question["question_id"], "replies": replies, **response}
        return await self.adapter.notify(question["session_id"], response=answer)

    async def outcome(self, question: Json, said: Stored) -> tuple[str, str | None]:
        """What the receipt of a notification says; fails unless there is exactly one in time."""
        found: list[Json] = []

        async def is_told() -> bool:
            receipts = await self.adapter.receipts(question["session_id"])
            found[:] = [receipt for receipt in receipts if receipt["notification"] == said.sequence]
            return bool(found)

        await poll(is_told, RECEIPT_WITHIN_S)
        [receipt] = found
        return receipt["status"], receipt.get("reason")

    async def shown(self, question: Json) -> list[str]:
        """What the bot has shown to the visitor of that question's chat."""
        return (await self.transcript(question)).texts("bot")

    async def transcript(self, question: Json) -> Transcript:
        """That question's chat, as Webim has it."""
        return await self.installation.chat(question["conversation_id"])

    async def calls(self, method: str = "/api/bot/v2/") -> list[Call]:
        """What the adapter has called, of one method or of all."""
        return await self.installation.calls(method)

    async def notices(self, question: Json) -> list[Json]:
        """The notices of a session: event and its data, in order."""
        asked = [found for found in await self.adapter.questions() if found["session_id"] == question["session_id"]]
        return [{"event": found["event"], **(found.get("event_data") or {})} for found in asked if "event" in found]

    async def state(self, question: Json) -> tuple[str, str | None]:
        """State and reason of that question's chat, as the adapter remembers it."""
        chat = await self.adapter.chat(question["conversation_id"])
        return chat.state, chat.reason


@contextlib.asynccontextmanager
async def talking_to_process(server: EmbeddedServer, org: str, url: str) -> AsyncIterator[tuple[Talk, Start]]:
    """The same without a worker: what is yielded starts one as a process, at the same address each time."""
    port = free_port()

    def start() -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
        settings = {"PORT": str(port), "BASE_URL_TEMPLATE": url, "PRIVATE_ADDRESSES": "true"}
        return worker_process(
            "webim", server.url, **{f"HEIMDALL_WEBIM_{name}": each for name, each in settings.items()}
        )

    async with (
        webim_at(url) as installation,
        open_backbone(Settings(nats_url=server.url), name="test") as backbone,
        httpx2.AsyncClient(timeout=RECEIPT_WITHIN_S * TIME_FACTOR, verify=NO_TLS) as client,
    ):
        await installation.reset()
        yield Talk(installation, Adapter(backbone, org, port, client)), start
        assert await installation.violations() == []


@contextlib.asynccontextmanager
async def talking(server: EmbeddedServer, org: str, url: str, **settings: Any) -> AsyncIterator[Talk]:
    """With one channel to begin with; at the end nobody has done anything against Webim's rules."""
    given = {"base_url_template": url, "private_addresses": True, **settings}
    async with webim_at(url) as installation, running_webim(server.url, org, **given) as adapter:
        await installation.reset()
        talk = Talk(installation, adapter)
        await talk.use_channel()
        yield talk
        assert await installation.violations() == []
