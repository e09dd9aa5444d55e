"""The calls to giosg: as they go out, pages, pace and retries; checks 30, 40 and 44."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpx2
import pytest
import pytest_asyncio
from prometheus_client import REGISTRY

from broker.errors import (
    AnswerIncompleteError,
    ChannelError,
    ChannelRejectedError,
    ChannelSilentError,
    ChannelThrottledError,
    ChannelUnreachableError,
    ChatGoneError,
    CredentialsRefusedError,
    InvalidNameError,
    RoomUnknownError,
)
from broker.transport.connection import Connection
from broker.transport.publisher import Publisher
from tests.conftest import TIME_FACTOR, poll
from tests.integration.giosg.api_fixtures import NAME, a_connection, a_store, a_visitor, apis_of, gaps_ms
from tests.processes import free_port
from tests.standins.giosg_control import API_TOKEN, ORGANIZATION_ID, Giosg
from tests.standins.webim_control import NO_TLS
from workers.giosg.calls.client import GiosgApi, VisitorCalls
from workers.giosg.calls.request import CallName
from workers.giosg.cases.store import CaseStore

CLOCK_MS = 10
"""By which the stand-in's clock may be off against ours."""


@pytest_asyncio.fixture
async def store(connection: Connection, publisher: Publisher) -> CaseStore:
    return await a_store(connection, publisher)


@pytest_asyncio.fixture
async def api(giosg: Giosg, store: CaseStore, org: str) -> AsyncIterator[GiosgApi]:
    async with apis_of(store, a_connection(giosg, org)) as apis:
        yield apis.of(NAME)


async def opened(api: GiosgApi) -> tuple[VisitorCalls, str]:
    """A visitor with a chat, and the chat's id."""
    visitor = api.as_visitor(a_visitor())
    await visitor.enter_room()
    return visitor, (await visitor.create_chat()).id


async def everything(api: GiosgApi) -> None:
    """Each call once."""
    assert (await api.room()).is_online
    visitor, chat_id = await opened(api)
    identity = await visitor.identity()
    await visitor.keep_present()
    await api.set_variable(identity.visitor_id, "username", "Alice")
    message = await visitor.send(chat_id, "hello")
    assert [one.id for one in await visitor.chats()] == [chat_id]
    assert [one.message for one in await visitor.messages(chat_id)] == ["hello"]
    assert [one.message for one in await api.messages(chat_id)] == ["hello"]
    assert (await api.message(chat_id, message.id)).message == "hello"
    assert [one.member_id for one in await api.memberships(chat_id)] == [identity.visitor_id]
    await visitor.participate(chat_id, participating=True, composing="composing")
    await visitor.end(chat_id)
    assert (await api.chat(chat_id)).is_ended


async def test_check_44_giosg_answers_the_same_with_a_slash_and_none_is_sent(giosg: Giosg, api: GiosgApi) -> None:
    await everything(api)
    calls = await giosg.calls()
    assert [call.path for call in calls if call.path.endswith("/")] == []
    assert {call.headers["accept"] for call in calls} == {"application/json"}
    async with httpx2.AsyncClient(base_url=giosg.url, trust_env=False, verify=NO_TLS) as client:
        for call in calls:
            if call.method == "GET":
                headers = {"Authorization": call.headers["authorization"]}
                plain = await client.get(call.path, headers=headers)
                slashed = await client.get(f"{call.path}/", headers=headers)
                assert (slashed.status_code, slashed.json()) == (plain.status_code, plain.json())


async def test_a_chat_of_the_usual_type_is_asked_for_without_a_body(giosg: Giosg, store: CaseStore, org: str) -> None:
    connection = a_connection(giosg, org, chat_type="external")
    async with apis_of(store, connection) as external, apis_of(store, a_connection(giosg, org)) as usual:
        await opened(usual.of(NAME))
        _, chat_id = await opened(external.of(NAME))
        assert (await external.of(NAME).chat(chat_id)).chat_type == "external"
    assert [call.body for call in await giosg.calls("/chats", method="POST")] == [None, {"chat_type": "external"}]


