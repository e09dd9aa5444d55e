"""What the clock does: it looks at open chats, keeps visitors present, and speaks where nothing else happens."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from broker.codec import encode
from broker.domain.subjects import Signal
from broker.runtime.embedded import EmbeddedServer
from broker.transport.topology import STUBSESSIONS
from tests.conftest import TIME_FACTOR, poll
from tests.integration.giosg.conftest import CONNECTION, Desk, connections_file, running_desk
from tests.integration.giosg.open_chat import OpenChat
from tests.standins.giosg_control import Giosg
from workers.giosg.calls.client import Apis
from workers.giosg.cases.case import Case
from workers.giosg.cases.store import CASES, Listed, now_ms
from workers.giosg.cases.transitions import ENDED
from workers.giosg.connections.connection import Connections, GiosgConnection
from workers.giosg.connections.file import load_connections
from workers.giosg.hearing.wiring import make_hearing
from workers.giosg.telling.links import Links
from workers.giosg.telling.visitor import Visitors
from workers.giosg.watching.availability import Availability
from workers.giosg.watching.health import Health
from workers.giosg.watching.presence import AWAY_AFTER_MS
from workers.giosg.watching.reconcile import LATE_MS
from workers.giosg.watching.rounds import Round, Rounds
from workers.giosg.watching.signals import hearing_visitors
from workers.giosg.watching.watching import GRACE_S, Watching
from workers.giosg.watching.wiring import make_watching

Look = Callable[[GiosgConnection, Listed, Case | None], Any]


class Stage:
    """A worker with one connection, which giosg's webhooks do not reach, and beside it the parts of another process."""

    def __init__(self, desk: Desk, connections: Connections, apis: Apis, watching: Watching) -> None:
        self.desk, self.connections, self.apis, self.watching = desk, connections, apis, watching

    @property
    def connection(self) -> GiosgConnection:
        return self.connections.all()[0]

    async def chat(self, *texts: str) -> OpenChat:
        """An open chat in which the visitor wrote that."""
        opened = OpenChat(self.desk.cases, self.apis, self.connection)
        await opened.open(*texts)
        return opened

    @contextlib.asynccontextmanager
    async def round(self, look: Look, period_s: float = 0.1) -> AsyncIterator[None]:
        """Another process that goes round, faster than settings allow."""
        stop = asyncio.Event()
        going = Rounds(self.desk.cases, self.watching.turns, self.connection, Round("test", period_s, look))
        task = asyncio.create_task(going.run(stop))
        try:
            yield
        finally:
            stop.set()
            await task


@pytest.fixture
def changes() -> dict[str, Any]:
    """Of the connection's settings."""
    return {}


@pytest_asyncio.fixture
async def stage(
    server: EmbeddedServer, org: str, giosg: Giosg, tmp_path: Path, changes: dict[str, Any]
) -> AsyncIterator[Stage]:
    async with contextlib.AsyncExitStack() as stack:
        desk = await stack.enter_async_context(running_desk(server.url, org, giosg, tmp_path, **changes))
        connections = load_connections(connections_file(tmp_path, org, giosg, desk.port, **changes), {})
        bus, publisher = desk.backbone.connection, desk.backbone.publisher
        health = await stack.enter_async_context(Health(bus, desk.backbone.records(CASES), connections))
        apis = await stack.enter_async_context(Apis(connections, desk.cases, on_outcome=health.outcome))
        visitors, links = Visitors(bus, publisher), Links(publisher, desk.backbone.records(STUBSESSIONS))
        heard = make_hearing(connections, desk.cases, apis, visitors=visitors, links=links, health=health)
        watching = make_watching(
            desk.backbone, connections, apis, visitors, heard, health=health, availability=Availability(apis)
        )
        yield Stage(desk, connections, apis, watching)


@pytest.mark.parametrize("changes", [{"waiting_notice_seconds": 1}])
async def test_7_2_a_visitor_who_waits_for_long_is_told_so_once(stage: Stage) -> None:
    chat = await stage.chat("hello")
    await poll(lambda: _types(stage, chat, "waiting.long"))
    told_ms = now_ms()
    await poll(lambda: now_ms() - told_ms > 1_500)
    assert await stage.desk.types(chat.conversation) == ["waiting.long"]
    assert (await chat.case()).is_open


@pytest.mark.parametrize("changes", [{"waiting_notice_seconds": 1, "reconcile_seconds": 0}])
async def test_7_2_a_visitor_whom_an_agent_answered_is_not_told_to_wait(stage: Stage) -> None:
    answered, waiting = await stage.chat("hello"), await stage.chat("hello")
    case = await answered.case()
    assert case.chat is not None
    await answered.change(case.model_copy(update={"stage": "active"}))
    await poll(lambda: _types(stage, waiting, "waiting.long"))
    assert await stage.desk.types(answered.conversation) == []


