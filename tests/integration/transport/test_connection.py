"""What a person reads when the server is not what we need, and how a connection comes back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from broker.domain.subjects import DEADLETTERS
from broker.errors import (
    JetStreamMissingError,
    NoAnswerError,
    NoStreamError,
    PermissionRefusedError,
    RequestRefusedError,
    ServerTooOldError,
    ServerUnreachableError,
)
from broker.runtime.embedded import EmbeddedServer, free_port, nats_server
from broker.runtime.main import event_loop
from broker.transport.address import redacted
from broker.transport.connection import Connection, connect
from broker.transport.ensure import ensure
from broker.transport.publisher import open_publisher
from tests.conftest import Eventually, poll

USERS = """
authorization: {
  users: [
    { user: topology, password: t }
    { user: guest, password: g,
      permissions: { publish: { allow: ["$JS.API.INFO"] }, subscribe: { allow: ["_INBOX_guest.>"] } } }
    { user: nobody, password: n, permissions: { publish: { allow: ["elsewhere.>"] }, subscribe: { allow: [">"] } } }
    { user: deaf, password: d, permissions: { publish: { allow: [">"] }, subscribe: { allow: ["elsewhere.>"] } } }
  ]
}
"""


@pytest_asyncio.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[EmbeddedServer]:
    """A server with users of different rights."""
    async with nats_server(tmp_path, extra_configuration=USERS) as running:
        yield running


def address(server: EmbeddedServer, user: str) -> str:
    return f"nats://{user}@127.0.0.1:{server.port}"


async def test_nobody_at_the_address_is_told_within_the_wait() -> None:
    begun_s = time.monotonic()
    with pytest.raises(ServerUnreachableError, match="no NATS server answers at nats://127"):
        async with connect(f"nats://127.0.0.1:{free_port()}", name="test", wait_s=0.5):
            pass
    assert time.monotonic() - begun_s < 3


@pytest.mark.parametrize("url", ["nats://", "nats://127.0.0.1:notaport", "nats://user:secret@:4222"])
async def test_an_unusable_address_is_unreachable_and_keeps_its_secret(url: str) -> None:
    with pytest.raises(ServerUnreachableError) as caught:
        async with connect(url, name="test", wait_s=0.5):
            pass
    assert "secret" not in str(caught.value)


async def test_an_old_server_is_named_with_both_versions() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"version":"2.10.0","max_payload":1048576,"headers":true}\r\n')
        await reader.readuntil(b"PING\r\n")
        writer.write(b"PONG\r\n")
        await reader.read()
        writer.close()

    fake = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with fake:
        port = fake.sockets[0].getsockname()[1]
        with pytest.raises(ServerTooOldError, match=r"is version 2\.10\.0: at least 2\.14 is needed"):
            async with connect(f"nats://127.0.0.1:{port}", name="test"):
                pass


async def test_a_server_without_jetstream_is_told(tmp_path: Path) -> None:
    async with nats_server(tmp_path, jetstream=False) as bare:
        with pytest.raises(JetStreamMissingError):
            async with connect(bare.url, name="test"):
                pass


async def test_a_wrong_password_is_told_at_once(guarded: EmbeddedServer) -> None:
    begun_s = time.monotonic()
    with pytest.raises(PermissionRefusedError, match="user or password"):
        async with connect(address(guarded, "guest:wrong"), name="guest"):
            pass
    assert time.monotonic() - begun_s < 2


async def test_a_user_that_may_not_even_ask_is_refused_at_once(guarded: EmbeddedServer) -> None:
    begun_s = time.monotonic()
    with pytest.raises(PermissionRefusedError, match=r"may not publish to \$JS\.API\.INFO"):
        async with connect(address(guarded, "nobody:n"), name="nobody"):
            pass
    assert time.monotonic() - begun_s < 2


async def test_a_user_that_may_not_hear_answers_is_refused_at_once(guarded: EmbeddedServer) -> None:
    begun_s = time.monotonic()
    with pytest.raises(PermissionRefusedError, match="may not subscribe"):
        async with connect(address(guarded, "deaf:d"), name="deaf"):
            pass
    assert time.monotonic() - begun_s < 2


async def test_a_user_that_may_not_make_streams_is_refused_at_once_and_by_name(guarded: EmbeddedServer) -> None:
    begun_s = time.monotonic()
    async with connect(address(guarded, "guest:g"), name="guest") as connection:
        with pytest.raises(PermissionRefusedError, match=r"STREAM\.INFO\.CONVERSATIONS"):
            await ensure(connection)
    assert time.monotonic() - begun_s < 2


async def test_a_refused_publish_is_told_at_once(guarded: EmbeddedServer, org: str) -> None:
    async with (
        connect(address(guarded, "guest:g"), name="guest") as connection,
        open_publisher(connection) as publisher,
    ):
        with pytest.raises(PermissionRefusedError, match=org):
            await asyncio.wait_for(publisher.store(f"{DEADLETTERS}.org.{org}.reason.test", b""), 2)


async def test_an_error_is_logged_once_without_traceback(guarded: EmbeddedServer, org: str) -> None:
    async with connect(address(guarded, "guest:g"), name="guest") as connection:
        with capture_logs() as logs:
            for _ in range(5):
                with pytest.raises(PermissionRefusedError):
                    await connection.request(f"forbidden.{org}")
    [line] = [line for line in logs if line["event"] == "connection_error_reported"]
    assert org in line["error"]


async def test_a_password_in_the_address_shows_up_in_no_log_line(guarded: EmbeddedServer) -> None:
    with capture_logs() as logs:
        async with connect(address(guarded, "topology:t"), name="topology") as connection:
            await guarded.kill()
            await guarded.start()
            await connection.wait_connected()
    assert "topology:t" not in str(logs)


async def test_a_request_that_waits_at_a_disconnect_ends_at_once(tmp_path: Path) -> None:
    async with nats_server(tmp_path) as own, connect(own.url, name="test") as connection:

        async def silent(_: object) -> None:
            pass

        await connection.subscribe("silent", silent)
        waiting = asyncio.create_task(connection.request("silent", wait_s=30))
        await asyncio.wait({waiting}, timeout=0.1)
        await own.kill()
        with pytest.raises(NoAnswerError, match="connection broke"):
            await asyncio.wait_for(waiting, 3)


async def test_callbacks_run_after_each_reconnect_until_they_are_ended(tmp_path: Path, eventually: Eventually) -> None:
    async with nats_server(tmp_path) as own, connect(own.url, name="test") as connection:
        calls: list[str] = []
        end = connection.on_reconnect(lambda: calls.append("first"))
        connection.on_reconnect(lambda: calls.append("second"))
        await own.kill()
        await eventually(lambda: not connection.connected)
        await own.start()
        await eventually(lambda: calls == ["first", "second"])
        end()
        await own.kill()
        await own.start()
        await eventually(lambda: calls == ["first", "second", "second"])


async def test_a_request_nobody_answers_times_out_by_name(connection: Connection, org: str) -> None:
    async def silent(_: object) -> None:
        pass

    await connection.subscribe(f"silent.{org}", silent)
    with pytest.raises(NoAnswerError, match=rf"silent\.{org}.*within 0\.1 s"):
        await connection.request(f"silent.{org}", wait_s=0.1)


async def test_a_request_without_listener_is_told_at_once(connection: Connection, org: str) -> None:
    with pytest.raises(NoStreamError):
        await asyncio.wait_for(connection.request(f"nobody.{org}"), 2)


async def test_a_refusal_of_the_server_keeps_its_codes(connection: Connection) -> None:
    with pytest.raises(RequestRefusedError) as caught:
        await connection.ask("STREAM.INFO.NOWHERE")
    assert (caught.value.status, caught.value.err_code, caught.value.retryable) == (404, 10059, False)


async def test_inboxes_begin_with_the_role(connection: Connection) -> None:
    assert connection.new_inbox().startswith("_INBOX_test.")


def test_a_connection_with_something_to_say_closes_though_its_server_is_gone(tmp_path: Path) -> None:
    """On the workers' own loop: asyncio's takes what is written to a closed transport."""

    async def lose_the_server() -> None:
        async with nats_server(tmp_path) as server, connect(server.url, name="test") as connection:
            await server.stop()
            await poll(lambda: not connection.connected)
            await connection.client.publish("said.too.late", b"x")

    with asyncio.Runner(loop_factory=event_loop) as runner:
        runner.run(lose_the_server())


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        pytest.param("nats://127.0.0.1:4222", "nats://127.0.0.1:4222", id="nothing to hide"),
        pytest.param("nats://user:secret@host:4222", "nats://host:4222", id="user and password"),
        pytest.param("nats://token@host", "nats://host", id="token"),
        pytest.param("user:secret@host:4222", "host:4222", id="no scheme"),
        pytest.param("nats://u:s@a:1,nats://u:s@b:2", "nats://a:1,nats://b:2", id="several servers"),
    ],
)
def test_an_address_is_shown_without_its_secret(url: str, shown: str) -> None:
    assert redacted(url) == shown
