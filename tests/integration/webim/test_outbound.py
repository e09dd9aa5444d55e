"""What programs answer, on its way to a simulated Webim: v2, over real HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
import structlog

from broker.codec import encode
from broker.domain.ids import SessionId
from broker.domain.subjects import Kind
from broker.runtime.embedded import EmbeddedServer
from broker.transport.topology import CHANNELS
from tests.conftest import poll
from tests.integration.webim.conftest import Json
from tests.integration.webim.talking import ADMIN, BOT_TOKEN, RECEIPT_WITHIN_S, Talk, talking, talking_to_process
from workers.webim.administration.store import ChannelStore

SEND = "/send_message"
REDIRECT = "/redirect_chat"
CLOSE = "/close_chat"
TO_OLGA = {"type": "redirect_to_operator", "operator_id": "240001"}


@pytest_asyncio.fixture
async def talk(server: EmbeddedServer, org: str, webim_url: str) -> AsyncIterator[Talk]:
    async with talking(server, org, webim_url) as opened:
        yield opened


async def test_check_18_a_slow_program_does_not_hold_up_the_call_and_its_answer_comes_later(talk: Talk) -> None:
    async def think(request: Json) -> None:
        await asyncio.sleep(1.5)
        await talk.answer(request, "Thought about it")

    async with talk.adapter.program(think):
        opened = await talk.installation.open_chat(visitor={"id": "v"}, messages=["Hello"])
        assert opened.delivery.json == {"result": "ok"}
        assert opened.delivery.ms is not None
        assert opened.delivery.ms < 1000
        await poll(lambda: talk.calls(SEND), 10)
    [call] = await talk.calls(SEND)
    assert call.headers["authorization"] == f"Token {BOT_TOKEN}"
    assert call.headers["content-type"] == "application/json"
    assert call.at_ms >= opened.delivery.at_ms + 1500


@pytest.mark.parametrize("ids", ["integer", "uuid"])
async def test_check_19_a_chats_id_goes_back_in_the_type_it_came_in(talk: Talk, ids: str) -> None:
    await talk.installation.configure(chat_ids=ids)
    question = await talk.begin("Hello")
    assert await talk.outcome(question, await talk.answer(question, "Hi")) == ("delivered", None)
    [call] = await talk.calls(SEND)
    assert call.body["chat_id"] == (1 if ids == "integer" else question["conversation_id"])
    assert type(call.body["chat_id"]) is (int if ids == "integer" else str)


async def test_check_20_text_buttons_and_image_arrive_as_webims_messages_in_that_order(talk: Talk) -> None:
    question = await talk.begin("Hello")
    replies = [
        {"type": "text", "text": "Hi"},
        {"type": "buttons", "buttons": [{"text": "Delivery", "id": "b1"}, {"text": "Return", "id": "b2"}]},
        {"type": "image", "imageUrl": "https://shop.example/a.png"},
    ]
    said = await talk.answer(question, replies=replies)
    assert await talk.outcome(question, said) == ("delivered", None)
    assert [call.body["message"] for call in await talk.calls(SEND)] == [
        {"kind": "operator", "text": "Hi"},
        {"kind": "keyboard", "buttons": [[{"id": "b1", "text": "Delivery"}], [{"id": "b2", "text": "Return"}]]},
        {
            "kind": "file_operator",
            "data": {"url": "https://shop.example/a.png", "name": "a.png", "media_type": "image/png"},
        },
    ]


async def test_a_plain_message_of_any_program_is_a_text(talk: Talk) -> None:
    question = await talk.begin("Hello")
    message = {"type": "html", "value": "<p>Hi <b>you</b></p>"}
    said = await talk.adapter.notify(question["session_id"], message=message)
    assert await talk.outcome(question, said) == ("delivered", None)
    assert await talk.shown(question) == ["Hi you"]


async def test_twenty_answers_arrive_in_the_order_they_were_given(talk: Talk) -> None:
    question = await talk.begin("Hello")
    texts = [f"answer {number}" for number in range(20)]
    said = [await talk.answer(question, text) for text in texts]
    assert await talk.outcome(question, said[-1]) == ("delivered", None)
    assert await talk.shown(question) == texts


async def test_a_chat_whose_webim_is_slow_holds_up_no_other_one(talk: Talk) -> None:
    slow, quick = await talk.begin("slow"), await talk.begin("quick")
    await talk.installation.fault(path=SEND, chat_id=slow["conversation_id"], delay_ms=3000)
    late = await talk.answer(slow, "late")
    said = await talk.answer(quick, "at once")
    assert await talk.outcome(quick, said) == ("delivered", None)
    assert await talk.shown(slow) == []
    assert await talk.outcome(slow, late) == ("delivered", None)


async def test_check_25_a_redirect_comes_after_all_replies_and_later_replies_are_refused(talk: Talk) -> None:
    question = await talk.begin("Hello")
    said = await talk.answer(question, "One moment", "please", actions=[TO_OLGA])
    assert await talk.outcome(question, said) == ("delivered", None)
    calls = await talk.calls()
    assert [call.path.rpartition("/")[2] for call in calls] == ["send_message", "send_message", "redirect_chat"]
    assert calls[-1].body == {"chat_id": 1, "operator_id": 240001}
    await poll(lambda: _is(talk, question, "transferred"))
    assert await talk.notices(question) == [{"event": "livechatStarted", "target": "operator", "id": "240001"}]
    assert await talk.outcome(question, await talk.answer(question, "Too late")) == ("failed", "chat_not_owned")
    assert (await talk.transcript(question)).owner == "operator:240001"
    assert "Too late" not in await talk.shown(question)


async def test_a_department_and_a_switch_are_redirects_too(talk: Talk) -> None:
    question = await talk.begin("Hello")
    await talk.answer(question, replies=[{"type": "switch", "destination": "sales"}])
    await poll(lambda: _is(talk, question, "transferred"))
    [call] = await talk.calls(REDIRECT)
    assert call.body == {"chat_id": 1, "dep_key": "sales"}
    assert await talk.notices(question) == [{"event": "livechatStarted", "target": "department", "id": "sales"}]


async def test_check_26_a_redirect_that_webim_refuses_is_told_and_the_chat_stays_with_the_bot(talk: Talk) -> None:
    question = await talk.begin("Hello")
    action = {"type": "redirect_to_department", "department_key": "night"}
    said = await talk.answer(question, actions=[action])
    assert await talk.outcome(question, said) == ("failed", "channel_rejected")
    [notice] = await talk.notices(question)
    assert (notice["event"], notice["error"]) == ("noLivechatOperatorsOnline", "department-offline")
    assert notice["desc"]
    assert await talk.state(question) == ("active", None)
    assert await talk.outcome(question, await talk.answer(question, "Nobody is there")) == ("delivered", None)


@pytest.mark.parametrize(("version", "taken"), [("10.3.1", False), ("10.4", True)])
async def test_check_27_the_queue_is_asked_only_where_webim_is_new_enough(
    talk: Talk,
    version: str,
    taken: bool,  # noqa: FBT001 - a table
) -> None:
    await talk.installation.configure(version=version)
    question = await talk.begin("Hello")
    said = await talk.answer(question, actions=[{"type": "redirect_to_queue"}])
    if taken:
        assert await talk.outcome(question, said) == ("delivered", None)
        assert [call.body for call in await talk.calls()] == [{"chat_id": 1}]
        await poll(lambda: _is(talk, question, "transferred"))
    else:
        assert await talk.outcome(question, said) == ("failed", "queue_redirect_unsupported")
        assert await talk.calls() == []
        [notice] = await talk.notices(question)
        assert (notice["event"], notice["error"]) == ("noLivechatOperatorsOnline", "queue_redirect_unsupported")
        assert await talk.state(question) == ("active", None)


async def test_check_29_a_reply_is_tried_again_until_webim_takes_it_and_arrives_once(talk: Talk) -> None:
    question = await talk.begin("Hello")
    await talk.installation.fault(path=SEND, status=503, count=2)
    assert await talk.outcome(question, await talk.answer(question, "Hi")) == ("delivered", None)
    assert [call.status for call in await talk.calls(SEND)] == [503, 503, 200]
    assert await talk.shown(question) == ["Hi"]


async def test_check_29_what_webim_refuses_is_not_tried_again_and_does_not_stop_the_next(talk: Talk) -> None:
    question = await talk.begin("Hello")
    await talk.installation.fault(path=SEND, error_200="too-rude")
    said = await talk.answer(question, "one", "two")
    assert await talk.outcome(question, said) == ("failed", "channel_rejected")
    assert len(await talk.calls(SEND)) == 2
    assert await talk.shown(question) == ["two"]


async def test_webim_is_left_alone_for_as_long_as_it_asks(talk: Talk) -> None:
    question = await talk.begin("Hello")
    await talk.installation.fault(path=SEND, status=429, retry_after=2)
    await talk.outcome(question, await talk.answer(question, "Hi"))
    first, second = await talk.calls(SEND)
    assert second.at_ms - first.at_ms >= 1_990


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"html_body": True}, id="no json"),
        pytest.param({"status": 400}, id="400"),
        pytest.param({"status": 302}, id="a redirect is not followed"),
    ],
)
async def test_an_answer_that_says_nothing_good_is_final(talk: Talk, fault: dict[str, Any]) -> None:
    question = await talk.begin("Hello")
    await talk.installation.fault(path=SEND, **fault)
    status, _ = await talk.outcome(question, await talk.answer(question, "Hi"))
    assert status == "failed"
    assert len(await talk.calls()) == 1


async def test_a_chat_that_webim_does_not_know_is_closed(talk: Talk) -> None:
    question = await talk.begin("Hello")
    await talk.installation.fault(path=SEND, status=404)
    said = await talk.answer(question, "one", "two")
    assert await talk.outcome(question, said) == ("failed", "chat_gone")
    await poll(lambda: _is(talk, question, "closed"))
    assert len(await talk.calls(SEND)) == 1
    assert await talk.adapter.kinds() == ["firstmessage", "notification", "receipt", "ended"]


async def test_a_wrong_token_raises_an_alarm_that_the_next_success_ends(talk: Talk) -> None:
    question = await talk.begin("Hello")
    await talk.installation.configure(bot_token=f"not {BOT_TOKEN}")
    said = await talk.answer(question, "Hi")
    assert await talk.outcome(question, said) == ("failed", "channel_auth_failed")
    assert len(await talk.calls(SEND)) == 1
    await poll(lambda: _alarm_is(talk, "webim_auth_failed"))
    assert [letter["reason"] for letter in await talk.adapter.letters()] == ["channel_auth_failed"]
    await talk.installation.configure(bot_token=BOT_TOKEN)
    again = await talk.begin("Still taken")
    assert await talk.outcome(again, await talk.answer(again, "Hi")) == ("delivered", None)
    await poll(lambda: _alarm_is(talk, None))


async def test_closing_ends_the_session(talk: Talk) -> None:
    question = await talk.begin("Hello")
    said = await talk.answer(question, "Bye", actions=[{"type": "close_chat"}], endSession=True)
    assert await talk.outcome(question, said) == ("delivered", None)
    await poll(lambda: _is(talk, question, "closed"))
    assert await talk.state(question) == ("closed", "bot")
    assert (await talk.transcript(question)).owner == "closed"
    assert await talk.outcome(question, await talk.answer(question, "And")) == ("failed", "chat_not_owned")


async def test_a_program_ends_a_session_and_the_next_message_opens_another(talk: Talk) -> None:
    question = await talk.begin("Hello")
    await talk.answer(question, "Done", endSession=True)
    await poll(lambda: _is(talk, question, "closed"))
    assert await talk.state(question) == ("closed", "end_session")
    assert (await talk.transcript(question)).owner == "bot"
    await talk.installation.visitor(question["conversation_id"], "Me again")
    after = (await talk.adapter.questions())[-1]
    assert after["new_session"]
    assert after["session_id"] != question["session_id"]
    assert await talk.outcome(question, await talk.answer(question, "Late")) == ("failed", "chat_not_owned")
    assert await talk.outcome(after, await talk.answer(after, "Welcome")) == ("delivered", None)
    assert await talk.shown(question) == ["Done", "Welcome"]


async def test_check_17_replies_to_new_chat_started_are_not_shown_but_its_actions_are_carried_out(talk: Talk) -> None:
    question = await talk.begin()
    assert question["event"] == "newChatStarted"
    assert await talk.outcome(question, await talk.answer(question, "Psst")) == ("skipped", "init_reply")
    assert await talk.calls() == []
    said = await talk.answer(question, "Psst", actions=[TO_OLGA])
    assert await talk.outcome(question, said) == ("skipped", "init_reply")
    assert [call.path.rpartition("/")[2] for call in await talk.calls()] == ["redirect_chat"]
    await poll(lambda: _is(talk, question, "transferred"))


async def test_a_plain_message_is_held_back_until_the_visitor_has_said_something(talk: Talk) -> None:
    question = await talk.begin()
    greeting = {"type": "text", "value": "Hi"}
    said = await talk.adapter.notify(question["session_id"], message=greeting)
    assert await talk.outcome(question, said) == ("skipped", "init_reply")
    await talk.installation.visitor(question["conversation_id"], "Hello")
    await talk.adapter.change_chat(question["conversation_id"], more=False)  # as if that were not written down yet
    said = await talk.adapter.notify(question["session_id"], message=greeting)
    assert await talk.outcome(question, said) == ("delivered", None)


async def test_replies_to_new_chat_started_are_shown_where_the_channel_says_so(talk: Talk) -> None:
    await talk.use_channel(deliver_init_replies=True)
    question = await talk.begin()
    assert await talk.outcome(question, await talk.answer(question, "Welcome")) == ("delivered", None)
    assert await talk.shown(question) == ["Welcome"]


async def test_what_no_message_of_webims_can_show_is_skipped(talk: Talk) -> None:
    question = await talk.begin("Hello")
    said = await talk.answer(question, replies=[{"type": "carousel"}])
    assert await talk.outcome(question, said) == ("skipped", "unsupported_reply")
    assert await talk.calls() == []


async def test_an_answer_in_another_form_is_a_dead_letter_and_has_its_receipt(talk: Talk) -> None:
    question = await talk.begin("Hello")
    said = await talk.adapter.notify(question["session_id"], response={"replies": "Hi"})
    assert await talk.outcome(question, said) == ("failed", "invalid_body")
    await poll(talk.adapter.letters)
    assert await talk.calls() == []


async def test_another_channels_session_cannot_be_spoken_to(talk: Talk) -> None:
    question = await talk.begin("Hello")
    await talk.use_channel(name="Another")
    said = await talk.answer(question, "From elsewhere")  # published under the other channel's path
    subject = talk.adapter.channel.path.conversation(SessionId(question["session_id"])).subject(Kind.RECEIPT)
    await poll(lambda: _is_stored(talk, subject))
    assert await talk.calls() == []
    assert said.sequence > 0


async def test_a_session_whose_link_ran_out_is_idle_unless_somebody_spoke_meanwhile(talk: Talk) -> None:
    idle, busy = await talk.begin("Hello"), await talk.begin("Hello")
    long_ago_ms = time.time_ns() // 1_000_000 - 90_000_000
    await talk.adapter.change_chat(idle["conversation_id"], last_at_ms=long_ago_ms)
    fact = {"stub": "shop.x", "stubref": "x", "epoch": 1, "expires_at_ms": 1, "reason": "timeout"}
    for question in (busy, idle):
        conversation = talk.adapter.channel.path.conversation(SessionId(question["session_id"]))
        await talk.adapter.backbone.publisher.store(conversation.subject(Kind.EXPIRED), encode(fact), {})
    await poll(lambda: _is(talk, idle, "closed"))
    assert await talk.state(idle) == ("closed", "idle")
    assert await talk.state(busy) == ("active", None)
    assert await talk.calls() == []


async def test_an_outage_of_several_rounds_of_calls_loses_nothing_and_keeps_the_order_of_each_chat(talk: Talk) -> None:
    """As a minute's, but shorter: each chat uses up the four calls of a round, then waits and calls again."""
    await talk.installation.fault(path=SEND, status=503, count=None)
    questions = [await talk.begin(f"chat {number}") for number in range(8)]
    texts = ["one", "two", "three"]
    said = [(question, await talk.answer(question, text)) for text in texts for question in questions]
    await poll(lambda: _has_failed(talk, 6 * len(questions)), RECEIPT_WITHIN_S)
    await talk.installation.clear_faults()
    assert {await talk.outcome(question, each) for question, each in said} == {("delivered", None)}
    assert [await talk.shown(question) for question in questions] == [texts] * len(questions)
    assert await talk.adapter.letters() == []


