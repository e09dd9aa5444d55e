from __future__ import annotations

from typing import Any

import pytest

from broker.cli.publish_checks import check_body, decoded, refuse_reserved
from broker.contract.rows import ROWS
from broker.domain.grammar import parse_subject
from broker.domain.ids import Stub
from broker.errors import NoSenderError, ReservedSubjectError, UndecodableBodyError

SENDER = Stub.parse("demo.A-1")


@pytest.mark.parametrize("row", [row for row in ROWS if row.by_hand], ids=lambda row: row.name)
def test_every_example_that_the_contract_offers_for_the_shell_passes(row: Any) -> None:
    subject = parse_subject(row.sample)
    refuse_reserved(row.sample, subject)
    check_body(subject, row.typed if row.typed is not None else row.example or {}, None)
    check_body(subject, row.example or {}, SENDER)


@pytest.mark.parametrize(
    "row",
    [row for row in ROWS if not row.by_hand and row.name != "receipt"],
    ids=lambda row: row.name,
)
def test_what_only_workers_may_say_is_refused(row: Any) -> None:
    with pytest.raises(ReservedSubjectError):
        refuse_reserved(row.sample, parse_subject(row.sample))


def test_a_set_that_names_a_full_stub_needs_no_sender() -> None:
    row = next(row for row in ROWS if row.name == "stubsession.set")
    subject = parse_subject(row.sample)
    content = {"operation": "set", "sessionuuid": row.sample.split(".")[9]}
    check_body(subject, {"params": {"webchat": {**content, "stubref": "desk.B-2"}}}, None)
    with pytest.raises(NoSenderError):
        check_body(subject, {"params": {"webchat": {**content, "stubref": "B-2"}}}, None)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(b'{"a": }', "line 1 column 7", id="the place of a mistake in JSON"),
        pytest.param(b'{"a": NaN}', "neither a msgpack", id="no JSON that others could not read"),
        pytest.param(b"[]", "it is JSON, but no object", id="a list"),
        pytest.param(b"\xff\xff", "neither a msgpack", id="neither"),
    ],
)
def test_the_refusal_of_a_body_says_what_is_wrong(data: bytes, expected: str) -> None:
    with pytest.raises(UndecodableBodyError, match=expected):
        decoded(data)
