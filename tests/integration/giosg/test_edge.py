"""Who may call the endpoint, with what, and what is kept of each call: over real HTTP, from the stand-in giosg."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
import pytest_asyncio

from broker.runtime.embedded import EmbeddedServer, nats_server
from broker.transport.connection import Connection, connect
from broker.transport.ensure import ensure
from broker.transport.reader import last_sequence
from broker.transport.topology import WEBHOOK_STREAM
from tests.conftest import poll
from tests.integration.giosg.calling import CHATS, PREVIOUS, SECRET, Calling, a_message, endpoint
from tests.standins.giosg_control import ROOM_ID, Giosg
from tests.standins.webim_control import NO_TLS
from workers.giosg.hearing.call_log import WRITTEN_AT_ONCE_MAX
from workers.giosg.hearing.verifying import PROBE_ACTION

MIB = 1 << 20
CHUNK = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
CHUNKS_MAX = 2_000
Json = dict[str, Any]


@pytest_asyncio.fixture
async def calling(server: EmbeddedServer, org: str) -> AsyncIterator[Calling]:
    """An endpoint on the session's server."""
    async with endpoint(server.url, org) as running:
        yield running


async def status(giosg: Giosg, url: str, content: bytes, **order: Any) -> int:
    """What giosg is answered."""
    return int((await giosg.raw(url, content, **order))["status"])


async def test_check_09_the_same_webhook_three_times_is_answered_three_times_and_stored_once(
    giosg: Giosg, calling: Calling
) -> None:
    webhook = a_message()
    answers = [await giosg.raw(calling.address(), webhook) for _ in range(3)]
    assert [(one["status"], one["body"]) for one in answers] == 3 * [(200, "{}")]
    assert len({one["headers"]["x-request-id"] for one in answers}) == 3
    (taken,) = await calling.stored("taken")
    assert taken.content == json.loads(webhook)
    assert await calling.reasons("passed") == ["duplicate", "duplicate"]
    assert calling.seen == ["support"] * 3


async def test_what_verify_calls_us_with_does_not_count_as_a_webhook_of_giosgs(giosg: Giosg, calling: Calling) -> None:
    assert await status(giosg, calling.address(), a_message(action=PROBE_ACTION)) == 200
    assert await calling.reasons("passed") == ["unknown_action"]
    assert calling.seen == []


async def test_check_17_a_wrong_a_missing_and_a_previous_secret(giosg: Giosg, calling: Calling) -> None:
    wrong = await giosg.raw(calling.address(shown=SECRET[:-1]), a_message())
    missing = await giosg.raw(f"{calling.base_url}/messages", a_message())
    previous = await giosg.raw(calling.address(shown=PREVIOUS), a_message())
    assert [(one["status"], one["body"]) for one in (wrong, missing, previous)] == [(403, ""), (403, ""), (200, "{}")]
    assert await calling.reasons("refused") == ["wrong_secret", "wrong_secret"]
    assert len(await calling.stored("taken")) == 1
    assert calling.seen == ["support"]


async def test_check_18_another_organization_or_room_is_passed_and_a_mismatching_channel_refused(
    giosg: Giosg, calling: Calling
) -> None:
    other_org = a_message(channel=f"/api/v5/orgs/{uuid4()}/owned_chats/c1/messages", resource=None)
    other_room = a_message(resource={"room_id": str(uuid4())})
    assert await status(giosg, calling.address(), other_org) == 200
    assert await status(giosg, calling.address(), other_room) == 200
    assert await status(giosg, calling.address("chats"), a_message()) == 400
    assert await calling.reasons("passed") == ["foreign_org", "foreign_room"]
    assert await calling.reasons("refused") == ["channel_mismatch"]
    assert await calling.stored("taken") == []


async def test_check_19_malformed_json_a_get_an_unknown_path_and_ten_megabytes(giosg: Giosg, calling: Calling) -> None:
    assert await status(giosg, calling.address(), b'{"channel": ') == 400
    get = await giosg.raw(calling.address(), b"", method="GET")
    assert (get["status"], get["headers"]["allow"]) == (405, "POST")
    assert await status(giosg, calling.address("chat"), a_message()) == 404
    assert await status(giosg, f"{calling.url}/giosg/other/chats?secret={SECRET}", a_message()) == 404
    assert await status(giosg, f"{calling.url}/elsewhere", a_message()) == 404
    assert await status(giosg, calling.address(), b" " * (10 * MIB)) == 413
    assert await status(giosg, calling.address(), a_message(), headers={"Content-Type": "text/plain"}) == 415
    expected = ["invalid_json", "method_not_allowed", "unknown_path", "too_large", "unsupported_media_type"]
    assert await calling.reasons() == expected


