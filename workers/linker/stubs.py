"""What is kept of a stub: a note of each of its links, and whether it is closed.

A stub is closed while others set links to it. Whoever closes it writes the mark, then reads the notes; whoever sets a
link writes the note, then reads the mark. So one of the two always sees the other, and no message costs a read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from broker.domain.ids import OrgId, SessionId, Stub, session_id
from broker.domain.session import Event, Link, LinkSet, State
from broker.domain.stubsessions import closed_key, index_key, index_prefix
from broker.domain.subjects import Conversation
from broker.transport.records import Records
from workers.linker.sessions import Sessions

CLOSED_TTL_S = 8 * 86_400
"""A day more than the log keeps what the stub has said."""


class StubNotes:
    """The notes and marks in bucket STUBSESSIONS."""

    def __init__(self, records: Records, sessions: Sessions) -> None:
        self._records = records
        self._sessions = sessions

    async def prepare(self, event: LinkSet, state: State, conversation: Conversation) -> LinkSet:
        """The event as the fold is to take it: a link for a closed stub is told so. A renewal costs nothing."""
        if _owner(state.link) == event.stub:
            return event
        org, session = conversation.path.org, conversation.session
        note = (self._sessions.number_of(session) or "").encode()
        await self._records.write(index_key(org, event.stub, session), note, revision=None)
        return replace(event, closed=await self.is_closed(org, event.stub))

    async def tidy(self, events: Iterable[Event], before: State, after: State, conversation: Conversation) -> None:
        """Remove the notes of stubs that do not own the session any more, after what ``events`` did to it."""
        named = {event.stub for event in events if isinstance(event, LinkSet)}
        gone = (named | {_owner(before.link)}) - {_owner(after.link), None}
        for stub in gone:
            if stub is not None:
                await self._records.delete(index_key(conversation.path.org, stub, conversation.session))

    async def is_closed(self, org: OrgId, stub: Stub) -> bool:
        """Whether the stub was closed; it takes no links any more."""
        return (await self._records.read(closed_key(org, stub))).value is not None

    async def close(self, org: OrgId, stub: Stub) -> None:
        """From here on no link to the stub outlives the event that sets it."""
        await self._records.write(closed_key(org, stub), b"closed", revision=None, ttl_s=CLOSED_TTL_S)

    async def sessions(self, org: OrgId, stub: Stub) -> list[SessionId]:
        """The sessions that the stub may own."""
        found = await self._records.entries(index_prefix(org, stub))
        return [session_id(entry.key.rsplit(".", 1)[1]) for entry in found]


def _owner(link: Link | None) -> Stub | None:
    return None if link is None else link.stub
