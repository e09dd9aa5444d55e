"""What the stand-in tells a bot, in each profile: specs/webim.md sections 3.1, 9.2 and 9.3."""

from __future__ import annotations

from uuid import UUID

import httpx2
import pytest

from tests.integration.standins.conftest import Bot
from tests.standins.webim_control import Webim

THREE_HEADERS = {"x-bot-api-dialect", "x-bot-api-version", "x-webim-version"}


async def test_a_chat_opens_with_messages_and_what_the_bot_answered_is_told(webim: Webim, bot: Bot) -> None:
    opened = await webim.open_chat(
        visitor="51b6", fields={"name": "John"}, location={"address": "shop"}, messages=["Hello", "Help"]
    )
    assert (opened.delivery.status, opened.delivery.json) == (200, {"result": "ok"})
    assert opened.delivery.ms is not None
    assert opened.delivery.ms >= 0
    event = bot.received[0]
    assert event == {
        "event": "new_chat",
        "chat": {"id": 1},
        "visitor": {"id": "51b6", "fields": {"name": "John"}},
        "location": {"address": "shop"},
        "messages": [
            {"id": event["messages"][0]["id"], "kind": "visitor", "text": "Hello"},
            {"id": event["messages"][1]["id"], "kind": "visitor", "text": "Help"},
        ],
    }
    assert opened.delivery.body == event


@pytest.mark.parametrize(
    ("order", "members"),
    [
        pytest.param({}, {"event", "chat", "visitor"}, id="no messages"),
        pytest.param({"messages": None}, {"event", "chat", "visitor", "messages"}, id="null for messages"),
        pytest.param({"messages": []}, {"event", "chat", "visitor", "messages"}, id="an empty list"),
        pytest.param({"visitor": None}, {"event", "chat"}, id="no visitor"),
        pytest.param({"extra": {"secretKey": "x"}}, {"event", "chat", "visitor", "secretKey"}, id="something else"),
    ],
)
async def test_a_chat_opens_with_as_little_as_the_test_wants(
    webim: Webim, bot: Bot, order: dict[str, object], members: set[str]
) -> None:
    await webim.open_chat(**order)
    assert set(bot.received[0]) == members
    assert not bot.received[0].get("messages")


async def test_a_bare_new_chat_holds_its_id_and_nothing_else(webim: Webim, bot: Bot) -> None:
    await webim.configure(bare_new_chat=True)
    await webim.open_chat(messages=["Hello"], location={"address": "shop"})
    assert bot.received == [{"event": "new_chat", "chat": {"id": 1}}]


async def test_messages_of_others_and_odd_ones_are_passed_on_as_they_are(webim: Webim, bot: Bot) -> None:
    await webim.configure(message_ids=False)
    odd = [{"kind": "operator", "text": "I was here"}, {"kind": "info", "text": "Moved"}, {"kind": 5}]
    await webim.open_chat(messages=["A", *odd, {"button": {"id": "b1", "text": "B"}}])
    assert bot.received[0]["messages"] == [
        {"kind": "visitor", "text": "A"},
        *odd,
        {"kind": "keyboard_response", "data": {"button": {"id": "b1", "text": "B"}}},
    ]


async def test_a_v2_message_names_the_chat_and_never_the_visitor(webim: Webim, bot: Bot) -> None:
    chat_id = (await webim.open_chat()).chat_id
    said = await webim.visitor(chat_id, "more")
    message = {"id": said.message["id"], "kind": "visitor", "text": "more"}
    assert bot.received[1] == {"event": "new_message", "chat_id": 1, "message": message}


async def test_a_shown_button_is_pressed_by_its_id(webim: Webim, bot: Bot) -> None:
    chat_id = (await webim.open_chat()).chat_id
    keyboard = {"kind": "keyboard", "buttons": [[{"id": "b1", "text": "Delivery"}]]}
    await bot.call("send_message", {"chat_id": chat_id, "message": keyboard})
    said = await webim.visitor(chat_id, button="b1")
    told = bot.received[-1]["message"]
    assert (told["kind"], told["data"]["button"]) == ("keyboard_response", {"id": "b1", "text": "Delivery"})
    assert told["data"]["request"]["messageId"] == (await webim.chat(chat_id)).messages[0]["id"]
    assert said.delivery.status == 200
    with pytest.raises(AssertionError, match="no button b2"):
        await webim.visitor(chat_id, button="b2")


async def test_v1_events_have_their_own_shape(webim: Webim, bot: Bot) -> None:
    await webim.configure(profile="v1")
    bot.answers = [(200, {"has_answer": True, "messages": []}) for _ in range(3)]
    chat_id = (await webim.open_chat(messages=["Hello"])).chat_id
    await webim.visitor(chat_id, "more")
    await webim.visitor(chat_id, button={"id": "b1", "text": "Delivery"})
    assert str(UUID(str(chat_id))) == chat_id
    assert bot.received[0]["messages"] == [{"kind": "visitor", "text": "Hello"}]
    assert bot.received[1:] == [
        {"event": "new_message", "chat": {"id": chat_id}, "kind": "visitor", "text": "more"},
        {
            "event": "new_message",
            "chat": {"id": chat_id},
            "kind": "keyboard_response",
            "response": {"button": {"id": "b1", "text": "Delivery"}},
        },
    ]


