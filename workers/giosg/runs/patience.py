"""How long a visitor's message is tried while giosg is away, and when its visitor hears of that.

Source: specs/giosg.md section 7.8.
"""

from __future__ import annotations

from broker.errors import ChannelAwayError, ChannelError, ChannelGaveUpError
from workers.giosg.cases.store import now_ms
from workers.giosg.runs.refusing import Refusing
from workers.giosg.runs.run import RELEASED
from workers.giosg.runs.talk import Talk

TELL_AFTER_S = 30.0
TELL_AFTER_PART = 0.25
"""Of a patience that is shorter than usual: a visitor hears of the delay before it is given up."""
PAUSE_S_MAX = 60.0
MS_PER_S = 1_000


class Patience:
    """Since when each run that waits is tried, in this process: whoever takes it over has all the time again."""

    def __init__(self, refusing: Refusing, *, patience_s: float) -> None:
        self._refusing = refusing
        self._patience_s = patience_s
        self._tell_after_s = min(TELL_AFTER_S, patience_s * TELL_AFTER_PART)
        self._since_ms: dict[int, int] = {}

    async def spend(self, talk: Talk, error: ChannelError) -> ChannelGaveUpError | None:
        """What to give up with if the time is up.

        Raises:
            ChannelAwayError: there is time left; the run is to be handled again.
        """
        waited_s = (now_ms() - self._since_ms.setdefault(talk.run.sequence, now_ms())) / MS_PER_S
        if waited_s >= self._patience_s:
            self.forget(talk)
            return ChannelGaveUpError(talk.desk, problem=f"tried for {self._patience_s:g} s; at last: {error}")
        if waited_s >= self._tell_after_s and talk.run.action != RELEASED:
            await self._refusing.delayed(talk)
        away = ChannelAwayError(talk.desk, problem=str(error))
        away.retry_after_s = min(error.retry_after_s, PAUSE_S_MAX)
        raise away from error

    def forget(self, talk: Talk) -> None:
        """The run waits no more."""
        self._since_ms.pop(talk.run.sequence, None)
