"""Version 1 over real HTTP: the answer is in the call."""

from __future__ import annotations

import asyncio
import time

import pytest

from broker.runtime.embedded import EmbeddedServer
from tests.conftest import TIME_FACTOR, poll
from tests.integration.webim.conftest import V1, Json, Webim, running_webim
from workers.webim.chat.chats import Question

CHAT = "9401b039-ace3-4619-b884-a24e0aaf7adb"
HELLO: Json = {
    "event": "new_chat",
    "chat": {"id": CHAT},
    "visitor": {"id": "51b6"},
    "messages": [{"kind": "visitor", "text": "Hello"}],
}
SILENT: Json = {"event": "new_chat", "chat": {"id": CHAT}}
HI: Json = {"type": "text", "text": "Hi!"}
OPERATOR_HI = {"kind": "operator", "text": "Hi!"}
REDIRECT: Json = {"type": "redirect_to_operator", "operator_id": "240001"}


def said(text: str, **more: object) -> Json:
    return {"event": "new_message", "chat": {"id": CHAT}, "kind": "visitor", "text": text, **more}


class Answering:
    """Answers each question with what it was given, and counts."""

    def __init__(self, webim: Webim, *replies: Json, **more: object) -> None:
        self.webim = webim
        self.response = {"replies": list(replies), **more}
        self.questions: list[Json] = []

    async def __call__(self, question: Json) -> None:
        self.questions.append(question)
        response = {"question_id": question["question_id"], **self.response}
        await self.webim.notify(question["session_id"], response=response)


async def test_check_22_the_answer_is_in_the_call_and_told_by_a_receipt(webim: Webim) -> None:
    buttons = {"type": "buttons", "buttons": [{"text": "Delivery", "id": "b1"}]}
    async with webim.program(Answering(webim, HI, buttons)):
        answer = await webim.post(HELLO, headers=V1)
    keyboard = {"kind": "keyboard", "buttons": [[{"id": "b1", "text": "Delivery"}]]}
    assert (answer.status_code, answer.json()) == (200, {"has_answer": True, "messages": [OPERATOR_HI, keyboard]})
    session = (await webim.chat(CHAT)).session
    assert [receipt["status"] for receipt in await webim.receipts(session)] == ["delivered"]
    assert (await webim.questions())[0]["api_version"] == "1"


async def test_check_23_a_silent_program_means_no_answer_and_a_late_one_is_discarded(webim: Webim) -> None:
    await webim.put_channel(v1_timeout_ms=500)
    begun_s = time.monotonic()
    answer = await webim.post(HELLO, headers=V1)
    assert answer.json() == {"has_answer": False}
    assert time.monotonic() - begun_s >= 0.5
    chat = await webim.chat(CHAT)
    assert chat.state == "transferred"
    stored = await webim.notify(chat.session, response={"replies": [HI]})
    await poll(lambda: _told(webim, chat.session, stored.sequence), within_s=10)
    [receipt] = await webim.receipts(chat.session)
    assert (receipt["status"], receipt["reason"]) == ("failed", "late_reply")


async def _told(webim: Webim, session: str, sequence: int) -> bool:
    return any(receipt["notification"] == sequence for receipt in await webim.receipts(session))


async def test_a_new_message_of_version_1_is_answered_in_the_same_session(webim: Webim) -> None:
    answering = Answering(webim, HI)
    async with webim.program(answering):
        await webim.post(HELLO, headers=V1)
        pressed = {"event": "new_message", "chat": {"id": CHAT}, "kind": "keyboard_response"}
        button = {"id": "b1", "text": "Delivery"}
        answer = await webim.post({**pressed, "response": {"button": button}}, headers=V1)
    assert answer.json()["messages"] == [OPERATOR_HI]
    first, second = answering.questions
    assert (second["query"], second["data"]["button"]) == ("Delivery", button)
    assert first["session_id"] == second["session_id"]


async def test_plain_messages_are_gathered_until_it_is_silent(webim: Webim) -> None:
    async def answer_in_parts(question: Json) -> None:
        for text in ("one", "two", "three"):
            await webim.notify(question["session_id"], message={"type": "text", "value": text})
            await asyncio.sleep(0.05)

    async with webim.program(answer_in_parts):
        answer = await webim.post(HELLO, headers=V1)
    assert [message["text"] for message in answer.json()["messages"]] == ["one", "two", "three"]
    receipts = await webim.receipts((await webim.chat(CHAT)).session)
    assert [receipt["status"] for receipt in receipts] == ["delivered"] * 3


async def test_an_answer_to_another_question_is_late(webim: Webim) -> None:
    async def answer(question: Json) -> None:
        await webim.notify(question["session_id"], response={"question_id": "another", "replies": [HI]})
        other = {"type": "text", "text": "right"}
        response = {"question_id": question["question_id"], "replies": [other]}
        await webim.notify(question["session_id"], response=response)

    async with webim.program(answer):
        found = await webim.post(HELLO, headers=V1)
    assert [message["text"] for message in found.json()["messages"]] == ["right"]
    receipts = await webim.receipts((await webim.chat(CHAT)).session)
    assert sorted((receipt["status"], receipt.get("reason")) for receipt in receipts) == [
        ("delivered", None),
        ("failed", "late_reply"),
    ]


