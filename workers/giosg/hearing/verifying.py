"""Pure: what a webhook says, or why it is not taken; no outside word gets further than this unchecked.

Source: specs/giosg.md sections 4.1 to 4.4.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from pydantic import JsonValue

from broker.codec import EVENT_DEPTH_MAX
from broker.domain.outside_json import Json, as_carried, read_object
from broker.domain.wire import validate
from broker.errors import CallRefusedError, InvalidBodyError
from workers.giosg.connections.connection import GiosgConnection
from workers.giosg.wire import WebhookCall

WebhookKind = Literal["chats", "messages", "memberships", "rooms"]
"""What an address is for; the last part of it."""
KINDS: tuple[WebhookKind, ...] = get_args(WebhookKind)
ACTIONS = frozenset(("added", "changed", "removed"))
PROBE_ACTION = "heimdall_verify"
"""Of the calls that `heimdall giosg verify` makes: giosg has no such action, so they are dropped."""
CALL_NESTING_MAX = EVENT_DEPTH_MAX - 4
"""Of the body, which is stored inside another."""
CHANGED_AGAIN_MS = 120_000
"""The same change within so long is the same webhook; later it may be a change back and forth."""
SIGNALLED_AGAIN_MS = 2_000
"""Of what comes and goes: somebody writes, pauses, and writes again; a room closes and opens."""
MESSAGE_ID_CHARACTERS_MAX = 200

_ID = r"[A-Za-z0-9_-]{1,256}"
_CHATS = rf"/api/v5/orgs/(?P<organization>{_ID})/owned_chats"
_CHANNELS: Mapping[WebhookKind, re.Pattern[str]] = {
    "chats": re.compile(rf"{_CHATS}/?"),
    "messages": re.compile(rf"{_CHATS}/(?P<chat>{_ID})/messages/?"),
    "memberships": re.compile(rf"{_CHATS}/(?P<chat>{_ID})/memberships/?"),
    "rooms": re.compile(rf"/api/v5/orgs/(?P<organization>{_ID})/rooms/?"),
}
_HIDDEN = frozenset(("token", "app_user_auth"))
"""Members of a resource that open something, and that nobody here reads."""


@dataclass(frozen=True, slots=True)
class Verified:
    """A webhook in which everything that is needed is there and checked.

    ``passed``: why it is nothing to work on, None: it is. ``chat_id`` is None where it is about a room.
    """

    kind: WebhookKind
    call: WebhookCall
    chat_id: str | None
    passed: str | None

    @property
    def content(self) -> Json:
        """The body, as it is stored."""
        resource = {name: value for name, value in (self.call.resource or {}).items() if name not in _HIDDEN}
        return {
            "channel": self.call.channel,
            "action": self.call.action,
            "resource_id": self.call.resource_id,
            "resource": resource or None,
        }


def verify(connection: GiosgConnection, kind: WebhookKind, data: bytes) -> Verified:
    """What a call to the connection's address of that kind says.

    Raises:
        CallRefusedError: it is not what giosg sends there; the words never quote it.
    """
    body = read_object(data)
    told = as_carried({name: body.get(name) for name in WebhookCall.model_fields}, CALL_NESTING_MAX)
    assert isinstance(told, dict)  # noqa: S101 - it was one
    try:
        call = validate(WebhookCall, told, what="webhook")
    except InvalidBodyError as error:
        raise CallRefusedError("invalid_body", str(error)) from None
    found = _CHANNELS[kind].fullmatch(call.channel)
    if found is None:
        raise CallRefusedError("channel_mismatch", f"the channel is not one of {kind}: this address is for these alone")
    call = call.model_copy(update={"channel": call.channel.rstrip("/")})
    parts = found.groupdict()
    chat_id = call.resource_id if kind == "chats" else parts.get("chat")
    _check_ids(kind, call, chat_id)
    return Verified(kind, call, chat_id, _passed(connection, kind, call, parts["organization"]))


def message_id(connection: GiosgConnection, verified: Verified, *, now_ms: int) -> str:
    """The id under which a webhook is stored once, however often it comes.

    The connection is in it: two rooms of one giosg organization have an endpoint each, and both are told. A member
    is in many chats, so there the chat is in it as well.
    """
    call, kind = verified.call, verified.kind
    resource = f"{verified.chat_id}:{call.resource_id}" if kind == "memberships" else call.resource_id
    parts = ["giosg", connection.org, connection.name, kind, resource, call.action]
    if call.action == "changed":
        span_ms = SIGNALLED_AGAIN_MS if kind in ("memberships", "rooms") else CHANGED_AGAIN_MS
        canonical = json.dumps(call.resource or {}, sort_keys=True, separators=(",", ":"))
        parts += [hashlib.sha256(canonical.encode()).hexdigest()[:32], str(now_ms // span_ms)]
    found = ":".join(parts)
    if len(found) <= MESSAGE_ID_CHARACTERS_MAX:
        return found
    return f"giosg:{hashlib.sha256(found.encode()).hexdigest()}"


def _check_ids(kind: WebhookKind, call: WebhookCall, chat_id: str | None) -> None:
    """What is said twice must be the same: else one half of it was written by somebody who may not write the other."""
    resource = call.resource or {}
    told: list[tuple[JsonValue, str | None]] = [(resource.get("chat_id"), chat_id)]
    if kind in ("chats", "messages"):
        told.append((resource.get("id"), call.resource_id))
    if any(value is not None and value != expected for value, expected in told):
        raise CallRefusedError("ids_differ", "the resource has another id than the channel and resource_id say")


def _passed(connection: GiosgConnection, kind: WebhookKind, call: WebhookCall, organization: str) -> str | None:
    if organization.lower() != connection.organization_id:
        return "foreign_org"
    if call.action not in ACTIONS:
        return "unknown_action"
    room = call.resource_id if kind == "rooms" else (call.resource or {}).get("room_id")
    if room is not None and room != connection.room_id:
        return "foreign_room"
    return None