async def test_all_pages_are_read_and_put_in_order(giosg: Giosg, api: GiosgApi) -> None:
    visitor, chat_id = await opened(api)
    texts = [f"text {number}" for number in range(5)]
    for text in texts:
        await visitor.send(chat_id, text)
    await giosg.configure(page_size=2)
    assert [one.message for one in await api.messages(chat_id)] == texts
    assert [one.message for one in await visitor.messages(chat_id)] == texts
    await giosg.configure(organization_messages_newest_first=False, visitor_messages_newest_first=True)
    assert [one.message for one in await api.messages(chat_id)] == texts
    assert [one.message for one in await visitor.messages(chat_id)] == texts


async def test_check_40_a_next_page_at_another_host_is_not_followed(giosg: Giosg, api: GiosgApi) -> None:
    visitor, chat_id = await opened(api)
    for text in ("one", "two", "three"):
        await visitor.send(chat_id, text)
    async with listening() as (port, asked):
        for other in (f"http://127.0.0.1:{port}", f"http://localhost:{port}", giosg.url.replace("http:", "https:")):
            await giosg.configure(page_size=2, next_origin=other)
            for reading in (api.messages(chat_id), visitor.messages(chat_id)):
                with pytest.raises(AnswerIncompleteError, match="messages of connection support") as caught:
                    await reading
                assert caught.value.field == "next"
                assert other not in str(caught.value)
        assert asked == []


async def test_a_collection_without_an_end_is_read_for_a_hundred_pages(giosg: Giosg, api: GiosgApi) -> None:
    _, chat_id = await opened(api)
    body = '{"next": "?page=2", "results": [{"member_id": "v", "member_type": "visitor"}]}'
    await giosg.fault(path="/memberships", body=body, count=None)
    assert len(await api.memberships(chat_id)) == 100
    assert len(await giosg.calls("/memberships")) == 100


async def test_a_message_is_found_where_giosg_has_no_address_for_it(giosg: Giosg, api: GiosgApi) -> None:
    visitor, chat_id = await opened(api)
    message = await visitor.send(chat_id, "hello")
    for status in (404, 405):
        await giosg.configure(single_message_status=status)
        assert (await api.message(chat_id, message.id)).message == "hello"
        with pytest.raises(ChatGoneError):
            await api.message(chat_id, "another")


async def test_check_30_a_giosg_that_is_away_for_a_moment_gets_the_message_once(giosg: Giosg, api: GiosgApi) -> None:
    visitor, chat_id = await opened(api)
    await giosg.fault(method="POST", path="/messages", status=503, count=2)
    await visitor.send(chat_id, "hello")
    assert (await giosg.chat(chat_id)).texts() == ["hello"]
    first, second = await gaps_ms(giosg, "/messages", "POST")
    assert first >= 500 - CLOCK_MS
    assert second >= 1000 - CLOCK_MS


async def test_check_30_nothing_goes_out_while_giosg_wants_to_be_left_alone(giosg: Giosg, api: GiosgApi) -> None:
    visitor, chat_id = await opened(api)
    await giosg.fault(method="POST", path="/messages", status=429, headers={"Retry-After": "2"})
    since = len(await giosg.calls())
    sending = asyncio.create_task(visitor.send(chat_id, "hello"))
    await poll(lambda: _is_more(giosg, since))
    await asyncio.gather(sending, api.chat(chat_id), api.room())
    refused, *others = await giosg.calls(since=since)
    assert len(others) == 3
    assert min(call.at_ms for call in others) - refused.at_ms >= 2000 - CLOCK_MS
    assert (await giosg.chat(chat_id)).texts() == ["hello"]


async def _is_more(giosg: Giosg, since: int) -> bool:
    return len(await giosg.calls(since=since)) > 0