async def test_a_repeated_call_gets_the_same_answer_and_asks_nobody(webim: Webim) -> None:
    answering = Answering(webim, HI)
    async with webim.program(answering):
        first = await webim.post(HELLO, headers=V1)
        again = await webim.post(HELLO, headers=V1)
        told = await webim.post(said("more", id="m1"), headers=V1)
        told_again = await webim.post(said("more", id="m1"), headers=V1)
    assert first.json() == again.json() == told.json() == told_again.json()
    assert len(answering.questions) == 2


async def test_the_same_call_ten_times_at_once_is_one_question_with_one_answer(webim: Webim) -> None:
    answering = Answering(webim, HI)
    async with webim.program(answering):
        answers = await asyncio.gather(*(webim.post(HELLO, headers=V1) for _ in range(10)))
    assert {answer.text for answer in answers} == {answers[0].text}
    assert answers[0].json()["messages"] == [OPERATOR_HI]
    assert len(answering.questions) == 1


async def test_the_same_call_in_two_processes_at_once_gets_the_same_answer_from_both(
    webim: Webim, server: EmbeddedServer, org: str
) -> None:
    await webim.put_channel(v1_timeout_ms=1_500)
    answering = Answering(webim, HI)
    async with running_webim(server.url, org) as second, webim.program(answering):
        second.channel = webim.channel
        await poll(lambda: _is_known(second))
        answers = await asyncio.gather(*(process.post(HELLO, headers=V1) for process in (webim, second) * 3))
    assert [answer.json()["messages"] for answer in answers] == [[OPERATOR_HI]] * 6
    assert len(answering.questions) == 1
    assert (await webim.chat(CHAT)).state == "active"


async def _is_known(webim: Webim) -> bool:
    return (await webim.post({"event": "unknown"}, headers=V1)).status_code == 200


@pytest.mark.parametrize(
    ("mode", "actions", "body", "state"),
    [
        pytest.param(
            "emit",
            [REDIRECT],
            {"has_answer": True, "messages": [OPERATOR_HI], "actions": [REDIRECT]},
            "transferred",
            id="a redirect is told",
        ),
        pytest.param("queue", [REDIRECT], {"has_answer": False}, "transferred", id="a redirect means no answer"),
        pytest.param(
            "emit",
            [{"type": "closeChat"}],
            {"has_answer": True, "messages": [OPERATOR_HI], "actions": [{"type": "close_chat"}]},
            "closed",
            id="a close is told in snake case",
        ),
        pytest.param(
            "queue",
            [{"type": "close_chat"}],
            {"has_answer": True, "messages": [OPERATOR_HI]},
            "active",
            id="a close is unsupported",
        ),
    ],
)
async def test_actions_follow_the_channels_setting(
    webim: Webim, mode: str, actions: list[Json], body: Json, state: str
) -> None:
    await webim.put_channel(v1_actions=mode)
    async with webim.program(Answering(webim, HI, actions=actions)):
        answer = await webim.post(HELLO, headers=V1)
    assert answer.json() == body
    assert (await webim.chat(CHAT)).state == state


async def test_a_transfer_told_in_the_answer_unlinks_the_session_and_tells_the_program(webim: Webim) -> None:
    async with webim.program(Answering(webim, HI, actions=[REDIRECT])):
        await webim.post(HELLO, headers=V1)
    kinds = [kind for kind in await webim.kinds() if kind not in {"receipt", "notification"}]
    assert kinds == ["firstmessage", "notice", "stubsession.delete"]
    started = (await webim.questions())[-1]
    assert (started["event"], started["event_data"]) == ("livechatStarted", {"target": "operator", "id": "240001"})


async def test_the_replies_to_a_silent_start_are_not_shown_and_the_chat_stays_with_the_bot(webim: Webim) -> None:
    async with webim.program(Answering(webim, HI)):
        answer = await webim.post(SILENT, headers=V1)
    assert answer.json() == {"has_answer": True, "messages": []}
    chat = await webim.chat(CHAT)
    assert chat.state == "active"
    assert [receipt["status"] for receipt in await webim.receipts(chat.session)] == ["skipped"]


async def test_the_replies_to_a_silent_start_are_shown_where_the_channel_says_so(webim: Webim) -> None:
    await webim.put_channel(deliver_init_replies=True)
    async with webim.program(Answering(webim, HI)):
        answer = await webim.post(SILENT, headers=V1)
    assert answer.json()["messages"] == [OPERATOR_HI]


async def test_a_silent_start_that_nobody_takes_is_no_error(webim: Webim) -> None:
    await webim.put_channel(v1_timeout_ms=500)
    assert (await webim.post(SILENT, headers=V1)).json() == {"has_answer": True, "messages": []}
    assert (await webim.chat(CHAT)).state == "active"


