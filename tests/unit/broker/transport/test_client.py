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
