"""What a visitor's client calls: C1, C2, C3, C5 (a, c), C6, C7, C8 and C10 as the visitor, C9, C12, C13.

Source: specs/giosg.md section 3.
"""

from __future__ import annotations

from starlette.routing import Route

from tests.standins.giosg import chats, views
from tests.standins.giosg.access import (
    caller_of,
    check_organization,
    check_visitor,
    room_of,
    visitor_of,
    visitors_chat,
)
from tests.standins.giosg.calls import Call, RefusedError, Reply, endpoint
from tests.standins.giosg.world import Chat, Message, Visitor, World

CHAT_TYPES = ("visitor", "task", "external")
REQUIRED = "This field is required."
INVALID = "Not a valid value."


def routes(world: World) -> list[Route]:
    """The addresses, without a slash at the end."""
    org, visitor = "/api/v5/public/orgs/{organization_id}", "/api/v5/public/visitors/{visitor_id}"
    room = f"{org}/rooms/{{room_id}}"
    table = (
        ("POST", f"{org}/auth", authenticate),
        ("GET", room, read_room),
        ("GET", f"{room}/online_users", online_users),
        ("POST", f"{room}/visitors", enter_room),
        (("PUT", "PATCH"), f"{room}/visitors/{{visitor_id}}", keep_presence),
        ("POST", f"{room}/visitors/{{visitor_id}}/chats", create_chat),
        ("GET", f"{visitor}/chats", list_chats),
        ("GET", f"{visitor}/chats/{{chat_id}}", read_chat),
        ("PATCH", f"{visitor}/chats/{{chat_id}}", change_chat),
        ("GET", f"{visitor}/chats/{{chat_id}}/messages", list_messages),
        ("POST", f"{visitor}/chats/{{chat_id}}/messages", send_message),
        ("PUT", f"{visitor}/chat_memberships/{{chat_id}}", change_membership),
    )
    return [
        Route(path, endpoint(world, handle), methods=[methods] if isinstance(methods, str) else list(methods))
        for methods, path, handle in table
    ]


def authenticate(call: Call) -> Reply:
    """C1: a new visitor, or a fresh token for one who was here."""
    check_organization(call)
    visitor = _authenticated(call)
    token, kept = call.world.new_token(visitor)
    body = {
        "visitor_id": visitor.id,
        "visitor_secret_id": visitor.secret,
        "organization_id": call.world.configuration.organization_id,
        "socket_url": f"ws://127.0.0.1:{call.world.port}/socket",
        "access_token": token,
        "expires_at": views.moment(kept.expires_at_ms),
        "expires_in": call.world.configuration.token_lifetime_s,
        "minimal_bar_version": "1",
    }
    return Reply(body, call.world.configuration.auth_status)


def _authenticated(call: Call) -> Visitor:
    world, secret = call.world, call.body.get("visitor_secret_id")
    if secret is None:
        return world.new_visitor("api")
    if not isinstance(secret, str):
        raise RefusedError(400, {"visitor_secret_id": [INVALID]})
    now_ms = world.now_ms()
    for visitor in world.visitors.values():
        if visitor.secret == secret and (visitor.secret_until_ms is None or now_ms < visitor.secret_until_ms):
            return visitor
    if world.configuration.unknown_visitor == "new":
        return world.new_visitor("api")
    raise RefusedError(world.configuration.unknown_visitor_status, {"visitor_secret_id": [INVALID]})


def read_room(call: Call) -> Reply:
    """C5 a."""
    check_visitor(call)
    return Reply(views.public_room(call.world, room_of(call)))


def online_users(call: Call) -> Reply:
    """C5 c."""
    check_visitor(call)
    return call.page([views.online_user(agent) for agent in call.world.online_agents(room_of(call))])


def enter_room(call: Call) -> Reply:
    """C2: 201 the first time, 200 after that."""
    check_visitor(call)
    room, visitor = room_of(call), _named_in_body(call)
    until_ms = _presence_of(call)
    was_there = room.id in visitor.presence
    visitor.presence[room.id] = until_ms
    return Reply(_visit(call, visitor, room.id), 200 if was_there else 201)


def _named_in_body(call: Call) -> Visitor:
    named, caller = call.body.get("id"), caller_of(call)
    if named is None and call.world.enforces("fields"):
        raise RefusedError(400, {"id": [REQUIRED]})
    found = call.world.visitors.get(str(named)) if named is not None else caller
    is_another = caller is not None and found is not caller
    if found is None or (is_another and call.world.enforces("token_binding")):
        raise RefusedError(400, {"id": [INVALID]})
    return found


def _presence_of(call: Call) -> int | None:
    wanted = call.body.get("presence_expires_in")
    if wanted is None:
        return None
    if not isinstance(wanted, int) or isinstance(wanted, bool) or wanted < 0:
        raise RefusedError(400, {"presence_expires_in": ["A valid integer is required."]})
    return call.world.now_ms() + wanted * 1000


def _visit(call: Call, visitor: Visitor, room_id: str) -> dict[str, object]:
    return {"id": visitor.id, "room_id": room_id, "presence_expires_in": call.body.get("presence_expires_in")}


