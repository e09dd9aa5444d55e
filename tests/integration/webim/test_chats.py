"""A chat's life between calls: repeats, sessions that follow one another, links, operators, crashes; over real HTTP."""

from __future__ import annotations

import asyncio
import time
from uuid import uuid4

import pytest

from broker.codec import decode, encode
from broker.domain.ids import OrgId, SessionId
from broker.domain.subjects import STUBS
from broker.runtime.embedded import EmbeddedServer
from broker.transport.letters import Selection, letters
from broker.transport.links import live_link
from broker.transport.reader import read_range
from broker.transport.redrive import why_not
from broker.transport.topology import DELIVERIES, SESSIONS, STUBSESSIONS
from tests.conftest import poll
from tests.integration.webim.conftest import Json, Webim, running_webim
from tests.processes import worker_process
from workers.webim.chat.chats import stub_for

CHAT = "9401b039-ace3-4619-b884-a24e0aaf7adb"
HELLO: Json = {
    "event": "new_chat",
    "chat": {"id": CHAT},
    "visitor": {"id": "51b6", "fields": {"name": "John"}},
    "messages": [{"kind": "visitor", "text": "Hello"}],
}
DAY_S = 86_400


async def test_a_message_with_an_id_that_comes_twice_is_stored_once(webim: Webim) -> None:
    await webim.post(HELLO)
    answers = await asyncio.gather(*(webim.say(CHAT, "more", id="m1") for _ in range(5)))
    assert {answer.text for answer in answers} == {'{"result":"ok"}'}
    await webim.say(CHAT, "more", id="m2")
    await webim.say(CHAT, "same")
    await webim.say(CHAT, "same")
    said = [question["query"] for question in await webim.questions()]
    assert said == ["Hello", "more", "more", "same", "same"]


async def test_an_old_message_once_more_opens_no_session_that_nobody_hears_of(webim: Webim) -> None:
    await webim.say(CHAT, "old", id="m1")
    await webim.post({"chat_id": CHAT}, suffix="/handlers/chat_closed")
    assert (await webim.say(CHAT, "old", id="m1")).json() == {"result": "ok"}
    await webim.say(CHAT, "new", id="m2")
    questions = await webim.questions()
    assert [(question["query"], question["new_session"]) for question in questions] == [("old", True), ("new", True)]


async def test_an_outsider_cannot_take_the_place_of_a_message_by_guessing_its_id(webim: Webim) -> None:
    await webim.post(HELLO)
    await webim.say(CHAT, "more", id="m1")
    [found] = [event for event in await webim.events() if event.asks and event.request["query"] == "more"]
    assert "m1" not in found.headers["Nats-Msg-Id"]
    first = webim.channel
    await webim.put_channel()
    await webim.say(CHAT, "more", id="m1")
    other = [event.headers["Nats-Msg-Id"] for event in await webim.events() if event.asks]
    assert webim.channel.id != first.id
    assert found.headers["Nats-Msg-Id"] not in other


async def test_two_processes_that_get_the_same_new_chat_at_once_open_one_session(
    webim: Webim, server: EmbeddedServer, org: str
) -> None:
    async with running_webim(server.url, org) as second:
        second.channel = webim.channel
        await poll(lambda: _is_known(second))
        calls = [process.post(HELLO) for process in (webim, second) * 5]
        assert {answer.status_code for answer in await asyncio.gather(*calls)} == {200}
        calls = [process.say(CHAT, "more", id="m1") for process in (webim, second) * 5]
        assert {answer.status_code for answer in await asyncio.gather(*calls)} == {200}
    assert await webim.kinds() == ["firstmessage", "message"]


async def _is_known(webim: Webim) -> bool:
    return (await webim.post({"event": "unknown"})).status_code == 200


async def test_a_channel_with_a_version_links_each_session_before_its_first_event(webim: Webim) -> None:
    await webim.put_channel(service="shop-c0ffee")
    await webim.post(HELLO)
    await webim.say(CHAT, "more")
    assert await webim.kinds() == ["stubsession.set", "firstmessage", "message"]
    wish = (await webim.events())[0].body["params"]["webim"]
    session = (await webim.chat(CHAT)).session
    assert wish["stubref"] == stub_for("shop-c0ffee", session)
    assert wish["set_new_with_timeout_hours"] == pytest.approx(24 * 1.1)
    assert session not in wish["stubref"]


