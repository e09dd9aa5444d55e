"""What a stub sends, as the visitor sees it."""

from __future__ import annotations

import json

import pytest
from playwright.async_api import expect

from broker.domain.subjects import Kind
from tests.e2e.chat_page import FROM_VISITOR, TO_VISITOR
from tests.e2e.conftest import NewVisitor
from tests.e2e.stack import Stack
from tests.e2e.stub import Shop
from tests.e2e.tap import Tap

pytestmark = pytest.mark.asyncio(loop_scope="session")

WITH_HANDLER = """() => {
    globalThis.heard = [];
    globalThis.onServerEvent = event => heard.push(event);
    const element = document.querySelector("stubber-webchat");
    const again = element.cloneNode();
    again.setAttribute("on_server_control_event", "onServerEvent");
    element.replaceWith(again);
}"""
HOSTILE_HTML = "<b>bold</b><script>document.title='hurt'</script><img src=x onerror=\"document.title='hurt'\">"
HOSTILE_MARKDOWN = "**bold** [link](javascript:document.title='hurt') <img src=x onerror=\"document.title='hurt'\">"


@pytest.mark.check(36)
async def test_check_36_a_message_without_an_agent_comes_from_agent(
    stack: Stack, shop: Shop, new_visitor: NewVisitor
) -> None:
    visitor = await new_visitor(stack, org=shop.org, chat=shop.chat)
    session = await visitor.session()
    await shop.write(session, "no name")
    await shop.notify(
        session, webchat_agent={"name": "Support desk"}, webchat_message={"type": "text", "value": "a name"}
    )
    await visitor.expect_messages((TO_VISITOR, "no name"), (TO_VISITOR, "a name"))
    await expect(visitor.page.locator("[data-testid=message] .author")).to_have_text(["Agent", "Support desk"])


@pytest.mark.check(37)
async def test_check_37_a_control_event_alone_reaches_the_page_shows_nothing_and_sets_the_link(
    stack: Stack, tap: Tap, shop: Shop, new_visitor: NewVisitor
) -> None:
    visitor = await new_visitor(stack, org=shop.org, chat=shop.chat, is_open=False)
    await visitor.page.evaluate(WITH_HANDLER)
    await visitor.open()
    session = await visitor.session()
    await shop.notify(session, webchat_control_event={"page": "tvs"}, stubsession={"set_new_with_timeout_hours": 24})
    await visitor.until("heard.length > 0")
    linked = await tap.expect(session, "linked")
    await shop.write(session, "after it")
    await visitor.expect_messages((TO_VISITOR, "after it"))
    assert await visitor.page.evaluate("heard") == [{"page": "tvs"}]
    assert linked["body"]["stub"] == shop.stub


@pytest.mark.check(38)
async def test_check_38_buttons_are_refused_with_the_known_types_before_they_are_sent(
    stack: Stack, shop: Shop, new_visitor: NewVisitor
) -> None:
    visitor = await new_visitor(stack, org=shop.org, chat=shop.chat)
    session = await visitor.session()
    message = {"type": "buttons", "value": "yes|no"}
    body = {"platforms": {"webchat": {"sessionuuid": session, "webchat_message": message}}}
    subject = shop.conversation(session).subject(Kind.NOTIFICATION)
    answer = await stack.heimdall("publish", subject, json.dumps(body), "--stub", shop.stub)
    assert answer.code == 1
    assert answer.records == []
    for known in ("text", "markdown", "html", "form"):
        assert f"'{known}'" in answer.said
    assert len(answer.said.strip().splitlines()) == 1


@pytest.mark.check(38)
async def test_check_38_buttons_sent_all_the_same_are_set_aside_and_not_shown(
    stack: Stack, tap: Tap, shop: Shop, new_visitor: NewVisitor
) -> None:
    visitor = await new_visitor(stack, org=shop.org, chat=shop.chat)
    session = await visitor.session()
    await shop.notify(session, webchat_message={"type": "buttons", "value": "yes|no"})
    dead = await tap.expect(session, "dead letter")
    await shop.write(session, "after it")
    await visitor.expect_messages((TO_VISITOR, "after it"))
    assert dead["body"]["reason"] == "invalid_body"
    for known in ("text", "markdown", "html", "form"):
        assert f"'{known}'" in dead["body"]["detail"]