async def test_check_20_while_the_broker_is_down_giosg_is_told_so_and_what_comes_again_is_stored_once(
    giosg: Giosg, org: str, tmp_path: Path
) -> None:
    """The visitor's half of this check is with the desk's own tests."""
    async with nats_server(tmp_path) as own:
        async with connect(own.url, name="test-topology") as connection:
            await ensure(connection)
        async with endpoint(own.url, org) as calling:
            await giosg.subscribe(calling.base_url, query=f"?secret={SECRET}")
            await giosg.webhooks(retry_schedule_ms=[300] * 100, copies=2)
            await own.stop()
            chat, message = str(uuid4()), str(uuid4())
            resource = {"id": message, "chat_id": chat, "room_id": ROOM_ID, "type": "msg", "message": "hello"}
            event = giosg.webhook(f"{CHATS}/{chat}/messages", "added", message, resource=resource)
            delivering = asyncio.create_task(event)
            await poll(lambda: _was_answered(giosg, 503), within_s=10)
            answer = await giosg.raw(calling.address(), a_message())
            assert (answer["status"], answer["headers"]["retry-after"]) == (503, "5")
            await own.start()
            await delivering
            assert [one.status for one in await giosg.deliveries() if one.status == 200] == [200, 200]
            stored = [one for one in await calling.stored("taken") if one.webhook.resource_id == message]
            assert len(stored) == 1
            assert "unavailable" in await calling.reasons("refused")  # what happened meanwhile is not forgotten


async def _was_answered(giosg: Giosg, expected: int) -> bool:
    return expected in [one.status for one in await giosg.deliveries()]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"resource_id": "a.>"}, id="a resource"),
        pytest.param({"channel": f"{CHATS}/a.>/messages"}, id="a chat"),
        pytest.param({"channel": "/api/v5/orgs/a.>/owned_chats/c1/messages"}, id="an organization"),
        pytest.param({"resource": {"id": "a.>"}}, id="the resource's own id"),
        pytest.param({"resource": {"chat_id": "a.>"}}, id="the resource's own chat"),
        pytest.param({"resource": {"room_id": "a.>"}}, id="the resource's room"),
    ],
)
async def test_check_41_an_id_that_could_be_a_pattern_gets_into_no_subject(
    giosg: Giosg, calling: Calling, connection: Connection, changes: Json
) -> None:
    heard: list[str] = []

    async def hear(message: Any) -> None:
        heard.append(message.subject)

    await connection.subscribe("stubber.systems.>", hear)
    await connection.flush()
    await giosg.raw(calling.address(), a_message(**changes))
    await giosg.raw(f"{calling.url}/giosg/a.>/messages?secret={SECRET}", a_message())
    assert await calling.stored("taken") == []
    assert not [subject for subject in heard if ">" in subject or ".a." in subject]


async def test_a_chat_that_is_known_to_be_foreign_is_passed_without_its_words(giosg: Giosg, calling: Calling) -> None:
    calling.foreign.add("website")
    assert await status(giosg, calling.address(), a_message("website")) == 200
    (passed,) = await calling.stored()
    assert (passed.webhook.reason, passed.webhook.action, passed.content) == ("foreign_chat", "added", None)


async def test_real_webhooks_of_each_action_are_taken(giosg: Giosg, calling: Calling) -> None:
    await giosg.subscribe(calling.base_url, query=f"?secret={SECRET}")
    await giosg.webhooks(app_user_auth=True)
    chat = await giosg.foreign_chat()
    await giosg.join(chat.id)
    await giosg.end(chat.id)
    await giosg.remove(chat.id)
    await giosg.settle()
    assert {one.status for one in await giosg.deliveries()} == {200}
    stored = await calling.stored()
    assert {(one.webhook.kind, one.webhook.action) for one in stored} >= {
        ("chats", "added"),
        ("chats", "changed"),
        ("chats", "removed"),
        ("messages", "added"),
    }
    assert "bot-token" not in str(stored)


