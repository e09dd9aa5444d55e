"""What a visitor's doings become on the bus, seen by a developer's tap."""

from __future__ import annotations

from uuid import uuid4

import pytest
from playwright.async_api import expect
from websockets.asyncio.client import connect

from broker.domain.subjects import Kind
from tests.e2e.chat_page import FROM_VISITOR
from tests.e2e.conftest import NewVisitor
from tests.e2e.stack import Stack
from tests.e2e.stub import Shop
from tests.e2e.tap import Tap
from tests.integration.webchat.conftest import Browser

pytestmark = pytest.mark.asyncio(loop_scope="session")

CLAIM_FIRST = """() => {
    const send = WebSocket.prototype.send;
    WebSocket.prototype.send = function (text) {
        const frame = JSON.parse(text);
        send.call(this, JSON.stringify({ ...frame, FIRST_MESSAGE: true, kind: "firstmessage" }));
    };
}"""
KEEP_SOCKETS = """(() => {
    const Real = WebSocket;
    globalThis.sockets = [];
    globalThis.WebSocket = class extends Real {
        constructor(...given) { super(...given); globalThis.sockets.push(this); }
    };
})()"""


@pytest.mark.check(10)
async def test_check_10_three_reconnects_announce_nothing_and_keep_the_session(
    stack: Stack, tap: Tap, shop: Shop, new_visitor: NewVisitor
) -> None:
    visitor = await new_visitor(stack, org=shop.org, chat=shop.chat, is_open=False)
    await visitor.page.add_init_script(KEEP_SOCKETS)
    await visitor.load()
    await visitor.open()
    session = await visitor.session()
    for number in range(1, 4):
        await visitor.page.evaluate("sockets.at(-1).close()")
        await visitor.until(f"sockets.length > {number}")
        await visitor.connected()
    await visitor.say("still here")
    await tap.expect(session, Kind.FIRSTMESSAGE)
    assert await visitor.session() == session
    assert [event["kind"] for event in tap.of(session, Kind.INITIALIZE, Kind.FIRSTMESSAGE)] == [
        "initialize",
        "firstmessage",
    ]


@pytest.mark.check(11)
async def test_check_11_two_messages_are_one_firstmessage_and_one_message_in_that_order(
    stack: Stack, tap: Tap, shop: Shop, new_visitor: NewVisitor
) -> None:
    visitor = await new_visitor(stack, org=shop.org, chat=shop.chat)
    await visitor.say("one")
    await visitor.say("two")
    session = await visitor.session()
    await tap.expect(session, Kind.MESSAGE)
    said = [
        (event["kind"], event["body"]["heimdall"]["webchat"]["webchat_message"]["value"])
        for event in tap.of(session, Kind.FIRSTMESSAGE, Kind.MESSAGE)
    ]
    assert said == [("firstmessage", "one"), ("message", "two")]


@pytest.mark.check(12)
async def test_check_12_pass_through_data_arrive_byte_for_byte(
    stack: Stack, tap: Tap, shop: Shop, new_visitor: NewVisitor
) -> None:
    given = "{'a':'b'}  \\u00e9 \u00e9 <&\"'> "
    visitor = await new_visitor(stack, org=shop.org, chat=shop.chat, is_open=False)
    await visitor.page.get_by_label("pass_through_data").fill(given)
    await visitor.page.get_by_role("button", name="Refresh changes").click()
    await visitor.open()
    await visitor.say("one")
    await visitor.say("two")
    session = await visitor.session()
    await tap.expect(session, Kind.MESSAGE)
    for kind in (Kind.INITIALIZE, Kind.FIRSTMESSAGE, Kind.MESSAGE):
        configuration = tap.of(session, kind)[0]["body"]["heimdall"]["webchat"]["webchat_configuration"]
        assert configuration["passthroughData"] == given


@pytest.mark.check(13)
async def test_check_13_a_client_that_claims_its_second_message_is_the_first_is_not_believed(
    stack: Stack, tap: Tap, shop: Shop, new_visitor: NewVisitor
) -> None:
    visitor = await new_visitor(stack, org=shop.org, chat=shop.chat)
    await visitor.say("one")
    await visitor.all_sent()
    await visitor.page.evaluate(CLAIM_FIRST)
    await visitor.say("two")
    session = await visitor.session()
    await tap.expect(session, Kind.MESSAGE)
    assert [event["kind"] for event in tap.of(session, Kind.FIRSTMESSAGE, Kind.MESSAGE)] == ["firstmessage", "message"]


async def test_a_page_event_reaches_the_linked_stub_beside_the_messages(
    stack: Stack, tap: Tap, shop: Shop, new_visitor: NewVisitor
) -> None:
    visitor = await new_visitor(stack, org=shop.org, chat=shop.chat)
    session = await visitor.session()
    await shop.notify(session, stubsession={"set_new_with_timeout_hours": 24})
    await tap.expect(session, "linked")
    await visitor.page.evaluate(
        """dispatchEvent(new CustomEvent("stubber_webchat_page_control_event", {detail: {data: {page: "tvs"}}}))"""
    )
    run = await tap.expect(session, "run")
    incoming = run["body"]["stubpost"]["data"]["_incoming_webchat_data"]
    assert run["body"]["stubpost"]["message"] == ""
    assert incoming["webchat_control_event"] == {"page": "tvs"}
    assert "webchat_message" not in incoming
    await expect(visitor.page.get_by_test_id("message")).to_have_count(0)


async def test_blanks_are_not_sent_and_line_breaks_are_kept(
    stack: Stack, tap: Tap, shop: Shop, new_visitor: NewVisitor
) -> None:
    visitor = await new_visitor(stack, org=shop.org, chat=shop.chat)
    await visitor.say("   ")
    await visitor.input.fill("one")
    await visitor.input.press("Shift+Enter")
    await visitor.input.press_sequentially("two")
    await visitor.input.press("Enter")
    first = await tap.expect(await visitor.session(), Kind.FIRSTMESSAGE)
    assert first["body"]["heimdall"]["webchat"]["webchat_message"]["value"] == "one\ntwo"
    await visitor.expect_messages((FROM_VISITOR, "one\ntwo"))


@pytest.mark.check(41)
async def test_check_41_a_message_sent_twice_is_acknowledged_twice_and_runs_once(
    stack: Stack, tap: Tap, shop: Shop
) -> None:
    client_id = str(uuid4())
    async with connect(stack.socket_url, compression=None) as socket:
        browser = Browser(socket, shop.org)
        welcome, _ = await browser.hello()
        session = welcome["sessionuuid"]
        await shop.notify(session, stubsession={"set_new_with_timeout_hours": 24})
        await tap.expect(session, "linked")
        answers = [await browser.say("once", client_id) for _ in range(2)]
        await browser.say("the end")
    await tap.expect(session, "run", lambda run: run["body"]["stubpost"]["message"] == "the end")
    assert answers[0] == answers[1]
    assert [run["body"]["stubpost"]["message"] for run in tap.of(session, "run")] == ["once", "the end"]
