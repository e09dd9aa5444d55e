"""In v1 the stand-in carries out the answer itself: specs/webim.md sections 3.1.4, 3.2.4 and 9.2."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.standins.conftest import Bot
from tests.standins.webim_control import Webim

TEXT = {"kind": "operator", "text": "Hi!"}
KEYBOARD = {"kind": "keyboard", "buttons": [[{"id": "b1", "text": "Delivery"}]]}
TO_OPERATOR = {"type": "redirect_to_operator", "operator_id": "240001"}


async def test_messages_of_the_answer_are_shown(webim: Webim, bot: Bot) -> None:
    await webim.configure(profile="v1")
    bot.answers = [(200, {"has_answer": True, "messages": [TEXT, KEYBOARD]})]
    chat = await webim.chat((await webim.open_chat(messages=["Hello"])).chat_id)
    assert chat.owner == "bot"
    assert chat.texts("bot") == ["Hi!", "Delivery"]


async def test_an_empty_answer_leaves_the_chat_with_the_bot(webim: Webim, bot: Bot) -> None:
    await webim.configure(profile="v1")
    bot.answers = [(200, {"has_answer": True, "messages": []})]
    assert (await webim.chat((await webim.open_chat()).chat_id)).owner == "bot"


@pytest.mark.parametrize(
    ("answer", "violations"),
    [
        pytest.param((200, {"has_answer": False}), 0, id="no answer"),
        pytest.param((503, {"error": "backbone_unavailable"}), 0, id="a failure"),
        pytest.param(None, 0, id="a broken connection"),
        pytest.param((200, "no JSON"), 1, id="no JSON"),
        pytest.param((200, {"has_answer": "yes", "messages": []}), 1, id="has_answer of another type"),
        pytest.param((200, {"has_answer": True}), 1, id="an answer without messages"),
        pytest.param((200, {"has_answer": True, "messages": [{"kind": "operator"}]}), 1, id="a broken message"),
        pytest.param((200, {"has_answer": True, "messages": [TEXT], "more": 1}), 1, id="an unknown member"),
    ],
)
async def test_anything_but_a_good_answer_sends_the_chat_to_the_queue(
    webim: Webim, bot: Bot, answer: tuple[int, Any] | None, violations: int
) -> None:
    await webim.configure(profile="v1")
    bot.answers = [answer]
    chat = await webim.chat((await webim.open_chat(messages=["Hello"])).chat_id)
    assert (chat.owner, chat.texts("bot")) == ("queue", [])
    assert len(await webim.violations()) == violations


async def test_a_bot_that_is_too_slow_loses_the_chat(webim: Webim, bot: Bot) -> None:
    await webim.configure(profile="v1", timeout_ms=50)
    bot.delay_s = 1.0
    opened = await webim.open_chat(messages=["Hello"])
    assert opened.delivery.error == "timeout"
    assert (await webim.chat(opened.chat_id)).owner == "queue"


@pytest.mark.parametrize(
    ("action", "owner", "department"),
    [
        pytest.param(TO_OPERATOR, "operator:240001", None, id="to an operator"),
        pytest.param({"type": "redirect_to_department", "department_key": "sales"}, "queue", "sales", id="department"),
        pytest.param({"type": "redirect_to_queue"}, "queue", None, id="to the queue"),
        pytest.param({"type": "close_chat", "category": "done"}, "closed", None, id="close"),
    ],
)
async def test_actions_are_carried_out_in_their_profile_and_only_there(
    webim: Webim, bot: Bot, action: dict[str, str], owner: str, department: str | None
) -> None:
    for profile, expected in (("v1-actions", owner), ("v1", "bot")):
        await webim.configure(profile=profile)
        bot.answers = [(200, {"has_answer": True, "messages": [TEXT], "actions": [action]})]
        chat = await webim.chat((await webim.open_chat(messages=["Hello"])).chat_id)
        assert chat.owner == expected
        assert chat.texts("bot") == ["Hi!"]
        assert chat.department == (department if profile == "v1-actions" else None)
    assert await webim.violations() == []


async def test_actions_without_messages_are_carried_out_too(webim: Webim, bot: Bot) -> None:
    await webim.configure(profile="v1-actions")
    bot.answers = [(200, {"has_answer": False, "actions": [TO_OPERATOR]})]
    assert (await webim.chat((await webim.open_chat()).chat_id)).owner == "operator:240001"


@pytest.mark.parametrize(
    "actions",
    [
        pytest.param([], id="an empty list"),
        pytest.param([{"type": "dance"}], id="an unknown type"),
        pytest.param([{"type": "redirect_to_operator"}], id="no parameter"),
        pytest.param([{"type": "redirect_to_operator", "operatorId": "240001"}], id="camel case"),
        pytest.param([{"type": "redirect_to_operator", "operator_id": 240001}], id="a number"),
    ],
)
async def test_actions_of_another_shape_are_noted(webim: Webim, bot: Bot, actions: list[Any]) -> None:
    await webim.configure(profile="v1-actions")
    bot.answers = [(200, {"has_answer": True, "messages": [TEXT], "actions": actions})]
    assert (await webim.chat((await webim.open_chat()).chat_id)).owner == "queue"
    assert len(await webim.violations()) == 1


async def test_a_redirect_to_nobody_leaves_the_chat_with_the_bot_and_is_noted(webim: Webim, bot: Bot) -> None:
    await webim.configure(profile="v1-actions")
    action = {"type": "redirect_to_operator", "operator_id": "7"}
    bot.answers = [(200, {"has_answer": False, "actions": [action]})]
    assert (await webim.chat((await webim.open_chat()).chat_id)).owner == "bot"
    assert len(await webim.violations()) == 1


async def test_an_answer_that_comes_twice_is_shown_once(webim: Webim, bot: Bot) -> None:
    await webim.configure(profile="v1")
    await webim.mode("duplicate")
    bot.answers = [(200, {"has_answer": True, "messages": [TEXT]})] * 2
    opened = await webim.open_chat(messages=["Hello"])
    assert [one.status for one in opened.deliveries] == [200, 200]
    assert (await webim.chat(opened.chat_id)).texts("bot") == ["Hi!"]