async def test_an_answer_that_broke_off_may_be_shown_twice_where_webims_log_cannot_be_read(talk: Talk) -> None:
    question = await talk.begin("Hello")
    await talk.installation.fault(path=SEND, taken=True, close_connection=True)
    assert await talk.outcome(question, await talk.answer(question, "Hi")) == ("delivered", None)
    assert await talk.shown(question) == ["Hi", "Hi"]


async def test_with_the_admin_login_a_message_that_was_taken_is_not_said_again(talk: Talk) -> None:
    await talk.use_channel(**ADMIN)
    question = await talk.begin("Hello")
    await talk.installation.fault(path=SEND, taken=True, close_connection=True)
    await talk.installation.fault(path=SEND, skip=1, close_connection=True)
    said = await talk.answer(question, "Hi", "Hi", "Hi")
    assert await talk.outcome(question, said) == ("delivered", None)
    assert await talk.shown(question) == ["Hi", "Hi", "Hi"]
    assert (await talk.adapter.chat(question["conversation_id"])).bot_messages == 3


async def test_what_has_waited_for_too_long_is_a_dead_letter_and_the_next_answer_goes_on(
    server: EmbeddedServer, org: str, webim_url: str
) -> None:
    async with talking(server, org, webim_url, patience_s=1.0) as talk:
        question = await talk.begin("Hello")
        await talk.installation.fault(path=SEND, status=503, count=8)
        said = await talk.answer(question, "lost")
        assert await talk.outcome(question, said) == ("failed", "channel_gave_up")
        await talk.installation.clear_faults()
        assert [letter["reason"] for letter in await talk.adapter.letters()] == ["channel_gave_up"]
        assert await talk.outcome(question, await talk.answer(question, "next")) == ("delivered", None)
        assert await talk.shown(question) == ["next"]