def keep_presence(call: Call) -> Reply:
    """C3."""
    check_visitor(call)
    room, visitor = room_of(call), visitor_of(call)
    if room.id not in visitor.presence:
        raise RefusedError(404, "Not found.")
    if call.body.get("presence_expires_in") is None and call.world.enforces("fields"):
        raise RefusedError(400, {"presence_expires_in": [REQUIRED]})
    visitor.presence[room.id] = _presence_of(call)
    return Reply(_visit(call, visitor, room.id))


def create_chat(call: Call) -> Reply:
    """C6: 201 and nobody but the visitor in it; no two calls make the same chat, unless ``auto_resume`` works."""
    check_visitor(call)
    world, room, visitor = call.world, room_of(call), visitor_of(call)
    chat_type = call.body.get("chat_type", "visitor")
    if chat_type not in CHAT_TYPES and world.enforces("fields"):
        raise RefusedError(400, {"chat_type": [INVALID]})
    if room.id not in visitor.presence and world.enforces("visit"):
        raise RefusedError(world.configuration.without_visit_status, "The visitor is not in the room.")
    if not world.online_agents(room) and world.enforces("offline"):
        raise RefusedError(world.configuration.offline_status, "The room is not online.")
    resumed = _resumed(call, visitor, room.id)
    if resumed is not None:
        return Reply(views.public_chat(world, resumed))
    return Reply(views.public_chat(world, chats.open_chat(world, visitor, room, str(chat_type))), 201)


def _resumed(call: Call, visitor: Visitor, room_id: str) -> Chat | None:
    if not call.world.configuration.auto_resume or call.request.query_params.get("auto_resume") != "true":
        return None
    open_ones = [one for one in _chats_of(call, visitor) if one.room_id == room_id and not one.is_ended]
    return open_ones[-1] if open_ones else None


def _chats_of(call: Call, visitor: Visitor) -> list[Chat]:
    return [chat for chat in call.world.chats.values() if chat.visitor_id == visitor.id]


def list_chats(call: Call) -> Reply:
    """C7: oldest first."""
    check_visitor(call)
    return call.page([views.public_chat(call.world, chat) for chat in _chats_of(call, visitor_of(call))])


def read_chat(call: Call) -> Reply:
    """C8, the visitor's view."""
    check_visitor(call)
    return Reply(views.public_chat(call.world, visitors_chat(call)))


def change_chat(call: Call) -> Reply:
    """C13: the visitor ends the chat, if giosg lets visitors do that."""
    check_visitor(call)
    chat = visitors_chat(call)
    refuse_if(call.world.configuration.end_status)
    wanted = call.body.get("is_ended")
    if not isinstance(wanted, bool) and call.world.enforces("fields"):
        raise RefusedError(400, {"is_ended": [INVALID]})
    if wanted:
        chats.end(call.world, chat, "visitor")
    elif chat.is_ended:
        raise RefusedError(400, {"is_ended": ["A chat that has ended stays so."]})
    return Reply(views.public_chat(call.world, chat))


def list_messages(call: Call) -> Reply:
    """C10, the visitor's view."""
    check_visitor(call)
    chat = visitors_chat(call)
    return call.page(in_order(call, chat, newest_first=call.world.configuration.visitor_messages_newest_first))


def in_order(call: Call, chat: Chat, *, newest_first: bool) -> list[dict[str, object]]:
    """The messages of a chat as a collection."""
    ordered: list[Message] = list(reversed(chat.messages)) if newest_first else chat.messages
    return [views.message(call.world, chat, one) for one in ordered]


def send_message(call: Call) -> Reply:
    """C9."""
    check_visitor(call)
    world, chat = call.world, visitors_chat(call)
    text = call.body.get("message")
    if not isinstance(text, str):
        raise RefusedError(400, {"message": [REQUIRED if text is None else "Not a valid string."]})
    if world.enforces("text") and not text.strip():
        raise RefusedError(400, {"message": ["This field may not be blank."]})
    if world.enforces("text") and len(text) > world.configuration.message_chars_max:
        limit = world.configuration.message_chars_max
        raise RefusedError(400, {"message": [f"Ensure this field has no more than {limit} characters."]})
    if call.body.get("type", "msg") != "msg" and world.enforces("fields"):
        raise RefusedError(400, {"type": [INVALID]})
    return Reply(views.message(world, chat, chats.visitor_says(world, chat, text)), world.configuration.message_status)


def change_membership(call: Call) -> Reply:
    """C12: typing and leaving, both members required; known from old documents only."""
    check_visitor(call)
    world, chat = call.world, visitors_chat(call)
    refuse_if(world.configuration.typing_status)
    takes_part, composing = call.body.get("is_participating"), call.body.get("composing_status")
    if world.enforces("fields"):
        if not isinstance(takes_part, bool):
            raise RefusedError(400, {"is_participating": [INVALID]})
        if composing not in world.configuration.composing_words:
            raise RefusedError(400, {"composing_status": [INVALID]})
    if takes_part:
        chats.returns(world, chat, chat.visitor_id)
        chats.types(world, chat, chat.visitor_id, str(composing or chats.IDLE))
    else:
        chats.leaves(world, chat, chat.visitor_id)
    return Reply(views.membership(world, chat, chat.members[chat.visitor_id]))


def refuse_if(status: int | None) -> None:
    """The call does not work here, if there is a status for that."""
    if status is not None:
        raise RefusedError(status, "Not supported here.", {"Allow": "GET"} if status == 405 else None)
