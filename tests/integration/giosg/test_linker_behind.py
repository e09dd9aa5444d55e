"""What the linker tells before it has saved it, and what somebody tells who is no linker."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.codec import encode
from broker.domain import headers as names
from broker.domain.subjects import STUBS, Conversation, Kind
from broker.errors import LinkNotSavedError
from broker.runtime.backbone import open_backbone
from broker.runtime.deadletters import Original
from broker.runtime.embedded import EmbeddedServer
from broker.transport.links import LiveLink
from broker.transport.topology import DELIVERIES, PARTITIONS, STUBSESSIONS
from tests.conftest import poll
from tests.integration.giosg.conftest import BOT, CONNECTION, DESK, Desk, connections_file
from tests.integration.giosg.hearing_elsewhere import Elsewhere, hearing_elsewhere
from tests.integration.giosg.talking import begin
from tests.standins.giosg_control import Giosg
from workers.giosg.cases.case import Case
from workers.giosg.cases.store import now_ms
from workers.giosg.connections.file import load_connections
from workers.giosg.runs.conversing import ChatSteps, Conversing
from workers.giosg.runs.history import History
from workers.giosg.runs.introducing import Introducing
from workers.giosg.runs.opening import Opening
from workers.giosg.runs.refusing import Refusing
from workers.giosg.runs.sending import TextSender
from workers.giosg.runs.standing import Standings
from workers.giosg.runs.talk import Talk
from workers.giosg.runs.talks import Talks
from workers.giosg.settings import GiosgSettings
from workers.giosg.telling.links import Links
from workers.giosg.telling.visitor import Visitors
from workers.giosg.watching.availability import Availability

SUBJECT = "{stubs}.org.{org}.service.giosg.stubref.{connection}.action.{action}"


class _Lagging(Links):
    """Sees no link until the linker has saved it."""

    is_saved = False

    async def live(self, case: Case, *, now_ms: int) -> LiveLink | None:
        return await super().live(case, now_ms=now_ms) if self.is_saved else None


@pytest.mark.parametrize("is_over", [False, True], ids=["", "it is over by then"])
async def test_a_hand_over_that_is_told_of_and_not_saved_yet_is_waited_for(
    server: EmbeddedServer, routing: None, org: str, giosg: Giosg, tmp_path: Path, *, is_over: bool
) -> None:
    connections_file(tmp_path, org, giosg, 1)
    async with open_backbone(GiosgSettings(nats_url=server.url), name="test-lag") as backbone:
        desk = Desk(backbone, org, giosg, 1)
        conversation = await desk.open()
        await desk.link(conversation, BOT)
        await desk.say(conversation, "a human, please")
        await desk.link(conversation, DESK)
        if is_over:
            await desk.end(conversation)
            await poll(lambda: _is_over(desk, conversation))
        async with hearing_elsewhere(desk, tmp_path) as elsewhere:
            links = _Lagging(backbone.publisher, backbone.records(STUBSESSIONS))
            conversing, work = await _taken(desk, conversation, elsewhere, links, tmp_path)
            if not is_over:
                with pytest.raises(LinkNotSavedError):
                    await conversing.taken(work)
                links.is_saved = True
            await conversing.taken(work)
        assert [chat.texts("visitor") for chat in await giosg.chats()] == [["a human, please"]]


async def test_a_release_that_no_linker_has_told_of_changes_nothing(desk: Desk, giosg: Giosg) -> None:
    talk = await begin(desk)
    before = await talk.case()
    subject = SUBJECT.format(stubs=STUBS, org=desk.org, connection=CONNECTION, action="_released")
    headers = {names.CONVERSATION: talk.conversation.prefix, names.EVENT: "7"}
    fact = {"stub": DESK, "stubref": CONNECTION, "epoch": 1 << 60, "expires_at_ms": 1, "reason": "deleted"}
    await desk.backbone.publisher.store(subject, encode({"stubpost": {"message": "", "data": {"link": fact}}}), headers)
    await desk.say(talk.conversation, "still here?")
    await poll(lambda: _texts(giosg, talk.chat_id, ["Hello", "still here?"]))
    assert (await talk.case()).epoch == before.epoch


async def _taken(
    desk: Desk, conversation: Conversation, elsewhere: Elsewhere, links: Links, folder: Path
) -> tuple[Conversing, Talk]:
    """The work on the run of the desk's link, and whoever does it."""
    backbone, parts = desk.backbone, elsewhere.parts
    connections = load_connections(folder / "giosg.toml", {})
    history = History(backbone.connection, partitions=PARTITIONS)
    standings = Standings(links, history)
    introducing = Introducing(history)
    opening = Opening(Availability(elsewhere.apis), introducing, standings)
    visitors = Visitors(backbone.connection, backbone.publisher)
    refusing = Refusing(visitors, links, standings, backbone.dead_letters, parts.languages)
    steps = ChatSteps(opening, TextSender(), parts.endings, parts.messages)
    talks = Talks(connections, elsewhere.apis, desk.cases, parts.stages, history, standings)
    sequence, _ = (await desk.events(conversation, Kind.LINKED))[-1]
    original = Original(
        subject=SUBJECT.format(stubs=STUBS, org=desk.org, connection=CONNECTION, action="_taken"),
        stream=DELIVERIES,
        sequence=1,
        data=encode({"stubpost": {"message": "", "data": {}}}),
        headers={names.CONVERSATION: conversation.prefix, names.EVENT: str(sequence)},
        stored_at_ms=now_ms(),
        attempts=1,
    )
    work = await talks.begin(original)
    assert work is not None
    return Conversing(history, standings, steps, introducing, refusing), work


async def _is_over(desk: Desk, conversation: Conversation) -> bool:
    return bool(await desk.events(conversation, Kind.CANCELLED))


async def _texts(giosg: Giosg, chat_id: str, texts: list[str]) -> bool:
    return (await giosg.chat(chat_id)).texts("visitor") == texts