@pytest.mark.parametrize(
    ("profile", "version", "api_version"),
    [
        pytest.param("v1", "10.5.62", "1.0", id="v1"),
        pytest.param("v1-actions", "10.5.62", "1.0", id="v1 with actions"),
        pytest.param("v2", "10.5.62", "2.0", id="v2"),
        pytest.param("v2", "10.3", "2.0", id="the first version that sends them"),
        pytest.param("v2", "10.1", None, id="before it"),
        pytest.param("v2-old", "10.5.62", None, id="v2-old"),
    ],
)
async def test_the_headers_tell_the_dialect_and_the_version(
    webim: Webim, bot: Bot, profile: str, version: str, api_version: str | None
) -> None:
    await webim.configure(profile=profile, version=version)
    await webim.open_chat()
    headers = bot.headers[0]
    assert headers["content-type"] == "application/json"
    assert headers.get("x-bot-api-version") == api_version
    assert headers.get("x-webim-version") == (None if api_version is None else version)
    assert len(THREE_HEADERS & set(headers)) == (0 if api_version is None else 3)


async def test_basic_credentials_go_along_if_set(webim: Webim, bot: Bot) -> None:
    await webim.configure(basic_user="webim", basic_password="pass")  # noqa: S106 - of this test
    await webim.open_chat()
    assert bot.headers[0]["authorization"].lower() == "basic d2viaw06cgfzcw=="


async def test_a_run_has_the_same_ids_as_the_last_one(webim: Webim, bot: Bot) -> None:
    runs = []
    for _ in range(2):
        await webim.reset()
        await webim.configure(endpoint_url=bot.url, chat_ids="uuid")
        runs.append((await webim.open_chat(messages=["Hello"])).delivery.body)
    assert runs[0] == runs[1]


async def test_ids_of_chats_begin_where_the_test_says(webim: Webim, bot: Bot) -> None:
    await webim.configure(first_chat_id=700)
    assert [(await webim.open_chat()).chat_id for _ in range(2)] == [700, 701]


async def test_what_is_written_to_an_operator_is_not_told_the_bot(webim: Webim, bot: Bot) -> None:
    chat_id = (await webim.open_chat()).chat_id
    await webim.operator(chat_id, "Here I am")
    assert (await webim.visitor(chat_id, "at last")).deliveries == ()
    assert len(bot.received) == 1
    assert (await webim.visitor(chat_id, "and you?", deliver=True)).delivery.status == 200
    assert bot.received[1]["message"]["text"] == "and you?"
    chat = await webim.chat(chat_id)
    assert chat.owner == "operator:240001"
    assert chat.texts() == ["Here I am", "at last", "and you?"]


async def test_an_operator_who_is_not_there_cannot_write(webim: Webim, bot: Bot) -> None:
    chat_id = (await webim.open_chat()).chat_id
    with pytest.raises(AssertionError, match="no such operator"):
        await webim.operator(chat_id, "Hi", operator_id=240002)


async def test_a_chat_given_back_is_a_new_chat_with_all_that_was_said(webim: Webim, bot: Bot) -> None:
    chat_id = (await webim.open_chat(messages=["Hello"])).chat_id
    await bot.say(chat_id, "One moment")
    await webim.operator(chat_id, "Here I am")
    returned = await webim.return_to_bot(chat_id)
    assert returned.delivery.body["event"] == "new_chat"
    assert returned.delivery.body["chat"] == {"id": chat_id}
    assert [one["kind"] for one in bot.received[1]["messages"]] == ["visitor", "operator", "operator"]
    assert (await webim.chat(chat_id)).owner == "bot"


async def test_webim_can_take_a_chat_from_the_bot_by_itself(webim: Webim, bot: Bot) -> None:
    chat_id = (await webim.open_chat()).chat_id
    await webim.to_queue(chat_id)
    assert (await bot.say(chat_id, "Hi")).json()["error"] == "chat-not-assigned"


@pytest.mark.parametrize(
    ("shape", "body"),
    [
        pytest.param("chat", {"chat": {"id": 1}}, id="chat.id"),
        pytest.param("chat_id", {"chat_id": 1}, id="chat_id"),
        pytest.param("id", {"id": 1}, id="id"),
        pytest.param("none", {}, id="no id at all"),
    ],
)
async def test_handlers_are_called_if_there_are_any(
    webim: Webim, bot: Bot, shape: str, body: dict[str, object]
) -> None:
    names = ("chat_started", "chat_assigned", "chat_closed")
    handlers = {name: f"{bot.url}/handlers/{name}" for name in names}
    await webim.configure(handlers=handlers, handler_body=shape)
    opened = await webim.open_chat()
    await webim.operator(opened.chat_id, "Hi")
    closed = await webim.close(opened.chat_id)
    assert closed[0].status == 200
    assert [path.split()[1].rpartition("/")[2] for path in bot.paths] == ["chat_started", "bot", *names[1:]]
    assert [bot.received[place] for place in (0, 2, 3)] == [body] * 3


async def test_closing_tells_nobody_where_no_handler_is_set(webim: Webim, bot: Bot) -> None:
    opened = await webim.open_chat()
    assert await webim.close(opened.chat_id, by="visitor") == ()
    assert (await webim.chat(opened.chat_id)).owner == "closed"
    assert len(bot.received) == 1


async def test_an_order_that_makes_no_sense_is_refused_with_the_reason(webim: Webim, bot: Bot) -> None:
    async with httpx2.AsyncClient(base_url=webim.url, trust_env=False) as client:
        for path, body, status in (
            ("/_sim/chats/5/visitor", {"text": "Hi"}, 404),
            ("/_sim/config", {"profil": "v1"}, 422),
            ("/_sim/deliver-mode", {"mode": "burst"}, 422),
            ("/_sim/faults", {"staus": 503}, 422),
        ):
            answer = await client.post(path, json=body)
            assert answer.status_code == status, path
            assert answer.json()["error"]
