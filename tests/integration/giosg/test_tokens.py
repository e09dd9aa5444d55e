"""Who visitors are at giosg, and their tokens; check 26."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from broker.errors import ChannelRejectedError, IdentityLostError
from broker.transport.connection import Connection
from broker.transport.publisher import Publisher
from tests.conftest import poll
from tests.integration.giosg.api_fixtures import NAME, a_connection, a_store, a_visitor, apis_of, authentications
from tests.standins.giosg_control import ORGANIZATION_ID, Giosg
from workers.giosg.calls.client import GiosgApi, VisitorCalls
from workers.giosg.cases.store import CaseStore


@pytest_asyncio.fixture
async def store(connection: Connection, publisher: Publisher) -> CaseStore:
    return await a_store(connection, publisher)


@pytest_asyncio.fixture
async def api(giosg: Giosg, store: CaseStore, org: str) -> AsyncIterator[GiosgApi]:
    async with apis_of(store, a_connection(giosg, org)) as apis:
        yield apis.of(NAME)


async def opened(visitor: VisitorCalls) -> str:
    await visitor.enter_room()
    return (await visitor.create_chat()).id


async def test_check_26_an_expired_token_is_renewed_once_for_two_parallel_sends(giosg: Giosg, api: GiosgApi) -> None:
    visitor = api.as_visitor(a_visitor())
    chat_id = await opened(visitor)
    secret = (await visitor.identity()).visitor_secret_id
    await giosg.expire_visitor_tokens()
    await asyncio.gather(visitor.send(chat_id, "one"), visitor.send(chat_id, "two"))
    first, *renewals = await authentications(giosg)
    assert first.body == {"visitor_secret_id": None}
    assert [call.body for call in renewals] == [{"visitor_secret_id": secret}]
    assert "authorization" not in renewals[0].headers
    assert sorted((await giosg.chat(chat_id)).texts()) == ["one", "two"]
    statuses = [call.status for call in await giosg.calls("/messages", method="POST")]
    assert sorted(str(status) for status in statuses) == ["201", "201", "401", "401"]


async def test_check_26_one_send_after_an_expired_token_is_repeated_once(giosg: Giosg, api: GiosgApi) -> None:
    visitor = api.as_visitor(a_visitor())
    chat_id = await opened(visitor)
    await giosg.expire_visitor_tokens()
    await visitor.send(chat_id, "one")
    assert len(await authentications(giosg)) == 2
    assert [call.status for call in await giosg.calls("/messages", method="POST")] == [401, 201]


async def test_a_token_is_renewed_before_its_time_is_up(giosg: Giosg, api: GiosgApi) -> None:
    await giosg.configure(token_lifetime_s=1)
    await giosg.clock(frozen=True)  # there it is good for ever: only our own clock can renew it
    visitor = api.as_visitor(a_visitor())
    await visitor.enter_room()

    async def renewed() -> bool:
        await visitor.keep_present()
        return len(await authentications(giosg)) > 1

    await poll(renewed)
    assert {call.status for call in await giosg.calls("/visitors/", method="PATCH")} == {200}


async def test_a_new_visitor_is_made_once_and_kept_before_it_is_used(
    giosg: Giosg, api: GiosgApi, store: CaseStore
) -> None:
    key = a_visitor()
    found = await asyncio.gather(*(api.as_visitor(key).identity() for _ in range(5)))
    assert len({one.visitor_id for one in found}) == 1
    assert len(await giosg.visitors()) == 1
    kept, _ = await store.identity(ORGANIZATION_ID, key)
    assert kept == found[0]
    assert found[0].visitor_secret_id not in repr(found[0])


async def test_two_processes_agree_on_who_a_visitor_is(giosg: Giosg, store: CaseStore, org: str) -> None:
    key = a_visitor()
    async with apis_of(store, a_connection(giosg, org)) as here, apis_of(store, a_connection(giosg, org)) as there:
        visitors = [here.of(NAME).as_visitor(key), there.of(NAME).as_visitor(key)]
        await asyncio.gather(*(visitor.enter_room() for visitor in visitors))
        one, other = [await visitor.identity() for visitor in visitors]
        assert one == other
        chat_id = await opened(visitors[0])
        await visitors[1].send(chat_id, "from the other process")
    assert (await giosg.chat(chat_id)).visitor_id == one.visitor_id


async def test_a_visitor_comes_back_in_another_process_by_its_secret(giosg: Giosg, store: CaseStore, org: str) -> None:
    key = a_visitor()
    async with apis_of(store, a_connection(giosg, org)) as before:
        chat_id = await opened(before.of(NAME).as_visitor(key))
    async with apis_of(store, a_connection(giosg, org)) as after:
        await after.of(NAME).as_visitor(key).send(chat_id, "still me")
    assert (await giosg.chat(chat_id)).texts() == ["still me"]
    assert len(await giosg.visitors()) == 1


@pytest.mark.parametrize("unknown", ["new", "refuse"])
async def test_a_visitor_that_giosg_forgot_is_told_once_and_is_another_from_then_on(
    giosg: Giosg, api: GiosgApi, store: CaseStore, unknown: str
) -> None:
    await giosg.configure(unknown_visitor=unknown)
    key = a_visitor()
    visitor = api.as_visitor(key)
    chat_id = await opened(visitor)
    before = await visitor.identity()
    await giosg.forget_secret(before.visitor_id)
    await giosg.expire_visitor_tokens()
    with pytest.raises(IdentityLostError):
        await visitor.send(chat_id, "lost")
    after, _ = await store.identity(ORGANIZATION_ID, key)
    assert after is not None
    assert after.visitor_id != before.visitor_id
    assert after.lost == [before.visitor_id]
    again = await opened(visitor)
    await visitor.send(again, "found")
    assert [chat.texts() for chat in await giosg.chats()] == [[], ["found"]]


async def test_a_visitor_whose_fresh_token_is_refused_too_becomes_another(giosg: Giosg, api: GiosgApi) -> None:
    visitor = api.as_visitor(a_visitor())
    chat_id = await opened(visitor)
    before = await visitor.identity()
    await giosg.fault(method="POST", path="/messages", status=401, count=2)
    with pytest.raises(IdentityLostError):
        await visitor.send(chat_id, "lost")
    assert (await visitor.identity()).lost == [before.visitor_id]
    secrets = [call.body["visitor_secret_id"] for call in await authentications(giosg)]
    assert secrets == [None, before.visitor_secret_id, None]
    await opened(visitor)


async def test_a_giosg_that_takes_no_visitors_at_all_changes_nothing(giosg: Giosg, api: GiosgApi) -> None:
    visitor = api.as_visitor(a_visitor())
    before = await visitor.identity()
    await giosg.expire_visitor_tokens()
    await giosg.fault(path="/auth", status=403, count=2)
    with pytest.raises(ChannelRejectedError):
        await visitor.enter_room()
    assert await visitor.identity() == before
    await visitor.enter_room()


async def test_a_lost_answer_to_the_first_authentication_makes_an_orphan_and_no_harm(
    giosg: Giosg, api: GiosgApi
) -> None:
    await giosg.fault(path="/auth", drop=True, processed=True)
    visitor = api.as_visitor(a_visitor())
    chat_id = await opened(visitor)
    await visitor.send(chat_id, "hello")
    assert len(await giosg.visitors()) == 2
