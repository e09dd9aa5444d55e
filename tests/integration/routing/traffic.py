"""Numbered messages of many linked sessions at a steady rate, and what became of each of them."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from broker.codec import decode
from broker.domain.grammar import parse_subject
from broker.domain.subjects import NOTIFICATIONS, STUBS, Conversation, DeliverySubject, Kind
from broker.errors import BusError
from broker.transport.partitions import partitions
from broker.transport.reader import StoredMessage, read_range
from broker.transport.topology import CONVERSATIONS, DELIVERIES
from tests.conftest import poll
from tests.integration.routing.conftest import Chat

READ_MAX = 200_000
STUB = "svc.B"
PUBLISH_AGAIN_S = 0.05


@dataclass(frozen=True, slots=True)
class Routed:
    """One message on its way, by the server's clock; ``sequence`` is its place in the log, ``stub`` who got it."""

    session: str
    number: int
    sequence: int
    stub: str
    said_at_ms: int
    delivered_at_ms: int


class Traffic:
    """Every session says 0, 1, 2 and so on; a linker is to deliver each number once, in order, to the linked stub."""

    def __init__(self, chat: Chat, *, sessions: int, rate_per_s: float) -> None:
        self.chat = chat
        self.conversations = [chat.conversation() for _ in range(sessions)]
        self._pause_s = sessions / rate_per_s
        self._said: dict[str, int] = {}

    async def link_all(self) -> None:
        """Open every session and link it; a linker must be running."""
        await asyncio.gather(*map(self.chat.open, self.conversations))
        await self.chat.settled()
        await asyncio.gather(*(self.chat.link(conversation, STUB) for conversation in self.conversations))

    @asynccontextmanager
    async def talking(self) -> AsyncIterator[None]:
        """Talk during the block; at its end the last message of every session is stored."""
        stop = asyncio.Event()
        step_s = self._pause_s / len(self.conversations)
        tasks = [
            asyncio.create_task(self._talk(conversation, stop, after_s=place * step_s))
            for place, conversation in enumerate(self.conversations)
        ]
        try:
            yield
        finally:
            stop.set()
            await asyncio.gather(*tasks)

    async def expect_everything_once_in_order(self, within_s: float = 30.0) -> None:
        """Each session's numbers have come to its stub, all of them, once and in order."""
        wanted = sum(self._said.values())
        found: dict[str, list[int]] = {}

        async def all_there() -> bool:
            nonlocal found
            try:
                found = await self._delivered()
            except BusError:
                return False
            return sum(map(len, found.values())) >= wanted

        await poll(all_there, within_s)
        await self.chat.settled()
        found = await self._delivered()
        assert found == {session: list(range(count)) for session, count in self._said.items()}
        assert await self.chat.dead() == []

    async def routed(self) -> list[Routed]:
        """Every message that was delivered, with both moments."""
        pattern = f"p.*.{NOTIFICATIONS}.*.org.{self.chat.org}.name.*.sessionuuid.*.webchatmessagetype.message"
        said = await read_range(self.chat.connection, CONVERSATIONS, (pattern,), after=0, limit=READ_MAX)
        events = {self._place(message, "heimdall"): message for message in said}
        found = []
        for run in await self._runs():
            place = self._place(run, "stubpost")
            subject, event = parse_subject(run.public_subject), events[place]
            assert isinstance(subject, DeliverySubject)
            stub = str(subject.stub)
            found.append(Routed(*place, event.sequence, stub, event.stored_at_ms, run.stored_at_ms))
        return found

    async def owners(self, group: str = "linker") -> dict[str, int | None]:
        """The process of each of a group's partitions, None where there is none."""
        found = await partitions(self.chat.connection, self.chat.publisher)
        return {one.name: None if one.owner is None else one.owner.pid for one in found if one.group == group}

    async def expect_owners(self, *pids: int, group: str = "linker", within_s: float = 10.0) -> None:
        """Exactly these processes share all partitions, evenly."""

        async def shared() -> bool:
            owners = list((await self.owners(group)).values())
            counts = [owners.count(pid) for pid in pids]
            return bool(owners) and sum(counts) == len(owners) and max(counts) - min(counts) <= 1

        await poll(shared, within_s)

    async def _talk(self, conversation: Conversation, stop: asyncio.Event, *, after_s: float) -> None:
        await asyncio.sleep(after_s)
        number = 0
        while not stop.is_set():
            await self._say(conversation, number)
            number += 1
            self._said[conversation.session] = number
            await asyncio.sleep(self._pause_s)

    async def _say(self, conversation: Conversation, number: int) -> None:
        """What an adapter does: the same message under the same id until the log has it."""
        body = self.chat.visitor_body(conversation, webchat_message={"type": "text", "value": str(number)})
        message_id = f"{conversation.session}-{number}"
        while True:
            try:
                await self.chat.publish(conversation.subject(Kind.MESSAGE), body, message_id=message_id)
            except BusError:
                await asyncio.sleep(PUBLISH_AGAIN_S)
            else:
                return

    async def _runs(self) -> list[StoredMessage]:
        pattern = f"p.*.{STUBS}.org.{self.chat.org}.service.*.>"
        return await read_range(self.chat.connection, DELIVERIES, (pattern,), after=0, limit=READ_MAX)

    async def _delivered(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = defaultdict(list)
        for message in await self._runs():
            session, number = self._place(message, "stubpost")
            found[session].append(number)
        return dict(found)

    @staticmethod
    def _place(message: StoredMessage, kind: str) -> tuple[str, int]:
        body = decode(message.data)[kind]
        if kind == "heimdall":
            return body["webchat"]["sessionuuid"], int(body["webchat"]["webchat_message"]["value"])
        return body["data"]["_incoming_webchat_data"]["sessionuuid"], int(body["message"])
