"""Webim's calls over real HTTP, and what the log holds afterwards: v2."""

from __future__ import annotations

import asyncio

import pytest

from tests.integration.webim.conftest import V1, V2, Json, Webim

HELLO: Json = {
    "event": "new_chat",
    "chat": {"id": "9401b039-ace3-4619-b884-a24e0aaf7adb"},
    "visitor": {"id": "51b6d2d74ac24af38cbfbb7cf5529845", "fields": {"name": "John", "phone": "+70000000000"}},
    "location": {"address": "main"},
    "messages": [{"kind": "visitor", "text": "Hello"}, {"kind": "visitor", "text": "Could you help me?"}],
}
CHAT: str = HELLO["chat"]["id"]
PRESSED: Json = {"button": {"id": "b1", "text": "Delivery"}}


async def test_check_14_the_texts_of_a_new_chat_are_one_query_in_a_new_session(webim: Webim) -> None:
    texts = [{"kind": "visitor", "text": text} for text in "ABC"]
    answer = await webim.post({**HELLO, "messages": texts})
    assert (answer.status_code, answer.json()) == (200, {"result": "ok"})
    [question] = await webim.questions()
    assert (question["query"], question["new_session"], question.get("event")) == ("A\nB\nC", True, None)
    assert question["data"]["messages"] == texts
    assert await webim.kinds() == ["firstmessage"]


async def test_check_15_only_the_visitors_words_are_the_query_of_a_new_chat(webim: Webim) -> None:
    messages = [
        {"kind": "info", "text": "The chat was opened"},
        {"kind": "visitor", "text": " first "},
        {"kind": "operator", "text": "Good day"},
        {"kind": "visitor", "text": " "},
        {"kind": "keyboard", "data": {"buttons": [[{"id": "b1", "text": "Delivery"}]]}},
        {"kind": "keyboard_response", "data": {"button": {"id": "b1", "text": "Delivery"}}},
        {"kind": "file_operator", "data": {"url": "https://shop.example/a.png", "name": "a.png"}},
        {"kind": "visitor", "text": "last"},
    ]
    body = {**HELLO, "messages": messages}
    assert (await webim.post(body)).json() == {"result": "ok"}
    [question] = await webim.questions()
    assert question["query"] == "first\nDelivery\nlast"
    assert (question["data"]["files"], question["data"]["button"]) == ([], PRESSED["button"])
    assert question["raw_request"] == body


@pytest.mark.parametrize("chat_id", [1, "1", 2**53 + 1, CHAT], ids=["integer", "digits", "large", "uuid"])
async def test_check_19_a_chats_id_is_a_text_for_programs_and_stays_what_it_was_in_the_call(
    webim: Webim, chat_id: int | str
) -> None:
    await webim.post({"event": "new_chat", "chat": {"id": chat_id}})
    await webim.say(chat_id, "hello")
    opened, said = await webim.questions()
    for question in (opened, said):
        assert (question["conversation_id"], question["data"]["chatId"]) == (str(chat_id), str(chat_id))
    assert opened["session_id"] == said["session_id"]
    found = (opened["raw_request"]["chat"]["id"], said["raw_request"]["chat_id"])
    assert [(type(one), one) for one in found] == [(type(chat_id), chat_id)] * 2


@pytest.mark.parametrize(
    ("headers", "call"),
    [
        pytest.param(V2, {"chat_id": 7, "message": {"kind": "keyboard_response", "data": PRESSED}}, id="2"),
        pytest.param(V2, {"chat_id": 7, "message": {"kind": "keyboard_response", "response": PRESSED}}, id="2, older"),
        pytest.param(V1, {"chat": {"id": 7}, "kind": "keyboard_response", "response": PRESSED}, id="1"),
    ],
)
async def test_check_21_a_pressed_button_says_its_text_and_its_id_is_beside_it(
    webim: Webim, headers: dict[str, str], call: Json
) -> None:
    await webim.put_channel(v1_timeout_ms=500)
    assert (await webim.post({"event": "new_message", **call}, headers=headers)).status_code == 200
    question = (await webim.questions())[0]
    assert (question["query"], question.get("event")) == ("Delivery", None)
    assert question["data"]["button"] == PRESSED["button"]