@pytest.mark.check(40)
async def test_check_40_what_was_said_while_the_visitor_was_away_comes_in_order_once(
    stack: Stack, tap: Tap, shop: Shop, new_visitor: NewVisitor
) -> None:
    visitor = await new_visitor(stack, org=shop.org, chat=shop.chat)
    await visitor.say("back soon")
    await shop.write(session := await visitor.session(), "take your time")
    await visitor.expect_messages((FROM_VISITOR, "back soon"), (TO_VISITOR, "take your time"))
    await visitor.page.goto("about:blank")
    missed = [f"missed {number}" for number in range(1, 6)]
    for text in missed:
        await shop.write(session, text)
    await visitor.come_back()
    everything = [(FROM_VISITOR, "back soon"), *((TO_VISITOR, text) for text in ("take your time", *missed))]
    await visitor.expect_messages(*everything)
    await visitor.come_back()
    await visitor.expect_messages(*everything)
    notifications = {event["sequence"] for event in tap.of(session, "notification")}
    await tap.expect(session, "receipt", lambda event: event["body"]["notification"] == max(notifications))
    receipts = [event["body"] for event in tap.of(session, "receipt")]
    assert sorted(receipt["notification"] for receipt in receipts) == sorted(notifications)
    assert {receipt["status"] for receipt in receipts} == {"delivered"}


async def test_what_a_stub_writes_cannot_run_in_the_visitors_page(
    stack: Stack, shop: Shop, new_visitor: NewVisitor
) -> None:
    visitor = await new_visitor(stack, org=shop.org, chat=shop.chat)
    session = await visitor.session()
    title = await visitor.page.title()
    for kind, value in (("text", HOSTILE_HTML), ("html", HOSTILE_HTML), ("markdown", HOSTILE_MARKDOWN)):
        await shop.notify(session, webchat_message={"type": kind, "value": value})
    bodies = visitor.page.locator("[data-testid=message] .body")
    await expect(bodies).to_have_count(3)
    await expect(bodies.nth(0)).to_have_text(HOSTILE_HTML)
    await expect(bodies.nth(1)).to_have_text("bold")
    await expect(bodies.locator("strong, b")).to_have_text(["bold", "bold"])
    await expect(bodies.locator("img, script, a[href^=javascript]")).to_have_count(0)
    assert await visitor.page.title() == title


async def test_a_markdown_link_opens_apart_and_tells_the_other_site_nothing(
    stack: Stack, shop: Shop, new_visitor: NewVisitor
) -> None:
    visitor = await new_visitor(stack, org=shop.org, chat=shop.chat)
    value = "See [our terms](https://shop.example/terms)."
    await shop.notify(await visitor.session(), webchat_message={"type": "markdown", "value": value})
    link = visitor.page.get_by_role("link", name="our terms")
    await expect(link).to_have_attribute("href", "https://shop.example/terms")
    await expect(link).to_have_attribute("target", "_blank")
    await expect(link).to_have_attribute("rel", "noopener noreferrer")


async def test_a_platform_switch_is_offered_when_the_stub_allows_it_and_comes_back_as_a_wish(
    stack: Stack, tap: Tap, shop: Shop, new_visitor: NewVisitor
) -> None:
    visitor = await new_visitor(stack, org=shop.org, chat=shop.chat)
    session = await visitor.session()
    offer = visitor.page.get_by_role("button", name="Continue on another channel")
    await expect(offer).to_be_hidden()
    settings = {"go_on": {"type": "switching", "value": {"whatsapp": True, "sms": False, "email": True}}}
    await shop.notify(session, webchat_client_configuration=settings)
    await offer.click()
    form = visitor.page.get_by_test_id("switching")
    await expect(form.get_by_role("option")).to_have_text(["WhatsApp", "E-mail"])
    await form.get_by_label("Phone number").fill("+1 800 555 0100")
    await form.get_by_role("button", name="Continue there").click()
    wish = await tap.expect(session, Kind.CONFIGURATION)
    assert wish["body"]["heimdall"]["webchat"]["webchat_client_configuration"] == {
        "platform_switch": {"platform_name": "whatsapp", "type": "mobile", "value": "+18005550100"}
    }
