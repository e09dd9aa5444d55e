"""The visitors of a chaos run: they come by the bot or by the profile, write, come back after an end, and go."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from uuid import UUID

from broker.cli.bench.chaos.visitors import Log
from broker.codec import decode, encode
from broker.domain import headers as names
from broker.domain.events import Linked
from broker.domain.grammar import parse_conversation
from broker.domain.ids import SessionId
from broker.domain.subjects import Conversation, Kind
from broker.domain.wire import Body, validate
from broker.transport.connection import connect
from broker.transport.publisher import open_publisher
from broker.transport.reader import LogReader, StoredMessage
from broker.transport.records import Records
from broker.transport.topology import CONVERSATIONS, SESSIONS
from tests.bench.giosg_fire.stage import ROUTES, Route, Stage

LOOK_S = 0.05
GAP_S = (0.0, 0.5)
BURST_SHARE = 0.3
"""Of the visitors write all they have in one go."""
COMES_BACK_SHARE = 0.4
"""Of the visitors wait for the end of their chat, and go on writing; the chat is a new one then."""
LEAVES_SHARE = 0.25
"""Of the visitors end the conversation themselves."""
DESK = "giosg."


@dataclass(slots=True)
class Watched:
    """What the log has said so far: whose each conversation is, and how often a desk told it of an end."""

    owners: dict[str, str] = field(default_factory=dict)
    ends: Counter[str] = field(default_factory=Counter)

    async def accept(self, message: StoredMessage) -> None:
        """One message of the log."""
        subject = parse_conversation(message.public_subject)
        if subject.session is None:
            return
        if subject.kind is Kind.LINKED:
            self.owners[subject.session] = validate(Linked, decode(message.data), what="link fact").stub
        elif subject.kind is Kind.NOTIFICATION and desk_event(message).get("type") == "session.ended":
            self.ends[subject.session] += 1


def desk_event(message: StoredMessage) -> Body:
    """What a desk tells in a notification, empty where it is another stub's."""
    if not message.headers.get(names.STUB, "").startswith(DESK):
        return {}
    content: Body = decode(message.data)["platforms"]["webchat"]
    found: Body = content.get("webchat_control_event", {})
    return found


@dataclass(frozen=True, slots=True)
class Habits:
    """``at_once`` visitors at a time, each with so many messages; ``patience_s``: how long one waits for anything."""

    at_once: int
    messages: int
    seconds: float
    patience_s: float


class Visitors:
    """Plays them all until the time is up; which one does what follows from the seed."""

    def __init__(self, log: Log, watched: Watched, habits: Habits, seed: int) -> None:
        self.routes: dict[SessionId, Route] = {}
        self._log = log
        self._watched = watched
        self._habits = habits
        self._seed = seed

    async def come(self) -> None:
        """Everything that was begun is stored when this returns."""
        until_s = time.monotonic() + self._habits.seconds

        async def one_after_another(number: int) -> None:
            chance = random.Random(f"{self._seed}-{number}")  # noqa: S311 - a seed, not a secret
            while time.monotonic() < until_s:
                await self._visit(chance)

        await asyncio.gather(*(one_after_another(number) for number in range(self._habits.at_once)))

    async def _visit(self, chance: random.Random) -> None:
        route = chance.choice(ROUTES)
        conversation = route.path.conversation(SessionId(str(UUID(int=chance.getrandbits(128), version=4))))
        self.routes[conversation.session] = route
        visitor = _Visitor(self._log, conversation, chance)
        await self._log.keep_session(conversation)
        await visitor.send(Kind.INITIALIZE)
        await visitor.say()
        if route.by_bot:
            await self._wait_until(lambda: self._watched.owners.get(conversation.session, "").startswith(DESK))
        await visitor.say_some(self._habits.messages)
        if chance.random() < COMES_BACK_SHARE:
            await self._wait_until(lambda: self._watched.ends[conversation.session] > 0)
            await visitor.say_some(chance.randint(1, 3))
        if chance.random() < LEAVES_SHARE:
            await asyncio.sleep(chance.uniform(*GAP_S))
            await visitor.send(Kind.ENDED)

    async def _wait_until(self, holds: Callable[[], bool]) -> None:
        """Or until there is no patience left."""
        deadline_s = time.monotonic() + self._habits.patience_s
        while time.monotonic() < deadline_s:
            if holds():
                return
            await asyncio.sleep(LOOK_S)


class _Visitor:
    """One conversation; its events are stored one after another."""

    def __init__(self, log: Log, conversation: Conversation, chance: random.Random) -> None:
        self._log = log
        self._conversation = conversation
        self._chance = chance
        self._sent = 0
        self._written = 0

    async def say_some(self, count: int) -> None:
        is_burst = self._chance.random() < BURST_SHARE
        for _ in range(count):
            if not is_burst:
                await asyncio.sleep(self._chance.uniform(*GAP_S))
            await self.say()

    async def say(self) -> None:
        kind = Kind.MESSAGE if self._written else Kind.FIRSTMESSAGE
        self._written += 1
        words = f"v-{self._conversation.session[:8]}-{self._written:02d}-{self._chance.getrandbits(32):08x}"
        await self.send(kind, webchat_message={"type": "text", "value": words})

    async def send(self, kind: Kind, **members: object) -> None:
        path, session = self._conversation.path, self._conversation.session
        content: Body = {"sessionuuid": session, **members}
        content["webchat_configuration"] = {"orguuid": path.org, "chatname": path.chat}
        subject = path.initialize() if kind is Kind.INITIALIZE else self._conversation.subject(kind)
        self._sent += 1
        await self._log.store(
            subject, encode({"heimdall": {"webchat": content}}), {names.MESSAGE_ID: f"{session}-{self._sent}"}
        )


@contextlib.asynccontextmanager
async def visiting(stage: Stage, habits: Habits, seed: int) -> AsyncIterator[Visitors]:
    """Visitors who read the log as it grows."""
    async with connect(stage.server.url, name="visitors") as connection, open_publisher(connection) as publisher:
        watched = Watched()
        async with LogReader(connection, CONVERSATIONS, watched.accept, filters=(">",), after=0):
            log = Log(publisher, Records(connection, publisher, SESSIONS))
            yield Visitors(log, watched, habits, seed)
