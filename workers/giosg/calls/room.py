"""C5b: whether anybody is there. A call of the organization's that needs nothing else, so it stands alone.

Source: specs/giosg.md section 3.6.
"""

from __future__ import annotations

from workers.giosg.calls.exchange import Exchange
from workers.giosg.calls.request import Request
from workers.giosg.wire import RoomView


async def read_room(exchange: Exchange) -> RoomView:
    """The connection's room.

    Raises:
        RoomUnknownError: the organization has no such room.
        ChannelError: as any call.
    """
    connection = exchange.connection
    path = f"/api/v5/orgs/{connection.organization_id}/rooms/{connection.room_id}"
    token = connection.api_token.get_secret_value()
    return await exchange.ask(Request("room", "GET", path, None, "Token", token), RoomView)
