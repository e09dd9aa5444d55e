"""The demo builder page and its chat, as a visitor uses them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from playwright.async_api import Locator, Page, expect

from broker.cli.options import DEMO_ORG
from tests.conftest import POLL_S, TIME_FACTOR, poll

DEMO_CHAT = "draftmywebchat"
WELCOME = "Welcome! Write something, and a stub of your own will answer."
CREATED = "This is a message from create action"
UPDATED = "This is a message from update_from_webchat action"
SHOWN_WAIT_MS = 15_000 * TIME_FACTOR

TO_VISITOR = "to_visitor"
FROM_VISITOR = "from_visitor"

READ_MESSAGES = """nodes => nodes.map(node => [node.dataset.direction, node.querySelector('.body').innerText])"""
READ_SESSION = """key => (JSON.parse(sessionStorage.getItem(key)) ?? {}).session ?? null"""


class ChatPage:
    """One tab with the chat of one org in it; Playwright looks into the element's shadow by itself."""

    def __init__(self, page: Page, page_url: str, org: str = DEMO_ORG, chat: str = DEMO_CHAT) -> None:
        self.page = page
        self.page_url = page_url
        self.org = org
        self.chat = chat

    @property
    def launcher(self) -> Locator:
        """The round button in the corner."""
        return self.page.get_by_test_id("launcher")

    @property
    def window(self) -> Locator:
        """The chat window."""
        return self.page.get_by_test_id("window")

    @property
    def input(self) -> Locator:
        """Where the visitor writes."""
        return self.page.get_by_test_id("input")

    @property
    def status(self) -> Locator:
        """The words under the title."""
        return self.page.get_by_test_id("status")

    async def load(self) -> None:
        """Open the builder page, with this org and chat in its fields and its element."""
        await self.page.goto(self.page_url)
        await expect(self.page.locator("stubber-webchat")).to_have_count(1)
        if (self.org, self.chat) != (DEMO_ORG, DEMO_CHAT):
            await self.page.get_by_label("orguuid").fill(self.org)
            await self.page.get_by_label("chat_name").fill(self.chat)
            await self.page.get_by_role("button", name="Refresh changes").click()

    async def come_back(self) -> None:
        """Load the page anew in the same tab; the window, open before, opens by itself."""
        await self.load()
        await self.connected()

    async def open(self) -> None:
        """Open the window, and wait until it is connected and, in the demo's chat, the visitor was welcomed."""
        await self.launcher.click()
        await self.connected()
        if self.chat == DEMO_CHAT:
            # Who writes at once may well be faster than the welcome; the log then has it so, and so has the window.
            await expect(self.page.get_by_text(WELCOME)).to_be_visible(timeout=SHOWN_WAIT_MS)

    async def connected(self) -> None:
        """Wait until the window says so."""
        await self.expect_status("Connected")

    async def expect_status(self, words: str) -> None:
        """Wait until the words under the title hold these."""
        await expect(self.status).to_contain_text(words, timeout=SHOWN_WAIT_MS)

    async def say(self, text: str) -> None:
        """Write a message and send it; it may wait for a connection."""
        await self.input.fill(text)
        await self.input.press("Enter")

    async def expect_messages(self, *expected: tuple[str, str]) -> None:
        """Wait until the window shows exactly these messages, as (direction, text), from top to bottom."""
        deadline_s = asyncio.get_running_loop().time() + SHOWN_WAIT_MS / 1000
        while (shown := await self.messages()) != list(expected):
            assert asyncio.get_running_loop().time() < deadline_s, f"the window shows {shown}, not {list(expected)}"
            await asyncio.sleep(POLL_S)

    async def expect_last(self, text: str, *, count: int, exact: bool = True) -> None:
        """Wait until there are so many messages, the last with this text, or with this text somewhere in it."""
        bubbles = self.page.get_by_test_id("message")
        await expect(bubbles).to_have_count(count, timeout=SHOWN_WAIT_MS)
        body = expect(bubbles.last.locator(".body"))
        await (body.to_have_text(text) if exact else body.to_contain_text(text))

    async def messages(self) -> list[tuple[str, str]]:
        """What the window shows now, from top to bottom."""
        found: Sequence[tuple[str, str]] = await self.page.get_by_test_id("message").evaluate_all(READ_MESSAGES)
        return [(direction, text) for direction, text in found]

    async def all_sent(self) -> None:
        """Wait until the server has every message that the visitor wrote."""
        await expect(self.page.locator("[data-testid=message][data-state=sending]")).to_have_count(
            0, timeout=SHOWN_WAIT_MS
        )

    async def until(self, expression: str) -> None:
        """Wait until a script expression holds; the page's own policy bars Playwright's wait_for_function()."""

        async def holds() -> bool:
            return bool(await self.page.evaluate(expression))

        await poll(holds, SHOWN_WAIT_MS / 1000)

    async def kept(self) -> dict[str, str]:
        """The session that the tab keeps, with the token that opens it again."""
        origin = self.page_url.rstrip("/")
        key = f"stubber-webchat {origin} {self.org} {self.chat}"
        found: dict[str, str] | None = await self.page.evaluate(READ_SESSION, key)
        assert found is not None, "the tab keeps no session"
        return found

    async def session(self) -> str:
        """The session uuid that the tab keeps."""
        return (await self.kept())["sessionuuid"]


def talk(*texts: str) -> tuple[tuple[str, str], ...]:
    """A conversation whose sides take turns, the visitor's side second: as expect_messages() takes it."""
    return tuple((TO_VISITOR if place % 2 == 0 else FROM_VISITOR, text) for place, text in enumerate(texts))