async def test_a_session_keeps_its_version_and_a_new_one_gets_the_newest(webim: Webim) -> None:
    await webim.put_channel(service="shop-1")
    await webim.post(HELLO)
    await webim.deploy(service="shop-2", commit="beef", asked_at_ms=2)
    other = {**HELLO, "chat": {"id": 2}}
    await poll(lambda: _opens_with(webim, other, "beef"))
    await webim.say(CHAT, "more")
    assert (await webim.questions())[-1]["commit"] == "c0ffee"


async def _opens_with(webim: Webim, body: Json, commit: str) -> bool:
    await webim.post(body)
    await webim.say(body["chat"]["id"], "again")  # so that the next call is no repeat
    return bool((await webim.questions())[-1]["commit"] == commit)


async def test_a_link_that_would_end_before_the_idle_limit_is_set_anew(webim: Webim, server: EmbeddedServer) -> None:
    await webim.put_channel(service="shop-1")
    with worker_process("linker", server.url):
        await webim.post(HELLO)
        chat = await webim.chat(CHAT)
        await poll(lambda: _linked_to(webim, chat.session, chat.stub))
        await webim.say(CHAT, "soon")
        soon = int(time.time() * 1000) + DAY_S * 1000 - 1
        await webim.change_chat(CHAT, link_until_ms=soon)
        await webim.say(CHAT, "later")
        kinds = [kind for kind in await webim.kinds() if kind != "stubsession.linked"]
        assert kinds == ["stubsession.set", "firstmessage", "message", "stubsession.set", "message"]
        assert (await webim.chat(CHAT)).link_until_ms > soon


async def test_a_link_that_the_program_gave_away_is_not_taken_back(webim: Webim, server: EmbeddedServer) -> None:
    await webim.put_channel(service="shop-1")
    with worker_process("linker", server.url):
        await webim.post(HELLO)
        session = (await webim.chat(CHAT)).session
        await webim.link(session, "desk.human")
        await poll(lambda: _linked_to(webim, session, "desk.human"))
        await webim.change_chat(CHAT, link_until_ms=int(time.time() * 1000) + 1_000)
        await webim.say(CHAT, "more")
        assert await _linked_to(webim, session, "desk.human")
        assert (await webim.kinds()).count("stubsession.set") == 2


async def _linked_to(webim: Webim, session: str, stub: str | None) -> bool:
    records = webim.backbone.records(STUBSESSIONS)
    link = await live_link(records, OrgId(webim.org), SessionId(session), now_ms=int(time.time() * 1000))
    return link is not None and str(link.stub) == stub


async def test_the_versions_stub_gets_the_question_as_a_run(webim: Webim, server: EmbeddedServer) -> None:
    await webim.put_channel(service="shop-1")
    with worker_process("linker", server.url):
        await webim.post({"event": "new_chat", "chat": {"id": 1}})
        await webim.say(1, "hello")
        await poll(lambda: _has_runs(webim, 2))
    session = (await webim.chat(1)).session
    subjects = {subject for subject, _ in await _runs(webim)}
    assert [subject.endswith("action._update_from_webim") for subject in subjects] == [True]
    assert session not in subjects.pop()
    silent, spoken = [body["stubpost"] for _, body in await _runs(webim)]
    assert silent["data"]["_incoming_webim_data"]["webim_request"]["event"] == "newChatStarted"
    assert (spoken["message"], spoken["data"]["_incoming_webim_data"]["webim_request"]["query"]) == ("hello", "hello")


async def _runs(webim: Webim) -> list[tuple[str, Json]]:
    pattern = f"p.*.stubber.systems.stubs.org.{webim.org}.>"
    found = await read_range(webim.backbone.connection, DELIVERIES, (pattern,), limit=100)
    return [(message.subject, decode(message.data)) for message in found]


async def _has_runs(webim: Webim, count: int) -> bool:
    return len(await _runs(webim)) == count


async def test_the_sessions_record_leads_back_to_the_chat_and_outlasts_the_idle_limit(webim: Webim) -> None:
    await webim.put_channel(session_idle_ttl_s=30 * DAY_S)
    await webim.say(2**80, "hello")
    chat = await webim.chat(2**80)
    assert chat.chat_id == 2**80
    found = (await webim.backbone.records(SESSIONS).read(chat.session)).value
    assert found is not None
    record = decode(found)
    assert record["meta_data"] == {"channel_id": webim.channel.id, "chat_id": str(2**80)}
    assert (record["channel"], record["chat_name"]) == ("webim", f"live{webim.channel.id}")
    assert record["kept_until_ms"] > (time.time() + 30 * DAY_S) * 1000


