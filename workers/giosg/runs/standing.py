"""Whose the conversation is, as the desk must see it when it handles what was delivered to it a while ago."""

from __future__ import annotations

from typing import Literal

from broker.transport.links import LiveLink
from workers.giosg.cases.case import Case
from workers.giosg.cases.store import now_ms
from workers.giosg.runs import marks
from workers.giosg.runs.history import TAKE, History
from workers.giosg.runs.talk import Talk
from workers.giosg.telling.links import Links

MS_PER_HOUR = 3_600_000

Standing = Literal["ours", "free", "left", "given_back", "others", "over"]
"""``free``: nobody has it, as where a profile leads to the desk. ``given_back``: the stub that handed over has it, or
is about to. ``left``: the visitor has gone since; agents still read what was written before, as they would have if the
desk had been faster, and the run of the end, which comes next, closes the chat. ``over``: a program ended the link."""


class Standings:
    """One per process."""

    def __init__(self, links: Links, history: History) -> None:
        self._links = links
        self._history = history

    async def live(self, talk: Talk) -> LiveLink | None:
        """The conversation's live link, whoever has it."""
        return await self._links.live(talk.case, now_ms=now_ms())

    async def is_ours(self, talk: Talk) -> bool:
        """Whether the desk has it, or nobody else has and agents are to read it."""
        return await self.of(talk) in ("ours", "free", "left")

    async def of(self, talk: Talk) -> Standing:
        """Whose it is now; the linker may be behind what the desk itself has just wished for."""
        case, link = talk.case, await self.live(talk)
        if link is None:
            gave_up = await self._history.given_up_since(talk.run.conversation, after=talk.run.event)
            if gave_up is not None:
                return _after_all(talk, gave_up)
            return "ours" if case.link_until_ms > now_ms() and not _has_let_go(case) else "free"
        if str(link.stub) == talk.desk:
            if link.epoch > case.epoch or not _has_let_go(case):
                return "ours"
            return "given_back" if case.giver is not None and talk.connection.give_back == "previous" else "free"
        if case.epoch > link.epoch and not _has_let_go(case):
            return "ours"
        return "given_back" if str(link.stub) == case.giver else "others"

    async def take_if_free(self, talk: Talk) -> None:
        """Have the conversation where nobody has it."""
        if await self.of(talk) != "free":
            return
        hours = talk.connection.link_hours
        epoch = await self._links.take(talk.case, hours=hours, event_id=f"{TAKE}-{talk.run.sequence}")
        until_ms = now_ms() + round(hours * MS_PER_HOUR)
        await talk.change(lambda case: marks.linked(case, epoch, until_ms))


def _after_all(talk: Talk, gave_up: Literal["left", "deleted"]) -> Standing:
    """Where a text belongs that was written before nobody had the conversation any more."""
    if gave_up == "deleted":
        return "over"
    had_giver = talk.case.giver is not None and talk.connection.give_back == "previous"
    return "given_back" if had_giver and _has_let_go(talk.case) else "left"


def _has_let_go(case: Case) -> bool:
    """Whether the desk has given up its link, be it that the linker does not know yet."""
    return not case.link_until_ms or case.stage in ("ended", "removed")