@pytest.mark.parametrize(
    ("login", "fault"),
    [
        pytest.param({}, {"delay_ms": 20_000}, id="before it was taken"),
        pytest.param(ADMIN, {"delay_ms": 20_000, "taken": True}, id="after it was taken, with the login"),
    ],
)
async def test_a_worker_killed_in_the_middle_of_an_answer_neither_loses_nor_doubles_anything(
    server: EmbeddedServer, org: str, webim_url: str, login: dict[str, Any], fault: dict[str, Any]
) -> None:
    async with talking_to_process(server, org, webim_url) as (talk, start):
        with start() as worker:
            await talk.use_channel(**login)
            question = await talk.begin("Hello")
            await talk.installation.fault(path=SEND, skip=2, **fault)
            said = [await talk.answer(question, *texts) for texts in (("1", "2", "3", "4"), ("5", "6"))]
            await poll(lambda: _count(talk, 3), 20)
            worker.kill()
            worker.wait()
        with start():
            outcomes = [await talk.outcome(question, each) for each in said]
        assert outcomes == [("delivered", None), ("delivered", None)]
        assert await talk.shown(question) == ["1", "2", "3", "4", "5", "6"]


async def test_a_worker_killed_between_a_redirect_and_its_note_hands_the_chat_over_once(
    server: EmbeddedServer, org: str, webim_url: str
) -> None:
    async with talking_to_process(server, org, webim_url) as (talk, start):
        with start() as worker:
            await talk.use_channel(**ADMIN)
            question = await talk.begin("Hello")
            await talk.installation.fault(path=REDIRECT, delay_ms=20_000, taken=True)
            said = await talk.answer(question, "One moment", actions=[TO_OLGA])
            await poll(lambda: talk.calls(REDIRECT), 20)
            worker.kill()
            worker.wait()
        with start():
            assert await talk.outcome(question, said) == ("delivered", None)
            await poll(lambda: _is(talk, question, "transferred"))
        assert [notice["event"] for notice in await talk.notices(question)] == ["livechatStarted"]
        assert await talk.shown(question) == ["One moment"]


