"""The chat for everybody: by keyboard, with a screen reader, on a phone, in the dark."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.e2e.chat_page import CREATED, TO_VISITOR, UPDATED, WELCOME, talk
from tests.e2e.conftest import NewVisitor
from tests.e2e.stack import Stack
from tests.e2e.stub import Shop

pytestmark = pytest.mark.asyncio(loop_scope="session")

TABS_MAX = 25
PHONE = {"width": 390, "height": 844}
TOUCH_PX_MIN = 36
CONTRAST_MIN = 4.5
"""WCAG 2.2, 1.4.3, level AA, for text of normal size."""
CONTRAST_BEST = 21
"""Of black on white."""

OPEN_WINDOW = """
- dialog "My webchat":
  - heading "My webchat" [level=2]
  - status: Connected
  - button "Full screen"
  - button "Close chat"
  - log "Conversation":
    - article: /Agent Welcome! Write something/
    - article: /You hello/
    - article: /Agent This is a message from create action/
  - textbox "Message"
  - button "Send" [disabled]
"""
LONG_WORD = "a" * 300
WIDE_TABLE = "|" + "|".join(f"column{number}" for number in range(20)) + "|\n" + "|-" * 20 + "|\n" + "|value" * 20 + "|"

TOO_FAINT = """minimum => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const painted = (colors) => {
        canvas.clearRect(0, 0, 1, 1);
        for (const color of colors) { canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1); }
        return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const luminance = ([r, g, b]) => [r, g, b].map(value => value / 255)
        .map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
        .reduce((sum, value, place) => sum + value * [0.2126, 0.7152, 0.0722][place], 0);
    const parent = node => node.assignedSlot ?? node.parentElement ?? node.getRootNode().host ?? null;
    const ground = node => node ? [...ground(parent(node)), getComputedStyle(node).backgroundColor] : ["white"];
    const roots = [document, document.querySelector("stubber-webchat").shadowRoot];
    const faint = [];
    for (const node of roots.flatMap(root => [...root.querySelectorAll("*")])) {
        const text = [...node.childNodes].filter(child => child.nodeType === 3).map(child => child.data)
            .join("").trim();
        if (!text || !node.checkVisibility() || node.disabled || node.matches("option, style, script, title")) continue;
        const under = ground(node);
        const [one, two] = [painted(under), painted([...under, getComputedStyle(node).color])].map(luminance);
        const ratio = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
        if (ratio < minimum) faint.push(`${ratio.toFixed(2)}: ${text.slice(0, 40)}`);
    }
    return faint;
}"""
OVERFLOW = "document.documentElement.scrollWidth - innerWidth"
SMALL_TARGETS = """minimum => [...document.querySelector("stubber-webchat").shadowRoot.querySelectorAll("button")]
    .filter(node => node.checkVisibility())
    .map(node => [node.getAttribute("aria-label"), node.getBoundingClientRect()])
    .filter(([, box]) => Math.min(box.width, box.height) < minimum)
    .map(([name, box]) => `${name}: ${box.width} x ${box.height}`)"""


async def tab_to_launcher(page: Page) -> None:
    """Press Tab until the round button has the focus."""
    for _ in range(TABS_MAX):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement?.localName") == "stubber-webchat":
            return
    pytest.fail(f"the chat cannot be reached with {TABS_MAX} presses of Tab")


async def test_a_conversation_needs_no_mouse(stack: Stack, new_visitor: NewVisitor) -> None:
    visitor = await new_visitor(stack, is_open=False)
    keyboard = visitor.page.keyboard
    await tab_to_launcher(visitor.page)
    await expect(visitor.launcher).to_be_focused()
    await keyboard.press("Enter")
    await expect(visitor.input).to_be_focused()
    await visitor.expect_messages((TO_VISITOR, WELCOME))
    await keyboard.type("one")
    await keyboard.press("Enter")
    await visitor.expect_messages(*talk(WELCOME, "one", CREATED))
    await expect(visitor.input).to_be_focused()
    await keyboard.type("two")
    await keyboard.press("Tab")
    await expect(visitor.page.get_by_test_id("send")).to_be_focused()
    await keyboard.press("Space")
    await visitor.expect_messages(*talk(WELCOME, "one", CREATED, "two", UPDATED))
    await keyboard.press("Shift+Tab")
    await expect(visitor.page.get_by_test_id("log")).to_be_focused()
    await keyboard.press("Escape")
    await expect(visitor.window).to_be_hidden()
    await expect(visitor.launcher).to_be_focused()
    await keyboard.press("Enter")
    await expect(visitor.window).to_be_visible()
    await visitor.expect_messages(*talk(WELCOME, "one", CREATED, "two", UPDATED))


async def test_a_screen_reader_finds_every_part_by_role_and_name(stack: Stack, new_visitor: NewVisitor) -> None:
    visitor = await new_visitor(stack)
    await visitor.say("hello")
    await visitor.expect_last(CREATED, count=3)
    await expect(visitor.page.locator("stubber-webchat")).to_match_aria_snapshot(OPEN_WINDOW)
    log = visitor.page.get_by_role("log")
    await expect(log).to_have_attribute("aria-live", "polite")
    await expect(visitor.page.get_by_role("textbox", name="Message")).to_be_focused()


async def test_a_closed_window_says_how_many_messages_are_new(
    stack: Stack, shop: Shop, new_visitor: NewVisitor
) -> None:
    visitor = await new_visitor(stack, org=shop.org, chat=shop.chat)
    session = await visitor.session()
    await visitor.page.keyboard.press("Escape")
    await shop.write(session, "one")
    await expect(visitor.page.get_by_role("button", name="Open chat, 1 new message")).to_be_visible()
    await shop.write(session, "two")
    await visitor.page.get_by_role("button", name="Open chat, 2 new messages").click()
    await visitor.expect_messages((TO_VISITOR, "one"), (TO_VISITOR, "two"))
    await visitor.page.keyboard.press("Escape")
    await expect(visitor.page.get_by_role("button", name="Open chat", exact=True)).to_be_visible()


async def test_on_a_phone_the_window_covers_the_page_and_nothing_scrolls_sideways(
    stack: Stack, shop: Shop, new_visitor: NewVisitor
) -> None:
    visitor = await new_visitor(stack, org=shop.org, chat=shop.chat, is_open=False, viewport=PHONE, has_touch=True)
    page = visitor.page
    assert await page.evaluate(OVERFLOW) <= 0
    await visitor.open()
    session = await visitor.session()
    await visitor.say(LONG_WORD)
    await shop.write(session, LONG_WORD)
    await shop.notify(session, webchat_message={"type": "markdown", "value": WIDE_TABLE})
    await visitor.expect_last(WIDE_TABLE.splitlines()[0].replace("|", "")[:7], count=3, exact=False)
    assert await page.evaluate(OVERFLOW) <= 0
    assert await visitor.window.bounding_box() == {"x": 0, "y": 0, **PHONE}
    assert await page.get_by_test_id("log").evaluate("node => node.scrollWidth - node.clientWidth") <= 0
    assert await page.evaluate(SMALL_TARGETS, TOUCH_PX_MIN) == []
    await expect(visitor.window).to_have_attribute("aria-modal", "true")
    for _ in range(TABS_MAX):
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement?.localName") == "stubber-webchat", (
            "Tab went under the window"
        )


@pytest.mark.parametrize("width", [PHONE["width"], 1280])
async def test_a_chat_that_the_page_places_stays_in_its_place_however_wide_a_message_is(
    stack: Stack, shop: Shop, new_visitor: NewVisitor, width: int
) -> None:
    size = {"width": width, "height": 800}
    visitor = await new_visitor(stack, org=shop.org, chat=shop.chat, is_open=False, viewport=size)
    await visitor.page.get_by_label("mode", exact=True).select_option("manual")
    await visitor.page.get_by_role("button", name="Refresh changes").click()
    await visitor.open()
    before = await visitor.window.bounding_box()
    await shop.notify(await visitor.session(), webchat_message={"type": "markdown", "value": f"```\n{WIDE_TABLE}\n```"})
    await visitor.expect_last("column1", count=1, exact=False)
    after = await visitor.window.bounding_box()
    assert before is not None
    assert after is not None
    assert (after["x"], after["width"]) == (before["x"], before["width"])
    assert after["x"] + after["width"] <= width
    assert await visitor.page.evaluate(OVERFLOW) <= 0


async def test_full_screen_covers_the_page_and_gives_it_back(stack: Stack, new_visitor: NewVisitor) -> None:
    visitor = await new_visitor(stack)
    small = await visitor.window.bounding_box()
    await visitor.page.get_by_role("button", name="Full screen").click()
    await expect(visitor.window).to_have_attribute("aria-modal", "true")
    size = visitor.page.viewport_size
    assert size is not None
    assert await visitor.window.bounding_box() == {"x": 0, "y": 0, **size}
    await visitor.page.get_by_role("button", name="Full screen").click()
    await expect(visitor.window).to_have_attribute("aria-modal", "false")
    assert await visitor.window.bounding_box() == small


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_all_text_can_be_read_in_light_and_dark(stack: Stack, new_visitor: NewVisitor, scheme: str) -> None:
    visitor = await new_visitor(stack, color_scheme=scheme)
    await visitor.say("hello")
    await visitor.expect_last(CREATED, count=3)
    await visitor.page.get_by_label("chat_name").fill("no such name!")
    await visitor.page.get_by_role("button", name="Refresh changes").click()
    assert await visitor.page.evaluate(TOO_FAINT, CONTRAST_MIN) == []
    assert await visitor.page.evaluate(TOO_FAINT, CONTRAST_BEST), "the check finds nothing to check"


async def test_the_visitor_reads_on_in_peace_while_new_messages_come(
    stack: Stack, shop: Shop, new_visitor: NewVisitor
) -> None:
    visitor = await new_visitor(stack, org=shop.org, chat=shop.chat)
    session = await visitor.session()
    for number in range(12):
        await shop.write(session, f"line {number}\nand another")
    log = visitor.page.get_by_test_id("log")
    await expect(visitor.page.get_by_test_id("message")).to_have_count(12)
    await visitor.until(
        "(() => { const log = document.querySelector('stubber-webchat').shadowRoot.querySelector('.log');"
        " return log.scrollHeight - log.scrollTop - log.clientHeight < 2; })()"
    )
    await log.evaluate("node => { node.scrollTop = 0; }")
    await shop.write(session, "the newest")
    latest = visitor.page.get_by_role("button", name="New messages")
    await expect(latest).to_be_visible()
    assert await log.evaluate("node => node.scrollTop") == 0
    await latest.click()
    await expect(visitor.page.get_by_text("the newest")).to_be_in_viewport()
    await expect(latest).to_be_hidden()
    assert (await visitor.messages())[-1] == (TO_VISITOR, "the newest")
