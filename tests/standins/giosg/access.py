"""Who may do what: the checks before any call has its effect.

Source: specs/giosg.md sections 3.1 and 10. First 401, then 403, then 404.
"""

from __future__ import annotations

from tests.standins.giosg.calls import Call, RefusedError
from tests.standins.giosg.world import Chat, Room, Visitor

NOT_FOUND = "Not found."


def check_visitor(call: Call) -> None:
    """The caller has a token of the visitor whom the path names, if it names one."""
    world = call.world
    if world.enforces("authorization"):
        kept = world.tokens.get(_token(call, "Bearer"))
        if kept is None:
            raise RefusedError(401, "Invalid token.")
        if world.enforces("token_expiry") and world.now_ms() >= kept.expires_at_ms:
            raise RefusedError(401, "The token has expired.")
        named = call.part("visitor_id")
        if named is not None and named != kept.visitor_id and world.enforces("token_binding"):
            raise RefusedError(world.configuration.foreign_visitor_status, "This is another visitor.")
    check_organization(call)


def check_organization_token(call: Call) -> None:
    """The caller has the organization's API token."""
    if call.world.enforces("authorization") and _token(call, "Token") not in call.world.api_tokens:
        raise RefusedError(call.world.configuration.revoked_token_status, "Invalid token.")
    check_organization(call)


def check_organization(call: Call) -> None:
    """The path names our organization, or none."""
    named = call.part("organization_id")
    ours = call.world.configuration.organization_id
    if named is not None and named != ours and call.world.enforces("organization"):
        raise RefusedError(403, "You do not have permission to perform this action.")


def room_of(call: Call) -> Room:
    """The room that the path names."""
    rooms = call.world.rooms
    found = rooms.get(call.part("room_id") or "")
    if found is None and call.world.enforces("room"):
        raise RefusedError(404, NOT_FOUND)
    return found or next(iter(rooms.values()))


def caller_of(call: Call) -> Visitor | None:
    """The visitor whose token this is, None if it is none's."""
    kept = call.world.tokens.get(_words(call)[1])
    return None if kept is None else call.world.visitors.get(kept.visitor_id)


def visitor_of(call: Call) -> Visitor:
    """The visitor whom the path names."""
    found = call.world.visitors.get(call.part("visitor_id") or "")
    if found is None:
        raise RefusedError(404, NOT_FOUND)
    return found


def visitors_chat(call: Call) -> Chat:
    """The chat that the path names, if it is that visitor's."""
    found = owned_chat(call)
    if call.world.enforces("chat_owner") and found.visitor_id != visitor_of(call).id:
        raise RefusedError(404, NOT_FOUND)
    return found


def owned_chat(call: Call) -> Chat:
    """The chat that the path names, whoever's it is."""
    found = call.world.chats.get(call.part("chat_id") or "")
    if found is None:
        raise RefusedError(404, NOT_FOUND)
    return found


def _token(call: Call, scheme: str) -> str:
    """What the header holds; nothing if the scheme is not the one that is wanted."""
    found, token = _words(call)
    wanted = (scheme,) if call.world.enforces("scheme") else ("Token", "Bearer")
    return token if found in wanted else ""


def _words(call: Call) -> tuple[str, str]:
    scheme, _, token = call.request.headers.get("authorization", "").partition(" ")
    return scheme, token