async def test_the_end_of_a_session_lets_the_next_message_open_another(webim: Webim) -> None:
    answering = Answering(webim, HI, endSession=True)
    async with webim.program(answering):
        await webim.post(HELLO, headers=V1)
        await webim.post(said("more"), headers=V1)
    first, second = answering.questions
    assert first["session_id"] != second["session_id"]
    assert (second["new_session"], second["visitor_id"]) == (True, "51b6")


async def test_check_34_two_chats_of_one_visitor_get_their_own_answers(webim: Webim) -> None:
    async def echo(question: Json) -> None:
        reply = {"type": "text", "text": question["conversation_id"]}
        response = {"question_id": question["question_id"], "replies": [reply]}
        await webim.notify(question["session_id"], response=response)

    async def ask(chat: str) -> Json:
        found: Json = (await webim.post({**HELLO, "chat": {"id": chat}}, headers=V1)).json()
        return found

    async with webim.program(echo):
        chats = [f"chat-{number}" for number in range(8)]
        answers = await asyncio.gather(*(ask(chat) for chat in chats))
    assert [answer["messages"][0]["text"] for answer in answers] == chats


async def test_what_webim_ignores_in_version_1_leaves_the_chat_with_the_bot(webim: Webim) -> None:
    for body in ({"event": "chat_edited"}, said("  "), {"event": "new_message", "chat_id": 1, "kind": "info"}):
        assert (await webim.post(body, headers=V1)).json() == {"has_answer": True, "messages": []}
    assert await webim.events() == []


async def test_the_answer_comes_long_before_the_time_is_up(webim: Webim) -> None:
    await webim.put_channel(v1_timeout_ms=25_000)
    async with webim.program(Answering(webim, HI)):
        async with asyncio.timeout(10 * TIME_FACTOR):
            assert (await webim.post(HELLO, headers=V1)).json()["has_answer"] is True


async def test_a_question_whose_process_died_went_to_the_queue_and_the_next_call_says_so(webim: Webim) -> None:
    async with webim.program(Answering(webim, HI)):
        await webim.post(HELLO, headers=V1)
    await webim.change_chat(CHAT, question=Question(id="lost", until_ms=1))
    assert (await webim.post(said("still there?"), headers=V1)).json() == {"has_answer": True, "messages": []}
    assert (await webim.chat(CHAT)).state == "transferred"
    started = (await webim.questions())[-1]
    assert (started["event"], started["event_data"]) == ("livechatStarted", {"target": "queue", "id": None})
    assert [letter["reason"] for letter in await webim.letters()] == ["chat_with_operator"]


async def test_a_question_whose_process_died_went_to_the_queue_and_a_late_answer_says_so(webim: Webim) -> None:
    async with webim.program(Answering(webim, HI)):
        await webim.post(HELLO, headers=V1)
    await webim.change_chat(CHAT, question=Question(id="lost", until_ms=1))
    session = (await webim.chat(CHAT)).session
    await webim.notify(session, response={"question_id": "lost", "replies": [HI]})
    await poll(lambda: _is_transferred(webim))
    assert (await webim.questions())[-1]["event"] == "livechatStarted"
    assert (await webim.receipts(session))[-1]["reason"] == "late_reply"


async def _is_transferred(webim: Webim) -> bool:
    return (await webim.chat(CHAT)).state == "transferred"


async def test_a_repeated_message_whose_first_call_failed_before_it_was_stored_is_asked_after_all(webim: Webim) -> None:
    answering = Answering(webim, HI)
    async with webim.program(answering):
        await webim.post(HELLO, headers=V1)
        await webim.post(said("more", id="m1"), headers=V1)
        asked = answering.questions[-1]["question_id"]
        open_again = Question(id=asked, until_ms=int(time.time() * 1000) + 60_000)
        await webim.change_chat(CHAT, question=open_again, answered=None, answer=None)
        repeated = asyncio.ensure_future(webim.post(said("more", id="m1"), headers=V1))
        await poll(lambda: _asks_until(webim, asked))
        await answering({"question_id": asked, "session_id": (await webim.chat(CHAT)).session})
    assert (await repeated).json()["messages"] == [OPERATOR_HI]
    assert [question["query"] for question in await webim.questions()] == ["Hello", "more"]


async def _asks_until(webim: Webim, question: str) -> bool:
    found = (await webim.chat(CHAT)).question
    return found is not None and found.id == question and found.until_ms < int(time.time() * 1000) + 50_000


async def test_a_worker_that_stops_answers_the_calls_that_wait(webim: Webim) -> None:
    await webim.put_channel(v1_timeout_ms=25_000)
    call = asyncio.ensure_future(webim.post(HELLO, headers=V1))
    await poll(lambda: _has_asked(webim))
    webim.stop.set()
    assert (await call).json() == {"has_answer": False}
    assert (await webim.chat(CHAT)).state == "transferred"


async def _has_asked(webim: Webim) -> bool:
    return len(await webim.questions()) == 1