async def test_what_a_visitor_tells_an_operator_is_set_aside_once_and_cannot_be_redriven(webim: Webim) -> None:
    await webim.post(HELLO)
    session = (await webim.chat(CHAT)).session
    await webim.change_chat(CHAT, state="transferred")
    for message_id in ("m1", "m1", "m2"):
        answer = await webim.say(CHAT, "are you there?", id=message_id)
        assert (answer.status_code, answer.json()) == (200, {"result": "ok"})
    assert await webim.kinds() == ["firstmessage"]
    found = [letter async for letter in letters(webim.backbone.connection, Selection(org=OrgId(webim.org)))]
    assert [letter.content.reason for letter in found] == ["chat_with_operator"] * 2
    assert {letter.session for letter in found} == {session}
    question = decode(found[0].content.body)["heimdall"]["webim"]["webim_request"]
    assert question["query"] == "are you there?"
    assert [why_not(letter) for letter in found] == ["its original is no event and no run, but from webim"] * 2


async def test_a_chat_that_was_given_back_begins_a_new_session(webim: Webim) -> None:
    await webim.post(HELLO)
    first = (await webim.chat(CHAT)).session
    await webim.change_chat(CHAT, state="transferred")
    await webim.post(HELLO)
    chat = await webim.chat(CHAT)
    assert (chat.state, chat.session != first) == ("active", True)
    await webim.say(CHAT, "more")
    assert (await webim.questions())[-1]["session_id"] == chat.session


async def test_after_a_silence_beyond_the_limit_a_message_begins_a_session_that_knows_its_visitor(webim: Webim) -> None:
    await webim.put_channel(session_idle_ttl_s=60)
    await webim.post(HELLO)
    first = await webim.chat(CHAT)
    await webim.change_chat(CHAT, last_at_ms=first.last_at_ms - 61_000)
    await webim.say(CHAT, "I am back")
    question = (await webim.questions())[-1]
    assert question["session_id"] != first.session
    assert (question["new_session"], question["visitor_id"], question["user_from"]["firstName"]) == (
        True,
        "51b6",
        "John",
    )
    assert await webim.kinds() == ["firstmessage", "ended", "firstmessage"]
    [ended] = [event for event in await webim.events() if event.kind.endswith("ended")]
    assert (ended.session, ended.body["heimdall"]["webim"]["webim_control_event"]) == (
        first.session,
        {"reason": "idle"},
    )


@pytest.mark.parametrize("handler", ["chat_started", "chat_assigned"])
async def test_the_other_handlers_change_nothing(webim: Webim, handler: str) -> None:
    await webim.post(HELLO)
    before = await webim.chat(CHAT)
    answer = await webim.post({"chat": {"id": CHAT}}, suffix=f"/handlers/{handler}", headers={})
    assert (answer.status_code, answer.json()) == (200, {"result": "ok"})
    assert await webim.chat(CHAT) == before
    assert len(await webim.events()) == 1


async def test_a_closed_chat_of_the_bot_ends_without_an_event_for_the_program(webim: Webim) -> None:
    await webim.post(HELLO)
    for _ in range(2):
        assert (await webim.post({"chat_id": CHAT}, suffix="/handlers/chat_closed")).json() == {"result": "ok"}
    chat = await webim.chat(CHAT)
    assert (chat.state, chat.reason) == ("closed", "visitor_or_system")
    assert await webim.kinds() == ["firstmessage", "ended"]


async def test_a_closed_chat_of_an_operator_is_told_to_whoever_gave_it_away(webim: Webim) -> None:
    await webim.put_channel(service="shop-1")
    await webim.post(HELLO)
    await webim.change_chat(CHAT, state="transferred", owner="shop-1.abc")
    await webim.post({"id": CHAT}, suffix="/handlers/chat_closed")
    chat = await webim.chat(CHAT)
    assert (chat.state, chat.reason) == ("closed", "operator")
    assert await webim.kinds() == ["stubsession.set", "firstmessage", "stubsession.set", "notice", "ended"]
    assert (await webim.questions())[-1]["event"] == "livechatFinished"


async def test_handlers_that_name_no_chat_or_an_unknown_one_are_answered_and_counted(webim: Webim) -> None:
    before = await _without_chat(webim)
    for body in ({}, {"chat": {"id": True}}, {"chat_id": "never seen"}):
        assert (await webim.post(body, suffix="/handlers/chat_closed")).json() == {"result": "ok"}
    assert await _without_chat(webim) - before == 2


