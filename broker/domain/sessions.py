"""The record of one session: whose it is and how its visitor may come back."""

from __future__ import annotations

from pydantic import JsonValue

from broker.domain.events import UUID, Label, Text
from broker.domain.ids import ChannelName, ChatName, OrgId
from broker.domain.subjects import ChatPath
from broker.domain.wire import Wire


class SessionRecord(Wire):
    """Value in bucket SESSIONS, key = the session uuid; ``token_sha256`` is hex, None if nobody may resume."""

    channel: Label
    org: UUID
    chat_name: Label
    created_at_ms: int
    token_sha256: str | None = None
    pass_through: Text | None = None
    profile_uuid: UUID | None = None
    meta_data: dict[str, JsonValue] | None = None

    @property
    def path(self) -> ChatPath:
        """Where the session lives; its parts were checked when the record was written."""
        return ChatPath(ChannelName(self.channel), OrgId(self.org), ChatName(self.chat_name))
