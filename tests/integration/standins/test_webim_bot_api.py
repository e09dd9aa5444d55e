"""The stand-in takes exactly what Webim takes of a bot: specs/webim.md section 9.1."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.standins.conftest import TOKEN, Bot
from tests.standins.webim_control import ChatId, Webim

HEADERS = {"Authorization": f"Token {TOKEN}", "Content-Type": "application/json"}
FILE = {"url": "https://example.com/a.png", "name": "a.png", "media_type": "image/png"}
BUTTONS = [[{"id": "b1", "text": "Yes"}, {"id": "b2", "text": "No"}], [{"id": "b3", "text": "Later"}]]


@pytest.fixture
async def chat_id(webim: Webim, bot: Bot) -> ChatId:
    """A chat that the bot has."""
    return (await webim.open_chat(messages=["Hello"])).chat_id


async def test_each_kind_of_message_is_shown_in_the_order_it_came(webim: Webim, bot: Bot, chat_id: ChatId) -> None:
    for message in (
        {"kind": "operator", "text": "Hi"},
        {"kind": "keyboard", "buttons": BUTTONS},
        {"kind": "file_operator", "data": FILE},
    ):
        answer = await bot.call("send_message", {"chat_id": chat_id, "message": message})
        assert (answer.status_code, answer.json()) == (200, {"result": "ok"})
    chat = await webim.chat(chat_id)
    assert chat.texts("bot") == ["Hi", "Yes | No | Later", "https://example.com/a.png"]
    assert [one["kind"] for one in chat.messages] == ["visitor", "operator", "keyboard", "file_operator"]
    assert await webim.violations() == []


@pytest.mark.parametrize("token", [pytest.param(None, id="none"), pytest.param("another", id="a wrong one")])
async def test_without_its_token_a_bot_may_do_nothing(
    webim: Webim, bot: Bot, chat_id: ChatId, token: str | None
) -> None:
    answer = await bot.say(chat_id, "Hi", token=token)
    assert (answer.status_code, answer.json()["error"]) == (401, "unauthorized")
    assert (await webim.chat(chat_id)).texts("bot") == []


async def test_an_account_without_a_bot_token_lets_nobody_in(webim: Webim, bot: Bot, chat_id: ChatId) -> None:
    await webim.configure(bot_token=None)
    assert (await bot.say(chat_id, "Hi", token="None")).status_code == 401  # noqa: S106 - a wrong one


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        pytest.param(b"{", HEADERS, id="no JSON"),
        pytest.param(b"[]", HEADERS, id="no object"),
        pytest.param(b"{}", HEADERS, id="no chat id"),
        pytest.param(b'{"chat_id":1}', {**HEADERS, "Content-Type": "text/plain"}, id="another content type"),
    ],
)
async def test_a_body_that_is_no_request_is_400_and_noted(
    webim: Webim, bot: Bot, chat_id: ChatId, content: bytes, headers: dict[str, str]
) -> None:
    answer = await bot.post("/api/bot/v2/send_message", content, headers)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid-request")
    assert answer.json()["desc"]
    assert len(await webim.violations()) == 1


async def test_an_unknown_chat_is_404(bot: Bot, chat_id: ChatId) -> None:
    answer = await bot.say(999, "Hi")
    assert (answer.status_code, answer.json()["error"]) == (404, "chat-not-found")


async def test_an_unknown_method_is_404_and_noted(webim: Webim, bot: Bot, chat_id: ChatId) -> None:
    assert (await bot.call("delete_chat", {"chat_id": chat_id})).status_code == 404
    assert len(await webim.violations()) == 1


async def test_a_chat_that_somebody_else_has_takes_nothing_from_the_bot(
    webim: Webim, bot: Bot, chat_id: ChatId
) -> None:
    await webim.operator(chat_id, "I take over")
    answer = await bot.say(chat_id, "Hi")
    assert (answer.status_code, answer.json()["error"]) == (200, "chat-not-assigned")
    await webim.close(chat_id)
    assert (await bot.call("close_chat", {"chat_id": chat_id})).json()["error"] == "chat-not-assigned"


async def test_a_chat_goes_to_an_operator_who_is_there(webim: Webim, bot: Bot, chat_id: ChatId) -> None:
    for operator_id in (240002, 7):
        answer = await bot.call("redirect_chat", {"chat_id": chat_id, "operator_id": operator_id})
        assert (answer.status_code, answer.json()["error"]) == (200, "operator-offline")
    assert (await webim.chat(chat_id)).owner == "bot"
    assert (await bot.call("redirect_chat", {"chat_id": chat_id, "operator_id": 240001})).json() == {"result": "ok"}
    assert (await webim.chat(chat_id)).owner == "operator:240001"


async def test_a_chat_goes_to_a_department_that_works(webim: Webim, bot: Bot, chat_id: ChatId) -> None:
    for key in ("night", "nowhere"):
        answer = await bot.call("redirect_chat", {"chat_id": chat_id, "dep_key": key})
        assert (answer.status_code, answer.json()["error"]) == (200, "department-offline")
    assert (await bot.call("redirect_chat", {"chat_id": chat_id, "dep_key": "sales"})).json() == {"result": "ok"}
    chat = await webim.chat(chat_id)
    assert (chat.owner, chat.department) == ("queue", "sales")


@pytest.mark.parametrize(
    ("version", "status", "owner"),
    [
        pytest.param("10.3", 400, "bot", id="10.3 needs a target"),
        pytest.param("10.4", 200, "queue", id="10.4 does not"),
        pytest.param("10.5.62", 200, "queue", id="nor do later ones"),
    ],
)
async def test_a_redirect_to_the_queue_needs_version_10_4(
    webim: Webim, bot: Bot, chat_id: ChatId, version: str, status: int, owner: str
) -> None:
    await webim.configure(version=version)
    answer = await bot.call("redirect_chat", {"chat_id": chat_id})
    assert answer.status_code == status
    assert answer.json() == {"result": "ok"} or answer.json()["error"] == "argument-missing"
    assert (await webim.chat(chat_id)).owner == owner


async def test_the_bot_closes_a_chat(webim: Webim, bot: Bot, chat_id: ChatId) -> None:
    assert (await bot.call("close_chat", {"chat_id": chat_id})).json() == {"result": "ok"}
    assert (await webim.chat(chat_id)).owner == "closed"


@pytest.mark.parametrize("kind", ["integer", "uuid"])
async def test_a_chat_id_of_another_type_than_was_given_is_noted(webim: Webim, bot: Bot, kind: str) -> None:
    await webim.configure(chat_ids=kind)
    chat_id = (await webim.open_chat()).chat_id
    wrong = str(chat_id) if isinstance(chat_id, int) else 5
    if isinstance(chat_id, int):
        assert (await bot.say(wrong, "Hi")).status_code == 400
        assert "given as int" in (await webim.violations())[0]["problem"]
    else:
        assert (await bot.say(wrong, "Hi")).status_code == 404
    assert (await bot.say(chat_id, "Hi")).json() == {"result": "ok"}


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(None, id="no message"),
        pytest.param("Hi", id="a bare text"),
        pytest.param({"kind": "info", "text": "Hi"}, id="another kind"),
        pytest.param({"kind": "operator"}, id="no text"),
        pytest.param({"kind": "operator", "text": " "}, id="a blank text"),
        pytest.param({"kind": "operator", "text": 1}, id="a number for text"),
        pytest.param({"kind": "operator", "text": "Hi", "buttons": BUTTONS}, id="text and buttons in one"),
        pytest.param({"kind": "keyboard"}, id="no buttons"),
        pytest.param({"kind": "keyboard", "buttons": []}, id="an empty keyboard"),
        pytest.param({"kind": "keyboard", "buttons": [[]]}, id="an empty row"),
        pytest.param({"kind": "keyboard", "buttons": BUTTONS[0]}, id="buttons without rows"),
        pytest.param({"kind": "keyboard", "buttons": [[{"id": "b1"}]]}, id="a button without text"),
        pytest.param({"kind": "keyboard", "buttons": [[{"id": 1, "text": "Yes"}]]}, id="a number for a button's id"),
        pytest.param({"kind": "file_operator", "data": "a.png"}, id="a file without data"),
        pytest.param({"kind": "file_operator", "data": {"url": FILE["url"], "name": "a.png"}}, id="no media type"),
        pytest.param({"kind": "file_operator", "data": {**FILE, "url": "file:///etc/passwd"}}, id="no web address"),
    ],
)
async def test_a_message_of_another_shape_is_400_and_noted(
    webim: Webim, bot: Bot, chat_id: ChatId, message: Any
) -> None:
    answer = await bot.call("send_message", {"chat_id": chat_id, "message": message})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid-request")
    assert [one["path"] for one in await webim.violations()] == ["/api/bot/v2/send_message"]
    assert (await webim.chat(chat_id)).texts("bot") == []


@pytest.mark.parametrize(
    "target",
    [
        pytest.param({"operator_id": "240001"}, id="a text for an operator's id"),
        pytest.param({"operator_id": True}, id="a boolean for an operator's id"),
        pytest.param({"operator_id": 0}, id="no operator is 0"),
        pytest.param({"dep_key": 5}, id="a number for a department's key"),
        pytest.param({"dep_key": ""}, id="an empty key"),
        pytest.param({"operator_id": 240001, "dep_key": "sales"}, id="two targets"),
        pytest.param({"allow_redirect_to_offline_dep": True}, id="a member that no document has"),
    ],
)
async def test_a_redirect_of_another_shape_is_400_and_noted(
    webim: Webim, bot: Bot, chat_id: ChatId, target: dict[str, Any]
) -> None:
    assert (await bot.call("redirect_chat", {"chat_id": chat_id, **target})).status_code == 400
    assert len(await webim.violations()) == 1
    assert (await webim.chat(chat_id)).owner == "bot"


async def test_a_file_that_a_visitor_sent_can_be_fetched(webim: Webim, bot: Bot, chat_id: ChatId) -> None:
    said = await webim.visitor(chat_id, file={"name": "t.txt", "text": "what I mean"})
    told = bot.received[-1]["message"]["data"]
    assert (told["name"], told["media_type"], told["size"]) == ("t.txt", "text/plain", 11)
    answer = await bot.get(told["url"].removeprefix(webim.url))
    assert (answer.text, answer.headers["content-type"]) == ("what I mean", "text/plain; charset=utf-8")
    assert said.message["kind"] == "file_visitor"
    assert (await bot.get("/api/bot/v2/file/none")).status_code == 404


async def test_every_call_is_kept_with_its_headers_and_what_was_answered(
    webim: Webim, bot: Bot, chat_id: ChatId
) -> None:
    await bot.say(chat_id, "one")
    await bot.say(999, "two")
    first, second = await webim.calls("send_message")
    assert first.headers["authorization"] == f"Token {TOKEN}"
    assert first.headers["content-type"] == "application/json"
    assert first.body == {"chat_id": chat_id, "message": {"kind": "operator", "text": "one"}}
    assert (first.status, first.answer, first.taken, first.method) == (200, '{"result":"ok"}', True, "POST")
    assert (second.status, second.n) == (404, first.n + 1)
    assert [call.n for call in await webim.calls(since=second.n)] == [second.n]
