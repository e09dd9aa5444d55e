"""Which language the desk speaks on a connection: the one that was set, else its room's."""

from __future__ import annotations

import time

from broker.errors import BackboneError
from workers.giosg.calls.client import Apis
from workers.giosg.connections.connection import GiosgConnection
from workers.giosg.telling.texts import Words, words

KEPT_S = 3_600.0
ASK_AGAIN_S = 60.0
"""Where the room could not be asked."""


class Languages:
    """Asks giosg for a room's language at most once an hour; an answer that does not come means English."""

    def __init__(self, apis: Apis) -> None:
        self._apis = apis
        self._known: dict[str, tuple[str | None, float]] = {}

    async def of(self, connection: GiosgConnection) -> Words:
        """The words to use; never fails."""
        if connection.language is not None:
            return words(connection.language)
        language, until_s = self._known.get(connection.name, (None, 0.0))
        if time.monotonic() < until_s:
            return words(language)
        try:
            language, kept_s = (await self._apis.of(connection.name).room()).language_code, KEPT_S
        except BackboneError:
            kept_s = ASK_AGAIN_S
        self._known[connection.name] = language, time.monotonic() + kept_s
        return words(language)