@pytest.mark.parametrize("changes", [{"waiting_notice_seconds": 8}])
async def test_a_chat_that_its_visitor_never_wrote_in_is_ended_after_ten_minutes(stage: Stage, giosg: Giosg) -> None:
    fresh, old = await stage.chat(), await stage.chat()
    case = await old.case()
    assert case.chat is not None
    long_ago = case.chat.model_copy(update={"opened_at_ms": now_ms() - 600_001})
    await old.change(case.model_copy(update={"chat": long_ago}))
    await poll(lambda: _types(stage, old, "session.ended"))
    assert (await giosg.chat(old.id)).is_ended
    assert not (await giosg.chat(fresh.id)).is_ended
    assert (await old.case()).end_reason == "ended_by_visitor"


async def test_reconciliation_delivers_what_no_webhook_told_once_and_in_order(stage: Stage, giosg: Giosg) -> None:
    chat = await stage.chat("hello")
    await giosg.join(chat.id)
    for text in ("one", "two", "three"):
        await giosg.say(chat.id, text)
    async with stage.round(stage.watching.reconciling.look):
        await poll(lambda: _heard(stage, chat, ["one", "two", "three"]))
        calls = len(await giosg.calls(f"{chat.id}/messages", method="GET"))
        looks = len(await giosg.calls(f"owned_chats/{chat.id}", method="GET"))
        await poll(lambda: _has_calls(giosg, f"owned_chats/{chat.id}", looks + 3))
        assert len(await giosg.calls(f"{chat.id}/messages", method="GET")) == calls
    assert await stage.desk.heard(chat.conversation) == ["one", "two", "three"]


async def test_reconciliation_ends_what_ended_while_no_webhook_came(stage: Stage, giosg: Giosg) -> None:
    ended, removed = await stage.chat("hello"), await stage.chat("hello")
    await giosg.say(ended.id, "a last word")
    await giosg.end(ended.id)
    await giosg.remove(removed.id)
    async with stage.round(stage.watching.reconciling.look):
        await poll(lambda: _types(stage, ended, "session.ended"))
        await poll(lambda: _types(stage, removed, "session.ended"))
    assert await stage.desk.heard(ended.conversation) == ["a last word"]
    assert ((await ended.case()).stage, (await removed.case()).stage) == ("ended", "removed")


async def test_replies_that_webhooks_and_two_processes_reconciliation_carry_are_delivered_once(
    stage: Stage, giosg: Giosg
) -> None:
    await stage.desk.subscribe()
    chat = await stage.chat("hello")
    async with stage.round(stage.watching.reconciling.look):
        await giosg.join(chat.id)
        for number in range(5):
            await giosg.say(chat.id, f"reply {number}")
        await poll(lambda: _heard(stage, chat, [f"reply {number}" for number in range(5)]), within_s=10)
        looks = len(await giosg.calls(f"owned_chats/{chat.id}", method="GET"))
        await poll(lambda: _has_calls(giosg, f"owned_chats/{chat.id}", looks + 3))
    assert await stage.desk.heard(chat.conversation) == [f"reply {number}" for number in range(5)]


async def test_a_chat_that_is_over_for_minutes_is_looked_at_no_more(stage: Stage, giosg: Giosg) -> None:
    chat = await stage.chat("hello")
    case = await chat.case()
    over = {"stage": "ended", "ended_at_ms": now_ms() - LATE_MS - 1, "told": [f"{ENDED}{chat.id}"]}
    await chat.change(case.model_copy(update=over))
    [listed] = await stage.desk.cases.listed(CONNECTION)
    await stage.watching.reconciling.look(stage.connection, listed, await chat.case())
    assert len(await stage.desk.cases.listed(CONNECTION)) == 1, "whoever listed it may be about to save it"
    old = dataclasses.replace(listed, since_ms=now_ms() - LATE_MS - 1)
    await stage.watching.reconciling.look(stage.connection, old, await chat.case())
    assert await stage.desk.cases.listed(CONNECTION) == []
    assert await giosg.calls(f"owned_chats/{chat.id}", method="GET") == []


