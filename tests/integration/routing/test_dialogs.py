"""Dialogs: questions come through the real linker to a service's callbacks, and their answers are in the log."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from broker import Dialog, Dialogs, EndedDialog, Run, Service
from broker.domain import headers as names
from broker.domain.ids import ActionName, Stub
from broker.domain.subjects import Conversation, DeliverySubject
from broker.kit.handling import HandleRun
from broker.kit.records import StubRecord
from broker.runtime.deadletters import Original
from broker.runtime.embedded import EmbeddedServer
from broker.transport.connection import Connection
from broker.transport.publisher import Publisher
from broker.transport.reader import read_range
from broker.transport.records import Records
from broker.transport.topology import DELIVERIES
from tests.conftest import poll
from tests.integration.routing.asking import FIRST_REQUEST, Asking
from tests.integration.runtime.serving import Served, serving
from tests.processes import service_process

NOTHING: dict[str, Any] = {"replies": [], "actions": [], "newSessionStarted": False, "endSession": False}


@pytest_asyncio.fixture
async def asking(routing: None, connection: Connection, publisher: Publisher, org: str) -> AsyncIterator[Asking]:
    yield Asking(connection, publisher, org, "shop")


def remembering() -> Service:
    """Keeps what visitors say, and says all of it again."""
    service = Service("shop")
    dialogs = Dialogs(service)

    @dialogs.on_event("newChatStarted")
    async def begin(dialog: Dialog) -> None:
        dialog.session["location"] = dialog.event_data["location"]["address"]
        dialog.state = "elsewhere"
        dialog.reply("never shown")

    @dialogs.on_query()
    async def answer(dialog: Dialog) -> None:
        if dialog.query == "again":
            dialog.start_new_session()
        if dialog.query == "fail":
            dialog.session["heard"] = ["what must not be kept"]
            dialog.reply("half an answer")
            raise KeyError
        heard = dialog.session.setdefault("heard", [])
        heard.append(dialog.query)
        dialog.reply(f"{dialog.session.get('location')} {dialog.state} {','.join(heard)}")

    return service


async def record_of(served: Served, asking: Asking, conversation: Conversation) -> StubRecord | None:
    return (await served.bus.load(Stub.parse(asking.stub_of(conversation))))[0]


async def test_check_17_what_the_first_event_sets_is_there_for_the_next_message_and_the_state_is_unchanged(
    server: EmbeddedServer, asking: Asking
) -> None:
    async with serving(remembering(), server.url, asking.org):
        conversation = await asking.opened()
        begun = await asking.notice(
            conversation, "newChatStarted", new_session=True, event_data=FIRST_REQUEST, raw_request=FIRST_REQUEST
        )
        held_back = await asking.answered(conversation, begun)
        assert held_back["replies"] == [{"type": "text", "text": "never shown"}], "the adapter holds it back"
        question = await asking.ask(conversation, "hello")
        assert await asking.texts(conversation, question) == ["pricing new hello"]
    assert await asking.dead() == []


async def test_the_callback_sees_the_whole_question(server: EmbeddedServer, asking: Asking) -> None:
    service, seen = Service("shop"), list[Dialog]()
    dialogs = Dialogs(service)

    @dialogs.on_query()
    async def answer(dialog: Dialog) -> None:
        seen.append(dialog)

    @dialogs.on_file()
    async def receive(dialog: Dialog) -> None:
        seen.append(dialog)

    button = {"id": "b1", "text": "Delivery"}
    async with serving(service, server.url, asking.org):
        conversation = await asking.opened()
        first = await asking.ask(
            conversation,
            "A\nB",
            new_session=True,
            raw_request=FIRST_REQUEST,
            visitor_id="51b6d2d7",
            user_from={"id": "51b6d2d7", "firstName": "John"},
            branch="master",
            commit="abc1234",
            data={"chatId": "1", "messages": [{"text": "A"}, {"text": "B"}]},
        )
        second = await asking.ask(conversation, "Delivery", data={"chatId": "1", "button": button})
        third = await asking.notice(conversation, "fileEvent", data={"chatId": "1", "files": [{"name": "t.txt"}]})
        await asking.answered(conversation, third)
    one, two, three = seen
    assert (one.query, one.event, one.new_session, one.question_id) == ("A\nB", None, True, first)
    assert (one.visitor_id, one.user_from["firstName"], one.channel_id) == ("51b6d2d7", "John", "ch1")
    assert (one.branch, one.commit, one.raw_request) == ("master", "abc1234", FIRST_REQUEST)
    assert [part["text"] for part in one.data.messages] == ["A", "B"]
    assert two.data.button is not None
    assert (two.question_id, two.new_session, two.data.button.id, two.visitor_id) == (second, False, "b1", None)
    assert (three.query, three.event, three.data.files) == (None, "fileEvent", [{"name": "t.txt"}])


async def test_an_answer_is_one_notification_with_everything_in_it(server: EmbeddedServer, asking: Asking) -> None:
    service = Service("shop")
    dialogs = Dialogs(service)

    @dialogs.on_query()
    async def answer(dialog: Dialog) -> None:
        dialog.reply("hello")
        dialog.buttons("Delivery", "Return")
        dialog.redirect_to_department("sales")
        dialog.end_session()

    async with serving(service, server.url, asking.org):
        conversation = await asking.opened()
        question = await asking.ask(conversation, "hi", new_session=True)
        assert await asking.answered(conversation, question) == {
            "question_id": question,
            "replies": [
                {"type": "text", "text": "hello"},
                {"type": "buttons", "buttons": [{"text": "Delivery"}, {"text": "Return"}]},
            ],
            "actions": [{"type": "redirect_to_department", "department_key": "sales"}],
            "newSessionStarted": False,
            "endSession": True,
        }
        assert len(await asking.answers(conversation)) == 1


async def test_two_sessions_share_nothing_and_a_new_one_begins_with_nothing(
    server: EmbeddedServer, asking: Asking
) -> None:
    async with serving(remembering(), server.url, asking.org):
        first, second = await asking.opened(), await asking.opened()
        for query in ("a", "b"):
            await asking.ask(first, query)
        other = await asking.ask(second, "z")
        last = await asking.ask(first, "c")
        assert await asking.texts(first, last) == ["None new a,b,c"]
        assert await asking.texts(second, other) == ["None new z"]


async def test_what_the_session_knew_is_gone_after_start_new_session_and_the_question_belongs_to_the_new_one(
    server: EmbeddedServer, asking: Asking
) -> None:
    async with serving(remembering(), server.url, asking.org):
        conversation = await asking.opened()
        await asking.ask(conversation, "a")
        again = await asking.answered(conversation, await asking.ask(conversation, "again"))
        assert again["newSessionStarted"] is True
        assert again["replies"] == [{"type": "text", "text": "None new again"}]
        last = await asking.ask(conversation, "c")
        assert await asking.texts(conversation, last) == ["None new again,c"]


async def test_a_callback_that_raises_answers_nothing_keeps_nothing_and_is_a_dead_letter(
    server: EmbeddedServer, asking: Asking
) -> None:
    async with serving(remembering(), server.url, asking.org):
        conversation = await asking.opened()
        failing = await asking.ask(conversation, "fail")
        question = await asking.ask(conversation, "after")
        assert await asking.texts(conversation, question) == ["None new after"]
        assert failing not in [answer.content["question_id"] for answer in await asking.answers(conversation)]
        await asking.expect_dead("worker_fault")


async def test_what_cannot_be_kept_or_sent_is_told_before_anybody_sees_an_answer(
    server: EmbeddedServer, asking: Asking
) -> None:
    service = Service("shop")
    dialogs = Dialogs(service)

    @dialogs.on_query()
    async def answer(dialog: Dialog) -> None:
        dialog.reply("hello")
        dialog.session["it"] = object()

    @dialogs.on_file()
    async def flood(dialog: Dialog) -> None:
        for number in range(65):
            dialog.reply(str(number))

    async with serving(service, server.url, asking.org):
        conversation = await asking.opened()
        await asking.ask(conversation, "hi")
        await asking.notice(conversation, "fileEvent")

        async def both_dead() -> bool:
            return sorted(letter["reason"] for letter in await asking.dead()) == ["invalid_body", "unencodable"]

        await poll(both_dead, within_s=10)
        assert await asking.answers(conversation) == []


async def test_an_event_that_nobody_wants_is_answered_with_nothing_and_news_with_no_answer_at_all(
    server: EmbeddedServer, asking: Asking
) -> None:
    async with serving(remembering(), server.url, asking.org):
        conversation = await asking.opened()
        await asking.notice(conversation, "livechatStarted", event_data={"target": "queue"})
        unknown = await asking.notice(conversation, "somethingNew")
        assert await asking.answered(conversation, unknown) == {"question_id": unknown, **NOTHING}
        assert len(await asking.answers(conversation)) == 1
    assert await asking.dead() == []


async def test_a_program_hears_that_nobody_was_there_and_may_say_so(server: EmbeddedServer, asking: Asking) -> None:
    service = Service("shop")
    dialogs = Dialogs(service)

    @dialogs.on_query()
    async def answer(dialog: Dialog) -> None: ...

    @dialogs.on_event("noLivechatOperatorsOnline")
    async def apologize(dialog: Dialog) -> None:
        dialog.reply(f"nobody: {dialog.event_data['error']}")

    async with serving(service, server.url, asking.org):
        conversation = await asking.opened()
        notice = await asking.notice(conversation, "noLivechatOperatorsOnline", event_data={"error": "offline"})
        assert await asking.texts(conversation, notice) == ["nobody: offline"]


async def test_the_end_is_told_to_the_program_and_what_the_session_knew_goes_with_it(
    server: EmbeddedServer, asking: Asking
) -> None:
    service, ended = Service("shop"), list[EndedDialog]()
    dialogs = Dialogs(service)

    @dialogs.on_query()
    async def answer(dialog: Dialog) -> None:
        dialog.session["heard"] = dialog.query

    @dialogs.on_end()
    async def end(dialog: EndedDialog) -> None:
        ended.append(dialog)

    async with serving(service, server.url, asking.org) as served:
        conversation = await asking.opened()
        await asking.ask(conversation, "hello")
        await asking.end(conversation)

        async def is_bare() -> bool:
            record = await record_of(served, asking, conversation)
            return record is not None and bool(ended) and record.data == {}

        await poll(is_bare, within_s=10)
        assert [(one.reason, one.session) for one in ended] == [("idle", {"heard": "hello"})]
        assert len(await asking.answers(conversation)) == 1


async def test_a_dialog_s_stub_is_made_once_knows_only_its_session_and_expires(
    server: EmbeddedServer, asking: Asking, connection: Connection
) -> None:
    async with serving(remembering(), server.url, asking.org) as served:
        conversation = await asking.opened()
        for query in ("a", "b"):
            await asking.texts(conversation, await asking.ask(conversation, query))
        await poll(lambda: _settled(served))
        record = await record_of(served, asking, conversation)
        subject = f"$KV.STUBS_shop.{asking.org}.>"
        stored = await read_range(connection, "KV_STUBS_shop", (subject,), after=0, limit=10)
    assert record is not None
    assert (record.context, record.branch, record.conversation) == ("dialog", "draft", conversation.prefix)
    assert record.data == {"session": {"heard": ["a", "b"]}}, "what a run brought is not kept"
    assert [message.headers["Nats-TTL"] for message in stored] == [f"{40 * 86_400}s"]


async def _settled(served: Served) -> bool:
    return await served.unsettled() == 0


async def test_only_a_run_about_a_conversation_makes_a_dialog_s_stub_and_only_by_such_a_name(
    server: EmbeddedServer, asking: Asking
) -> None:
    async with serving(remembering(), server.url, asking.org) as served:
        header = {names.CONVERSATION: asking.conversation().prefix}
        await served.send(Stub.parse("shop.chat-0"), "_update_from_webim")
        await served.send(Stub.parse("shop.other"), "_update_from_webim", headers=header)

        async def both_dead() -> bool:
            return [letter["reason"] for letter in await asking.dead()] == ["unknown_stub"] * 2

        await poll(both_dead, within_s=10)
        await served.send(Stub.parse("shop.chat-0"), "_update_from_webim", headers=header)
        await poll(lambda: _settled(served))
        assert len(await asking.dead()) == 2


async def test_other_actions_run_on_a_dialog_s_stub_as_on_any(server: EmbeddedServer, asking: Asking) -> None:
    service = remembering()

    @service.action("remind", context="dialog")
    async def remind(run: Run) -> None:
        heard = run.memory["session"]["heard"]
        await run.notify(
            more={"response": {"question_id": "reminder", "replies": [{"type": "text", "text": heard[0]}]}}
        )

    async with serving(service, server.url, asking.org) as served:
        conversation = await asking.opened()
        await asking.texts(conversation, await asking.ask(conversation, "a"))
        await served.send(Stub.parse(asking.stub_of(conversation)), "remind")
        assert await asking.texts(conversation, "reminder") == ["a"]


async def test_a_question_whose_run_is_seen_twice_is_answered_once(server: EmbeddedServer, asking: Asking) -> None:
    """As after a kill between the answer and the record of the stub: the run comes again and finds no record."""
    service = remembering()
    async with serving(service, server.url, asking.org) as served:
        conversation = await asking.opened()
        await asking.texts(conversation, await asking.ask(conversation, "a"))
        await poll(lambda: _settled(served))
        key = f"{asking.org}.{Stub.parse(asking.stub_of(conversation)).ref}"
        await Records(asking.connection, asking.publisher, "STUBS_shop").delete(key)
        await HandleRun(service, served.bus)(await _run_of(asking, conversation))
        record = await record_of(served, asking, conversation)
        assert record is not None
        assert record.data == {"session": {"heard": ["a"]}}
        assert len(await asking.answers(conversation)) == 1


async def _run_of(asking: Asking, conversation: Conversation) -> Original:
    """The only run of the session's stub, as it was delivered."""
    subject = f"p.*.{DeliverySubject(asking.org, Stub.parse(asking.stub_of(conversation)), ActionName('_x'))}"
    [run] = await read_range(asking.connection, DELIVERIES, (subject.replace("_x", "*"),), after=0, limit=10)
    return Original(run.public_subject, DELIVERIES, run.sequence, run.data, run.headers, run.stored_at_ms)


