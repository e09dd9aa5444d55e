"""Of which chats something may have been missed: webhooks that came while nobody took them do not come again.

Source: specs/giosg.md sections 4.4 and 6.5.
"""

from __future__ import annotations

from workers.giosg.cases.case import Case
from workers.giosg.cases.store import now_ms

LOOKED_MAX = 50_000


class Doubts:
    """A doubt begins with the process, and whenever the bus was away or the webhooks were another process's.

    The next message of each chat that is older is then delivered together with what is missing before it, in order;
    reconciliation alone would bring that behind it.
    """

    def __init__(self) -> None:
        self._since_ms = now_ms()
        self._looked_ms: dict[str, int] = {}
        self._chats_since_ms: dict[str, int] = {}

    def begin(self) -> None:
        """From now on nothing that was told before is sure to have been heard."""
        self._since_ms = now_ms()

    def begin_about(self, key: str) -> None:
        """Something of that chat was heard, and is to be delivered later: what comes now must not overtake it."""
        _make_room(self._chats_since_ms)
        self._chats_since_ms[key] = now_ms()

    def are_about(self, key: str, case: Case) -> bool:
        """Whether something of the case's chat may be missing; of one that was opened since then nothing is."""
        if case.chat is None or not case.is_open:
            return False
        if key in self._chats_since_ms:
            return True
        if case.chat.opened_at_ms > self._since_ms:
            return False
        return self._looked_ms.get(key, 0) < self._since_ms

    def end(self, key: str, looked_at_ms: int) -> None:
        """The chat was looked through, beginning at that moment."""
        _make_room(self._looked_ms)
        self._looked_ms[key] = looked_at_ms
        if self._chats_since_ms.get(key, looked_at_ms) <= looked_at_ms:
            self._chats_since_ms.pop(key, None)


def _make_room(kept: dict[str, int]) -> None:
    while len(kept) >= LOOKED_MAX:
        del kept[next(iter(kept))]
