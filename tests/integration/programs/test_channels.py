"""From the project's repository to a visitor's answer: programs, linker and webim worker, and Webim's stand-in."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest_asyncio

from tests.conftest import TIME_FACTOR, poll
from tests.integration.programs.conftest import BUILD_WAIT_S, Programs, Project, Worker
from tests.processes import free_port, worker_process
from tests.standins.webim_control import ChatId, Webim, webim_at
from tests.standins.webim_fixtures import webim_url

__all__ = ["webim_url"]

TOKEN = "administrator-of-the-test"
BOT_TOKEN = "bot-token-of-the-test"
ANSWER_WITHIN_S = 20.0
PROGRAM = """\
from broker import Dialog, Dialogs, Service, serve

TEXT = "{text}"
service = Service("shop")
dialogs = Dialogs(service)


@dialogs.on_query()
async def answer(dialog: Dialog) -> None:
    dialog.reply(f"{TEXT} answers {dialog.query}")


if __name__ == "__main__":
    serve(service)
"""


class Shop:
    """One org's channel, its administrator and its visitors."""

    def __init__(self, webim: Webim, admin: httpx2.AsyncClient) -> None:
        self.webim = webim
        self.admin = admin
        self.channel: dict[str, Any] = {}

    async def create(self, **fields: object) -> None:
        """Create the channel and give its endpoint to Webim."""
        form = {"type": "webim", "domain": "examplecom", "bot_api_token": BOT_TOKEN, **fields}
        answer = await self.admin.post("/api/channels", json=form)
        assert answer.status_code == 201, answer.text
        self.channel = answer.json()
        await self.webim.configure(endpoint_url=self.channel["endpoint_url"], bot_token=BOT_TOKEN)

    async def read(self) -> dict[str, Any]:
        """The channel as its administrator sees it."""
        found: dict[str, Any] = (await self.admin.get(f"/api/channels/{self.channel['id']}")).json()
        return found

    async def deployments(self) -> list[str]:
        """How each deployment stands, in no order."""
        answer = await self.admin.get(f"/api/channels/{self.channel['id']}/deployments")
        found = answer.json()
        return sorted(one["status"] for one in (found["deployments"] if isinstance(found, dict) else found))

    async def stands(self, *statuses: str) -> None:
        """Wait until the deployments stand like that."""

        async def so() -> bool:
            return await self.deployments() == sorted(statuses)

        await poll(so, within_s=BUILD_WAIT_S)

    async def chat(self, text: str) -> ChatId:
        """A visitor who begins with that."""
        return (await self.webim.open_chat(visitor={"id": "v"}, messages=[text])).chat_id

    async def shown(self, chat: ChatId, *texts: str) -> None:
        """Wait until the bot has said exactly that in a chat."""

        async def so() -> bool:
            return (await self.webim.chat(chat)).texts("bot") == list(texts)

        await poll(so, within_s=ANSWER_WITHIN_S)


@pytest_asyncio.fixture
async def shop(programs: Programs, webim_url: str) -> AsyncIterator[Shop]:
    """A linker and a webim worker."""
    port = free_port()
    settings = {
        "PORT": str(port),
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "BASE_URL_TEMPLATE": webim_url,
        "PRIVATE_ADDRESSES": "true",
        "ADMIN_TOKENS": f"{programs.org}={TOKEN}",
    }
    variables = {f"HEIMDALL_WEBIM_{name}": value for name, value in settings.items()}
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    with contextlib.ExitStack() as workers:
        workers.enter_context(worker_process("linker", programs.server.url))
        workers.enter_context(worker_process("webim", programs.server.url, **variables))
        async with (
            webim_at(webim_url) as webim,
            httpx2.AsyncClient(
                base_url=f"http://127.0.0.1:{port}", headers=bearer, timeout=30.0 * TIME_FACTOR
            ) as admin,
        ):
            await webim.reset()
            yield Shop(webim, admin)


async def test_check_11_new_sessions_get_the_new_version_and_open_ones_keep_theirs(
    shop: Shop, project: Project, worker: Worker
) -> None:
    project.commit("first", program=PROGRAM)
    with worker():
        await shop.create(deployment="automatic")
        await shop.stands("succeeded")
        old = await shop.chat("Hello")
        await shop.shown(old, "first answers Hello")
        project.commit("second", program=PROGRAM)
        await shop.stands("succeeded", "succeeded")
        await shop.shown(await shop.chat("Hello"), "second answers Hello")
        await shop.webim.visitor(old, "still there?")
        await shop.shown(old, "first answers Hello", "first answers still there?")


async def test_check_12_after_a_deployment_that_failed_the_version_before_it_answers(
    shop: Shop, project: Project, worker: Worker
) -> None:
    project.commit("good", program=PROGRAM)
    with worker():
        await shop.create(deployment="automatic")
        await shop.stands("succeeded")
        project.commit("broken", program=PROGRAM)
        await shop.stands("failed", "succeeded")
        await shop.shown(await shop.chat("Hello"), "good answers Hello")
        found = await shop.read()
        assert (found["status"], found["last_deployment"]) == ("ready", "failed")


async def test_check_10_of_a_manual_channel_a_saved_project_changes_nothing_until_it_is_deployed(
    shop: Shop, project: Project, worker: Worker
) -> None:
    project.commit("first", program=PROGRAM)
    with worker():
        await shop.create(deployment="manual")
        await shop.stands("succeeded")
        project.commit("second", program=PROGRAM)
        await shop.shown(await shop.chat("Hello"), "first answers Hello")
        assert await shop.deployments() == ["succeeded"]
        asked = await shop.admin.post(f"/api/channels/{shop.channel['id']}/deploy")
        assert asked.status_code == 202
        await shop.stands("succeeded", "succeeded")
        await shop.shown(await shop.chat("Hello"), "second answers Hello")