async def test_whoever_would_wait_long_for_giosg_is_told_so_at_once(giosg: Giosg, api: GiosgApi) -> None:
    visitor, chat_id = await opened(api)
    await giosg.fault(method="POST", path="/messages", status=429, headers={"Retry-After": "600"})
    since = len(await giosg.calls())
    for calling in (visitor.send(chat_id, "hello"), api.room(), api.chat(chat_id)):
        with pytest.raises(ChannelThrottledError) as caught:
            await calling
        assert 50 < caught.value.retry_after_s <= 60
        assert caught.value.retryable
    assert len(await giosg.calls(since=since)) == 1


async def test_what_may_have_been_done_is_not_simply_done_again(giosg: Giosg, api: GiosgApi) -> None:
    visitor, chat_id = await opened(api)
    for fault in ({"drop": True}, {"cut": True}, {"status": 500}, {"status": 504}, {"truncate": True}):
        await giosg.fault(method="POST", path="/messages", processed=True, **fault)
        with pytest.raises(ChannelError) as caught:
            await visitor.send(chat_id, "hello")
        assert caught.value.may_be_taken, fault
    assert len((await giosg.chat(chat_id)).texts()) == 5
    await giosg.fault(method="POST", path="/rooms/*/chats", processed=True, drop=True)
    with pytest.raises(ChannelSilentError):
        await visitor.create_chat()
    assert len(await giosg.chats()) == 2


async def test_what_may_be_done_twice_is_tried_again(giosg: Giosg, api: GiosgApi) -> None:
    visitor, chat_id = await opened(api)
    for fault in ({"drop": True}, {"cut": True}, {"status": 500}):
        await giosg.fault(path=f"/{chat_id}", processed=True, **fault)
        assert (await api.chat(chat_id)).id == chat_id
    await giosg.fault(path="/visitors", processed=True, drop=True)
    await visitor.enter_room()


async def test_nothing_waits_long_for_what_nothing_depends_on(giosg: Giosg, api: GiosgApi) -> None:
    visitor, _ = await opened(api)
    identity = await visitor.identity()
    await giosg.fault(path="/variables", status=503, count=2)
    with pytest.raises(ChannelError):
        await api.set_variable(identity.visitor_id, "username", "Alice")
    assert len(await giosg.calls("/variables")) == 2


async def test_a_silent_giosg_is_given_up_after_the_connections_own_time(
    giosg: Giosg, store: CaseStore, org: str
) -> None:
    wait_s = 1.0 * TIME_FACTOR
    connection = a_connection(giosg, org, http_timeout_seconds=wait_s, max_retries=0)
    async with apis_of(store, connection) as apis:
        visitor, chat_id = await opened(apis.of(NAME))
        await giosg.fault(method="POST", path="/messages", delay_ms=60_000)
        with pytest.raises(ChannelSilentError, match=f"no answer within {wait_s:g} s"):
            await visitor.send(chat_id, "hello")


async def test_a_giosg_that_is_not_there_is_tried_as_often_as_set(giosg: Giosg, store: CaseStore, org: str) -> None:
    told: list[tuple[CallName, str | None]] = []
    name = f"c{org[:8]}"  # counters outlive a test
    connection = a_connection(giosg, org, name=name, base_url=f"http://127.0.0.1:{free_port()}", max_retries=1)

    def keep(_: object, name: CallName, error: ChannelError | None) -> None:
        told.append((name, None if error is None else error.code))

    async with apis_of(store, connection, on_outcome=keep) as apis:
        with pytest.raises(ChannelUnreachableError) as caught:
            await apis.of(name).room()
        assert not caught.value.may_be_taken
    assert told == [("room", "channel_unreachable")]
    labels = {"connection": name, "call": "room"}
    assert REGISTRY.get_sample_value("heimdall_giosg_call_retries_total", labels) == 1
    outcome = {"outcome": "channel_unreachable"}
    assert REGISTRY.get_sample_value("heimdall_giosg_calls_total", labels | outcome) == 1


