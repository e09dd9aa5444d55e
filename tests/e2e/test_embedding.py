"""The snippet on a site of somebody else's, and what page and stub tell each other beside the chat."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.e2e.chat_page import CREATED, FROM_VISITOR, TO_VISITOR, WELCOME, talk
from tests.e2e.conftest import NewVisitor
from tests.e2e.site import Site
from tests.e2e.stack import Stack
from tests.e2e.stub import Shop
from tests.e2e.tap import Tap

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGE_FUNCTIONS = """<script>
    globalThis.heard = [];
    function onServerEvent(event) { heard.push(event); }
    function addCart(payload) { return { ...payload, control_event: { cart: 2, wrote: payload.message.data } }; }
</script>"""

NOT_AVAILABLE = "This chat is not available at the moment."
"""What a visitor reads; the sentence for whoever builds the page goes to the console."""


def snippet_of(stack: Stack, shop: Shop, **attributes: str) -> str:
    """As the builder page writes it, with more attributes."""
    given = {"orguuid": shop.org, "chat_name": shop.chat, **attributes}
    listed = " ".join(f'{name}="{value}"' for name, value in given.items())
    return (
        f'<script type="module" src="{stack.page_url}widget.js"></script><stubber-webchat {listed}></stubber-webchat>'
    )


async def test_the_copied_snippet_works_on_another_site_whatever_its_styles_are(
    stack: Stack, site: Site, new_visitor: NewVisitor
) -> None:
    visitor = await new_visitor(stack, is_open=False)
    site.snippet = await visitor.page.get_by_test_id("snippet").inner_text()
    await visitor.page.goto(site.url)
    await visitor.open()
    await visitor.say("hello")
    await visitor.expect_messages(*talk(WELCOME, "hello", CREATED))
    await expect(visitor.page.locator("[data-testid=message] .body").first).to_have_css("font-size", "15px")
    await expect(visitor.input).to_be_visible()
    await visitor.page.reload()
    await visitor.connected()
    await visitor.expect_messages(*talk(WELCOME, "hello", CREATED))


async def test_a_site_that_is_not_allowed_is_told_so_and_opens_no_session(
    stack: Stack, site: Site, shop: Shop, tap: Tap, new_visitor: NewVisitor
) -> None:
    visitor = await new_visitor(stack, is_open=False)
    site.snippet = snippet_of(stack, shop)
    await visitor.page.goto(site.other_url)
    async with visitor.page.expect_console_message(lambda said: "This site may not open this chat" in said.text):
        await visitor.launcher.click()
    await expect(visitor.page.get_by_text(NOT_AVAILABLE)).to_be_visible()
    await expect(visitor.input).to_be_disabled()
    assert not [event for event in tap.events if shop.org in event["subject"] and event["kind"] == "initialize"]


async def test_a_chat_that_does_not_exist_is_told_at_its_field_and_plainly_to_a_visitor(
    stack: Stack, shop: Shop, new_visitor: NewVisitor
) -> None:
    visitor = await new_visitor(stack, org=shop.org, chat="draftnowhere", is_open=False)
    await visitor.launcher.click()
    await expect(visitor.page.get_by_text(NOT_AVAILABLE)).to_be_visible()
    await expect(visitor.input).to_be_disabled()
    await expect(visitor.page.locator("#chat_name-problem")).to_contain_text("draftnowhere")


async def test_page_and_stub_hear_each_other_beside_the_chat(
    stack: Stack, site: Site, shop: Shop, tap: Tap, new_visitor: NewVisitor
) -> None:
    hooks = {"on_server_control_event": "onServerEvent", "page_control_hook": "addCart"}
    site.snippet = PAGE_FUNCTIONS + snippet_of(stack, shop, **hooks)
    visitor = await new_visitor(stack, org=shop.org, chat=shop.chat, is_open=False)
    await visitor.page.goto(site.url)
    await visitor.open()
    await visitor.say("how much?")
    first = await tap.expect_in(shop.org, "firstmessage")
    webchat = first["body"]["heimdall"]["webchat"]
    assert webchat["webchat_control_event"] == {"cart": 2, "wrote": "how much?"}
    sound = {"action": "_stubber_webchat_status_sound", "params": {"sound_name": "quick"}}
    await shop.notify(first["session"], webchat_control_event=sound)
    await shop.notify(first["session"], webchat_control_event={"page": "tvs"})
    await visitor.until("heard.length > 0")
    assert await visitor.page.evaluate("heard") == [{"page": "tvs"}]
    await visitor.page.reload()
    await visitor.connected()
    await visitor.expect_messages((FROM_VISITOR, "how much?"))
    assert await visitor.page.evaluate("heard") == [], "a reload must not repeat what the page was told to do"


async def test_a_page_that_kept_the_session_and_its_token_resumes_it_in_a_new_browser(
    stack: Stack, site: Site, shop: Shop, new_visitor: NewVisitor
) -> None:
    first = await new_visitor(stack, org=shop.org, chat=shop.chat)
    await first.say("hello")
    await shop.write(await first.session(), "hi")
    await first.expect_messages((FROM_VISITOR, "hello"), (TO_VISITOR, "hi"))
    kept = await first.kept()
    site.snippet = snippet_of(
        stack, shop, sessionuuid=kept["sessionuuid"], session_token=kept["token"], open_on_mount="true"
    )
    second = await new_visitor(stack, is_open=False)
    await second.page.goto(site.url)
    await second.connected()
    await second.expect_messages((FROM_VISITOR, "hello"), (TO_VISITOR, "hi"))
    await second.page.reload()
    await second.connected()
    await second.expect_messages((FROM_VISITOR, "hello"), (TO_VISITOR, "hi"))
