"""The kit behind the real linker: what a service's stubs are given, and what they can do about it."""

from __future__ import annotations

from typing import Any

import pytest
from nats.aio.msg import Msg

from broker import Run, Service, text
from broker.codec import decode
from broker.domain.subjects import Conversation, Kind
from broker.runtime.embedded import EmbeddedServer
from tests.conftest import poll
from tests.integration.routing.conftest import Chat
from tests.integration.runtime.serving import serving


@pytest.mark.check(28)
async def test_check_28_a_barred_feedback_action_runs_the_default_one_and_then_nobody_else(
    server: EmbeddedServer, chat: Chat
) -> None:
    service, seen = Service("shop"), list[tuple[str, str]]()

    @service.action("answer", states=["open"])
    async def answer(run: Run) -> None:
        seen.append(("answer", run.message))
        run.state = "busy"

    @service.action("_update_from_webchat", states=["busy"])
    async def default(run: Run) -> None:
        seen.append(("default", run.message))
        run.state = "shut"

    async with serving(service, server.url, chat.org) as served:
        stub = await served.stub("one", state="open")
        await chat.register(f"{chat.path.prefix}.*", stub="other.A", action="take", mechanism="cbh")
        conversation = chat.conversation()
        await chat.link_after_open(conversation, str(stub))
        await chat.link(conversation, str(stub), action="answer")
        for text in ("one", "two", "three"):
            await chat.say(conversation, text)

        async def all_ended() -> bool:
            return len(seen) + len(await chat.dead()) == 3

        await poll(all_ended)
        await chat.settled()
    assert seen == [("answer", "one"), ("default", "two")]
    letter = await chat.expect_dead("action_not_in_state")
    assert (letter["stream"], letter["attempts"]) == ("DELIVERIES", 1)
    assert [run[:2] for run in await chat.runs("other")] == [("other.A", "take")]  # the initialize event, unlinked


async def test_a_stub_emits_and_hears_what_every_registration_s_run_returned(
    server: EmbeddedServer, chat: Chat
) -> None:
    service, heard = Service("shop"), list[dict[str, Any]]()
    conversation = chat.conversation()
    path = conversation.subject(Kind.NOTICE)
    inbox = chat.connection.new_inbox()

    async def hear(message: Msg) -> None:
        heard.append(decode(message.data))

    @service.action("listen")
    async def listen(run: Run) -> None:
        await run.register(f"{chat.path.prefix}.*", action="count", mechanism="evb", timeout_s=30)

    @service.action("count")
    async def count(run: Run) -> str:
        return f"{run.stub.ref} heard of {run.data['heimdall']['webchat']['sessionuuid'][:8]}"

    @service.action("ask")
    async def ask(run: Run) -> None:
        data = {"webchat": {"sessionuuid": conversation.session}}
        await run.emit(path, data, mechanism="evb", reply_to=f"{inbox}.1")

    await chat.connection.subscribe(f"{inbox}.*", hear)
    async with serving(service, server.url, chat.org) as served:
        stubs = [await served.stub(name) for name in ("one", "two")]
        for stub in stubs:
            await served.send(stub, "listen")

        await poll(lambda: _count(chat, 2))
        await served.send(stubs[0], "ask")
        await poll(lambda: len(heard) == 2)
        assert await served.dead() == []
    assert sorted(told["result"] for told in heard) == [
        f"{name} heard of {conversation.log_id}" for name in ("one", "two")
    ]
    assert {told["action"] for told in heard} == {"count"}


async def test_a_stub_that_deregisters_hears_no_more(server: EmbeddedServer, chat: Chat) -> None:
    service, heard = Service("shop"), list[str]()

    @service.action("listen")
    async def listen(run: Run) -> None:
        run.memory["wish"] = await run.register(f"{chat.path.prefix}.*", action="hear", mechanism="cbh")

    @service.action("stop")
    async def stop(run: Run) -> None:
        await run.deregister(run.memory["wish"])

    @service.action("hear")
    async def hear(run: Run) -> None:
        heard.append(run.data["heimdall"]["webchat"]["sessionuuid"])

    async with serving(service, server.url, chat.org) as served:
        stub = await served.stub("one")
        first, second = chat.conversation(), chat.conversation()
        await served.send(stub, "listen")
        await poll(lambda: _count(chat, 1))
        await chat.open(first)
        await poll(lambda: heard == [first.session])
        await served.send(stub, "stop")
        await poll(lambda: _count(chat, 0))
        await chat.open(second)
        await chat.settled()
        assert await served.dead() == []
    assert heard == [first.session]


async def _count(chat: Chat, count: int) -> bool:
    return len((await chat.command("registrations", {}))["registrations"]) == count


