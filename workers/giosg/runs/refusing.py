"""What the desk cannot take: the visitor is told, the conversation given back, and no text is lost.

Source: specs/giosg.md sections 7.1, 7.3 and 7.8.
"""

from __future__ import annotations

import structlog

from broker.domain.desks import DeskEvent, DeskEventType
from broker.errors import BackboneError, DeskClosedError, DeskUnavailableError, RoomClosedError
from broker.runtime.deadletters import DeadLetters
from workers.giosg.cases.store import now_ms
from workers.giosg.cases.transitions import held, not_started, told
from workers.giosg.connections.connection import LINK_HOURS_DEFAULT
from workers.giosg.runs import marks
from workers.giosg.runs.run import DeskRun
from workers.giosg.runs.standing import Standings
from workers.giosg.runs.talk import Talk
from workers.giosg.telling.languages import Languages
from workers.giosg.telling.links import Links
from workers.giosg.telling.texts import Words
from workers.giosg.telling.visitor import Visitors

HOLD_LOOK_S = 15.0
"""How often a room is asked for that texts wait for."""
CHECK_AGAIN_MS = 60_000
"""When it is worth asking again, at the earliest; within that time a visitor is told once."""
MS_PER_S = 1_000

log = structlog.get_logger()


class Refusing:
    """One per process."""

    def __init__(
        self,
        visitors: Visitors,
        links: Links,
        standings: Standings,
        dead_letters: DeadLetters,
        languages: Languages,
        *,
        hold_look_s: float = HOLD_LOOK_S,
    ) -> None:
        self._visitors = visitors
        self._links = links
        self._standings = standings
        self._dead_letters = dead_letters
        self._languages = languages
        self._hold_look_s = hold_look_s

    async def closed(self, talk: Talk, error: RoomClosedError, text: str) -> None:
        """Nobody is there: keep the conversation, and with it the text in hand, or give it back.

        Raises:
            DeskClosedError: the text waits, and its lane with it.
        """
        if talk.connection.offline_policy == "hold" and not error.is_unknown:
            if await self._standings.of(talk) != "left" and await self._hold(talk):
                raise DeskClosedError(talk.desk, retry_after_s=self._hold_look_s)
            what = (await self._words(talk)).hold_over
        else:
            what = (await self._words(talk)).unavailable
        await self._unavailable(talk, text, what, reason="room_unknown" if error.is_unknown else "room_closed")

    async def _hold(self, talk: Talk) -> bool:
        """Whether there is time left to wait."""
        case = await talk.change(lambda case: held(case, now_ms()))
        assert case.held_since_ms is not None  # noqa: S101 - held() has just set it
        if now_ms() - case.held_since_ms >= talk.connection.hold_max_seconds * MS_PER_S:
            return False
        text = (await self._words(talk)).held
        event = DeskEvent(type="held", desk=talk.desk)
        await self._visitors.tell(case, event, event_id=f"held-{case.held_since_ms}", text=text)
        return True

    async def _unavailable(self, talk: Talk, text: str, what: str, *, reason: str) -> None:
        stored_at_ms = talk.run.stored_at_ms
        event = DeskEvent(
            type="unavailable",
            desk=talk.desk,
            reason=reason,
            check_again_at_ms=now_ms() + max(CHECK_AGAIN_MS, talk.connection.availability_cache_seconds * MS_PER_S),
        )
        since_ms = talk.case.held_since_ms or stored_at_ms // CHECK_AGAIN_MS
        await self._visitors.tell(talk.case, event, event_id=f"unavailable-{since_ms}", text=what)
        log.info("giosg_desk_unavailable", session_id=talk.log_id, connection=talk.connection.name, reason=reason)
        await self.give_back(talk, event, text)

    async def give_back(self, talk: Talk, event: DeskEvent, text: str) -> None:
        """Let whoever handed over have the conversation again, and the text; where nobody did, the text is kept."""
        case, run = talk.case, talk.run
        standing = await self._standings.of(talk)
        epoch = case.epoch
        link = await self._standings.live(talk)
        if link is not None and str(link.stub) == talk.desk:
            epoch = max(epoch, link.epoch)
        has_giver = case.giver is not None and talk.connection.give_back == "previous"
        if has_giver and standing in ("ours", "given_back"):
            if standing == "ours":
                await talk.change(lambda case: told(case, _giving_back(run)))
                hours = case.giver_hours or talk.connection.link_hours or LINK_HOURS_DEFAULT
                await self._links.give_back(case, hours=hours, event_id=f"back-{run.sequence}")
            await self._links.tell_giver(case, event, event_id=f"told-{run.sequence}", text=text)
        else:
            if standing == "ours":
                await self._links.release(case, event_id=f"release-{run.sequence}")
            if text:
                await self.set_aside(talk, event.reason or event.type)
        await talk.change(lambda case: marks.unlinked(not_started(case), epoch))

    @staticmethod
    def is_giving_back(talk: Talk) -> bool:
        """Whether the run was to give the conversation back when its process ended; the giver may not know yet."""
        return _giving_back(talk.run) in talk.case.told

    async def not_taken(self, talk: Talk, text: str) -> None:
        """The conversation is the desk's no more, and no chat is open: the text goes where the conversation went."""
        event = DeskEvent(type="unavailable", desk=talk.desk, reason="not_linked")
        await self.give_back(talk, event, text)

    async def hand_back(self, talk: Talk, reason: str) -> None:
        """A hand-over that comes to nothing."""
        await self._unavailable(talk, "", (await self._words(talk)).unavailable, reason=reason)

    async def reject(self, talk: Talk) -> None:
        """The chat is over, and the connection wants no other one for this conversation."""
        await self._tell(talk, "message.failed", (await self._words(talk)).failed, reason="chat_ended")
        await self.set_aside(talk, "its chat has ended, and after_end_policy says 'reject'")

    async def fail(self, talk: Talk, error: BackboneError, *, reason: str) -> None:
        """Nothing more is tried: the visitor is told, and the run is kept as a dead letter."""
        await self._tell(talk, "message.failed", (await self._words(talk)).failed, reason=reason)
        await self._dead_letters.keep_failed(talk.original, error)
        await talk.change(lambda case: marks.not_sending(not_started(case)))

    async def delayed(self, talk: Talk) -> None:
        """The visitor hears that its text takes longer."""
        await self._tell(talk, "message.delayed", (await self._words(talk)).delayed, reason="giosg_away")

    async def files_unsupported(self, talk: Talk) -> None:
        """A file of which there is no link cannot be passed on."""
        await self._tell(talk, "files.unsupported", (await self._words(talk)).files_unsupported)

    async def new_conversation(self, talk: Talk) -> None:
        """The chat before was over, so agents see another one from here on."""
        event = DeskEvent(type="conversation.new", desk=talk.desk)
        chat_id = talk.run.sequence if talk.case.chat is None else talk.case.chat.id
        text = (await self._words(talk)).new_conversation
        await self._visitors.tell(talk.case, event, event_id=f"new-{chat_id}", text=text)

    async def set_aside(self, talk: Talk, problem: str) -> None:
        """Keep the run for a person to look at."""
        await self._dead_letters.keep_failed(talk.original, DeskUnavailableError(talk.desk, problem=problem))

    async def _words(self, talk: Talk) -> Words:
        return await self._languages.of(talk.connection)

    async def _tell(self, talk: Talk, kind: DeskEventType, what: str, *, reason: str | None = None) -> None:
        """The visitor is told, once for the event in hand."""
        event = DeskEvent(type=kind, desk=talk.desk, reason=reason, failed_event=max(talk.run.event, 0) or None)
        await self._visitors.tell(talk.case, event, event_id=f"{kind}-{talk.run.event}", text=what)


def _giving_back(run: DeskRun) -> str:
    """Noted before the link goes: afterwards nothing else would tell that its giver has yet to hear of it."""
    return f"back:{run.sequence}"
