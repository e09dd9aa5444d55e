"""What was written before somebody went, and comes to light only afterwards, is not lost."""

from __future__ import annotations

from pathlib import Path

from broker.domain.subjects import Conversation, Kind
from broker.runtime.embedded import EmbeddedServer
from tests.conftest import TIME_FACTOR, poll
from tests.integration.giosg.conftest import BOT, DESK, Desk, running_desk
from tests.standins.giosg_control import Giosg

ANSWER_DELAY_MS = int(3_000 * TIME_FACTOR)
"""While it lasts the conversation goes to the bot and back: a text tried again in between would go to the bot."""


async def test_what_a_visitor_wrote_before_it_left_is_read_by_agents_when_giosg_is_back(
    server: EmbeddedServer, routing: None, org: str, giosg: Giosg, tmp_path: Path
) -> None:
    async with running_desk(server.url, org, giosg, tmp_path, max_retries=0) as desk:
        await giosg.fault(path="/auth", status=503, count=None)
        await desk.route_here()
        conversation = await desk.open()
        await desk.say(conversation, "please call me")
        await desk.say(conversation, "my number is 17")
        await desk.end(conversation)
        seen = len(await giosg.calls("/auth"))
        await poll(lambda: _is_asked_again(giosg, seen))
        await giosg.clear_faults()
        await poll(lambda: _is_ended_with(giosg, ["please call me", "my number is 17"]), within_s=20)
        assert await desk.letters() == []


async def test_an_answer_that_broke_off_loses_no_text(desk: Desk, giosg: Giosg) -> None:
    for path in ("/auth", "/visitors", "/chats", "/messages"):
        await giosg.fault(method="POST", path=path, truncate=True, processed=True)
    await desk.route_here()
    conversation = await desk.open()
    await desk.say(conversation, "one")
    await desk.say(conversation, "two")
    await poll(lambda: _is_only(giosg, ["one", "two"]), within_s=20)
    assert await desk.letters() == []


async def test_a_visitor_who_left_before_the_desk_could_take_it_over_is_still_read(
    server: EmbeddedServer, routing: None, org: str, giosg: Giosg, tmp_path: Path
) -> None:
    async with running_desk(server.url, org, giosg, tmp_path, max_retries=0) as desk:
        await giosg.fault(path="/auth", status=503, count=None)
        conversation = await desk.open()
        await desk.link(conversation, BOT)
        await desk.say(conversation, "I need a human")
        await desk.hand_over(conversation)
        await desk.say(conversation, "and it is urgent")
        await desk.end(conversation)
        seen = len(await giosg.calls("/auth"))
        await poll(lambda: _is_asked_again(giosg, seen))
        await giosg.clear_faults()
        await poll(lambda: _is_ended_with(giosg, ["I need a human", "and it is urgent"]), within_s=20)
        assert await desk.letters() == []


async def test_what_waited_from_before_goes_before_the_words_of_a_newer_hand_over(
    server: EmbeddedServer, routing: None, org: str, giosg: Giosg, tmp_path: Path
) -> None:
    async with running_desk(server.url, org, giosg, tmp_path, max_retries=0) as desk:
        await desk.subscribe()
        conversation = await desk.open()
        await desk.say(conversation, "hello")
        await desk.hand_over(conversation)
        chat_id = await desk.chat_id(conversation)
        await poll(lambda: _has_visitor(giosg, chat_id))
        await giosg.fault(method="POST", path="/messages", status=503, delay_ms=ANSWER_DELAY_MS)
        await desk.say(conversation, "one")
        await poll(lambda: _is_called(giosg, 2))
        await giosg.end(chat_id)
        await poll(lambda: _is_linked(desk, conversation, BOT, 2))
        await desk.say(conversation, "two")
        await desk.link(conversation, DESK)
        await poll(lambda: _are_two(giosg), within_s=20)
        await poll(lambda: _is_last(giosg, ["one", "two"]), within_s=20)