async def test_the_envelope_tells_what_the_specification_lists(webim: Webim) -> None:
    await webim.post(HELLO)
    [event] = await webim.events()
    question = event.request
    assert question.pop("question_id") != question["session_id"]
    assert question.pop("received_at").endswith("Z")
    assert question == {
        "channel_id": webim.channel.id,
        "channel_type": "webim",
        "branch": "master",
        "commit": "c0ffee",
        "conversation_id": CHAT,
        "client_id": CHAT,
        "visitor_id": "51b6d2d74ac24af38cbfbb7cf5529845",
        "session_id": event.session,
        "new_session": True,
        "query": "Hello\nCould you help me?",
        "data": {"chatId": CHAT, "messages": HELLO["messages"], "files": []},
        "user_from": {"id": "51b6d2d74ac24af38cbfbb7cf5529845", "firstName": "John", "phone": "+70000000000"},
        "raw_request": HELLO,
        "api_version": "2",
    }
    assert event.body["heimdall"]["webim"]["webim_message"] == {"type": "text", "value": "Hello\nCould you help me?"}


@pytest.mark.parametrize(
    "messages",
    [
        pytest.param(..., id="absent"),
        pytest.param(None, id="null"),
        pytest.param([], id="empty"),
        pytest.param([{"kind": "visitor", "text": " \n"}, {"kind": "operator", "text": "Hi"}], id="only blanks"),
    ],
)
async def test_check_16_a_chat_without_words_is_one_event_with_the_whole_call(webim: Webim, messages: object) -> None:
    body = {key: value for key, value in HELLO.items() if key != "messages"}
    if messages is not ...:
        body["messages"] = messages
    assert (await webim.post(body)).json() == {"result": "ok"}
    [question] = await webim.questions()
    assert (question["event"], question.get("query"), question["new_session"]) == ("newChatStarted", None, True)
    assert question["event_data"] == body == question["raw_request"]
    assert await webim.kinds() == ["notice"]


async def test_the_first_words_after_a_silent_start_are_a_first_message_of_the_same_session(webim: Webim) -> None:
    await webim.post({"event": "new_chat", "chat": {"id": 7}})
    await webim.say(7, "hello")
    await webim.say(7, "again")
    assert await webim.kinds() == ["notice", "firstmessage", "message"]
    sessions = {question["session_id"] for question in await webim.questions()}
    assert len(sessions) == 1
    assert [question["new_session"] for question in await webim.questions()] == [True, False, False]


async def test_check_32_the_same_new_chat_twice_is_one_session_and_one_event(webim: Webim) -> None:
    answers = [await webim.post(HELLO), await webim.post(HELLO)]
    assert [answer.json() for answer in answers] == [{"result": "ok"}] * 2
    assert len(await webim.events()) == 1


async def test_check_32_the_same_new_chat_ten_times_at_once_is_one_session_and_one_event(webim: Webim) -> None:
    answers = await asyncio.gather(*(webim.post(HELLO) for _ in range(10)))
    assert [answer.json() for answer in answers] == [{"result": "ok"}] * 10
    assert len(await webim.events()) == 1


async def test_a_new_chat_after_other_events_begins_a_new_session_and_ends_the_old_one(webim: Webim) -> None:
    await webim.post(HELLO)
    await webim.say(CHAT, "more")
    await webim.post(HELLO)
    assert await webim.kinds() == ["firstmessage", "message", "ended", "firstmessage"]
    first, _, second = await webim.questions()
    assert first["session_id"] != second["session_id"]
    assert second["new_session"] is True


async def test_check_33_a_message_of_an_unknown_chat_opens_a_session_without_a_visitor(webim: Webim) -> None:
    assert (await webim.say(42, "anybody?")).json() == {"result": "ok"}
    [question] = await webim.questions()
    assert (question["new_session"], question.get("visitor_id"), question["query"]) == (True, None, "anybody?")


async def test_check_35_twenty_messages_of_one_chat_keep_their_order(webim: Webim) -> None:
    await webim.post(HELLO)
    texts = [str(number) for number in range(20)]
    for text in texts:
        assert (await webim.say(CHAT, text)).status_code == 200
    said = [question["query"] for question in await webim.questions()][1:]
    assert said == texts


async def test_messages_of_one_chat_that_come_at_once_are_all_there_and_each_once(webim: Webim) -> None:
    texts = {str(number) for number in range(40)}
    answers = await asyncio.gather(*(webim.say(number, text) for text in texts for number in (1, "1-")))
    assert {answer.status_code for answer in answers} == {200}
    said = [(question["conversation_id"], question["query"]) for question in await webim.questions()]
    assert sorted(said) == sorted((chat, text) for text in texts for chat in ("1", "1-"))
    assert [question["new_session"] for question in await webim.questions()].count(True) == 2


async def test_v2_headers_are_taken_from_webim(webim: Webim) -> None:
    await webim.post(HELLO, headers=V2)
    assert (await webim.chat(CHAT)).webim_version == "10.5.62"
