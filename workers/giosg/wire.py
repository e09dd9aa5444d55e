"""What giosg's API and its webhooks hold, as far as it is read; unknown members are ignored.

Everything but ids is optional: a ``changed`` webhook holds only what changed, ``model_fields_set`` tells what that was,
and null is a value. What only adorns (names, pictures, buttons) is None where it has another form than we know; what
decides is an error then. Source: specs/giosg.md sections 3.2, 3.6, 3.8, 3.10, 3.11 and 4.2.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import (
    BeforeValidator,
    Field,
    JsonValue,
    StringConstraints,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from broker.domain.wire import EXPECTED, Wire

GIOSG_ID_PATTERN = r"^[A-Za-z0-9_-]{1,256}$"
EXPECTED[GIOSG_ID_PATTERN] = "an id: 1 to 256 letters, digits, '_' and '-'"

GiosgId = Annotated[str, StringConstraints(pattern=GIOSG_ID_PATTERN)]
"""An id that may stand in an address and in a subject: whatever is none never gets as far as that."""
VisitorSecret = Annotated[str, StringConstraints(min_length=1, max_length=256)]
AccessToken = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,8192}$")]
"""It stands in a header."""


def _or_none(value: Any, read: ValidatorFunctionWrapHandler) -> Any:
    """What adorns may be missing: a message is not lost for its sake."""
    try:
        return read(value)
    except ValidationError:
        return None


def _objects(value: Any) -> Any:
    """What is an object of a list; all members of each adorn, so each can be read."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else None


Adornment = Annotated[str | None, WrapValidator(_or_none)]


class Authenticated(Wire):
    """What C1 answers: who the visitor is, and a token that speaks for it so many seconds."""

    visitor_id: GiosgId
    visitor_secret_id: VisitorSecret = Field(repr=False)
    access_token: AccessToken = Field(repr=False)
    expires_in: Annotated[float, Field(gt=0)]


class RoomView(Wire):
    """A room, as the organization sees it (C5b). ``is_humans_online``: the same without bots."""

    id: GiosgId
    display_name: Adornment = None
    language_code: Adornment = None
    is_online: bool
    is_humans_online: bool | None = None


class ChatView(Wire):
    """A chat; it carries no visitor, memberships do."""

    id: GiosgId
    chat_type: Adornment = None
    created_at: str | None = None
    updated_at: str | None = None
    ended_at: str | None = None
    waiting_started_at: str | None = None
    room_id: str | None = None
    is_waiting: bool | None = None
    is_pending: bool | None = None
    is_ended: bool | None = None
    is_encrypted: bool | None = None
    message_count: int | None = None
    user_message_count: int | None = None
    visitor_message_count: int | None = None
    tag_count: int | None = None
    present_participant_count: int | None = None
    present_user_participant_count: int | None = None
    present_visitor_participant_count: int | None = None


class AttachmentAction(Wire):
    """A button of an attachment."""

    id: Adornment = None
    text: Adornment = None
    type: Adornment = None
    value: JsonValue = None
    link_target: Adornment = None


class Attachment(Wire):
    """A card in a message, with buttons; any member may be missing."""

    id: Adornment = None
    title: Adornment = None
    title_link_url: Adornment = None
    text: Adornment = None
    image_url: Adornment = None
    image_link_url: Adornment = None
    link_target: Adornment = None
    actions: Annotated[list[AttachmentAction] | None, BeforeValidator(_objects)] = None


class Avatar(Wire):
    """A picture of who wrote."""

    url: Adornment = None


class MessageView(Wire):
    """An entry of a chat: a text (``msg``), or something that happened (``join``, ``leave``, and more to come).

    ``sender_public_name`` is for visitors; giosg's ``sender_name``, the internal one, is not even read.
    """

    id: GiosgId
    type: str | None = None
    chat_id: GiosgId | None = None
    room_id: str | None = None
    created_at: str | None = None
    sender_type: str | None = None
    sender_id: str | None = None
    sender_public_name: Adornment = None
    sender_avatar: Annotated[Avatar | None, WrapValidator(_or_none)] = None
    message: str | None = None
    is_encrypted: bool | None = None
    encrypted_message: str | None = None
    attachments: Annotated[list[Attachment] | None, BeforeValidator(_objects)] = None
    response_text: Adornment = None


class Membership(Wire):
    """Somebody's part in a chat; ``member_type`` is ``user`` or ``visitor``, ``member_id`` then the visitor's id."""

    member_id: GiosgId | None = None
    member_type: str | None = None
    member_public_name: Adornment = None
    chat_id: GiosgId | None = None
    room_id: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    is_participating: bool | None = None
    is_present: bool | None = None
    composing_status: str | None = None


class WebhookCall(Wire):
    """The body of one webhook. ``resource``: absent, null and empty are alike, and usual where something is gone."""

    channel: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    action: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    resource_id: GiosgId
    resource: dict[str, JsonValue] | None = None


class Page(Wire):
    """One page of a collection; ``next`` leads to the one after it."""

    next: str | None = None
    results: list[dict[str, JsonValue]]


def moment_ms(text: str | None) -> int | None:
    """One of giosg's moments in milliseconds, Unix; without a zone it is UTC. None: none, or not readable."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return round((found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp() * 1000)


def in_order(messages: list[MessageView]) -> list[MessageView]:
    """By giosg's own moment, then by id; giosg promises no order."""
    return sorted(messages, key=lambda one: (moment_ms(one.created_at) or 0, one.id))
