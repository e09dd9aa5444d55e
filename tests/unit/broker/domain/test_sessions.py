"""The record of a session."""

from __future__ import annotations

from broker.domain.sessions import SessionRecord
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
