"""The record of a session."""

from __future__ import annotations

from broker.domain.sessions import KEPT_MARGIN_S, SessionRecord, kept_longer
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


def test_a_record_is_kept_until_the_later_of_the_two_moments_and_a_little_more() -> None:
    record = {"chat_name": "draftshop", "unknown": 1}
    longer, ttl_s = kept_longer(record, until_ms=70_000, now_ms=10_000)
    assert longer == {**record, "kept_until_ms": 70_000}
    assert ttl_s == 60 + KEPT_MARGIN_S
    again, ttl_s = kept_longer(longer, until_ms=20_000, now_ms=10_000)
    assert again == longer
    assert ttl_s == 60 + KEPT_MARGIN_S
