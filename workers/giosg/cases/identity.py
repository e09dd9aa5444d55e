"""Pure: who a visitor is at giosg.

Source: specs/giosg.md sections 3.2 and 6.1.
"""

from __future__ import annotations

from pydantic import Field

from broker.domain.events import Label
from broker.domain.wire import Wire
from workers.giosg.cases.case import Id


class Identity(Wire):
    """One visitor at one organization. Whoever has ``visitor_secret_id`` can speak as the visitor: it is never shown.

    ``lost``: earlier visitor ids, which giosg no longer gave for their secret. ``variables``: what was last sent with
    C4, by room and key (``<room>/<key>``). The access token is not here: each process asks for its own.
    """

    visitor_id: Id
    visitor_secret_id: str = Field(repr=False)
    lost: list[Id] = Field(default_factory=list)
    variables: dict[Label, str] = Field(default_factory=dict)