async def test_a_room_that_is_not_there_is_a_matter_of_the_settings(giosg: Giosg, store: CaseStore, org: str) -> None:
    async with apis_of(store, a_connection(giosg, org, room_id=org)) as apis:
        for calling in (apis.of(NAME).room(), apis.of(NAME).as_visitor(a_visitor()).enter_room()):
            with pytest.raises(RoomUnknownError):
                await calling


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_api_token_is_tried_again_only_now_and_then(
    giosg: Giosg, store: CaseStore, org: str, status: int
) -> None:
    await giosg.configure(revoked_token_status=status)
    connection = a_connection(giosg, org)
    async with apis_of(store, connection) as apis, apis_of(store, connection, probe_wait_s=0.1) as often:
        api = apis.of(NAME)
        visitor, chat_id = await opened(api)
        await giosg.api_tokens("another")
        since = len(await giosg.calls())
        for _ in range(3):
            with pytest.raises(CredentialsRefusedError) as caught:
                await api.room()
            assert caught.value.status == status
        assert len(await giosg.calls(since=since)) == 1
        await visitor.send(chat_id, "visitors may still write")
        assert not await _is_accepted(often.of(NAME))
        await giosg.api_tokens(API_TOKEN)
        await poll(lambda: _is_accepted(often.of(NAME)))
        assert not await _is_accepted(api)


async def _is_accepted(api: GiosgApi) -> bool:
    with contextlib.suppress(CredentialsRefusedError):
        return (await api.room()).is_online
    return False


async def test_a_chat_that_the_token_may_not_see_stops_no_other_call(giosg: Giosg, api: GiosgApi) -> None:
    _, chat_id = await opened(api)
    await giosg.fault(path="/memberships", status=403)
    with pytest.raises(CredentialsRefusedError):
        await api.memberships(chat_id)
    assert (await api.chat(chat_id)).id == chat_id


async def test_giosgs_words_about_a_refusal_are_kept_without_what_was_written(giosg: Giosg, api: GiosgApi) -> None:
    visitor, chat_id = await opened(api)
    await giosg.fault(
        method="POST", path="/messages", status=400, body=f'{{"detail": "no: a private text, {API_TOKEN}"}}'
    )
    with pytest.raises(ChannelRejectedError) as caught:
        await visitor.send(chat_id, "a private text")
    assert (caught.value.status, caught.value.desc) == (400, "no: …, …")
    assert "private" not in str(caught.value)


async def test_an_answer_without_what_it_must_have_is_told_by_call_and_field(giosg: Giosg, api: GiosgApi) -> None:
    await giosg.fault(path="/rooms/*", body='{"id": "r"}')
    with pytest.raises(AnswerIncompleteError, match=r"giosg \(room of connection support\).*'is_online'") as caught:
        await api.room()
    assert (caught.value.field, caught.value.may_be_taken, caught.value.retryable) == ("is_online", False, False)


async def test_so_many_calls_at_once_and_no_more(giosg: Giosg, store: CaseStore, org: str) -> None:
    async with apis_of(store, a_connection(giosg, org, max_concurrent_requests=2)) as apis:
        await giosg.fault(path="/rooms/*", delay_ms=200, count=6)
        await asyncio.gather(*(apis.of(NAME).room() for _ in range(6)))
    at_ms = sorted(call.at_ms for call in await giosg.calls("/rooms/"))
    assert at_ms[2] - at_ms[0] >= 200 - CLOCK_MS
    assert at_ms[4] - at_ms[0] >= 400 - CLOCK_MS


@pytest.mark.parametrize("bad", ["a.>", "../x", ""])
async def test_no_call_is_made_about_what_is_no_id(giosg: Giosg, api: GiosgApi, bad: str) -> None:
    for calling in (api.chat(bad), api.memberships(bad), api.message("c", bad), api.set_variable(bad, "k", "v")):
        with pytest.raises(InvalidNameError):
            await calling
    assert await giosg.calls() == []


async def test_another_organization_is_refused(giosg: Giosg, store: CaseStore, org: str) -> None:
    assert org != ORGANIZATION_ID
    async with apis_of(store, a_connection(giosg, org, organization_id=org)) as apis:
        with pytest.raises(CredentialsRefusedError, match="status 403"):
            await apis.of(NAME).room()


@contextlib.asynccontextmanager
async def listening() -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server that keeps what it is sent: its port, and that."""
    asked: list[bytes] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.read(1000))
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], asked
