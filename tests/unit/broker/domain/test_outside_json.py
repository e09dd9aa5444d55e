"""JSON from outside: strict where it is read, and always something that the bus can carry."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from broker.codec import decode, encode
from broker.domain.outside_json import NESTING_MAX, as_carried, read_object
from broker.errors import CallRefusedError

values: st.SearchStrategy[JsonValue] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(st.characters(codec=None))),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)),
    max_leaves=10,
)


@given(st.dictionaries(st.text(max_size=4), values, max_size=3))
def test_whatever_an_object_holds_can_be_carried(body: dict[str, JsonValue]) -> None:
    carried = as_carried(read_object(json.dumps(body).encode()), 8)
    assert isinstance(carried, dict)
    assert decode(encode(carried)) == carried


@pytest.mark.parametrize(
    ("value", "carried"),
    [
        pytest.param("a\ud83d", "a\ufffd", id="half a character"),
        pytest.param(1 << 64, str(1 << 64), id="a number beyond 64 bits"),
        pytest.param([[["deep"]]], ['[["deep"]]'], id="deeper than the bus carries"),
        pytest.param({"\udc00": None}, {"\ufffd": None}, id="half a character in a name"),
    ],
)
def test_what_has_no_form_on_the_bus_gets_one(value: JsonValue, carried: JsonValue) -> None:
    assert as_carried(value, 1) == carried


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(b"", "invalid_json", id="nothing"),
        pytest.param(b'{"a": 1', "invalid_json", id="cut short"),
        pytest.param(b'{"a": NaN}', "invalid_json", id="no number"),
        pytest.param(b'{"a": 1e999}', "invalid_json", id="a number out of range"),
        pytest.param(b'{"a": "\xff"}', "invalid_json", id="no UTF-8"),
        pytest.param(b"[" * 100_000, "invalid_json", id="as deep as a bomb"),
        pytest.param(b'{"a":' + b"[" * NESTING_MAX + b"]" * NESTING_MAX + b"}", "invalid_json", id="a level too deep"),
        pytest.param(b"[1]", "invalid_body", id="a list"),
    ],
)
def test_what_is_no_object_is_refused(data: bytes, code: str) -> None:
    with pytest.raises(CallRefusedError) as refused:
        read_object(data)
    assert refused.value.code == code


def test_a_byte_order_mark_is_passed_over() -> None:
    assert read_object(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}
