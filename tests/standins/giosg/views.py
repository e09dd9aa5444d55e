"""Pure: the objects of giosg's API as JSON, with their whole field sets.

Source: specs/giosg.md sections 3.6 to 3.11.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime

from tests.standins.giosg.world import Agent, Body, Chat, Member, Message, Room, Visitor, World

_PUBLIC = (
    *("id", "token", "created_at", "updated_at", "is_waiting", "waiting_started_at", "is_ended", "ended_at"),
    *("room_id", "chat_type", "is_autosuggested", "message_count", "user_message_count", "visitor_message_count"),
    *("has_messages", "has_user_messages", "has_visitor_messages", "present_participant_count"),
    *("present_user_participant_count", "present_visitor_participant_count"),
)


def moment(at_ms: int | None) -> str | None:
    """ISO 8601, UTC, three decimals, Z."""
    if at_ms is None:
        return None
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def chat(world: World, one: Chat) -> Body:
    """The organization's view; it carries no visitor id."""
    flags = world.configuration.waiting_flags
    room = world.rooms[one.room_id]
    return {
        "id": one.id,
        "chat_type": one.chat_type,
        "created_at": moment(one.created_at_ms),
        "updated_at": moment(one.updated_at_ms),
        "ended_at": moment(one.ended_at_ms),
        "waiting_started_at": moment(one.waiting_started_at_ms),
        "room_id": one.room_id,
        "room_organization_id": world.configuration.organization_id,
        "room_name": room.name,
        "tag_count": len(one.tags),
        **_counters(one),
        "is_private": False,
        "is_real_conversation": {"user", "visitor"} <= {message.sender_type for message in _written(one)},
        "is_autosuggested": one.is_autosuggested,
        "is_waiting": one.waits and flags != "pending",
        "is_pending": one.waits and flags != "waiting",
        "is_ended": one.is_ended,
        "is_encrypted": one.is_encrypted,
        "encrypted_symmetric_key": base64.b64encode(one.id.encode()).decode() if one.is_encrypted else None,
        "autosuggest_url": None,
        "autosuggest_url_title": None,
        "first_visitor_message_url": None,
        "first_visitor_message_url_title": None,
        "token": one.token,
        "legacy_conversation_state": "closed" if one.is_ended else "waiting" if one.waits else "open",
        "legacy_room_id": None,
        "visitor_wait_time": _seconds(one.waiting_started_at_ms, one.taken_at_ms),
        "duration": _seconds(one.created_at_ms, one.ended_at_ms),
        "active_duration": _seconds(one.taken_at_ms, one.ended_at_ms),
    }


def public_chat(world: World, one: Chat) -> Body:
    """The visitor's view."""
    whole = chat(world, one)
    return {name: whole[name] for name in _PUBLIC}


def message(world: World, in_chat: Chat, one: Message) -> Body:
    """A message; both views have the same fields."""
    public_name, name = _names(world, one.sender_type, one.sender_id)
    avatar = {"id": one.sender_id, "url": f"https://avatars.example/{one.sender_id}"}
    encrypted = base64.b64encode((one.text or "").encode()).decode() if one.is_encrypted else None
    return {
        "id": one.id,
        "type": one.type,
        "chat_id": in_chat.id,
        "room_id": in_chat.room_id,
        "created_at": moment(one.created_at_ms),
        "sender_type": one.sender_type,
        "sender_id": one.sender_id,
        "sender_public_name": public_name,
        "sender_name": name,
        "sender_avatar": avatar if one.sender_type == "user" else None,
        "message": None if one.is_encrypted else one.text,
        "is_encrypted": one.is_encrypted,
        "encrypted_message": encrypted,
        "sensitive_data_purged_at": None,
        "selected_reply_suggestion": None,
        "selected_reply_suggestion_id": None,
        "attachments": one.attachments,
        "attachment_template": None,
        "response_to_message_id": None,
        "response_to_attachment": None,
        "response_to_attachment_id": None,
        "response_to_action": None,
        "response_to_action_id": None,
        "response_text": None,
        "response_value": None,
        **one.extra,
    }


