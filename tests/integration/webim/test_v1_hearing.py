"""Version 1: which of the things that are said meanwhile are the answer, and what becomes of the others."""

from __future__ import annotations

import asyncio
from uuid import uuid4

from broker.codec import encode
from broker.domain.ids import OrgId, SessionId
from broker.domain.subjects import ChatPath, Kind
from tests.integration.webim.conftest import V1, Json, Webim
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
