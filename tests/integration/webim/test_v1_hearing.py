"""Version 1: which of the things that are said meanwhile are the answer, and what becomes of the others."""

from __future__ import annotations

import asyncio
from uuid import uuid4

from broker.codec import encode
from broker.domain.ids import OrgId, SessionId
from broker.domain.subjects import ChatPath, Kind
from broker.runtime.embedded import EmbeddedServer
from tests.conftest import poll
from tests.integration.webim.conftest import V1, Json, Webim, running_webim
from workers.webim.channel import WEBIM

HELLO: Json = {
    "event": "new_chat",
    "chat": {"id": "chat-1"},
    "messages": [{"kind": "visitor", "text": "Hello"}],
}
HI: Json = {"type": "text", "text": "Hi!"}
ANSWER = {"has_answer": True, "messages": [{"kind": "operator", "text": "Hi!"}]}


async def test_what_another_org_says_of_a_session_is_not_the_answer(webim: Webim) -> None:
    async def answer(question: Json) -> None:
        session = SessionId(question["session_id"])
        response = {"question_id": question["question_id"], "replies": [{"type": "text", "text": "planted"}]}
        body = encode({"platforms": {"webim": {"sessionuuid": session, "webim_response": response}}})
        elsewhere = ChatPath(WEBIM, OrgId(str(uuid4())), webim.channel.path.chat)
        await webim.backbone.publisher.store(elsewhere.conversation(session).subject(Kind.NOTIFICATION), body)
        await asyncio.sleep(0.5)
        await webim.notify(session, response={"question_id": question["question_id"], "replies": [HI]})

    async with webim.program(answer):
        found = await webim.post(HELLO, headers=V1)
    assert found.json() == ANSWER


async def test_a_link_that_is_set_before_the_answer_is_not_the_answer(webim: Webim) -> None:
    async def answer(question: Json) -> None:
        await webim.notify(question["session_id"])
        await asyncio.sleep(0.6)
        await webim.notify(question["session_id"], message={"type": "text", "value": "Hi!"})

    async with webim.program(answer):
        found = await webim.post(HELLO, headers=V1)
    assert found.json() == ANSWER
    receipts = await webim.receipts((await webim.chat("chat-1")).session)
    assert [receipt["status"] for receipt in receipts] == ["skipped", "delivered"]


async def test_a_second_message_waits_for_the_answer_to_the_first_also_in_another_process(
    webim: Webim, server: EmbeddedServer, org: str
) -> None:
    asked: list[str | None] = []

    async def answer(question: Json) -> None:
        asked.append(question["query"])
        await asyncio.sleep(0.5)
        await webim.notify(question["session_id"], message={"type": "text", "value": f"to {question['query']}"})

    async with running_webim(server.url, org) as second, webim.program(answer):
        second.channel = webim.channel
        await poll(lambda: _is_known(second))
        await webim.post(HELLO, headers=V1)
        one = asyncio.ensure_future(webim.post(said("one"), headers=V1))
        await poll(lambda: asked[-1] == "one")
        two = await second.post(said("two"), headers=V1)
    shown = [[each["text"] for each in answer.json()["messages"]] for answer in (await one, two)]
    assert shown == [["to one"], ["to two"]]


async def test_a_redirect_is_carried_out_although_the_visitor_writes_on_to_another_process(
    webim: Webim, server: EmbeddedServer, org: str
) -> None:
    async def answer(question: Json) -> None:
        await asyncio.sleep(0.5)
        is_last = question["query"] == "one"
        actions = [{"type": "redirect_to_operator", "operator_id": "240001"}] if is_last else []
        response = {"question_id": question["question_id"], "replies": [HI], "actions": actions}
        await webim.notify(question["session_id"], response=response)

    async with running_webim(server.url, org) as second, webim.program(answer):
        second.channel = webim.channel
        await poll(lambda: _is_known(second))
        await webim.post(HELLO, headers=V1)
        one = asyncio.ensure_future(webim.post(said("one"), headers=V1))
        await poll(lambda: _asks(webim, 2))
        two = await second.post(said("two"), headers=V1)
    assert (await one).json()["actions"]
    assert two.json() == {"has_answer": True, "messages": []}
    assert (await webim.chat("chat-1")).state == "transferred"
    assert [letter["reason"] for letter in await webim.letters()] == ["chat_with_operator"]


async def test_what_no_call_has_heard_although_later_words_were_is_told_to_be_late(webim: Webim) -> None:
    async def answer(question: Json) -> None:
        await webim.notify(question["session_id"], response={"question_id": question["question_id"], "replies": [HI]})

    async with webim.program(answer):
        await webim.post(HELLO, headers=V1)
    session = (await webim.chat("chat-1")).session
    await webim.change_chat("chat-1", done=1_000_000_000)
    await webim.notify(session, message={"type": "text", "value": "between two calls"})
    await poll(lambda: _has_receipts(webim, session, 2))
    receipts = await webim.receipts(session)
    assert [(receipt["status"], receipt.get("reason")) for receipt in receipts] == [
        ("delivered", None),
        ("failed", "late_reply"),
    ]


async def _has_receipts(webim: Webim, session: str, count: int) -> bool:
    return len(await webim.receipts(session)) == count


def said(text: str) -> Json:
    return {"event": "new_message", "chat": {"id": "chat-1"}, "kind": "visitor", "text": text}


async def _is_known(webim: Webim) -> bool:
    return (await webim.post({"event": "unknown"}, headers=V1)).status_code == 200


async def _asks(webim: Webim, count: int) -> bool:
    return len(await webim.questions()) == count