async def test_one_process_at_a_time_goes_round_and_another_takes_over(stage: Stage, giosg: Giosg) -> None:
    await stage.chat("hello")
    seen: list[str] = []

    def noting(name: str) -> Look:
        async def look(_connection: GiosgConnection, _listed: Listed, _case: Case | None) -> None:
            seen.append(name)

        return look

    async with stage.round(noting("second"), period_s=0.3):
        await poll(lambda: len(seen) >= 2)
        async with stage.round(noting("first"), period_s=0.3):
            await poll(lambda: len(seen) >= 8)
        assert len(seen) < 16
        count = len(seen)
        await poll(lambda: seen[count:].count("second") >= 2)


async def test_visitors_are_kept_present_while_they_are_there(stage: Stage, giosg: Giosg) -> None:
    here, left = await stage.chat("hello"), await stage.chat("hello")
    presence = stage.watching.presence
    orgs = [stage.desk.org]
    async with hearing_visitors(stage.desk.backbone.connection, orgs, presence, stage.watching.typing):
        await _signal(stage, left, "presence", present=False)
        case = await left.case()
        await poll(lambda: not presence.is_there(case))
        async with stage.round(presence.look):
            await poll(lambda: _present(giosg, here, 2))
            assert not await _present(giosg, left, 1)
            await _signal(stage, left, "presence", present=True)
            await poll(lambda: _present(giosg, left, 1))


async def test_a_visitor_who_was_silent_for_half_an_hour_is_not_kept_present(stage: Stage) -> None:
    chat = await stage.chat("hello")
    case = await chat.case()
    silent = case.model_copy(update={"last_at_ms": now_ms() - AWAY_AFTER_MS - 1})
    assert stage.watching.presence.is_there(case)
    assert not stage.watching.presence.is_there(silent)


@pytest.mark.parametrize("changes", [{"typing_to_giosg": True}])
async def test_typing_that_two_processes_hear_of_is_told_once_in_three_seconds(stage: Stage, giosg: Giosg) -> None:
    chat, other = await stage.chat("hello"), await stage.chat("hello")
    orgs = [stage.desk.org]
    # The worker hears the same signals: two processes, one call.
    async with hearing_visitors(stage.desk.backbone.connection, orgs, stage.watching.presence, stage.watching.typing):
        for _ in range(5):
            await _signal(stage, chat, "typing")
        await poll(lambda: _has_calls(giosg, f"chat_memberships/{chat.id}", 1))
        await _signal(stage, other, "typing")
        await poll(lambda: _has_calls(giosg, f"chat_memberships/{other.id}", 1))
        assert len(await giosg.calls(f"chat_memberships/{chat.id}")) == 1
    await stage.watching.typing.close()


@pytest.mark.parametrize("changes", [{"typing_to_giosg": True}])
async def test_typing_is_switched_off_by_the_first_refusal(stage: Stage, giosg: Giosg) -> None:
    first, second = await stage.chat("hello"), await stage.chat("hello")
    await giosg.fault(method="PUT", path=f"/chat_memberships/{first.id}", status=405, count=None)
    typing = stage.watching.typing
    typing.hear(first.session)
    await poll(lambda: not typing.is_wanted)
    typing.hear(second.session)
    await typing.close()
    assert len(await giosg.calls("/chat_memberships/")) == 1


async def test_a_worker_that_waits_for_a_silent_giosg_ends_when_told(
    stage: Stage, server: EmbeddedServer, org: str, giosg: Giosg, tmp_path: Path
) -> None:
    chat = await stage.chat("hello")
    await giosg.fault(method="GET", path=f"/owned_chats/{chat.id}", delay_ms=60_000, count=None)
    async with running_desk(server.url, org, giosg, tmp_path):  # it looks at the chat at its start
        await poll(lambda: _has_calls(giosg, f"/owned_chats/{chat.id}", 1))
        told_s = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - told_s < GRACE_S + 4 * TIME_FACTOR


async def _signal(stage: Stage, chat: OpenChat, kind: Signal, **members: object) -> None:
    body = {"sessionuuid": chat.session, "from": "visitor", **members}
    await stage.desk.backbone.connection.publish(chat.conversation.signal(kind), encode(body))


async def _present(giosg: Giosg, chat: OpenChat, count: int) -> bool:
    identity = await chat.visitor.identity()
    return len(await giosg.calls(f"/visitors/{identity.visitor_id}", method="PATCH")) >= count


async def _types(stage: Stage, chat: OpenChat, kind: str) -> bool:
    return kind in await stage.desk.types(chat.conversation)


async def _heard(stage: Stage, chat: OpenChat, texts: list[str]) -> bool:
    return await stage.desk.heard(chat.conversation) == texts


async def _has_calls(giosg: Giosg, path: str, count: int) -> bool:
    return len(await giosg.calls(path)) >= count
