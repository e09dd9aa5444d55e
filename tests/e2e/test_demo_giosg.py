"""`heimdall demo giosg`: a hand-over told line by line, and both of its sides played in two browser windows."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, expect

from tests.conftest import TIME_FACTOR, poll
from tests.e2e.chat_page import FROM_VISITOR, SHOWN_WAIT_MS, TO_VISITOR, ChatPage
from tests.e2e.demo import Demo, Told, demo, missing_in_order, processes_naming

pytestmark = pytest.mark.asyncio(loop_scope="session")

END_WAIT_S = 15.0
INTERNAL_NAME = "Agent-Internal"
WELCOME = "Welcome! I am a bot. Write 'agent' to talk to a human."
HANDED_OVER = "One moment, I am asking my colleagues."
BACK = "Hello again, you are talking to the bot again. What can I do for you?"

CONVERSATION: list[Told] = [
    ("heimdall", "ready", ""),
    ("visitor", "opened", ""),
    ("visitor", "read", "Welcome! I am a bot."),
    ("visitor", "wrote", "Hello"),
    ("visitor", "read", "You wrote 'Hello'"),
    ("visitor", "wrote", "agent"),
    ("giosg", "waiting", ""),
    ("agent", "join", "Aino"),
    ("visitor", "saw", "Aino has joined"),
    ("agent", "say", "what can I do for you?"),
    ("visitor", "read", "what can I do for you?' from Aino"),
    ("visitor", "wrote", "Where is my parcel?"),
    ("giosg", "shown", "Where is my parcel?"),
    ("agent", "say", "It comes tomorrow."),
    ("visitor", "read", "'It comes tomorrow.' from Aino"),
    ("agent", "end", ""),
    ("visitor", "read", BACK),
    ("visitor", "wrote", "Thanks"),
    ("visitor", "read", "You wrote 'Thanks'"),
    ("heimdall", "ended", "--keep"),
]
LOG: list[Told] = [
    ("log", "initialize", ""),
    ("log", "firstmessage", "Hello"),
    ("log", "linked", "reception."),
    ("log", "linked", "giosg.support"),
    ("log", "notification", "[agent.joined Aino]"),
    ("log", "message", "Where is my parcel?"),
    ("log", "notification", "[session.ended]"),
    ("log", "linked", "reception."),
    ("log", "message", "Thanks"),
]
"""Beside what people see: it is read by another reader, so the two are each in order, and not with one another."""


async def test_the_demo_tells_a_hand_over_and_ends(tmp_path: Path) -> None:
    async with demo("giosg", "--data-dir", str(tmp_path / "data")) as running:
        assert await running.ended() == 0, running.said
        assert missing_in_order(running.records, CONVERSATION) == []
        assert missing_in_order(running.records, LOG) == []
        told = [one["text"] for one in running.records]
        assert not any(INTERNAL_NAME in text for text in told)
        assert sum("reads 'It comes tomorrow.'" in text for text in told) == 1
        assert processes_naming(str(tmp_path)) == []


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def kept(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Demo]:
    """The demo with --keep, ready to be played; it ends at Ctrl-C and leaves nothing behind."""
    folder = tmp_path_factory.mktemp("kept")
    async with demo("giosg", "--keep", "--data-dir", str(folder)) as running:
        await running.until("heimdall", "hinted", "Ctrl-C")
        yield running
        running.process.send_signal(signal.SIGINT)
        async with asyncio.timeout(END_WAIT_S * TIME_FACTOR):
            assert await running.ended() == 0, running.said
        await poll(lambda: processes_naming(str(folder)) == [], within_s=END_WAIT_S)


@pytest_asyncio.fixture(loop_scope="session")
async def windows(browser: Browser) -> AsyncIterator[BrowserContext]:
    """A browser profile for both windows; whatever their pages complain of fails the test."""
    context = await browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    context.set_default_timeout(SHOWN_WAIT_MS)
    complaints: list[str] = []
    context.on("weberror", lambda problem: complaints.append(str(problem.error)))
    yield context
    await context.close()
    assert complaints == []


async def picture(page: Page, name: str) -> None:
    """For whoever wants to look: HEIMDALL_TEST_PICTURES names a folder."""
    if (folder := os.environ.get("HEIMDALL_TEST_PICTURES")) is not None:
        await page.screenshot(path=Path(folder) / f"{name}.png")


async def test_check_8_in_two_windows_the_visitor_sees_the_agent_s_public_name_and_each_answer_once(
    kept: Demo, windows: BrowserContext
) -> None:
    visitor_url, console_url = (one["url"] for one in kept.records if one["did"] == "kept")
    page, console = await windows.new_page(), await windows.new_page()
    visitor = ChatPage(page, visitor_url, chat="draftsupport")
    await page.goto(visitor_url)
    await visitor.open()
    await expect(page.get_by_text(WELCOME)).to_be_visible()
    await visitor.say("agent")
    await expect(page.get_by_text(HANDED_OVER)).to_be_visible(timeout=SHOWN_WAIT_MS)

    await console.goto(console_url)
    chat = console.get_by_role("navigation").get_by_role("button")
    await expect(chat).to_contain_text("waiting for an agent", timeout=SHOWN_WAIT_MS)
    await chat.click()
    await console.get_by_role("button", name="Join").click()
    await expect(page.get_by_role("log").get_by_test_id("event").last).to_have_text(
        "Aino has joined the conversation.", timeout=SHOWN_WAIT_MS
    )
    await console.get_by_label("Your message").fill("Good day, what can I do for you?")
    await console.keyboard.press("Enter")
    await expect(page.get_by_text("Good day, what can I do for you?")).to_be_visible(timeout=SHOWN_WAIT_MS)
    await visitor.say("Where is my <b>parcel</b>?")
    await expect(console.get_by_role("log")).to_contain_text("Where is my <b>parcel</b>?", timeout=SHOWN_WAIT_MS)
    await console.get_by_label("Your message").fill("It comes tomorrow.")
    await console.keyboard.press("Enter")
    await expect(page.get_by_text("It comes tomorrow.")).to_be_visible(timeout=SHOWN_WAIT_MS)
    await picture(page, "visitor-with-agent")
    await picture(console, "console-with-visitor")

    await console.get_by_role("button", name="End chat").click()
    await expect(page.get_by_text(BACK)).to_be_visible(timeout=SHOWN_WAIT_MS)
    await visitor.say("Thanks")
    await visitor.expect_messages(
        (TO_VISITOR, WELCOME),
        (FROM_VISITOR, "agent"),
        (TO_VISITOR, HANDED_OVER),
        (TO_VISITOR, "Good day, what can I do for you?"),
        (FROM_VISITOR, "Where is my <b>parcel</b>?"),
        (TO_VISITOR, "It comes tomorrow."),
        (TO_VISITOR, BACK),
        (FROM_VISITOR, "Thanks"),
        (TO_VISITOR, "You wrote 'Thanks'. Write 'agent' to talk to a human."),
    )
    authors = await page.locator("[data-direction=to_visitor] .author").all_inner_texts()
    assert authors == ["Bot", "Bot", "Aino", "Aino", "Bot", "Bot"]
    assert INTERNAL_NAME not in await page.locator("stubber-webchat").evaluate("node => node.shadowRoot.textContent")
    await picture(page, "visitor-afterwards")


async def test_with_the_room_closed_nobody_is_there_and_the_bot_goes_on(kept: Demo, windows: BrowserContext) -> None:
    visitor_url, console_url = (one["url"] for one in kept.records if one["did"] == "kept")
    page, console = await windows.new_page(), await windows.new_page()
    await console.goto(console_url)
    await console.get_by_role("button", name="Room is online").click()
    await expect(console.get_by_role("button", name="Room is offline")).to_be_visible()
    visitor = ChatPage(page, visitor_url, chat="draftsupport")
    await page.goto(visitor_url)
    await visitor.open()
    await visitor.say("human")
    unavailable = page.get_by_role("log").get_by_test_id("event")
    await expect(unavailable).to_have_text(
        ["Nobody is available right now. Please try again later."], timeout=SHOWN_WAIT_MS
    )
    back = "Hello again, none of my colleagues is there now. What can I do for you?"
    await expect(page.get_by_text(back)).to_be_visible(timeout=SHOWN_WAIT_MS)
    await visitor.say("Never mind")
    await expect(page.get_by_text("You wrote 'Never mind'")).to_be_visible(timeout=SHOWN_WAIT_MS)
    await expect(console.get_by_role("navigation")).not_to_contain_text("human")
    await console.get_by_role("button", name="Room is offline").click()
    await picture(page, "visitor-nobody-there")