async def test_check_40_no_failure_writes_a_secret_or_what_was_said_into_the_log(talk: Talk) -> None:
    await talk.use_channel(**ADMIN)
    question = await talk.begin("planted question")
    faults: list[dict[str, Any]] = [
        {"status": 503},
        {"close_connection": True},
        {"html_body": True},
        {"truncate": True},
        {"error_200": "refused"},
        {"status": 400},
        {"status": 401},
    ]
    with structlog.testing.capture_logs() as lines:
        for fault in faults:
            await talk.installation.fault(path=SEND, **fault)
            await talk.outcome(question, await talk.answer(question, "planted answer"))
    logged = repr(lines)
    assert "webim_step_refused" in logged
    secrets = (BOT_TOKEN, ADMIN["password"], talk.adapter.channel.access_token, question["session_id"])
    assert [secret for secret in (*secrets, "planted question", "planted answer") if secret in logged] == []


async def test_a_private_address_is_refused(server: EmbeddedServer, org: str, webim_url: str) -> None:
    private = webim_url.replace("http://", "https://")
    async with talking(server, org, webim_url, private_addresses=False, base_url_template=private) as talk:
        question = await talk.begin("Hello")
        said = await talk.answer(question, "Hi")
        assert await talk.outcome(question, said) == ("failed", "address_refused")
        assert await talk.calls() == []


async def _is(talk: Talk, question: Json, state: str) -> bool:
    return (await talk.state(question))[0] == state


async def _count(talk: Talk, count: int) -> bool:
    return len(await talk.calls(SEND)) == count


async def _has_failed(talk: Talk, count: int) -> bool:
    return len(await talk.calls(SEND)) >= count


async def _alarm_is(talk: Talk, alarm: str | None) -> bool:
    store = ChannelStore(talk.adapter.backbone.records(CHANNELS))
    found = await store.find(talk.adapter.org, talk.adapter.channel.id)
    return found is not None and found.alarm == alarm


async def _is_stored(talk: Talk, subject: str) -> bool:
    return any(subject.endswith(f"{event.session}.{event.kind}") for event in await talk.adapter.events())
