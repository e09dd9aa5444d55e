"""What agents write arrives in its order though it could not be delivered, or recognized, at first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from broker.domain.ids import SessionId
from broker.errors import BusError
from broker.runtime.embedded import EmbeddedServer
from broker.transport.publisher import Stored
from tests.integration.giosg.conftest import Desk, running_desk
from tests.integration.giosg.hearing_elsewhere import hearing_elsewhere
from tests.integration.giosg.talking import begin
from tests.standins.giosg_control import ORGANIZATION_ID, Giosg
from workers.giosg.cases.case import Case, Chat
from workers.giosg.cases.store import CASES, CaseStore, Change
from workers.giosg.telling.stages import Stages
from workers.giosg.telling.visitor import Visitors


class _Failing(Visitors):
    """The log takes nothing the first time, as while it elects a leader."""

    has_failed = False

    async def tell(self, *args: Any, **members: Any) -> Stored:
        if not self.has_failed:
            self.has_failed = True
            raise BusError("no answer")
        return await super().tell(*args, **members)


class _CutOff(CaseStore):
    """Whoever uses it is ended before anything is saved."""

    async def change(self, _session: SessionId, _change: Change) -> Case | None:
        raise BusError("no answer")


async def test_a_message_does_not_overtake_one_that_waits_for_its_next_attempt(
    server: EmbeddedServer, routing: None, org: str, giosg: Giosg, tmp_path: Path
) -> None:
    async with running_desk(server.url, org, giosg, tmp_path, reconcile_seconds=0) as desk:
        visitors = _Failing(desk.backbone.connection, desk.backbone.publisher)
        async with hearing_elsewhere(desk, tmp_path, visitors=visitors) as elsewhere:
            talk = await begin(desk)
            await giosg.say(talk.chat_id, "one")
            first = (await elsewhere.listed(talk.chat_id))[-1]
            hearing, connection = elsewhere.parts.hearing, elsewhere.connection
            with pytest.raises(BusError):
                await hearing.message(connection, talk.chat_id, first)
            await giosg.say(talk.chat_id, "two")
            second = (await elsewhere.listed(talk.chat_id))[-1]
            await hearing.message(connection, talk.chat_id, second)
            await hearing.message(connection, talk.chat_id, first)
            assert await desk.heard(talk.conversation) == ["one", "two"]


async def test_a_chat_that_was_taken_for_somebody_elses_is_recognized_by_reconciliation(
    desk: Desk, giosg: Giosg, tmp_path: Path
) -> None:
    talk = await begin(desk)
    records, key = desk.backbone.records(CASES), f"chat.{ORGANIZATION_ID}.{talk.chat_id}"
    async with hearing_elsewhere(desk, tmp_path) as elsewhere:
        await giosg.webhooks(subscriptions=[])
        await records.delete(key)
        await giosg.fault(method="GET", path="/memberships", status=200, body='{"next": null, "results": []}')
        ownership, connection = elsewhere.parts.ownership, elsewhere.connection
        assert await ownership.resolve(connection, talk.chat_id) is None
        assert ownership.is_foreign(connection, talk.chat_id)
        await records.write(key, talk.conversation.session.encode(), revision=None)
        await giosg.say(talk.chat_id, "Good day")
        await elsewhere.read(talk.chat_id)
        assert await desk.heard(talk.conversation) == ["Good day"]


async def test_an_agent_who_comes_just_as_another_process_is_cut_off_is_told_of(desk: Desk) -> None:
    talk = await begin(desk)
    await talk.until_worked_off()
    session = talk.conversation.session
    await desk.cases.change(session, lambda case: case.model_copy(update={"stage": "open_silent"}))
    visitors = Visitors(desk.backbone.connection, desk.backbone.publisher)
    cut_off = Stages(_CutOff(desk.backbone.records(CASES)), visitors)
    before = await desk.types(talk.conversation)
    with pytest.raises(BusError):
        await cut_off.change(session, lambda case: case.model_copy(update={"stage": "waiting", "chat": _turned(case)}))
    whole = Stages(desk.cases, visitors)
    await whole.change(session, lambda case: case.model_copy(update={"stage": "active", "chat": _turned(case)}))
    assert (await desk.types(talk.conversation))[len(before) :] == ["session.waiting", "session.active"]


def _turned(case: Case) -> Chat:
    assert case.chat is not None
    return case.chat.model_copy(update={"turns": case.chat.turns + 1})
