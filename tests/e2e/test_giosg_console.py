"""The console of the simulated giosg in a real browser, by keyboard alone: `heimdall demo giosg` needs it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.conftest import TIME_FACTOR
from tests.integration.standins.giosg.conftest import Visitor
from tests.standins.giosg_control import Giosg, giosg_at
from tests.standins.giosg_fixtures import giosg_urls
from tests.standins.webim_control import NO_TLS

__all__ = ["giosg_urls"]

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGE_WAIT_MS = 10_000 * TIME_FACTOR
HOSTILE = "<img src=x onerror=\"document.title='broken'\"> Hello"


@pytest_asyncio.fixture(loop_scope="session")
async def giosg(giosg_urls: tuple[str, str]) -> AsyncIterator[Giosg]:
    """The stand-in, with nothing in it."""
    async with giosg_at(*giosg_urls) as opened:
        await opened.reset()
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(giosg: Giosg) -> AsyncIterator[Visitor]:
    """Somebody who has not called yet."""
    async with httpx2.AsyncClient(base_url=giosg.url, trust_env=False, verify=NO_TLS) as client:
        yield Visitor(client)


@pytest_asyncio.fixture(loop_scope="session")
async def page(giosg: Giosg, browser: Browser) -> AsyncIterator[Page]:
    """The console, which must say nothing bad to its developer."""
    context = await browser.new_context()
    context.set_default_timeout(PAGE_WAIT_MS)
    opened = await context.new_page()
    problems: list[str] = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    await opened.goto(f"{giosg.control_url}/console/")
    await expect(opened.get_by_role("status")).to_have_text("Connected.")
    yield opened
    await context.close()
    assert problems == []


async def choose(page: Page) -> None:
    await page.get_by_role("navigation").get_by_role("button").press("Enter")


async def test_an_agent_takes_a_chat_answers_and_ends_it_by_keyboard(
    giosg: Giosg, visitor: Visitor, page: Page
) -> None:
    chat_id = await visitor.arrive()
    await expect(page.get_by_text("Nobody has written yet.")).to_be_visible()
    await visitor.say(chat_id, HOSTILE)
    await expect(page.get_by_role("navigation").get_by_role("button")).to_contain_text("waiting for an agent")
    await expect(page).to_have_title("(1) Console (simulated giosg)")
    await choose(page)
    await expect(page.get_by_role("log")).to_contain_text(HOSTILE)
    await page.get_by_role("button", name="Join").press("Enter")
    await expect(page.get_by_label("Your message")).to_be_focused()
    await page.keyboard.type("Hi")
    await page.keyboard.press("Shift+Enter")
    await page.keyboard.type("there")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("log")).to_contain_text("Hi\nthere", use_inner_text=True)
    await expect(page.get_by_label("Your message")).to_have_value("")
    await visitor.say(chat_id, "Thanks")
    await expect(page.get_by_role("log")).to_contain_text("Thanks")
    await page.get_by_role("button", name="Leave").press("Enter")
    await expect(page.get_by_role("log")).to_contain_text("Aino left")
    await page.get_by_role("button", name="End chat").press("Enter")
    await expect(page.get_by_role("button", name="Send")).to_be_disabled()
    chat = await giosg.chat(chat_id)
    assert (chat.is_ended, chat.texts("user"), chat.types()) == (
        True,
        ["Hi\nthere"],
        ["msg", "join", "msg", "msg", "leave"],
    )


async def test_the_room_is_opened_and_closed_by_a_button(giosg: Giosg, page: Page) -> None:
    button = page.get_by_role("button", name="Room is online", pressed=True)
    await button.press("Enter")
    await expect(page.get_by_role("button", name="Room is offline", pressed=False)).to_be_visible()
    assert not (await giosg.state())["rooms"][0]["is_online"]


async def test_what_giosg_refuses_is_said_and_the_text_stays(giosg: Giosg, visitor: Visitor, page: Page) -> None:
    chat_id = await visitor.arrive()
    await visitor.say(chat_id, "Hello")
    await choose(page)
    text = page.get_by_label("Your message")
    await text.fill("Too late")
    await page.route("**/say", lambda route: route.fulfill(status=409, json={"error": "the chat has ended"}))
    await text.press("Enter")
    await expect(page.get_by_role("status")).to_have_text("That did not work: the chat has ended")
    await expect(text).to_have_value("Too late")
