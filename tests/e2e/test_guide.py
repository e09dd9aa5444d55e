"""The guide's six steps, as a visitor and a developer go through them."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from broker.cli.options import DEMO_ORG
from tests.conftest import poll
from tests.e2e.chat_page import CREATED, DEMO_CHAT, FROM_VISITOR, TO_VISITOR, UPDATED, WELCOME, talk
from tests.e2e.conftest import NewVisitor
from tests.e2e.stack import Stack
from tests.e2e.stub import Shop
from tests.e2e.tap import Tap

pytestmark = pytest.mark.asyncio(loop_scope="session")

PREFIX = f"stubber.systems.notifications.webchat.org.{DEMO_ORG}.name.{DEMO_CHAT}"
FIELDS = {
    "orguuid": DEMO_ORG,
    "chat_name": DEMO_CHAT,
    "chat_display_name": "My webchat",
    "pass_through_data": "{'page':'pricing'}",
    "mode": "sticky",
    "on_server_control_event": "",
    "page_control_hook": "",
}
DAY_S = 86_400


async def test_step_1_the_builder_page_offers_every_field_a_refresh_and_a_snippet_to_copy(
    stack: Stack, new_visitor: NewVisitor
) -> None:
    page = (await new_visitor(stack, is_open=False)).page
    for label, value in FIELDS.items():
        await expect(page.get_by_label(label, exact=True)).to_have_value(value)
    for label in ("open_on_mount", "fullscreen_mode"):
        await expect(page.get_by_role("checkbox", name=label)).not_to_be_checked()
    await page.get_by_label("chat_display_name").fill("Ask us")
    await page.get_by_label("pass_through_data").fill("""{"a":"<b>"}""")
    await page.get_by_role("checkbox", name="open_on_mount").check()
    await page.get_by_role("button", name="Refresh changes").click()
    await expect(page.get_by_test_id("snippet")).to_have_text(
        f'<script type="module" src="{stack.page_url}widget.js"></script>\n'
        f'<stubber-webchat\n  orguuid="{DEMO_ORG}"\n  chat_name="{DEMO_CHAT}"\n  chat_display_name="Ask us"\n'
        '  pass_through_data="{&quot;a&quot;:&quot;&lt;b>&quot;}"\n  open_on_mount="true"></stubber-webchat>'
    )
    await expect(page.get_by_role("dialog", name="Ask us")).to_be_visible()


async def test_step_1_a_wrong_field_says_what_is_wrong_and_keeps_the_chat_as_it_was(
    stack: Stack, new_visitor: NewVisitor
) -> None:
    page = (await new_visitor(stack, is_open=False)).page
    await page.get_by_label("chat_name").fill("draft shop!")
    await page.get_by_role("button", name="Refresh changes").click()
    field = page.get_by_label("chat_name")
    await expect(field).to_be_focused()
    await expect(field).to_have_attribute("aria-invalid", "true")
    await expect(page.locator("#chat_name-problem")).to_contain_text("lower-case letters and digits only")
    await expect(page.locator("stubber-webchat")).to_have_attribute("chat_name", DEMO_CHAT)


async def test_step_1_the_fields_stay_over_a_reload_and_the_pages_own_functions_take_part(
    stack: Stack, shop: Shop, tap: Tap, new_visitor: NewVisitor
) -> None:
    visitor = await new_visitor(stack, org=shop.org, chat=shop.chat, is_open=False)
    await visitor.page.get_by_label("on_server_control_event").fill("showControlEvent")
    await visitor.page.get_by_label("page_control_hook").fill("addPageControl")
    await visitor.page.get_by_role("button", name="Refresh changes").click()
    await visitor.page.reload()
    await expect(visitor.page.get_by_label("chat_name")).to_have_value(shop.chat)
    await expect(visitor.page.get_by_test_id("snippet")).to_contain_text('page_control_hook="addPageControl"')
    await visitor.open()
    await visitor.say("hello")
    first = await tap.expect_in(shop.org, "firstmessage")
    assert first["body"]["heimdall"]["webchat"]["webchat_control_event"] == {"page": "/"}
    await shop.notify(first["session"], webchat_control_event={"show": "tvs"})
    await expect(visitor.page.locator("#control")).to_have_text('control event: {"show":"tvs"}')


async def test_step_1_copy_puts_the_snippet_on_the_clipboard(stack: Stack, new_visitor: NewVisitor) -> None:
    may = ["clipboard-read", "clipboard-write"]
    page = (await new_visitor(stack, is_open=False, permissions=may)).page
    await page.get_by_role("button", name="Copy").click()
    await expect(page.get_by_role("button", name="Copied")).to_be_visible()
    shown = await page.get_by_test_id("snippet").inner_text()
    assert await page.evaluate("navigator.clipboard.readText()") == shown


async def test_step_1_a_new_conversation_begins_a_session_of_its_own(
    stack: Stack, tap: Tap, new_visitor: NewVisitor
) -> None:
    visitor = await new_visitor(stack)
    await visitor.say("one")
    await visitor.expect_last(CREATED, count=3)
    before = await visitor.session()
    await visitor.page.get_by_role("button", name="New conversation").click()
    await visitor.expect_messages((TO_VISITOR, WELCOME))
    await tap.expect(after := await visitor.session(), "initialize")
    assert after != before


@pytest.mark.check(9)
async def test_check_09_step_1_opening_the_window_announces_the_session_and_the_welcome_comes_first(
    stack: Stack, tap: Tap, new_visitor: NewVisitor
) -> None:
    visitor = await new_visitor(stack)
    await visitor.expect_messages((TO_VISITOR, WELCOME))
    session = await visitor.session()
    opened = await tap.expect(session, "initialize")
    assert opened["subject"] == f"{PREFIX}.webchatmessagetype.initialize"
    run = await tap.expect(session, "run")
    heimdall = run["body"]["stubpost"]["data"]["heimdall"]["webchat"]
    assert run["subject"].endswith(".action.welcome")
    assert heimdall["sessionuuid"] == session
    assert "webchat_message" not in heimdall


async def test_step_2_the_long_lived_stub_holds_the_session_and_the_clients_details(
    stack: Stack, new_visitor: NewVisitor
) -> None:
    visitor = await new_visitor(stack)
    await visitor.expect_messages((TO_VISITOR, WELCOME))
    session = await visitor.session()

    async def kept() -> bool:
        stub = next(stub for stub in await stack.stubs() if stub["context"] == "create")
        heard: dict[str, object] = stub["data"].get("heimdall", {}).get("webchat", {})
        assert stub["stub"] == "demo.create-draft"
        return heard.get("sessionuuid") == session and heard["webchat_configuration"] == {
            "orguuid": DEMO_ORG,
            "chatname": DEMO_CHAT,
            "passthroughData": "{'page':'pricing'}",
        }

    await poll(kept, within_s=10)


async def test_step_3_the_first_message_makes_a_stub_that_answers_and_owns_the_conversation_for_a_day(
    stack: Stack, tap: Tap, new_visitor: NewVisitor
) -> None:
    visitor = await new_visitor(stack)
    await visitor.say("Do you have the red kettle?")
    await visitor.expect_messages(*talk(WELCOME, "Do you have the red kettle?", CREATED))
    session = await visitor.session()
    linked = await tap.expect(session, "linked")
    link = (await stack.links(session))[0]
    own = next(stub for stub in await stack.stubs() if stub["stub"] == link["stub"])
    assert (own["context"], own["branch"]) == ("default", "draft")
    assert link["stub"] == linked["body"]["stub"]
    assert link["feedback_action"] == "_update_from_webchat"
    assert link["timeout_hours"] == 24
    assert 0 < (later := (await stack.links(session))[0]["left_s"]) < link["left_s"] < DAY_S, later


@pytest.mark.check(15)
async def test_check_15_step_4_each_later_message_reaches_the_same_stub_as_update_from_webchat(
    stack: Stack, tap: Tap, new_visitor: NewVisitor
) -> None:
    visitor = await new_visitor(stack)
    await visitor.say("one")
    await visitor.expect_last(CREATED, count=3)
    await visitor.say("two")
    await visitor.expect_last(UPDATED, count=5)
    await visitor.say("three")
    await visitor.expect_messages(*talk(WELCOME, "one", CREATED, "two", UPDATED, "three", UPDATED))
    session = await visitor.session()
    await tap.expect(session, "run", lambda run: run["body"]["stubpost"]["message"] == "three")
    runs = [run for run in tap.of(session, "run") if run["subject"].endswith("._update_from_webchat")]
    owner = tap.of(session, "linked")[0]["body"]["stub"]
    service, stubref = owner.split(".")
    assert [run["body"]["stubpost"]["message"] for run in runs] == ["two", "three"]
    assert {run["subject"].split(".action.")[0] for run in runs} == {
        f"stubber.systems.stubs.org.{DEMO_ORG}.service.{service}.stubref.{stubref}"
    }
    incoming = runs[0]["body"]["stubpost"]["data"]["_incoming_webchat_data"]
    assert incoming["sessionuuid"] == session
    assert incoming["webchat_message"] == {"type": "text", "value": "two"}


async def test_step_6_a_reload_shows_the_conversation_again_and_it_goes_on(
    stack: Stack, tap: Tap, new_visitor: NewVisitor
) -> None:
    visitor = await new_visitor(stack)
    await visitor.say("one")
    await visitor.expect_last(CREATED, count=3)
    session = await visitor.session()
    await visitor.page.reload()
    await visitor.connected()
    await visitor.expect_messages(*talk(WELCOME, "one", CREATED))
    await visitor.say("two")
    await visitor.expect_messages(*talk(WELCOME, "one", CREATED, "two", UPDATED))
    assert await visitor.session() == session
    assert len(tap.of(session, "initialize")) == 1
    assert [event["subject"].rsplit(".", 1)[1] for event in tap.of(session, "firstmessage", "message")] == [
        "firstmessage",
        "message",
    ]


async def test_the_visitor_of_one_tab_sees_in_it_what_was_said_in_the_other(
    stack: Stack, new_visitor: NewVisitor
) -> None:
    visitor = await new_visitor(stack)
    await visitor.say("one")
    await visitor.expect_last(CREATED, count=3)
    storage = await visitor.page.evaluate("() => JSON.stringify(sessionStorage)")
    twin = await visitor.page.context.new_page()
    await twin.add_init_script(f"Object.assign(sessionStorage, {storage})")
    await twin.goto(stack.page_url)
    other = type(visitor)(twin, stack.page_url)
    await other.connected()
    await other.say("two")
    for page in (visitor, other):
        await page.expect_messages(*talk(WELCOME, "one", CREATED, "two", UPDATED))
    assert (await visitor.messages())[3][0] == FROM_VISITOR


async def test_the_builder_page_works_where_the_browser_bars_its_storage(stack: Stack, new_visitor: NewVisitor) -> None:
    visitor = await new_visitor(stack, is_open=False)
    barred = "Object.defineProperty(window, 'sessionStorage', { get() { throw new DOMException('barred'); } })"
    await visitor.page.add_init_script(barred)
    await visitor.load()
    await visitor.open()
    await visitor.page.get_by_label("chat_display_name").fill("Another title")
    await visitor.page.get_by_role("button", name="Refresh changes").click()
    await expect(visitor.page.get_by_test_id("snippet")).to_contain_text("Another title")