async def _without_chat(webim: Webim) -> float:
    page = (await webim.client.get(f"http://127.0.0.1:{webim.port}/metrics")).text
    [line] = [line for line in page.splitlines() if line.startswith("heimdall_webim_handler_without_chat_total ")]
    return float(line.rsplit(" ", 1)[1])


@pytest.mark.parametrize(
    ("body", "suffix", "status", "code"),
    [
        pytest.param({"chat_id": 1}, "/handlers/chat_opened", 404, "unknown_handler", id="an unknown handler"),
        pytest.param(b"[]", "/handlers/chat_closed", 400, "invalid_body", id="an array"),
        pytest.param(b"{", "/handlers/chat_closed", 400, "invalid_json", id="bad JSON"),
    ],
)
async def test_handlers_refuse_what_is_no_call(
    webim: Webim, body: Json | bytes, suffix: str, status: int, code: str
) -> None:
    answer = await webim.post(body, suffix=suffix)
    assert (answer.status_code, answer.json()["error"]) == (status, code)


async def test_a_call_that_was_cut_off_before_its_event_was_stored_goes_on_in_the_same_session(webim: Webim) -> None:
    await webim.put_channel(service="shop-1", name="with a version")
    chat = await _cut_off(webim)
    await webim.post(HELLO)
    [first] = await webim.questions()
    assert (first["session_id"], first["new_session"], first["query"]) == (chat, True, "Hello")
    await webim.post(HELLO)
    assert await webim.kinds() == ["stubsession.set", "firstmessage"]


async def test_a_call_that_was_cut_off_after_its_event_was_stored_stores_nothing_again(webim: Webim) -> None:
    await webim.post(HELLO)
    await webim.change_chat(CHAT, stored=False)
    await webim.post(HELLO)
    await webim.say(CHAT, "more")
    assert [question["new_session"] for question in await webim.questions()] == [True, False]


async def test_a_message_after_a_call_that_was_cut_off_is_the_first_of_its_session(webim: Webim) -> None:
    session = await _cut_off(webim)
    await webim.say(CHAT, "more")
    [first] = await webim.questions()
    assert (first["session_id"], first["new_session"], first["query"]) == (session, True, "more")


async def _cut_off(webim: Webim) -> str:
    """The record of a chat whose opening never got into the log; its session."""
    channel = webim.channel
    await webim.put_channel(service="shop-1" if channel.settings.name == "with a version" else None)
    await webim.post(HELLO)
    other = await webim.chat(CHAT)
    webim.channel = channel
    session = str(uuid4())
    changes = {
        "channel_id": channel.id,
        "session": session,
        "opening_id": f"{session}-opening",
        "stub": None if other.stub is None else stub_for("shop-1", session),
    }
    await webim.keep_chat(other.model_copy(update={**changes, "stored": False, "spoke": False, "more": False}))
    return session


async def test_a_broken_record_of_a_chat_is_an_answer_and_no_crash(webim: Webim) -> None:
    await webim.post(HELLO)
    await webim.break_chat(CHAT, encode({"chat_id": 1}))
    answer = await webim.say(CHAT, "more")
    assert (answer.status_code, answer.json()["error"]) == (500, "internal")
    assert "Traceback" not in answer.text
    assert (await webim.say(2, "others go on")).status_code == 200


async def test_a_link_that_the_linker_cut_short_is_set_anew_for_the_next_message(
    webim: Webim, server: EmbeddedServer
) -> None:
    await webim.put_channel(service="shop-1")
    with worker_process("linker", server.url, HEIMDALL_LINKER_LINK_HOURS_MAX="0.0005"):
        await webim.post(HELLO)
        until_ms = (await webim.chat(CHAT)).opened_at_ms + 60_000
        await poll(lambda: _linked_until(webim, until_ms))
        await asyncio.sleep(2.0)  # the 1.8 s of the link are over
        await webim.say(CHAT, "later")
        runs = f"p.*.{STUBS}.org.{webim.org}.service.shop-1.>"
        await poll(lambda: _are_stored(webim, runs, 2))
        assert await webim.letters() == []


async def _linked_until(webim: Webim, until_ms: int) -> bool:
    return (await webim.chat(CHAT)).link_until_ms < until_ms


async def _are_stored(webim: Webim, pattern: str, count: int) -> bool:
    return len(await read_range(webim.backbone.connection, DELIVERIES, (pattern,), limit=10)) == count
