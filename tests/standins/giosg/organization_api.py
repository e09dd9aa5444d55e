"""What the organization calls with its API token: C4, C5 (b), C8, C10, C11 and one message.

Source: specs/giosg.md section 3.
"""

from __future__ import annotations

from starlette.routing import Route

from tests.standins.giosg import views
from tests.standins.giosg.access import check_organization_token, owned_chat, room_of, visitor_of
from tests.standins.giosg.calls import Call, RefusedError, Reply, endpoint
from tests.standins.giosg.public_api import REQUIRED, in_order, refuse_if
from tests.standins.giosg.world import World


def routes(world: World) -> list[Route]:
    """The addresses, without a slash at the end."""
    room = "/api/v5/orgs/{organization_id}/rooms/{room_id}"
    chat = "/api/v5/orgs/{organization_id}/owned_chats/{chat_id}"
    table = (
        ("GET", room, read_room),
        ("POST", f"{room}/visitors/{{visitor_id}}/variables", set_variable),
        ("GET", chat, read_chat),
        ("GET", f"{chat}/messages", list_messages),
        ("GET", f"{chat}/messages/{{message_id}}", read_message),
        ("GET", f"{chat}/memberships", list_memberships),
    )
    return [Route(path, endpoint(world, handle), methods=[method]) for method, path, handle in table]


def read_room(call: Call) -> Reply:
    """C5 b."""
    check_organization_token(call)
    return Reply(views.room(call.world, room_of(call)))


def set_variable(call: Call) -> Reply:
    """C4; ``username`` is what the console shows."""
    check_organization_token(call)
    room, visitor = room_of(call), visitor_of(call)
    if room.id not in visitor.presence and call.world.enforces("visit"):
        raise RefusedError(404, "Not found.")
    key, value = call.body.get("key"), call.body.get("value")
    missing = [name for name, given in (("key", key), ("value", value)) if not isinstance(given, str) or not given]
    if missing and call.world.enforces("fields"):
        raise RefusedError(400, {name: [REQUIRED] for name in missing})
    if call.world.configuration.repeated_variable == "replace":
        visitor.variables = [one for one in visitor.variables if one["key"] != key]
    variable = {"id": call.world.new_id(), "key": key, "value": value}
    visitor.variables.append(variable)
    call.world.changes.note()
    return Reply(variable, 201)


def read_chat(call: Call) -> Reply:
    """C8."""
    check_organization_token(call)
    return Reply(views.chat(call.world, owned_chat(call)))


def list_messages(call: Call) -> Reply:
    """C10."""
    check_organization_token(call)
    newest_first = call.world.configuration.organization_messages_newest_first
    return call.page(in_order(call, owned_chat(call), newest_first=newest_first))


def read_message(call: Call) -> Reply:
    """The address that giosg's rule about channels leads to."""
    check_organization_token(call)
    chat = owned_chat(call)
    refuse_if(call.world.configuration.single_message_status)
    for message in chat.messages:
        if message.id == call.part("message_id"):
            return Reply(views.message(call.world, chat, message))
    raise RefusedError(404, "Not found.")


def list_memberships(call: Call) -> Reply:
    """C11."""
    check_organization_token(call)
    chat = owned_chat(call)
    return call.page([views.membership(call.world, chat, member) for member in chat.members.values()])
