"""What begins, is cut off, and comes again: nothing is lost, doubled, put out of order or shown to others by that."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.codec import encode
from broker.domain import headers as names
from broker.domain.ids import ChannelName, ChatName
from broker.domain.subjects import STUBS, ChatPath, Conversation, Kind
from broker.runtime.embedded import EmbeddedServer
from broker.transport.topology import STUBSESSIONS
from tests.conftest import poll
from tests.integration.giosg.conftest import BOT, CONNECTION, Desk, running_desk
from tests.integration.giosg.hearing_elsewhere import hearing_elsewhere
from tests.integration.giosg.talking import Talk, begin
from tests.standins.giosg_control import Giosg
from workers.giosg.cases.endings import Endings
from workers.giosg.cases.transitions import ended
from workers.giosg.connections.file import load_connections
from workers.giosg.telling.links import Links
from workers.giosg.telling.visitor import Visitors


class _CutOffError(Exception):
    """The process was killed right there."""


class _Killed(Links):
    """Gives back, and is killed before it can tell whoever has the conversation again."""

    async def tell_giver(self, *_: object, **__: object) -> None:
        raise _CutOffError


async def test_whoever_gave_the_conversation_is_told_of_its_end_though_a_process_was_killed_in_between(
    desk: Desk, tmp_path: Path
) -> None:
    talk = await begin(desk)
    connections = load_connections(tmp_path / "giosg.toml", {})
    async with hearing_elsewhere(desk, tmp_path) as elsewhere:
        visitors = Visitors(desk.backbone.connection, desk.backbone.publisher)
        links = _Killed(desk.backbone.publisher, desk.backbone.records(STUBSESSIONS))
        killed = Endings(desk.cases, visitors, links, connections, elsewhere.parts.languages)
        with pytest.raises(_CutOffError):
            await killed.end(await talk.case(), "ended_by_giosg")
        await poll(lambda: _owned_by(desk, talk.conversation, BOT))
        for _ in range(2):
            await elsewhere.parts.endings.end(await talk.case(), "ended_by_giosg")
    runs = [action for action, post in await desk.runs_of(BOT) if "_incoming_giosg_data" in post["data"]]
    assert runs == ["_update_from_giosg"]


async def test_the_first_answer_in_a_chat_is_heard_though_giosg_would_not_say_whose_chat_it_is(
    desk: Desk, giosg: Giosg
) -> None:
    await giosg.webhooks(echo="before")
    await giosg.api_tokens("another-token")
    talk = await begin(desk)
    await giosg.say(talk.chat_id, "Good day")
    await talk.until_heard("Good day")


async def test_all_of_a_long_text_is_handed_over_though_giosg_takes_its_parts_in_two_attempts(
    server: EmbeddedServer, routing: None, org: str, giosg: Giosg, tmp_path: Path
) -> None:
    parts = ["a" * 2000, "b" * 2000, "c" * 10]
    async with running_desk(server.url, org, giosg, tmp_path, max_retries=0) as desk:
        await giosg.fault(method="POST", path="/messages", skip=1, status=503)
        conversation = await desk.open()
        await desk.link(conversation, BOT)
        await desk.say(conversation, "".join(parts))
        await desk.hand_over(conversation)
        chat_id = await desk.chat_id(conversation)
        await poll(lambda: _texts(giosg, chat_id, parts), within_s=10)


async def test_a_text_that_giosg_took_before_its_chat_ended_is_nobody_elses(
    server: EmbeddedServer, routing: None, org: str, giosg: Giosg, tmp_path: Path
) -> None:
    async with running_desk(server.url, org, giosg, tmp_path, max_retries=0) as desk:
        await desk.subscribe()
        talk = await begin(desk)
        await giosg.fault(method="POST", path="/messages", processed=True, drop=True)
        await giosg.fault(method="GET", path="/messages", status=503, count=None)
        await desk.say(talk.conversation, "one more thing")
        await poll(lambda: _texts(giosg, talk.chat_id, ["Hello", "one more thing"]))
        await poll(lambda: _is_looked_for(giosg, talk.chat_id))
        await desk.cases.change(talk.conversation.session, lambda case: ended(case, "ended_by_giosg", 0))
        await giosg.clear_faults()
        await poll(lambda: _is_attributed(talk, 2), within_s=15)
        await desk.say(talk.conversation, "and another")
        await poll(lambda: _has_bot(desk, "and another"), within_s=15)
        assert not await _has_bot(desk, "one more thing")
        assert len(await giosg.chats()) == 1


async def test_a_run_that_names_the_session_of_another_conversation_reaches_nobody(desk: Desk, giosg: Giosg) -> None:
    talk = await begin(desk)
    elsewhere = ChatPath(ChannelName("webchat"), desk.org, ChatName("draftother")).conversation(
        talk.conversation.session
    )
    subject = f"{STUBS}.org.{desk.org}.service.giosg.stubref.{CONNECTION}.action._update_from_webchat"
    headers = {names.CONVERSATION: elsewhere.prefix}
    await desk.backbone.publisher.store(subject, encode({"stubpost": {"message": "psst", "data": {}}}), headers)
    await poll(lambda: _letters(desk, ["bad_subject"]))
    assert (await giosg.chat(talk.chat_id)).texts("visitor") == ["Hello"]


async def _letters(desk: Desk, reasons: list[str]) -> bool:
    return [letter["reason"] for letter in await desk.letters()] == reasons


async def _is_looked_for(giosg: Giosg, chat_id: str) -> bool:
    return bool(await giosg.calls(f"/chats/{chat_id}/messages", method="GET"))


async def _is_attributed(talk: Talk, count: int) -> bool:
    return len((await talk.case()).sent) == count


async def _has_bot(desk: Desk, text: str) -> bool:
    return text in [post["message"] for _, post in await desk.runs_of(BOT)]


async def _texts(giosg: Giosg, chat_id: str, texts: list[str]) -> bool:
    return (await giosg.chat(chat_id)).texts("visitor") == texts


async def _owned_by(desk: Desk, conversation: Conversation, stub: str) -> bool:
    _, fact = (await desk.events(conversation, Kind.LINKED))[-1]
    return str(fact["stub"]) == stub