@pytest.mark.check(27)
async def test_check_27_a_stub_that_closes_loses_its_links_its_registrations_and_its_runs(
    server: EmbeddedServer, chat: Chat
) -> None:
    service, seen = Service("shop"), list[str]()

    @service.action("_update_from_webchat")
    async def update(run: Run) -> None:
        seen.append(run.message)
        if run.message == "bye":
            await run.register(f"{chat.path.prefix}.*", action="hear")
            run.close()

    async with serving(service, server.url, chat.org) as served:
        stub = await served.stub("one")
        conversation = chat.conversation()
        await chat.link_after_open(conversation, str(stub))
        await chat.say(conversation, "hello")
        await chat.say(conversation, "bye")
        await poll(lambda: _cancelled(chat, conversation))
        await poll(lambda: _count(chat, 0))
        await chat.settled()
        await chat.say(conversation, "anybody?")
        await chat.expect_dead("unrouted")

        async def is_kept() -> bool:
            record, _ = await served.bus.load(stub)
            return record is not None and record.closed

        await poll(is_kept)
        late = await served.send(stub, "_update_from_webchat", "too late")

        async def late_is_dead() -> bool:
            return ("stub_closed", late) in [(one.content.reason, one.content.sequence) for one in await served.dead()]

        await poll(late_is_dead)
    assert seen == ["hello", "bye"]


async def _cancelled(chat: Chat, conversation: Conversation) -> bool:
    return bool(await chat.facts(conversation, Kind.CANCELLED))


async def test_a_stub_that_hands_over_is_followed_by_the_other_one(server: EmbeddedServer, chat: Chat) -> None:
    service = Service("shop")

    @service.action("_update_from_webchat")
    async def update(run: Run) -> None:
        await run.notify(text("one moment"))
        await run.hand_over("desk.support", hours=2)

    async with serving(service, server.url, chat.org) as served:
        stub = await served.stub("one")
        conversation = chat.conversation()
        await chat.link_after_open(conversation, str(stub))
        await chat.say(conversation, "human, please")

        async def handed_over() -> bool:
            return len(await chat.facts(conversation, Kind.LINKED)) == 2

        await poll(handed_over)
        await chat.say(conversation, "anybody?")
        await poll(lambda: _runs(chat, "desk", 1))
        assert await served.dead() == []
    fact = (await chat.facts(conversation, Kind.LINKED))[1]
    assert (fact["stub"], fact["replaces"], fact["timeout_hours"]) == ("desk.support", str(stub), 2)
    [(desk, action, post)] = await chat.runs("desk")
    assert (desk, action, post["message"]) == ("desk.support", "_update_from_webchat", "anybody?")


async def test_a_hand_over_without_a_conversation_is_refused(server: EmbeddedServer, chat: Chat) -> None:
    service = Service("shop")

    @service.action("give")
    async def give(run: Run) -> None:
        await run.hand_over("desk.support")

    async with serving(service, server.url, chat.org) as served:
        await served.send(await served.stub("one"), "give")
        await chat.expect_dead("no_conversation")


async def test_what_the_visitor_wrote_is_found_by_whatever_way_it_came(server: EmbeddedServer, chat: Chat) -> None:
    service, seen = Service("shop"), list[tuple[str, str]]()

    @service.action("listen")
    async def listen(run: Run) -> None:
        for kind in ("initialize", "firstmessage"):
            path = f"{chat.path.prefix}.webchatmessagetype.{kind}"
            await run.register(path, action="begin", mechanism="cbh", message="registered")

    @service.action("begin")
    async def begin(run: Run) -> None:
        seen.append(("begin", run.visitor_text))
        if run.visitor_text:
            await run.create_stub(data=run.data)

    @service.action("_create")
    async def create(run: Run) -> None:
        seen.append(("_create", run.visitor_text))
        await run.notify(link_hours=1)

    @service.action("_update_from_webchat")
    async def update(run: Run) -> None:
        seen.append(("_update_from_webchat", run.visitor_text))

    async with serving(service, server.url, chat.org) as served:
        await served.send(await served.stub("one"), "listen")
        await poll(lambda: _count(chat, 2))
        conversation = chat.conversation()
        await chat.open(conversation)
        await chat.say(conversation, "first")
        await chat.say(conversation, "second")
        await poll(lambda: len(seen) == 4)
        assert await served.dead() == []
    assert seen == [("begin", ""), ("begin", "first"), ("_create", "first"), ("_update_from_webchat", "second")]


async def _runs(chat: Chat, service: str, count: int) -> bool:
    return len(await chat.runs(service)) == count
