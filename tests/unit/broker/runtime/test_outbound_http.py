import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest

from broker.errors import AddressRefusedError, ChannelRejectedError, ChannelSilentError, ChannelUnreachableError
from broker.runtime.outbound_http import Answer, Call, OutboundHttp, is_public

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Some: Thing\r\n\r\n{}"


@contextlib.asynccontextmanager
async def serving(answer: bytes) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server that says the same to everybody: its port, and what was asked."""
    asked: list[bytes] = []
    serving_now: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving_now.add(asyncio.current_task())
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            asked.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(answer)
            await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], asked
        if tasks := [task for task in serving_now if task is not None]:
            await asyncio.wait(tasks)


async def called(url: str, *, private: bool = True, content: bytes | None = None, bytes_max: int = 1000) -> Answer:
    async with OutboundHttp(private_addresses=private) as http:
        return await http.call(Call("it", "POST", url, {"X-Ours": "1"}, content, bytes_max))


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        pytest.param("8.8.8.8", True, id="public"),
        pytest.param("2001:4860:4860::8888", True, id="public, v6"),
        pytest.param("127.0.0.1", False, id="this machine"),
        pytest.param("::1", False, id="this machine, v6"),
        pytest.param("10.1.2.3", False, id="private"),
        pytest.param("100.64.0.1", False, id="shared"),
        pytest.param("169.254.169.254", False, id="link-local, where clouds keep their secrets"),
        pytest.param("fe80::1%eth0", False, id="link-local, v6"),
        pytest.param("fd00::1", False, id="private, v6"),
        pytest.param("0.0.0.0", False, id="any"),  # noqa: S104 - not bound to
        pytest.param("224.0.0.1", False, id="many"),
        pytest.param("::ffff:127.0.0.1", False, id="this machine as v6"),
        pytest.param("2002:7f00:1::", False, id="this machine in 6to4"),
        pytest.param("64:ff9b::7f00:1", False, id="this machine behind a translator"),
        pytest.param("64:ff9b::808:808", True, id="public behind a translator"),
        pytest.param("64:ff9b:1::7f00:1", False, id="a network's own translator"),
        pytest.param("fec0::1", False, id="private, as v6 once had it"),
        pytest.param("::7f00:1", False, id="this machine, as v6 once had v4"),
    ],
)
def test_an_address_is_judged_in_every_spelling(address: str, expected: bool) -> None:  # noqa: FBT001 - a table
    assert is_public(address) is expected


async def test_a_private_address_is_refused_before_anything_is_sent() -> None:
    async with serving(OK) as (port, asked):
        for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]"):
            with pytest.raises(AddressRefusedError, match="private address"):
                await called(f"https://{host}:{port}/", private=False)
    assert asked == []


async def test_plain_http_is_refused_where_private_addresses_are() -> None:
    with pytest.raises(AddressRefusedError, match="https"):
        await called("http://a.example/", private=False)


async def test_the_address_that_was_checked_is_the_one_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that says something else when it is looked up again gets nowhere: it is looked up once."""
    asked: list[str] = []

    async def look_up(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "10.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look_up)
    async with serving(OK) as (port, seen):
        assert (await called(f"http://rebound.example:{port}/")).status == 200
    assert asked == ["rebound.example"]
    assert b"Host: rebound.example" in seen[0]


async def test_a_call_carries_its_headers_and_its_answer_comes_whole() -> None:
    async with serving(OK) as (port, seen):
        answer = await called(f"http://127.0.0.1:{port}/a/b?c=1", content=b'{"a":1}')
    assert (answer.status, answer.body, answer.headers["x-some"]) == (200, b"{}", "Thing")
    assert seen[0].startswith(b"POST /a/b?c=1 HTTP/1.1")
    assert b"X-Ours: 1" in seen[0]
    assert b"application/json" in seen[0]


async def test_a_redirect_is_an_answer_like_any_other() -> None:
    async with serving(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n") as (
        port,
        _,
    ):
        assert (await called(f"http://127.0.0.1:{port}/")).status == 302


async def test_nobody_there_means_that_nothing_was_sent() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ChannelUnreachableError) as caught:
        await called(f"http://127.0.0.1:{port}/")
    assert not caught.value.may_be_taken


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", id="cut short"),
        pytest.param(b"what?\r\n\r\n", id="no http"),
    ],
)
async def test_an_answer_that_breaks_off_may_mean_that_it_was_taken(answer: bytes) -> None:
    async with serving(answer) as (port, _):
        with pytest.raises(ChannelSilentError) as caught:
            await called(f"http://127.0.0.1:{port}/")
    assert caught.value.may_be_taken


async def test_an_answer_may_not_be_longer_than_allowed() -> None:
    long = b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + b"x" * 1001
    async with serving(long) as (port, _):
        with pytest.raises(ChannelRejectedError, match="1000 bytes"):
            await called(f"http://127.0.0.1:{port}/")


async def test_a_header_that_no_call_can_have_is_no_fault_of_ours() -> None:
    async with serving(OK) as (port, _), OutboundHttp(private_addresses=True) as http:
        with pytest.raises(ChannelRejectedError, match="cannot be written"):
            await http.call(Call("it", "GET", f"http://127.0.0.1:{port}/", {"X": "a\nb"}))