async def test_a_question_that_ended_as_a_dead_letter_is_noted_even_if_it_was_the_stub_s_first(
    server: EmbeddedServer, asking: Asking
) -> None:
    async with serving(remembering(), server.url, asking.org) as served:
        conversation = await asking.opened()
        await asking.ask(conversation, "fail")
        await asking.expect_dead("worker_fault")

        async def is_noted() -> bool:
            record = await record_of(served, asking, conversation)
            return record is not None and record.last_sequence > 0 and record.data == {}

        await poll(is_noted)


@pytest.mark.parametrize("version", [pytest.param("", id="by its name"), pytest.param("8f02c7a1b3de", id="a version")])
async def test_the_demo_s_shop_answers_hands_over_and_closes(
    server: EmbeddedServer, asking: Asking, version: str
) -> None:
    program = Path(__file__).parents[3] / "workers" / "demo" / "shop.py"
    asking.service = f"shop-{version}" if version else "shop"
    conversation = await asking.opened()
    with service_process(program, server.url, HEIMDALL_SHOP_ORG=asking.org, HEIMDALL_SHOP_VERSION=version):
        begun = await asking.notice(
            conversation, "newChatStarted", new_session=True, event_data=FIRST_REQUEST, raw_request=FIRST_REQUEST
        )
        assert await asking.answered(conversation, begun) == {"question_id": begun, **NOTHING}
        found = await asking.answered(conversation, await asking.ask(conversation, "hello"))
        assert [reply["type"] for reply in found["replies"]] == ["text", "buttons"]
        assert found["replies"][0]["text"] == "You wrote 'hello', at pricing"
        for query, action in (("operator", "redirect_to_department"), ("bye", "close_chat")):
            found = await asking.answered(conversation, await asking.ask(conversation, query))
            assert [action["type"] for action in found["actions"]] == [action]
        unasked = await asking.opened()
        assert (await asking.texts(unasked, await asking.ask(unasked, "operator")))[0].startswith("One moment")
    assert await asking.dead() == []


