"""Whether giosg answers, takes the API token, and has the room: one look at the room (C5) tells it all.

Source: specs/giosg.md sections 2 and 3.6.
"""

from __future__ import annotations

from broker.errors import (
    AnswerIncompleteError,
    ChannelError,
    ChannelRejectedError,
    CredentialsRefusedError,
    RoomUnknownError,
)
from workers.giosg.calls.exchange import Exchange
from workers.giosg.calls.room import read_room
from workers.giosg.checking.check import Check, failed, ok, skipped
from workers.giosg.connections.connection import GiosgConnection
from workers.giosg.wire import RoomView

GIOSG, TOKEN, ORGANIZATION, ROOM, ONLINE = "giosg", "API token", "organization", "room", "agents"


async def check_room(exchange: Exchange) -> list[Check]:
    """The checks, from the address to the agents; what comes after a failed one is not looked at."""
    connection = exchange.connection
    try:
        room = await read_room(exchange)
    except ChannelError as error:
        return _refused(connection, error)
    return [
        *_reached(connection, TOKEN, ORGANIZATION),
        ok(ROOM, f"{room.display_name!r}" if room.display_name else "it is there"),
        _online(room),
    ]


def _reached(connection: GiosgConnection, *accepted: str) -> list[Check]:
    found = {GIOSG: f"{connection.base_url} answers", TOKEN: "accepted", ORGANIZATION: "the token's user may read it"}
    return [ok(name, found[name]) for name in (GIOSG, *accepted)]


def _refused(connection: GiosgConnection, error: ChannelError) -> list[Check]:
    if isinstance(error, CredentialsRefusedError):
        return _not_allowed(connection, error)
    if isinstance(error, RoomUnknownError):
        mend = (
            "compare room_id with 'Room ID' on the room's page in giosg, and organization_id with 'Account UUID' in "
            "the account's settings: the room must belong to that organization"
        )
        found = f"status 404: the organization has no room {connection.room_id}"
        return [*_reached(connection, TOKEN), *skipped(ORGANIZATION), failed(ROOM, found, mend), *skipped(ONLINE)]
    mend = "see https://status.giosg.com, and whether this machine may make https calls to the outside; then try again"
    if isinstance(error, AnswerIncompleteError | ChannelRejectedError):
        mend = "this does not look like giosg: set base_url to https://service.giosg.com, or leave it out"
    cause = f" ({error.__cause__})" if error.__cause__ is not None and str(error.__cause__) else ""
    return [failed(GIOSG, f"{connection.base_url}: {error}{cause}", mend), *skipped(TOKEN, ORGANIZATION, ROOM, ONLINE)]


def _not_allowed(connection: GiosgConnection, error: CredentialsRefusedError) -> list[Check]:
    if error.status == 401:
        mend = (
            "make a new API token in giosg (its user must stay: the token dies with the user), put it where api_token "
            "points, and start the worker anew"
        )
        found = "status 401: giosg does not take it; it was revoked, its user was deleted, or a part of it is missing"
        return [*_reached(connection), failed(TOKEN, found, mend), *skipped(ORGANIZATION, ROOM, ONLINE)]
    mend = (
        "compare organization_id with 'Account UUID' in the account's settings in giosg: the token must be made by a "
        "user of that account who may see the room"
    )
    found = f"status 403: the token's user may not read organization {connection.organization_id}"
    return [*_reached(connection, TOKEN), failed(ORGANIZATION, found, mend), *skipped(ROOM, ONLINE)]


def _online(room: RoomView) -> Check:
    if room.is_online:
        bots = " (only bots, no humans)" if room.is_humans_online is False else ""
        return ok(ONLINE, f"the room is online{bots}: a visitor can start a chat")
    mend = (
        "chats can begin only while it is online: a router is assigned to the room, it is open, and an agent of the "
        "router has pressed Start in the console"
    )
    return Check(ONLINE, "warning", "the room is offline", mend)
