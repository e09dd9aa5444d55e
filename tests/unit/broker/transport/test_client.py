"""The lean client writes and reads exactly what nats-py does."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.aio.client import Client
from nats.errors import BadHeaderError

from broker.transport.client import LeanClient

VALUES = st.text(st.characters(codec="utf-8"), max_size=40)
NAMES = st.sampled_from(["Nats-Msg-Id", "Content-Type", "X!#$%&'*+-.^_`|~9", "traceparent", " Padded "])


def sent(client: Client, headers: dict[str, str] | None, payload: bytes) -> bytes:
    """What a client would write to its socket for one publish."""
    asyncio.run(client._send_publish("a.b", "r.1", payload, len(payload), headers))
    return b"".join(client._pending)


@given(headers=st.none() | st.dictionaries(NAMES, VALUES, max_size=4), payload=st.binary(max_size=60))
def test_a_publish_is_written_as_nats_py_writes_it(headers: dict[str, str] | None, payload: bytes) -> None:
    # Empty headers differ: nats-py sends an empty block, which says nothing.
    assert sent(LeanClient(), headers or None, payload) == sent(Client(), headers or None, payload)


@pytest.mark.parametrize("value", ["a\r\nNats-Rollup: all", "a\nb", " padded ", "\t", "", "øre"])
def test_no_value_becomes_a_header_of_its_own(value: str) -> None:
    assert sent(LeanClient(), {"X": value}, b"") == sent(Client(), {"X": value}, b"")


def test_a_name_with_a_line_end_is_refused() -> None:
    with pytest.raises(BadHeaderError):
        sent(LeanClient(), {"X\r\nY": "1"}, b"")


LINES = st.lists(
    st.binary(max_size=20)
    | st.sampled_from([b"Nats-Msg-Id: 1", b"X:y", b"X:  y \x1c", b"Twice: 1", b"Twice: 2", b"A B: 1", "Ø: 1".encode()])
)


@given(LINES)
def test_header_lines_are_read_as_nats_py_reads_them(lines: list[bytes]) -> None:
    raw = b"\r\n".join([*lines, b"", b""])
    assert LeanClient._parse_header_lines(raw) == Client._parse_header_lines(raw)


class Flusher:
    """nats-py's task that writes; here it never runs."""

    def done(self) -> bool:
        return False


def connected() -> LeanClient:
    """A client that believes it is connected, and keeps what it would write."""
    client = LeanClient()
    client._status = Client.CONNECTED
    client._flush_queue = asyncio.Queue()
    client._max_payload = client._max_pending_size = 1_000
    client._flusher_task = Flusher()  # type: ignore[assignment] # only done() is asked
    return client


async def test_what_is_sent_at_once_is_what_publish_would_send() -> None:
    client = connected()
    assert client.send_now("a.b", "r.1", b"hi", {"Nats-Msg-Id": "1"})
    assert b"".join(client._pending) == b"HPUB a.b r.1 28 30\r\nNATS/1.0\r\nNats-Msg-Id: 1\r\n\r\nhi\r\n"


@pytest.mark.parametrize(
    ("subject", "reply", "headers"),
    [
        pytest.param("", "", None, id="no subject"),
        pytest.param("a b", "", None, id="a blank in the subject"),
        pytest.param("a\r\nPUB c 0", "", None, id="a line end in the subject"),
        pytest.param("a", "r\r\n", None, id="a line end in the reply"),
        pytest.param("ä", "", None, id="more than ASCII"),
        pytest.param("a", "", {"X": "1\r\nY: 2"}, id="a line end in a header"),
    ],
)
async def test_what_is_out_of_the_ordinary_is_left_to_publish(
    subject: str, reply: str, headers: dict[str, str] | None
) -> None:
    client = connected()
    assert not client.send_now(subject, reply, b"", headers)
    assert client._pending == []


async def test_nothing_is_sent_at_once_while_the_server_is_away_or_the_buffer_full() -> None:
    client = connected()
    client._pending_data_size = client._max_pending_size
    assert not client.send_now("a", "", b"", None)
    client = connected()
    client._status = Client.RECONNECTING
    assert not client.send_now("a", "", b"", None)