PROGRAM = """
from broker import Dialog, Dialogs, Service, serve

service = Service("shop")
dialogs = Dialogs(service)


@dialogs.on_query()
async def answer(dialog: Dialog) -> None:
    heard = dialog.session.setdefault("heard", [])
    heard.append(dialog.query)
    dialog.reply(",".join(heard))


serve(service)
"""


async def test_what_a_session_knows_outlives_a_kill_9_of_the_program(
    server: EmbeddedServer, asking: Asking, tmp_path: Path
) -> None:
    program = tmp_path / "shop.py"
    program.write_text(PROGRAM, encoding="utf-8")
    conversation = await asking.opened()
    with service_process(program, server.url, HEIMDALL_SHOP_ORG=asking.org) as first:
        await asking.texts(conversation, await asking.ask(conversation, "a"))
        os.kill(first.pid, signal.SIGKILL)
        await asyncio.to_thread(first.wait)
    waiting = await asking.ask(conversation, "b")
    with service_process(program, server.url, HEIMDALL_SHOP_ORG=asking.org):
        assert await asking.texts(conversation, waiting) == ["a,b"]
        last = await asking.ask(conversation, "c")
        assert await asking.texts(conversation, last) == ["a,b,c"]
        assert len(await asking.answers(conversation)) == 3
    assert await asking.dead() == []


