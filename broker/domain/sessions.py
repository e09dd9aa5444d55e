"""The record of one session: whose it is and how its visitor may come back."""

from __future__ import annotations

from pydantic import JsonValue

from broker.domain.events import UUID, Label, Text
from broker.domain.ids import ChannelName, ChatName, OrgId
from broker.domain.subjects import ChatPath
from broker.domain.wire import Body, Wire

KEPT_MARGIN_S = 60
"""Clocks differ: the bucket keeps a record a little longer than it says."""


class SessionRecord(Wire):
    """Value in bucket SESSIONS, key = the session uuid; ``token_sha256`` is hex, None if nobody may resume.

    ``kept_until_ms``: the bucket keeps the record until then at least, so whoever has read it once need not look
    again; None says nothing. ``mobile_number``: its digits, where the session is that of a number.
    """

    channel: Label
    org: UUID
    chat_name: Label
    created_at_ms: int
    token_sha256: str | None = None
    pass_through: Text | None = None
    profile_uuid: UUID | None = None
    meta_data: dict[str, JsonValue] | None = None
    kept_until_ms: int | None = None
    mobile_number: str | None = None

    @property
    def path(self) -> ChatPath:
        """Where the session lives; its parts were checked when the record was written."""
        return ChatPath(ChannelName(self.channel), OrgId(self.org), ChatName(self.chat_name))


def kept_longer(record: Body, *, until_ms: int, now_ms: int) -> tuple[Body, int]:
    """A record to be kept until then, and its time to live in seconds.

    Never shorter than it is kept already: others count on that. Members that we do not know stay.
    """
    kept_until_ms = max(until_ms, record.get("kept_until_ms") or 0)
    left_s = max(0, kept_until_ms - now_ms) // 1000
    return {**record, "kept_until_ms": kept_until_ms}, left_s + KEPT_MARGIN_S
