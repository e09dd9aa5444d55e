"""What v1 calls hear while they wait: one reader of the log per process, and a queue per call."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass
from typing import TypeAlias

from broker.codec import EVENT_DEPTH_MAX, decode
from broker.domain import headers as names
from broker.domain.dialogs import response_in
from broker.domain.events import read_notification
from broker.domain.ids import Stub
from broker.domain.subjects import NOTIFICATIONS, Kind
from broker.errors import BackboneError, InvalidBodyError
from broker.transport.connection import Connection
from broker.transport.reader import LogReader, StoredMessage
from broker.transport.topology import CONVERSATIONS
from workers.webim.channel import WEBIM
from workers.webim.chat.chats import MS_PER_S, Chat
from workers.webim.sending.steps import Asked

QUIET_S = 0.25
"""After so much silence an answer in several notifications counts as whole."""
LAST_WAIT_S = 1.0
"""What a call may still wait once the worker is told to stop."""
ORG_TOKEN, CHAT_TOKEN, SESSION_TOKEN = 5, 7, 9
"""Where they stand in a public subject."""
FILTERS = (f"p.*.{NOTIFICATIONS}.{WEBIM}.org.*.name.*.sessionuuid.*.{Kind.NOTIFICATION}",)

Place: TypeAlias = tuple[str, str, str]
"""Org, chat name and session."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A notification for a chat that waits, and the stub that spoke, None if it did not say."""

    asked: Asked
    stub: str | None

    @property
    def question(self) -> str | None:
        """The question that it says it answers."""
        return None if self.asked.response is None else self.asked.response.question_id

    @property
    def speaks(self) -> bool:
        """Whether it is for the visitor; one that only sets a link has nothing to do with the answer."""
        return self.asked.content.message is not None or self.asked.response is not None


class Hearing:
    """What one call hears, from before its question is asked."""

    def __init__(self, hearings: Hearings) -> None:
        self.place: Place = ("", "", "")
        self.question = ""
        self.queue: asyncio.Queue[Heard | None] = asyncio.Queue()
        self.late: list[Heard] = []
        self._hearings = hearings

    def begin(self, chat: Chat, question: str) -> None:
        """Hear everything that is said in the chat's session from now on."""
        self.end()
        self.place, self.question = (chat.org, f"live{chat.channel_id}", chat.session), question
        self._hearings.in_place.setdefault(self.place, []).append(self)

    def end(self) -> None:
        """Hear no more."""
        hearings = self._hearings.in_place.get(self.place, [])
        if self in hearings:
            hearings.remove(self)
        if not hearings:
            self._hearings.in_place.pop(self.place, None)

    async def gather(self, until_ms: int) -> list[Heard]:
        """The answer: up to what names the question, else up to a silence after the first, or the end of the time."""
        gathered: list[Heard] = []
        is_begun = False
        while (left_s := min(until_ms / MS_PER_S, self._hearings.end_s) - time.time()) > 0:
            try:
                async with asyncio.timeout(min(left_s, QUIET_S) if is_begun else left_s):
                    heard = await self.queue.get()
            except TimeoutError:
                break
            if heard is None:
                continue
            if heard.question not in {None, self.question}:
                self.late.append(heard)  # the answer to an earlier question, which has been given up
                continue
            gathered.append(heard)
            is_begun = is_begun or heard.speaks
            if heard.question is not None:
                break
        return gathered


class Hearings:
    """The v1 calls of this process, by conversation: what is said elsewhere of a session is not said in it."""

    def __init__(self) -> None:
        self.in_place: dict[Place, list[Hearing]] = {}
        self.end_s = math.inf
        """When all of them end at the latest, Unix."""

    async def run(self, stop: asyncio.Event) -> None:
        """Once ``stop`` is set nobody waits much longer: without an answer a chat goes to the queue."""
        await stop.wait()
        self.end_s = time.time() + LAST_WAIT_S
        for hearing in [hearing for hearings in self.in_place.values() for hearing in hearings]:
            hearing.queue.put_nowait(None)

    def reader(self, connection: Connection) -> LogReader:
        """What feeds them, from now on; not started yet."""
        return LogReader(connection, CONVERSATIONS, self.accept, filters=FILTERS)

    def new(self) -> Hearing:
        """For one call; whoever takes it must end it."""
        return Hearing(self)

    async def accept(self, message: StoredMessage) -> None:
        """Hand on what is for a call of ours; what cannot be read is the lane's to refuse."""
        tokens = message.public_subject.split(".", SESSION_TOKEN + 1)
        place = tokens[ORG_TOKEN], tokens[CHAT_TOKEN], tokens[SESSION_TOKEN]
        if not (hearings := self.in_place.get(place)):
            return
        try:
            heard = read_heard(tokens[SESSION_TOKEN], message)
        except BackboneError:
            return
        for hearing in hearings:
            hearing.queue.put_nowait(heard)


def read_heard(session: str, message: StoredMessage) -> Heard:
    """A stored notification.

    Raises:
        BackboneError: it is none that can be shown, or it names no stub as its sender but something else.
    """
    body = decode(message.data, depth_max=EVENT_DEPTH_MAX)
    content = read_notification(WEBIM, body)
    if content.sessionuuid != session:
        raise InvalidBodyError(f"{WEBIM} notification", ("sessionuuid: the subject names another session",))
    stub = message.headers.get(names.STUB)
    asked = Asked(session, message.sequence, content, response_in(WEBIM, body["platforms"][WEBIM]))
    return Heard(asked, None if stub is None else str(Stub.parse(stub)))
