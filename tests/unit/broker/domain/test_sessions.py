"""The record of a session, and whether the next message opens the conversation."""

from __future__ import annotations

import pytest

from broker.domain.sessions import SessionRecord, is_first_message
from broker.domain.wire import dump, validate

ORG = "0f6c2f58-8f43-5a0e-9b7e-2f1b6a1d7c90"


def test_a_record_is_read_back_as_it_was_written_and_knows_its_path() -> None:
    record = SessionRecord(
        channel="webchat",
        org=ORG,
        chat_name="draftshop",
        created_at_ms=1,
        token_sha256="ab",  # noqa: S106 - a digest, and none
        pass_through="{'a':'b'}",  # noqa: S106 - nothing secret passes through
        meta_data={"ip": "203.0.113.7"},
    )
    assert validate(SessionRecord, dump(record), what="session") == record
    assert record.path.prefix == f"stubber.systems.notifications.webchat.org.{ORG}.name.draftshop"


@pytest.mark.parametrize(
    ("kinds", "first"),
    [
        pytest.param([], True, id="nothing yet"),
        pytest.param(["initialize", "notification"], True, id="a welcome is no message of the visitor"),
        pytest.param(["firstmessage"], False, id="one message"),
        pytest.param(["firstmessage", "message", "notification"], False, id="messages"),
        pytest.param(["firstmessage", "stubsession.linked"], False, id="a link alone changes nothing"),
        pytest.param(["firstmessage", "stubsession.linked", "stubsession.expired"], True, id="the link ran out"),
        pytest.param(["firstmessage", "stubsession.cancelled", "receipt"], True, id="the link was ended"),
        pytest.param(["firstmessage", "stubsession.expired", "firstmessage"], False, id="opened again"),
    ],
)
@pytest.mark.check(24)
def test_check_24_the_first_message_is_the_first_since_the_start_or_the_last_links_end(
    kinds: list[str],
    first: bool,  # noqa: FBT001 - a column of the table
) -> None:
    assert is_first_message(kinds) is first