async def test_neither_what_is_kept_of_a_refused_call_nor_the_log_holds_words_or_a_secret(
    giosg: Giosg, calling: Calling, capfd: pytest.CaptureFixture[str]
) -> None:
    await giosg.raw(f"{calling.base_url}/{SECRET}?secret={SECRET}", a_message())
    await giosg.raw(f"{calling.base_url}/messages?secret=guessed-{SECRET}", a_message())
    await giosg.raw(calling.address(), a_message(resource="planted words"))
    stored = await calling.stored()
    assert [one.webhook.status for one in stored] == [404, 403, 400]
    assert stored[0].webhook.path == "/giosg/support/<secret>"
    told = str(stored) + "".join(capfd.readouterr())
    assert "webhook_not_taken" in told
    assert SECRET not in told
    assert "planted" not in told


async def test_a_flood_is_counted_and_not_written(calling: Calling, connection: Connection) -> None:
    before = await last_sequence(connection, WEBHOOK_STREAM)
    async with httpx2.AsyncClient(trust_env=False, verify=NO_TLS) as client:
        for _ in range(10 * WRITTEN_AT_ONCE_MAX):
            assert (await client.post(calling.address(shown="guessed"), content=b"")).status_code == 403
        assert await last_sequence(connection, WEBHOOK_STREAM) - before < 5 * WRITTEN_AT_ONCE_MAX
        await poll(lambda: _counts_what_was_left_out(client, calling))


async def _counts_what_was_left_out(client: httpx2.AsyncClient, calling: Calling) -> bool:
    await client.post(calling.address(shown="guessed"), content=b"")
    return any(one.webhook.left_out for one in await calling.stored("refused"))


async def test_a_body_without_a_length_is_read_no_further_than_it_may_be(calling: Calling) -> None:
    host, port = calling.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = (
        f"POST /giosg/support/messages?secret={SECRET} HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    writer.write(head.encode())
    answer = asyncio.create_task(reader.readline())
    try:
        for _ in range(CHUNKS_MAX):
            writer.write(CHUNK)
            await writer.drain()
            if answer.done():
                break
        assert b" 413 " in await answer
    finally:
        writer.close()


async def test_a_crowd_is_sent_away_until_there_is_room_and_a_stranger_before_that(
    server: EmbeddedServer, org: str, giosg: Giosg
) -> None:
    async with endpoint(server.url, org, in_hand_max=1) as calling:
        host, port = calling.url.removeprefix("http://").split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        head = f"POST /giosg/support/chats?secret={SECRET} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 9\r\n\r\n{{"
        writer.write(head.encode())
        await poll(lambda: _is_sent_away(giosg, calling))
        assert await status(giosg, calling.address(shown="wrong"), b"") == 403
        writer.close()
        await poll(lambda: _is_taken(giosg, calling))
    assert "busy" in await calling.reasons("refused")


async def _is_sent_away(giosg: Giosg, calling: Calling) -> bool:
    return await status(giosg, calling.address(), a_message()) == 503


async def _is_taken(giosg: Giosg, calling: Calling) -> bool:
    return await status(giosg, calling.address(), a_message()) == 200


async def test_a_webhook_longer_than_a_message_of_the_bus_is_too_large(
    server: EmbeddedServer, org: str, giosg: Giosg
) -> None:
    async with endpoint(server.url, org, max_webhook_bytes=4 * MIB) as calling:
        long = a_message(resource={"type": "msg", "message": "a" * (2 * MIB)})
        assert await status(giosg, calling.address(), long) == 413
    assert await calling.reasons() == ["too_large"]


async def test_health_and_probes_are_beside_the_webhooks(calling: Calling) -> None:
    async with httpx2.AsyncClient(trust_env=False, base_url=calling.url, verify=NO_TLS) as client:
        assert (await client.get("/giosg/health")).json() == {"status": "ok"}
        assert (await client.get("/healthz")).status_code == 200
        metrics = (await client.get("/metrics")).text
    assert "heimdall_giosg_webhooks" in metrics
    assert SECRET not in metrics
