"""What the conversation's log tells a desk that joins it: who gave it, who the visitor is, what was said last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from broker.codec import EVENT_DEPTH_MAX, decode
from broker.domain import headers as names
from broker.domain.events import Linked, Unlinked, sender_in
from broker.domain.incoming import Visit, read_visit
from broker.domain.subjects import Conversation, Kind, partition_of
from broker.domain.wire import Body, validate
from broker.errors import BackboneError
from broker.transport.connection import Connection
from broker.transport.leader import read_kept
from broker.transport.reader import StoredMessage, read_range
from broker.transport.topology import CONVERSATIONS
from workers.giosg.telling.visitor import SERVICE

PAGE = 200
PAGES_MAX = 50
TAKE = "take"
"""The desk's own wish for a link: its id begins with it."""
GIVEN_UP: frozenset[str] = frozenset(("ended", "deleted"))
"""Ends of a link after which nobody wants the desk to go on: the visitor left, or a program took it away."""


@dataclass(frozen=True, slots=True)
class Given:
    """How the desk came to its link: by itself, where a profile leads to it, or from another stub."""

    is_own: bool
    giver: str | None
    hours: float | None
    is_renewal: bool


@dataclass(frozen=True, slots=True)
class Visited:
    """One thing that the visitor did; ``is_data``: its data changed."""

    sequence: int
    visit: Visit
    is_data: bool


class History:
    """Reads the log of one conversation; nothing here is asked for each message."""

    def __init__(self, connection: Connection, *, partitions: int) -> None:
        self._connection = connection
        self._partitions = partitions

    async def given(self, conversation: Conversation, facts: Sequence[Linked]) -> Given:
        """How the last of these links, all of one desk, came about; those before it may not have been seen to."""
        wishes = [await read_kept(self._connection, CONVERSATIONS, fact.epoch) for fact in facts]
        own = f"{conversation.session}-{SERVICE}-{TAKE}"
        ids = ["" if wish is None else wish.headers.get(names.MESSAGE_ID, "") for wish in wishes]
        givers = (*(fact.replaces for fact in reversed(facts)), _sender(wishes[-1]))
        return Given(
            is_own=all(one.startswith(own) for one in ids),
            giver=next((stub for stub in givers if stub is not None and not _is_desk(stub)), None),
            hours=facts[-1].timeout_hours,
            is_renewal=all(fact.replaces is None for fact in facts),
        )

    async def given_up_since(self, conversation: Conversation, *, after: int) -> Literal["left", "deleted"] | None:
        """Whether the visitor left after that event, or a program ended the link."""
        for each in await self._read(conversation, (Kind.ENDED, Kind.CANCELLED), after=max(after, 0)):
            if each.public_subject == conversation.subject(Kind.ENDED):
                return "left"
            reason = validate(Unlinked, decode(each.data), what="link fact").reason
            if reason in GIVEN_UP:
                return "left" if reason == "ended" else "deleted"
        return None

    async def visits(self, conversation: Conversation, *, before: int | None = None) -> list[Visited]:
        """What the visitor did, or what is kept of it, oldest first: messages and data, each as it came."""
        kinds = (Kind.FIRSTMESSAGE, Kind.MESSAGE, Kind.USERDATA, Kind.CONFIGURATION)
        found: list[Visited] = []
        for each in await self._read(conversation, kinds):
            if before is not None and each.sequence >= before:
                break
            try:
                visit = read_visit(conversation.path.channel, decode(each.data, depth_max=EVENT_DEPTH_MAX))
            except BackboneError:
                continue  # the linker has set it aside
            found.append(Visited(each.sequence, visit, each.public_subject == conversation.subject(Kind.USERDATA)))
        return found

    async def fact(self, conversation: Conversation, sequence: int) -> Linked | Unlinked | None:
        """What the linker says at that place of the log, None if it is nothing of this conversation's link."""
        found = await read_kept(self._connection, CONVERSATIONS, sequence) if sequence > 0 else None
        if found is None:
            return None
        if found.public_subject == conversation.subject(Kind.LINKED):
            return validate(Linked, decode(found.data), what="link fact")
        ends = (conversation.subject(Kind.CANCELLED), conversation.subject(Kind.EXPIRED))
        return validate(Unlinked, decode(found.data), what="link fact") if found.public_subject in ends else None

    async def has_ended(self, conversation: Conversation, *, epoch: int) -> bool:
        """Whether the link of that epoch, or a later one, has come to its end."""
        found = await self._read(conversation, (Kind.CANCELLED, Kind.EXPIRED), after=epoch)
        return any(validate(Unlinked, decode(each.data), what="link fact").epoch >= epoch for each in found)

    async def links(self, conversation: Conversation, *, after: int) -> list[Linked]:
        """Who had the conversation since that epoch, one after another, be it that nobody has it now."""
        found = await self._read(conversation, (Kind.LINKED,), after=max(after, 0))
        facts = [validate(Linked, decode(each.data), what="link fact") for each in found]
        return [fact for fact in facts if fact.epoch > after]

    async def _read(
        self, conversation: Conversation, kinds: tuple[Kind, ...], *, after: int = 0
    ) -> list[StoredMessage]:
        number = partition_of((conversation.session,), self._partitions)
        patterns = tuple(f"p.{number}.{conversation.subject(kind)}" for kind in kinds)
        found: list[StoredMessage] = []
        for _ in range(PAGES_MAX):
            page = await read_range(self._connection, CONVERSATIONS, patterns, after=after, limit=PAGE)
            found += page
            if len(page) < PAGE:
                break
            after = page[-1].sequence
        return found


def payloads_of(visits: list[Visited]) -> list[Body]:
    """The events, the latest first."""
    return [each.visit.payload for each in reversed(visits)]


def _sender(message: StoredMessage | None) -> str | None:
    """Who wished for the link, where it says so."""
    if message is None:
        return None
    try:
        return message.headers.get(names.STUB) or sender_in(decode(message.data, depth_max=EVENT_DEPTH_MAX))
    except BackboneError:
        return None


def _is_desk(stub: str) -> bool:
    return stub.partition(".")[0] == SERVICE
