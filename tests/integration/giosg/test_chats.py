"""What becomes of chats: the acceptance checks of specs/giosg.md about partial changes, ends and removals."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from broker.domain.ids import SessionId
from broker.domain.subjects import Kind
from broker.runtime.embedded import EmbeddedServer
from tests.conftest import TIME_FACTOR, poll
from tests.integration.giosg.conftest import BOT, CONNECTION, DESK, Desk, running_desk
from tests.integration.giosg.hearing_elsewhere import hearing_elsewhere
from tests.integration.giosg.talking import Talk, begin
from tests.standins.giosg_control import ORGANIZATION_ID, Giosg
from workers.giosg.cases.case import Case, Starting
from workers.giosg.cases.transitions import ended
from workers.giosg.hearing.ownership import Ownership

CHATS = f"/api/v5/orgs/{ORGANIZATION_ID}/owned_chats"


async def test_check_07_a_chat_told_of_before_its_answer_is_one_link(desk: Desk) -> None:
    await desk.giosg.webhooks(echo="before")
    talk = await begin(desk)
    await talk.until_worked_off()
    assert [one.id for one in await desk.giosg.chats()] == [talk.chat_id]
    case = await talk.case()
    assert (case.stage, case.past) == ("waiting", [])
    links = [fact for _, fact in await desk.events(talk.conversation, Kind.LINKED) if fact["stub"] == DESK]
    assert len(links) == 1
    types = await desk.types(talk.conversation)
    assert [types.count(kind) for kind in ("session.opened", "session.waiting")] == [1, 1]


async def test_check_11_an_end_told_in_one_word_is_fetched_and_closes_once(desk: Desk) -> None:
    talk = await begin(desk)
    await desk.giosg.say(talk.chat_id, "Bye")
    await talk.until_worked_off()
    before = len(await talk.calls(""))
    await desk.giosg.webhooks(changed_keys=["is_ended"], copies=3)
    await desk.giosg.end(talk.chat_id)
    await talk.until_told("session.ended")
    await talk.until_worked_off()
    ended = [one for one in await talk.deliveries("changed") if one.body["resource"].get("is_ended")]
    assert [one.body["resource"] for one in ended] == [{"id": talk.chat_id, "is_ended": True}] * 3
    assert await talk.told_times("session.ended") == 1
    assert 1 <= len(await talk.calls("")) - before <= 2, "one fetch at a time, and one more for all that came meanwhile"
    case = await talk.case()
    assert (case.stage, case.end_reason) == ("ended", "ended_by_giosg")


async def test_check_12_a_tag_is_nobodys_business(desk: Desk) -> None:
    talk = await begin(desk)
    await desk.giosg.join(talk.chat_id)
    await talk.until_worked_off()
    before, told = len(await talk.calls("")), await desk.told(talk.conversation)
    await desk.giosg.webhook(CHATS, "changed", talk.chat_id, resource={"id": talk.chat_id, "tag_count": 2})
    await talk.until_worked_off()
    assert len(await talk.calls("")) == before
    assert await desk.told(talk.conversation) == told


async def test_check_13_a_removed_chat_is_asked_for_and_closes_the_session(desk: Desk) -> None:
    talk = await begin(desk)
    await desk.giosg.say(talk.chat_id, "To be forgotten")
    await talk.until_heard("To be forgotten")
    before = len(await talk.calls(""))
    await desk.giosg.webhooks(copies=2)
    await desk.giosg.remove(talk.chat_id)
    await talk.until_told("session.ended")
    await talk.until_worked_off()
    removed = [one for one in await talk.deliveries("removed") if one.resource_id == talk.chat_id]
    assert [(one.status, "resource" in one.body) for one in removed] == [(200, False)] * 2
    assert len(await talk.calls("")) > before
    (end,) = [one for one in await desk.told(talk.conversation) if one.type == "session.ended"]
    assert end.event["reason"] == "removed"
    case = await talk.case()
    assert (case.stage, case.texts) == ("removed", {})


async def test_check_14_a_forged_removal_closes_nothing(desk: Desk) -> None:
    talk = await begin(desk)
    await talk.until_worked_off()
    before = len(await talk.calls(""))
    await desk.giosg.webhook(CHATS, "removed", talk.chat_id)
    await talk.until_worked_off()
    assert len(await talk.calls("")) == before + 1
    assert (await talk.case()).is_open
    await desk.giosg.say(talk.chat_id, "Still here")
    await talk.until_heard("Still here")
    assert await talk.told_times("session.ended") == 0


async def test_a_forged_end_closes_nothing(desk: Desk) -> None:
    talk = await begin(desk)
    await desk.giosg.webhook(CHATS, "changed", talk.chat_id, resource={"id": talk.chat_id, "is_ended": True})
    await talk.until_worked_off()
    assert (await talk.case()).is_open
    assert await talk.told_times("session.ended") == 0


async def test_check_33_a_reply_that_comes_both_ways_is_delivered_once(desk: Desk, tmp_path: Path) -> None:
    talk = await begin(desk)
    await desk.giosg.join(talk.chat_id)
    await talk.until_worked_off()
    async with hearing_elsewhere(desk, tmp_path) as elsewhere:
        for text in ("one", "two", "three"):
            await desk.giosg.say(talk.chat_id, text)
        for _ in range(3):
            await elsewhere.read(talk.chat_id)
    await talk.until_worked_off()
    assert await desk.heard(talk.conversation) == ["one", "two", "three"]


async def test_the_list_corrects_what_reads_otherwise_by_now(desk: Desk, tmp_path: Path) -> None:
    talk = await begin(desk)
    message = await desk.giosg.say(talk.chat_id, "Nine euros")
    await talk.until_heard("Nine euros")
    await desk.giosg.webhooks(drop_rate=1.0)
    await desk.giosg.edit_message(talk.chat_id, message["id"], "Ten euros")
    async with hearing_elsewhere(desk, tmp_path) as elsewhere:
        for _ in range(2):
            await elsewhere.read(talk.chat_id)
    edits = [one.event["text"] for one in await desk.told(talk.conversation) if one.type == "agent.message.edited"]
    assert edits == ["Ten euros"]


async def test_check_34_what_comes_after_the_end_is_nothing(desk: Desk) -> None:
    talk = await begin(desk)
    await desk.giosg.join(talk.chat_id)
    await desk.giosg.end(talk.chat_id)
    await talk.until_told("session.ended")
    told = await desk.told(talk.conversation)
    await desk.giosg.tag(talk.chat_id, "vip")
    await desk.giosg.leave(talk.chat_id)
    await talk.until_worked_off()
    assert await desk.told(talk.conversation) == told
    assert await desk.letters() == []


async def test_a_late_message_of_an_ended_chat_is_delivered(desk: Desk) -> None:
    talk = await begin(desk)
    await desk.giosg.say(talk.chat_id, "Early")
    await talk.until_heard("Early")
    await desk.giosg.end(talk.chat_id)
    await talk.until_told("session.ended")
    await talk.until_worked_off()
    late = {**(await desk.giosg.chat(talk.chat_id)).messages[-1], "id": "late-message", "message": "Late"}
    await desk.giosg.webhook(f"{CHATS}/{talk.chat_id}/messages", "added", "late-message", resource=late)
    await talk.until_heard("Early", "Late")


async def test_what_no_webhook_told_is_delivered_before_the_end(desk: Desk) -> None:
    talk = await begin(desk)
    await desk.giosg.join(talk.chat_id)
    await talk.until_worked_off()
    await desk.giosg.webhooks(drop_rate=1.0)
    for text in ("lost one", "lost two"):
        await desk.giosg.say(talk.chat_id, text)
    await desk.giosg.webhooks(drop_rate=0.0)
    await desk.giosg.end(talk.chat_id)
    await talk.until_told("session.ended")
    told = await desk.told(talk.conversation)
    assert [one.text for one in told if one.type == "agent.message"] == ["lost one", "lost two"]
    assert told[-1].type == "session.ended"


async def test_what_was_missed_is_delivered_before_the_next_message(desk: Desk, tmp_path: Path) -> None:
    talk = await begin(desk)
    await desk.giosg.join(talk.chat_id)
    await talk.until_worked_off()
    await desk.giosg.webhooks(drop_rate=1.0)  # as while no worker runs
    for text in ("missed one", "missed two", "next"):
        await desk.giosg.say(talk.chat_id, text)
    async with hearing_elsewhere(desk, tmp_path) as started:
        *_, newest = await started.listed(talk.chat_id)
        before = len(await talk.calls("/messages"))
        await started.parts.hearing.message(started.connection, talk.chat_id, newest)
        assert await desk.heard(talk.conversation) == ["missed one", "missed two", "next"]
        await desk.giosg.say(talk.chat_id, "and on")
        *_, newest = await started.listed(talk.chat_id)
        await started.parts.hearing.message(started.connection, talk.chat_id, newest)
        assert await desk.heard(talk.conversation) == ["missed one", "missed two", "next", "and on"]
        assert len(await talk.calls("/messages")) == before + 2, "looked through once, and listed once by the test"


async def test_an_answer_does_not_wait_for_a_list_that_does_not_come(desk: Desk, tmp_path: Path) -> None:
    talk = await begin(desk)
    await desk.giosg.join(talk.chat_id)
    await talk.until_worked_off()
    await desk.giosg.webhooks(drop_rate=1.0)
    await desk.giosg.say(talk.chat_id, "Here")
    async with hearing_elsewhere(desk, tmp_path) as started:
        *_, newest = await started.listed(talk.chat_id)
        await desk.giosg.fault(method="GET", path="/messages", status=503, count=None)
        started.parts.hearing._list_wait_s = 0.3
        async with asyncio.timeout(4 * TIME_FACTOR):
            await started.parts.hearing.message(started.connection, talk.chat_id, newest)
        await desk.giosg.clear_faults()
        assert await desk.heard(talk.conversation) == ["Here"]


async def test_after_the_end_the_stub_that_handed_over_has_the_conversation_and_knows(desk: Desk) -> None:
    talk = await begin(desk)
    await desk.giosg.say(talk.chat_id, "Bye")
    await desk.giosg.end(talk.chat_id)
    await talk.until_told("session.ended")
    await poll(lambda: _has_link(talk, BOT))
    (end,) = [one for one in await desk.told(talk.conversation) if one.type == "session.ended"]
    assert (end.text, end.event["reason"]) == ("The conversation has ended.", "ended_by_giosg")

    async def is_told() -> bool:
        return any(action == "_update_from_giosg" for action, _ in await desk.runs_of(BOT))

    await poll(is_told)
    runs = [post for action, post in await desk.runs_of(BOT) if action == "_update_from_giosg"]
    assert [run["data"]["_incoming_giosg_data"]["type"] for run in runs] == ["session.ended"]
    assert len([one for one in await desk.events(talk.conversation, Kind.LINKED) if one[1]["stub"] == BOT]) == 2


async def test_where_nobody_is_to_have_it_back_the_link_ends(
    server: EmbeddedServer, routing: None, org: str, giosg: Giosg, tmp_path: Path
) -> None:
    async with running_desk(server.url, org, giosg, tmp_path, give_back="nobody") as desk:
        await desk.subscribe()
        talk = await begin(desk)
        await giosg.end(talk.chat_id)
        await talk.until_told("session.ended")

        async def is_free() -> bool:
            return bool(await desk.events(talk.conversation, Kind.CANCELLED))

        await poll(is_free)
        assert [action for action, _ in await desk.runs_of(BOT) if action == "_update_from_giosg"] == []


@pytest.mark.parametrize("flags", ["waiting", "pending", "both"])
async def test_a_visitor_waits_until_an_agent_comes_whichever_flag_tells(desk: Desk, flags: str) -> None:
    await desk.giosg.configure(waiting_flags=flags)
    talk = await begin(desk)
    await talk.until_worked_off()
    assert (await talk.case()).stage == "waiting"
    await desk.giosg.join(talk.chat_id)
    await talk.until_worked_off()
    assert (await talk.case()).stage == "active"
    types = await desk.types(talk.conversation)
    assert [types.count(kind) for kind in ("session.waiting", "session.active")] == [1, 1]


async def test_with_the_token_refused_the_webhooks_own_word_has_to_do(desk: Desk) -> None:
    talk = await begin(desk)
    await desk.giosg.say(talk.chat_id, "Still heard")
    await talk.until_heard("Still heard")
    await desk.giosg.api_tokens()
    await desk.giosg.say(talk.chat_id, "And this")
    await talk.until_heard("Still heard", "And this")
    await desk.giosg.end(talk.chat_id)
    await talk.until_told("session.ended")
    assert (await talk.case()).end_reason == "ended_by_giosg"


async def test_an_agent_who_answers_keeps_the_conversation_when_half_of_its_hours_have_passed(
    server: EmbeddedServer, routing: None, org: str, giosg: Giosg, tmp_path: Path
) -> None:
    async with running_desk(server.url, org, giosg, tmp_path, link_hours=100.0) as desk:
        await desk.subscribe()
        talk = await begin(desk)  # the bot gave it for 24 hours
        await giosg.say(talk.chat_id, "One")
        await poll(lambda: _hours_are(talk, [24.0, 100.0]))
        await giosg.say(talk.chat_id, "Two")
        await talk.until_heard("One", "Two")
        await talk.until_worked_off()
        assert await _hours_are(talk, [24.0, 100.0])
        assert (await talk.case()).giver == BOT


async def test_an_end_that_was_marked_and_not_told_is_told_when_it_is_heard_again(desk: Desk) -> None:
    talk = await begin(desk)
    await desk.giosg.webhooks(drop_rate=1.0)
    await desk.giosg.end(talk.chat_id)
    await desk.cases.change(talk.conversation.session, lambda case: ended(case, "ended_by_giosg", 1))
    await desk.giosg.webhooks(drop_rate=0.0)
    for _ in range(2):
        resource = {"id": talk.chat_id, "is_ended": True}
        await desk.giosg.webhook(CHATS, "changed", talk.chat_id, resource=resource)
    await talk.until_told("session.ended")
    await poll(lambda: _has_link(talk, BOT))
    await talk.until_worked_off()
    assert await talk.told_times("session.ended") == 1


@pytest.mark.parametrize(
    ("asked", "adopted"),
    [pytest.param(True, True, id="it was asked for"), pytest.param(False, False, id="nobody asked for it yet")],
)
async def test_a_chat_whose_opening_was_cut_off_is_adopted(
    desk: Desk, tmp_path: Path, asked: object, adopted: object
) -> None:
    conversation = await desk.open()
    chat = await desk.giosg.foreign_chat(text=None)
    case = Case(
        org=desk.org,
        connection=CONNECTION,
        conversation=conversation.prefix,
        session=conversation.session,
        visitor_key="cut-off",
        stage="starting",
        starting=Starting(cause=1, since_ms=1, asked=bool(asked)),
    )
    await desk.cases.save(case, revision=0)
    await desk.cases.lead_visitor(ORGANIZATION_ID, chat.visitor_id, SessionId(conversation.session))
    async with hearing_elsewhere(desk, tmp_path) as elsewhere:
        ownership = Ownership(desk.cases, elsewhere.apis, elsewhere.parts.stages, starting_wait_s=0.1)
        found = await ownership.resolve(elsewhere.connection, chat.id)
        assert not ownership.is_foreign(elsewhere.connection, chat.id), "it may be ours in a moment"
    assert found == (conversation.session if adopted else None)
    after = await desk.case(conversation)
    assert after is not None
    assert after.is_open is adopted
    assert await desk.types(conversation) == (["session.opened"] if adopted else [])


async def _hours_are(talk: Talk, hours: list[float]) -> bool:
    facts = await talk.desk.events(talk.conversation, Kind.LINKED)
    return [fact["timeout_hours"] for _, fact in facts if fact["stub"] == DESK] == hours


async def _has_link(talk: Talk, stub: str) -> bool:
    facts: list[tuple[int, dict[str, Any]]] = await talk.desk.events(talk.conversation, Kind.LINKED)
    return bool(facts) and facts[-1][1]["stub"] == stub