async def test_a_second_hand_over_before_the_first_was_seen_to_brings_the_words_along(
    server: EmbeddedServer, routing: None, org: str, giosg: Giosg, tmp_path: Path
) -> None:
    async with running_desk(server.url, org, giosg, tmp_path, max_retries=0) as desk:
        await desk.subscribe()
        conversation = await desk.open()
        await desk.say(conversation, "hello")
        await desk.hand_over(conversation)
        chat_id = await desk.chat_id(conversation)
        await poll(lambda: _has_visitor(giosg, chat_id))
        await giosg.fault(method="POST", path="/messages", status=503, delay_ms=ANSWER_DELAY_MS)
        await desk.say(conversation, "one")
        await poll(lambda: _is_called(giosg, 2))
        await giosg.end(chat_id)
        await poll(lambda: _is_linked(desk, conversation, BOT, 2))
        await desk.say(conversation, "two")
        await desk.link(conversation, DESK)
        await desk.link(conversation, DESK)
        await poll(lambda: _are_two(giosg), within_s=20)
        await poll(lambda: _is_last(giosg, ["one", "two"]), within_s=20)


async def test_a_chat_that_may_have_been_made_for_a_conversation_that_went_elsewhere_is_ended(
    server: EmbeddedServer, routing: None, org: str, giosg: Giosg, tmp_path: Path
) -> None:
    async with running_desk(server.url, org, giosg, tmp_path, max_retries=0) as desk:
        await giosg.fault(method="POST", path="/chats", drop=True, processed=True)
        await giosg.fault(method="GET", path="/chats", status=503, count=None)
        conversation = await desk.open()
        await desk.hand_over(conversation)
        await poll(lambda: _is_looked_for(giosg))
        await desk.link(conversation, BOT)
        await giosg.clear_faults()
        await poll(lambda: _is_ended_with(giosg, []), within_s=20)


async def test_what_an_agent_wrote_into_a_chat_that_is_left_for_another_is_heard(
    server: EmbeddedServer, routing: None, org: str, giosg: Giosg, tmp_path: Path
) -> None:
    async with running_desk(server.url, org, giosg, tmp_path, reconcile_seconds=0) as desk:
        conversation = await desk.open()
        await desk.say(conversation, "hello")
        await desk.hand_over(conversation)
        chat_id = await desk.chat_id(conversation)
        await poll(lambda: _has_visitor(giosg, chat_id))
        for text in ("one", "two"):
            await giosg.say(chat_id, text)
        await giosg.end(chat_id)
        assert await desk.heard(conversation) == []  # no webhook has come
        await desk.say(conversation, "are you there?")
        await poll(lambda: _are_two(giosg))
        assert await desk.heard(conversation) == ["one", "two"]


async def _is_asked_again(giosg: Giosg, seen: int) -> bool:
    return len(await giosg.calls("/auth")) > seen


async def _is_called(giosg: Giosg, times: int) -> bool:
    return len(await giosg.calls("/messages", method="POST")) == times


async def _is_linked(desk: Desk, conversation: Conversation, stub: str, times: int) -> bool:
    facts = await desk.events(conversation, Kind.LINKED)
    return [fact["stub"] for _, fact in facts].count(stub) == times


async def _is_only(giosg: Giosg, texts: list[str]) -> bool:
    return [chat.texts("visitor") for chat in await giosg.chats()] == [texts]


async def _is_last(giosg: Giosg, texts: list[str]) -> bool:
    return (await giosg.chats())[-1].texts("visitor") == texts


async def _is_looked_for(giosg: Giosg) -> bool:
    return bool(await giosg.calls("/chats", method="GET"))


async def _is_ended_with(giosg: Giosg, texts: list[str]) -> bool:
    chats = await giosg.chats()
    return [(chat.texts("visitor"), chat.is_ended) for chat in chats] == [(texts, True)]


async def _has_visitor(giosg: Giosg, chat_id: str) -> bool:
    return bool((await giosg.chat(chat_id)).texts("visitor"))


async def _are_two(giosg: Giosg) -> bool:
    return len([chat for chat in await giosg.chats() if chat.texts("visitor")]) == 2
