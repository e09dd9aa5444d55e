"""Who may come in, and how fast: one address, one socket and the whole process each have their bounds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from urllib.parse import urlsplit

ANY_ORIGIN = "*"
MINUTE_S = 60.0


class Admission:
    """Counts sockets (``socket_count`` are in) and new sessions; ``clock`` gives seconds and never goes back."""

    def __init__(
        self, *, sockets_max: int, per_address_max: int, sessions_per_minute_max: int, clock: Callable[[], float]
    ) -> None:
        self._sockets_max = sockets_max
        self._per_address_max = per_address_max
        self._sessions_per_minute_max = sessions_per_minute_max
        self._clock = clock
        self._sockets: Counter[str] = Counter()
        self.socket_count = 0
        self._sessions: Counter[str] = Counter()
        self._minute_began_s = clock()

    def enter(self, address: str) -> bool:
        """Count a socket in; False if the process or the address has too many."""
        if self.socket_count >= self._sockets_max or self._sockets[address] >= self._per_address_max:
            return False
        self._sockets[address] += 1
        self.socket_count += 1
        return True

    def leave(self, address: str) -> None:
        """Count a socket out that entered."""
        self.socket_count -= 1
        self._sockets[address] -= 1
        if self._sockets[address] <= 0:
            del self._sockets[address]

    def begin_session(self, address: str) -> bool:
        """Count a new session; False if the address has begun too many within the minute."""
        now_s = self._clock()
        if now_s - self._minute_began_s >= MINUTE_S:
            self._sessions.clear()
            self._minute_began_s = now_s
        if self._sessions[address] >= self._sessions_per_minute_max:
            return False
        self._sessions[address] += 1
        return True


class Pace:
    """How fast one socket may speak: so many frames a second, with a burst; the rest waits and is not lost."""

    __slots__ = ("_burst", "_credit", "_per_s", "_seen_s")

    def __init__(self, per_s: float, burst: int, *, now_s: float) -> None:
        self._per_s = per_s
        self._burst = burst
        self._credit = float(burst)
        self._seen_s = now_s

    def wait_s(self, now_s: float) -> float:
        """Count one frame; how long to wait before the next one is read."""
        self._credit = min(self._burst, self._credit + (now_s - self._seen_s) * self._per_s) - 1
        self._seen_s = now_s
        return max(0.0, -self._credit / self._per_s)


def is_allowed_origin(origin: str | None, host: str, allowed: tuple[str, ...]) -> bool:
    """Whether a page of this origin may open a chat: one of the same host, or one that the settings name.

    Programs send no origin and need none: there are no cookies that a foreign page could borrow.
    """
    if origin is None or ANY_ORIGIN in allowed or origin in allowed:
        return True
    try:
        site = urlsplit(origin).netloc
    except ValueError:  # no browser sends such an origin
        return False
    return bool(site) and site == host