DYING = """
import os
from pathlib import Path

from broker.kit.bus import ServiceBus

save = ServiceBus.save
died = Path(__file__).with_name("died")


async def die_once(self, stub, record, *, revision):
    if record.data and not died.exists():
        died.touch()
        os._exit(9)
    return await save(self, stub, record, revision=revision)


ServiceBus.save = die_once
"""


async def test_a_program_that_dies_after_its_answer_and_before_it_is_noted_answers_once(
    server: EmbeddedServer, asking: Asking, tmp_path: Path
) -> None:
    program = tmp_path / "shop.py"
    program.write_text(DYING + PROGRAM, encoding="utf-8")
    conversation = await asking.opened()
    with service_process(program, server.url, HEIMDALL_SHOP_ORG=asking.org) as first:
        question = await asking.ask(conversation, "a")
        await asyncio.to_thread(first.wait)
        assert (first.returncode, await asking.texts(conversation, question)) == (9, ["a"])
    with service_process(program, server.url, HEIMDALL_SHOP_ORG=asking.org):
        last = await asking.ask(conversation, "b")
        assert await asking.texts(conversation, last) == ["a,b"]
        assert [answer.content["question_id"] for answer in await asking.answers(conversation)] == [question, last]


async def test_where_a_dialog_stands_is_kept_from_question_to_question(server: EmbeddedServer, asking: Asking) -> None:
    service = Service("shop")
    dialogs = Dialogs(service)

    @dialogs.on_query()
    async def answer(dialog: Dialog) -> None:
        dialog.reply(dialog.state)
        dialog.state = "asked"
        if dialog.query == "again":
            dialog.start_new_session()

    async with serving(service, server.url, asking.org):
        conversation = await asking.opened()
        said = [
            await asking.texts(conversation, await asking.ask(conversation, query))
            for query in ("a", "b", "again", "c")
        ]
    assert said == [["new"], ["asked"], ["asked"], ["new"]]
