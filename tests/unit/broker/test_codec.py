"""Bodies to bytes and back: what is let in can be sent on and shown."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgpack
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from broker.codec import BODY_BYTES_MAX, DEPTH_MAX, JSON, MSGPACK, content_type, decode, encode, to_json
from broker.domain.wire import Body
from broker.errors import BodyTooLargeError, UndecodableBodyError, UnencodableBodyError


def maps(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.text(max_size=8), inner, max_size=4)


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | maps(inner), max_leaves=12)
packable = st.recursive(
    scalars | st.binary(max_size=8) | st.floats() | st.just(msgpack.Timestamp(1)) | st.just(msgpack.ExtType(4, b"x")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3) | st.binary(max_size=3), inner),
    max_leaves=8,
)
"""Whatever msgpack itself can carry, which is more than a body may hold."""


def nested(levels: int) -> Body:
    body: Body = {}
    for _ in range(levels - 1):
        body = {"a": body}
    return body


@given(maps(values))
def test_decoding_undoes_encoding(body: Body) -> None:
    assert decode(encode(body)) == body


@given(maps(values))
def test_json_is_read_as_the_same_body(body: Body) -> None:
    assert decode(to_json(body).encode()) == body


@given(maps(values), st.booleans())
def test_the_first_byte_tells_which_form_it_is(body: Body, as_json: bool) -> None:  # noqa: FBT001 - drawn
    data = b" \n" + to_json(body).encode() if as_json else encode(body)
    assert content_type(data) == (JSON if as_json else MSGPACK)
    assert decode(data) == body


@given(
    st.one_of(
        st.binary(max_size=60),
        st.binary(max_size=40).map(lambda noise: b"{" + noise),
        packable.map(msgpack.packb),
        st.tuples(maps(packable).map(msgpack.packb), st.integers(0, 40)).map(lambda pair: pair[0][: pair[1]]),
        maps(packable).map(msgpack.packb),
        maps(st.floats() | st.integers()).map(lambda body: json.dumps(body).encode()),
    )
)
@example(b"\x81\xa1a" * 2000 + b"\xc0")
@example(b'{"a":' * 100_000)
@example(b'{"a":"\\ud800"}')
@example(b'{"a":1e999}')
@example(b'{"a":' + b"9" * 5000 + b"}")
@example(b"\x81\xa1a\xc1")
@example(b"\x81\xa1a\xa1\xff")
@example(b"\x81\x01\x02")
def test_noise_is_refused_with_our_error_and_what_is_let_in_can_be_sent_on_and_shown(data: bytes) -> None:
    try:
        body = decode(data)
    except UndecodableBodyError:
        return
    assert decode(encode(body)) == body
    json.loads(to_json(body), parse_constant=pytest.fail)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"hello", id="plain text"),
        pytest.param(b"[1]", id="a JSON list"),
        pytest.param(msgpack.packb([1]), id="a msgpack list"),
        pytest.param(msgpack.packb({"a": 1}) + b"x", id="something after the map"),
        pytest.param(msgpack.packb({"a": msgpack.ExtType(4, b"")}), id="an extension type"),
        pytest.param(msgpack.packb({"a": [datetime.now(UTC)]}, datetime=True), id="a date"),
        pytest.param(msgpack.packb({b"a": 1}), id="a key that is no text"),
        pytest.param(msgpack.packb({"a": float("nan")}), id="a number that is none"),
        pytest.param(b'{"a": NaN}', id="the same in JSON"),
        pytest.param(b'{"a": 18446744073709551616}', id="a number that msgpack has no room for"),
        pytest.param(b"{'a': 1}", id="JSON with the wrong quotes"),
        pytest.param(msgpack.packb(nested(DEPTH_MAX + 1)), id="too deep"),
    ],
)
def test_what_is_no_body_is_refused(data: bytes) -> None:
    with pytest.raises(UndecodableBodyError):
        decode(data)


def test_a_body_may_be_as_deep_as_the_limit() -> None:
    assert decode(encode(nested(DEPTH_MAX))) == nested(DEPTH_MAX)


def test_a_body_over_the_limit_is_refused_both_ways() -> None:
    body = {"a": "x" * BODY_BYTES_MAX}
    with pytest.raises(BodyTooLargeError):
        encode(body)
    with pytest.raises(BodyTooLargeError):
        decode(to_json(body).encode())


@pytest.mark.parametrize("value", [1 << 64, object(), "\ud800", nested(2000)], ids=["int", "object", "text", "depth"])
def test_what_has_no_form_on_the_wire_is_refused(value: object) -> None:
    with pytest.raises(UnencodableBodyError):
        encode({"a": value})


def test_bytes_are_shown_as_the_text_that_they_hold() -> None:
    assert to_json({"body": b'{"a":1}', "raw": b"\xff"}) == '{"body":"{\\"a\\":1}","raw":"�"}'


def test_what_json_has_no_form_for_is_shown_in_words() -> None:
    assert to_json({"at": datetime(2025, 1, 1, tzinfo=UTC)}) == '{"at":"2025-01-01 00:00:00+00:00"}'