def membership(world: World, in_chat: Chat, one: Member) -> Body:
    """Somebody's part in a chat."""
    public_name, name = _names(world, one.type, one.id)
    organization_id = world.configuration.organization_id
    return {
        "member_id": one.id,
        "member_type": one.type,
        "member_name": name,
        "member_public_name": public_name,
        "member_avatar": None,
        "room_id": in_chat.room_id,
        "chat_id": in_chat.id,
        "created_at": moment(one.created_at_ms),
        "updated_at": moment(one.updated_at_ms),
        "is_participating": one.is_participating,
        "is_present": one.is_participating,
        "composing_status": one.composing,
        "message_count": sum(message.sender_id == one.id for message in _written(in_chat)),
        "room_organization_id": organization_id,
        "member_organization_id": organization_id if one.type == "user" else None,
        "legacy_member_id": None,
    }


def room(world: World, one: Room) -> Body:
    """The organization's view; bots count for ``is_online`` only."""
    online = world.online_agents(one)
    return {
        **public_room(world, one),
        "name": one.name,
        "organization_id": world.configuration.organization_id,
        "is_humans_online": any(not agent.is_bot for agent in online),
    }


def public_room(world: World, one: Room) -> Body:
    """The visitor's view."""
    return {
        "id": one.id,
        "display_name": one.name,
        "language_code": one.language_code,
        "is_online": bool(world.online_agents(one)),
        "brand": None,
    }


def online_user(one: Agent) -> Body:
    """As a visitor sees an agent who is there."""
    avatar = {"id": one.id, "url": f"https://avatars.example/{one.id}"}
    return {"id": one.id, "public_name": one.public_name, "avatar": avatar}


def visitor(one: Visitor, *, number_of_chats: int) -> Body:
    """As the control plane shows it, with the secret."""
    return {
        "id": one.id,
        "secret": one.secret,
        "origin": one.origin,
        "name": one.name,
        "variables": one.variables,
        "presence": {room_id: moment(until_ms) for room_id, until_ms in one.presence.items()},
        "chat_count": number_of_chats,
    }


def whole_chat(world: World, one: Chat) -> Body:
    """As the control plane shows it: the chat, who it is, its messages oldest first, its members."""
    return {
        **chat(world, one),
        "visitor_id": one.visitor_id,
        "visitor_name": world.visitors[one.visitor_id].name,
        "origin": world.visitors[one.visitor_id].origin,
        "ended_by": one.ended_by,
        "tags": one.tags,
        "messages": [message(world, one, entry) for entry in one.messages],
        "memberships": [membership(world, one, member) for member in one.members.values()],
    }


def _names(world: World, kind: str | None, who: str | None) -> tuple[str | None, str | None]:
    """The public and the internal one."""
    if kind == "user" and who in world.agents:
        return world.agents[who].public_name, world.agents[who].name
    if kind == "visitor" and who in world.visitors:
        return world.visitors[who].name, world.visitors[who].name
    return None, None


def _written(one: Chat) -> list[Message]:
    return [message for message in one.messages if message.type == "msg"]


def _counters(one: Chat) -> Body:
    by_user, by_visitor = ([m for m in _written(one) if m.sender_type == kind] for kind in ("user", "visitor"))
    users, visitors = ([m for m in one.members.values() if m.type == kind] for kind in ("user", "visitor"))
    present_users, present_visitors = (sum(m.is_participating for m in some) for some in (users, visitors))
    return {
        "message_count": len(_written(one)),
        "user_message_count": len(by_user),
        "visitor_message_count": len(by_visitor),
        "has_messages": bool(_written(one)),
        "has_user_messages": bool(by_user),
        "has_visitor_messages": bool(by_visitor),
        "present_participant_count": present_users + present_visitors,
        "present_user_participant_count": present_users,
        "present_visitor_participant_count": present_visitors,
        "member_count": len(one.members),
        "user_member_count": len(users),
        "visitor_member_count": len(visitors),
    }


def _seconds(begin_ms: int | None, end_ms: int | None) -> float | None:
    return None if begin_ms is None or end_ms is None else round((end_ms - begin_ms) / 1000, 3)
