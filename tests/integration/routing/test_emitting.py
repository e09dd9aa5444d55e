"""Events that programs emit by the task heimdall_emit, and the results that come back to them."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from nats.aio.msg import Msg

from broker import Run, Service
from broker.codec import decode, encode
from broker.domain import headers as names
from broker.domain.ids import OrgId
from broker.domain.subjects import CommandSubject, Kind
from broker.domain.wire import Body
from broker.runtime.embedded import EmbeddedServer
from tests.conftest import poll
from tests.integration.routing.conftest import Chat
from tests.integration.runtime.serving import serving


def task(path: str, session: str, mechanism: str = "*", **members: object) -> Body:
    data = {"webchat": {"sessionuuid": session, "webchat_control_event": {"paid": True}}}
    params = {"path": path, "mechanism": mechanism, "data": data, **members}
    return {"tasktype": "heimdall_emit", "params": params}


async def ask(chat: Chat, body: Body, headers: dict[str, str]) -> Body:
    subject = str(CommandSubject(OrgId(chat.org), "emit"))
    return decode((await chat.connection.request(subject, encode(body), headers=headers)).data)


async def test_an_emitted_event_is_one_of_the_conversation_and_runs_what_is_registered(chat: Chat) -> None:
    conversation = chat.conversation()
    path = conversation.subject(Kind.NOTICE)
    await chat.register(path, stub="svc.A", action="evt", mechanism="evt")
    await chat.register(path, stub="svc.A", action="cbh", mechanism="cbh")
    reply = await chat.command("emit", task(path, conversation.session, "evt"))
    [(stub, action, post)] = await chat.expect_runs(1)
    assert (stub, action) == ("svc.A", "evt")
    assert post["data"]["heimdall"]["webchat"]["webchat_control_event"] == {"paid": True}
    [emitted] = reply["emitted"]
    assert (emitted["path"], emitted["mechanism"], emitted["duplicate"]) == (path, "evt", False)
    [event] = (await chat.command("transcript", {"sessionuuid": conversation.session}))["events"]
    assert event["sequence"] == emitted["sequence"]


async def test_an_event_that_is_emitted_twice_with_one_id_is_stored_once(chat: Chat) -> None:
    conversation = chat.conversation()
    path = conversation.subject(Kind.NOTICE)
    await chat.register(path, stub="svc.A", action="go")
    event_id = {names.MESSAGE_ID: str(uuid4())}
    strings = [f"evt|{path}", f"*|{path}"]
    emit = task(path, conversation.session, path_strings=strings)
    replies = [await ask(chat, emit, event_id) for _ in range(2)]
    assert [one["duplicate"] for one in replies[0]["emitted"]] == [False, False]
    assert [one["duplicate"] for one in replies[1]["emitted"]] == [True, True]
    await chat.expect_runs(2)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        pytest.param("{prefix}.*", "not_emittable", id="a wildcard"),
        pytest.param("{conversation}.notification", "not_emittable", id="what a stub says"),
        pytest.param("{other}.webchatmessagetype.notice", "forbidden", id="another org"),
    ],
)
async def test_what_may_not_be_emitted_is_refused_and_nothing_is_stored(chat: Chat, path: str, code: str) -> None:
    conversation = chat.conversation()
    other = conversation.prefix.replace(chat.org, str(uuid4()))
    wrong = path.format(prefix=chat.path.prefix, conversation=conversation.prefix, other=other)
    strings = [f"*|{conversation.subject(Kind.NOTICE)}", f"*|{wrong}"]
    reply = await chat.command("emit", task(wrong, conversation.session, path_strings=strings))
    assert reply["error"]["code"] == code
    await chat.settled()
    assert await chat.facts(conversation, Kind.NOTICE) == []


async def test_a_session_of_another_chat_is_forbidden(chat: Chat) -> None:
    conversation = chat.conversation()
    await chat.open(conversation)
    await chat.settled()
    other = Chat(chat.connection, chat.publisher, chat.org, "draftother").path.conversation(conversation.session)
    reply = await chat.command("emit", task(other.subject(Kind.NOTICE), conversation.session))
    assert reply["error"]["code"] == "forbidden"


async def test_an_inbox_is_carried_to_the_run_and_anything_else_is_refused(chat: Chat) -> None:
    """The test plays the service: it publishes the result where the run says."""
    conversation = chat.conversation()
    path = conversation.subject(Kind.NOTICE)
    await chat.register(path, stub="svc.A", action="answer", mechanism="evb")
    inbox = chat.connection.new_inbox()
    results: asyncio.Queue[Body] = asyncio.Queue()

    async def received(message: Msg) -> None:
        results.put_nowait(decode(message.data))

    async def answer(message: Msg) -> None:
        reply = {"stub": "svc.A", "action": "answer", "result": {"yes": True}}
        await chat.connection.publish((message.headers or {})[names.REPLY], encode(reply))

    await chat.connection.subscribe(inbox, received)
    await chat.connection.subscribe(f"stubber.systems.stubs.org.{chat.org}.>", answer)
    await ask(chat, task(path, conversation.session, "evb"), {names.REPLY: inbox})
    assert await asyncio.wait_for(results.get(), 5) == {"stub": "svc.A", "action": "answer", "result": {"yes": True}}
    refused = await ask(chat, task(path, conversation.session, "evb"), {names.REPLY: path})
    assert refused["error"]["code"] == "bad_name"


async def test_the_result_of_each_run_goes_back_to_whoever_emitted_the_event(
    chat: Chat, server: EmbeddedServer
) -> None:
    """All of it is real: the linker, and a service on the kit."""
    conversation, service, heard = chat.conversation(), Service("teller"), list[Body]()
    path = conversation.subject(Kind.NOTICE)

    @service.action("answer")
    async def answer(run: Run) -> object:
        return {"stub": str(run.stub), "paid": run.data["heimdall"]["webchat"]["webchat_control_event"]["paid"]}

    async def hear(message: Msg) -> None:
        heard.append(decode(message.data))

    inbox = chat.connection.new_inbox()
    await chat.connection.subscribe(inbox, hear)
    async with serving(service, server.url, chat.org) as served:
        for name in ("one", "two"):
            stub = await served.stub(name)
            await chat.register(path, stub=str(stub), action="answer", mechanism="evb")
        await ask(chat, task(path, conversation.session, "evb"), {names.REPLY: inbox})
        await poll(lambda: len(heard) == 2)
    assert sorted(told["result"]["stub"] for told in heard) == ["teller.one", "teller.two"]
    assert all(told["result"]["paid"] for told in heard)
