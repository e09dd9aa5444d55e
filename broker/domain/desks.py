"""What a desk of human agents tells: the visitor, in a notification's control event, and the stub that handed over.

The same words for every desk, so a page, a bot or another adapter need not know which system its agents work in.
Source: specs/giosg.md sections 6.3 and 7.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from broker.domain.events import Label, Text
from broker.domain.wire import Wire

ATTACHMENTS_MAX = 20

DeskEventType = Literal[
    "agent.message",
    "agent.message.edited",
    "agent.message.deleted",
    "agent.message.unreadable",
    "agent.joined",
    "agent.left",
    "session.opened",
    "session.waiting",
    "session.active",
    "session.ended",
    "unavailable",
    "held",
    "waiting.long",
    "conversation.new",
    "message.delayed",
    "message.failed",
    "files.unsupported",
]


class DeskAgent(Wire):
    """Whom the visitor talks to; the name is the public one."""

    name: Label | None = None
    avatar_url: Text | None = None


class AskAvailability(Wire):
    """Verb ``availability``: of which of the desk's connections."""

    connection: Label


class AvailabilityReply(Wire):
    """Reply of ``availability``. ``available`` null: the desk's system did not say, which is not a no."""

    available: bool | None
    humans: bool | None
    checked_at: Label


class DeskEvent(Wire):
    """``<channel>_control_event`` of a desk's notification.

    ``desk`` is the desk's stub. ``id`` is the message's id at the desk, ``at`` the desk's own moment (ISO 8601, UTC).
    ``automatic``: no human wrote it. ``check_again_at_ms``: when it is worth asking again, Unix, UTC.
    ``failed_event``: the sequence, in the log, of the visitor's event that could not be given to the desk.
    """

    type: DeskEventType
    desk: Label
    id: Label | None = None
    at: Label | None = None
    agent: DeskAgent | None = None
    automatic: bool | None = None
    text: Text | None = None
    attachments: Annotated[list[dict[str, JsonValue]], Field(max_length=ATTACHMENTS_MAX)] | None = None
    reason: Label | None = None
    check_again_at_ms: int | None = None
    failed_event: int | None = None
