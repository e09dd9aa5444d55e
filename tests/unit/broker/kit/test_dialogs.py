"""What a dialog replies, as the channel gets it, and what a service with dialogs is made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from broker import Dialog, Dialogs, Service
from broker.domain.dialogs import DialogRequest
from broker.domain.ids import ActionName, ChannelName, ChatName, OrgId, SessionId, stubref
from broker.domain.subjects import ChatPath
from broker.errors import InvalidBodyError, QueriesUnansweredError
from broker.kit.bus import ServiceBus
from broker.kit.run import Run

CONVERSATION = ChatPath(
    ChannelName("webim"), OrgId("0f6c2f58-8f43-5a0e-9b7e-2f1b6a1d7c90"), ChatName("livech1")
).conversation(SessionId("5b0c7f0e-2a41-4a55-8f7d-6c2f0e8a9d11"))


class Standing:
    """As much of a run as a dialog touches by itself."""

    state = "asked"


def dialog() -> Dialog:
    request = DialogRequest(
        channel_id="ch1",
        channel_type="webim",
        conversation_id="1",
        client_id="1",
        session_id=CONVERSATION.session,
        question_id="q1",
        query="hello",
        received_at="2024-01-01T00:00:00Z",
    )
    return Dialog(cast("Run", Standing()), request, {"known": 1})


@pytest.mark.parametrize(
    ("say", "expected"),
    [
        pytest.param(lambda one: one.reply("hi"), {"type": "text", "text": "hi"}, id="text"),
        pytest.param(
            lambda one: one.buttons("Yes", {"text": "No", "id": "n"}),
            {"type": "buttons", "buttons": [{"text": "Yes"}, {"text": "No", "id": "n"}]},
            id="buttons",
        ),
        pytest.param(
            lambda one: one.buttons(["Yes", "No"], "Perhaps"),
            {"type": "buttons", "buttons": [[{"text": "Yes"}, {"text": "No"}], [{"text": "Perhaps"}]]},
            id="buttons in rows",
        ),
        pytest.param(
            lambda one: one.inline_buttons(("Shop", "https://shop.example.org"), "No"),
            {"type": "inlineButtons", "buttons": [{"text": "Shop", "url": "https://shop.example.org"}, {"text": "No"}]},
            id="inline buttons",
        ),
        pytest.param(
            lambda one: one.image("https://a.example.org/b.png", "look"),
            {"type": "image", "imageUrl": "https://a.example.org/b.png", "text": "look"},
            id="image",
        ),
        pytest.param(
            lambda one: one.image("https://a.example.org/b.png"),
            {"type": "image", "imageUrl": "https://a.example.org/b.png"},
            id="image alone",
        ),
        pytest.param(
            lambda one: one.link("https://a.example.org"), {"type": "link", "url": "https://a.example.org"}, id="link"
        ),
        pytest.param(lambda one: one.switch("sales"), {"type": "switch", "destination": "sales"}, id="switch"),
        pytest.param(lambda one: one.switch(), {"type": "switch"}, id="switch to anybody"),
        pytest.param(lambda one: one.raw({"type": "audio"}), {"type": "audio"}, id="anything else"),
    ],
)
def test_a_reply_has_the_form_that_the_channel_documents(
    say: Callable[[Dialog], None], expected: dict[str, Any]
) -> None:
    one = dialog()
    say(one)
    assert one.answer().replies == [expected]


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        pytest.param(
            lambda one: one.redirect_to_operator(240001),
            {"type": "redirect_to_operator", "operator_id": "240001"},
            id="to an operator, as text",
        ),
        pytest.param(
            lambda one: one.redirect_to_department("sales"),
            {"type": "redirect_to_department", "department_key": "sales"},
            id="to a department",
        ),
        pytest.param(lambda one: one.redirect_to_queue(), {"type": "redirect_to_queue"}, id="to the queue"),
        pytest.param(lambda one: one.close_chat(), {"type": "close_chat"}, id="close"),
        pytest.param(
            lambda one: one.close_chat(category="shop", sub_category="parcels"),
            {"type": "close_chat", "category": "shop", "sub_category": "parcels"},
            id="close, with categories",
        ),
    ],
)
def test_an_action_has_the_form_that_the_channel_documents(
    act: Callable[[Dialog], None], expected: dict[str, Any]
) -> None:
    one = dialog()
    act(one)
    assert one.answer().actions == [expected]


def test_an_answer_says_which_question_it_is_for_and_nothing_that_was_not_asked() -> None:
    answer = dialog().answer()
    assert (answer.question_id, answer.replies, answer.actions) == ("q1", [], [])
    assert (answer.newSessionStarted, answer.endSession) == (False, False)


def test_a_new_session_knows_nothing_and_begins_in_the_first_state() -> None:
    one = dialog()
    one.start_new_session()
    assert (one.session, one.state, one.answer().newSessionStarted) == ({}, "new", True)


def test_a_question_without_parts_has_empty_ones() -> None:
    assert (dialog().data.messages, dialog().data.files, dialog().data.button) == ([], [], None)


def test_an_answer_holds_no_more_than_the_bus_is_to_carry() -> None:
    one = dialog()
    for _ in range(17):
        one.close_chat()
    with pytest.raises(InvalidBodyError, match="actions"):
        one.answer()


async def test_a_service_with_dialogs_does_not_start_without_an_answer_to_queries() -> None:
    service = Service("shop")
    dialogs = Dialogs(service)
    with pytest.raises(QueriesUnansweredError, match="on_query"):
        await service.start(cast("ServiceBus", None))

    @dialogs.on_query()
    async def answer(one: Dialog) -> None: ...

    await service.start(cast("ServiceBus", None))


def test_only_stubs_of_that_name_are_made_on_demand_and_only_where_there_are_dialogs() -> None:
    with_dialogs, without = Service("shop", branch="live"), Service("shop")
    Dialogs(with_dialogs)
    made = with_dialogs.demanded(stubref("chat-0"), CONVERSATION, at_ms=7)
    assert made is not None
    assert (made.context, made.branch, made.created_at_ms, made.heard_of) == ("dialog", "live", 7, CONVERSATION)
    assert with_dialogs.demanded(stubref("create-live"), CONVERSATION, at_ms=7) is None
    assert without.demanded(stubref("chat-0"), CONVERSATION, at_ms=7) is None


def test_each_channel_has_an_action_of_its_own() -> None:
    service = Service("shop")
    Dialogs(service)
    Dialogs(service, channel="chatvisor")
    for action in ("_update_from_webim", "_update_from_chatvisor"):
        assert service.function("dialog", "new", ActionName(action), None) is not None
    assert service.function("default", "new", ActionName("_update_from_webim"), None) is None
