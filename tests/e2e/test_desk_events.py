"""What a desk of human agents tells, as the visitor sees it: lines of the log, and messages that were changed."""

from __future__ import annotations

import pytest
from playwright.async_api import Locator, expect

from broker.domain.desks import DeskAgent, DeskEvent
from broker.domain.wire import dump
from tests.e2e.chat_page import FROM_VISITOR, TO_VISITOR, ChatPage
from tests.e2e.conftest import NewVisitor
from tests.e2e.stack import Stack
from tests.e2e.stub import Shop

pytestmark = pytest.mark.asyncio(loop_scope="session")

DESK = "giosg.support"
AINO = DeskAgent(name="Aino")
HOSTILE = "<img src=x onerror=\"document.title='hurt'\">"


class Desk:
    """Tells one visitor what a desk tells."""

    def __init__(self, shop: Shop, session: str) -> None:
        self._shop = shop
        self._session = session

    async def tell(self, event_type: str, said: str | None = None, **more: object) -> None:
        event = DeskEvent.model_validate({"type": event_type, "desk": DESK, **more})
        members: dict[str, object] = {"webchat_control_event": dump(event)}
        if event.agent is not None and event.agent.name:
            members["webchat_agent"] = {"name": event.agent.name}
        if said is not None:
            members["webchat_message"] = {"type": "text", "value": said}
        await self._shop.notify(self._session, **members)


def lines_of(visitor: ChatPage) -> Locator:
    return visitor.page.get_by_role("log").get_by_test_id("event")


async def test_agents_come_and_go_in_lines_between_the_messages(
    stack: Stack, shop: Shop, new_visitor: NewVisitor
) -> None:
    visitor = await new_visitor(stack, org=shop.org, chat=shop.chat)
    desk = Desk(shop, await visitor.session())
    await visitor.say("human, please")
    await visitor.all_sent()
    await desk.tell("session.opened")
    await desk.tell("session.waiting")
    await desk.tell("agent.joined", agent=AINO)
    await desk.tell("session.active")
    await desk.tell("agent.message", "Hi!", agent=AINO, id="m1")
    await desk.tell("agent.left", "Aino is gone for lunch", agent=AINO)
    await desk.tell("agent.joined", agent={"name": HOSTILE})
    await desk.tell("session.ended")
    expected = ["Waiting for an agent.", "Aino has joined.", "Aino is gone for lunch", f"{HOSTILE} has joined."]
    for _ in range(2):  # as they come, and from the log after a reload
        await expect(lines_of(visitor)).to_have_text([*expected, "The conversation with the agent has ended."])
        await visitor.expect_messages((FROM_VISITOR, "human, please"), (TO_VISITOR, "Hi!"))
        order = await visitor.page.locator(".message, .event").evaluate_all(
            "nodes => nodes.map(node => node.dataset.testid)"
        )
        assert order == ["message", "event", "event", "message", "event", "event", "event"]
        await expect(visitor.page.locator("[data-direction=to_visitor] .author")).to_have_text(["Aino"])
        await visitor.come_back()


async def test_a_message_that_an_agent_changes_or_deletes_is_changed_where_it_stands(
    stack: Stack, shop: Shop, new_visitor: NewVisitor
) -> None:
    visitor = await new_visitor(stack, org=shop.org, chat=shop.chat)
    desk = Desk(shop, await visitor.session())
    await desk.tell("agent.message", "It comes on Monday", agent=AINO, id="m1")
    await desk.tell("agent.message", "or never", agent=AINO, id="m2")
    new_text = f"It comes on Tuesday {HOSTILE}"
    await desk.tell("agent.message.edited", f"Correction: {new_text}", agent=AINO, id="m1", text=new_text)
    await desk.tell("agent.message.deleted", agent=AINO, id="m2")
    await desk.tell("agent.message.deleted", agent=AINO, id="never seen")
    await visitor.expect_messages((TO_VISITOR, new_text), (TO_VISITOR, "This message was deleted."))
    await expect(visitor.page.get_by_text("Edited")).to_be_visible()
    await expect(lines_of(visitor)).to_have_count(0)


async def test_only_what_agents_write_counts_as_a_new_message(
    stack: Stack, shop: Shop, new_visitor: NewVisitor
) -> None:
    visitor = await new_visitor(stack, org=shop.org, chat=shop.chat)
    desk = Desk(shop, await visitor.session())
    await visitor.page.get_by_test_id("close").click()
    await desk.tell("agent.joined", agent=AINO)
    await desk.tell("agent.message", "Hi!", agent=AINO, id="m1")
    await expect(visitor.launcher).to_have_accessible_name("Open chat, 1 new message")
