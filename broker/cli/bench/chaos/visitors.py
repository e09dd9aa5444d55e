"""Many conversations at once: visitors who write in bursts, and stubs that set, replace and delete links meanwhile."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from uuid import UUID

from broker.cli.bench.chaos.book import GARBAGE, Sent
from broker.cli.bench.chaos.garbage import garbage
from broker.codec import encode
from broker.domain import headers as names
from broker.domain.ids import SessionId
from broker.domain.sessions import SessionRecord
from broker.domain.subjects import ChatPath, Conversation, Kind
from broker.domain.wire import Body, dump
from broker.errors import BusError
from broker.transport.publisher import Publisher
from broker.transport.records import Records

AGAIN_S = 0.1
STUBS = ("chaos.A", "chaos.B", "desk.C")
LINK_HOURS = (0.0004, 0.0006, 0.0009)
"""1.4 s to 3.2 s. Below one second `expired` may be late: where nothing is left, expiry looks again a second later."""
BURST_MIN, BURST_MAX = 6, 24
PAUSE_SHARE = 0.4
"""Of a visitor's time: long enough for links to run out, short enough for the rest of it to be busy."""
ANSWERED_SHARE = 0.8
"""Of the bursts begin with an answer; in the others messages are held, some of them until nobody waits any more."""
LATER_S_MAX = 1.0

WISHES = (
    ("say", 82),
    ("link", 9),
    ("set", 2),
    ("delete", 1.5),
    ("tell", 3),
    ("both", 0.7),
    ("notice", 0.8),
    ("userdata", 0.7),
    ("ended", 0.3),
)
"""What happens next in a conversation, and how often; ``both``: the visitor and a stub in the same instant."""


@dataclass(frozen=True, slots=True)
class Habits:
    """How much is sent, and how badly: ``rate`` is per second over all sessions together."""

    sessions: int
    rate: float
    twice: bool = False
    garbage_share: float = 0.0


@dataclass(slots=True)
class Traffic:
    """What was acknowledged so far; stopped once ``over`` is set."""

    over: asyncio.Event = field(default_factory=asyncio.Event)
    sent: list[Sent] = field(default_factory=list)
    garbage: int = 0


class Log:
    """The way to the log, as an adapter has it: whatever is not stored is tried again, under the same id."""

    def __init__(self, publisher: Publisher, sessions: Records) -> None:
        self._publisher = publisher
        self._sessions = sessions

    async def store(self, subject: str, data: bytes, headers: dict[str, str]) -> None:
        """Return when the log has it."""
        while True:
            try:
                await self._publisher.store(subject, data, headers)
            except BusError:
                await asyncio.sleep(AGAIN_S)
            else:
                return

    async def keep_session(self, conversation: Conversation) -> None:
        """The session's record comes before its first event, so that a stub may answer at once."""
        path = conversation.path
        record = SessionRecord(channel=path.channel, org=path.org, chat_name=path.chat, created_at_ms=0)
        while True:
            try:
                await self._sessions.write(conversation.session, encode(dump(record)), revision=None)
            except BusError:
                await asyncio.sleep(AGAIN_S)
            else:
                return


class Visitors:
    """Plays all sessions; which one does what when follows from the seed alone."""

    def __init__(self, log: Log, paths: tuple[ChatPath, ...], habits: Habits, seed: int) -> None:
        self.traffic = Traffic()
        self._log = log
        self._paths = paths
        self._habits = habits
        self._seed = seed

    async def talk(self) -> None:
        """Until traffic.over is set; everything that was begun then is stored."""
        async with asyncio.TaskGroup() as talking:
            for number in range(self._habits.sessions):
                chance = random.Random(f"{self._seed}-{number}")  # noqa: S311 - a known seed is the point
                path = self._paths[number % len(self._paths)]
                conversation = path.conversation(SessionId(str(UUID(int=chance.getrandbits(128), version=4))))
                talking.create_task(_Session(self._log, conversation, self._habits, chance, self.traffic).play())


class _Session:
    """One conversation."""

    def __init__(
        self,
        log: Log,
        conversation: Conversation,
        habits: Habits,
        chance: random.Random,
        traffic: Traffic,
    ) -> None:
        self._log = log
        self._conversation = conversation
        self._habits = habits
        self._chance = chance
        self._traffic = traffic
        self._number = 0
        self._gap_s = habits.sessions / habits.rate

    async def play(self) -> None:
        await self._rest(self._chance.uniform(0, 4 * self._gap_s))
        await self._log.keep_session(self._conversation)
        await self._send(Kind.INITIALIZE, self._visitor())
        wishes, weights = zip(*WISHES, strict=True)
        while not self._traffic.over.is_set():
            count = self._chance.randint(BURST_MIN, BURST_MAX)
            await self._say()
            if self._chance.random() < ANSWERED_SHARE:
                await self._link()
            for _ in range(count):
                await self._act(self._chance.choices(wishes, weights)[0])
                await self._rest(self._chance.expovariate(1 / (self._gap_s * (1 - PAUSE_SHARE))))
                if self._traffic.over.is_set():
                    return
            await self._rest(count * self._gap_s * PAUSE_SHARE)

    async def _act(self, wish: str) -> None:
        if self._chance.random() < self._habits.garbage_share:
            await self._send_garbage()
        match wish:
            case "say":
                await self._say()
            case "link":
                await self._link()
            case "set":
                await self._set()
            case "delete":
                params = {"operation": "delete", "sessionuuid": self._conversation.session}
                await self._send(Kind.DELETE, {"params": {"webchat": params}})
            case "tell":
                await self._send(Kind.NOTIFICATION, self._notification(), stub=self._chance.choice(STUBS))
            case "both":
                await asyncio.gather(self._say(), self._link())
            case _:
                await self._send(Kind(wish), self._visitor())

    async def _say(self) -> None:
        text = {"type": "text", "value": f"message {self._number}"}
        kind = self._chance.choice((Kind.MESSAGE, Kind.MESSAGE, Kind.FIRSTMESSAGE))  # the fold judges for itself
        await self._send(kind, self._visitor(webchat_message=text))

    async def _link(self) -> None:
        wish: Body = {"set_new_with_timeout_hours": self._chance.choice(LINK_HOURS)}
        if self._chance.random() < 0.3:
            wish["set_feedback_action"] = "answer"
        await self._send(Kind.NOTIFICATION, self._notification(stubsession=wish), stub=self._chance.choice(STUBS))

    async def _set(self) -> None:
        params = {
            "operation": "set",
            "sessionuuid": self._conversation.session,
            "set_new_with_timeout_hours": self._chance.choice(LINK_HOURS),
        }
        await self._send(Kind.SET, {"params": {"webchat": params}}, stub=self._chance.choice(STUBS))

    def _visitor(self, **members: object) -> Body:
        return {"heimdall": {"webchat": {"sessionuuid": self._conversation.session, **members}}}

    def _notification(self, **members: object) -> Body:
        return {"platforms": {"webchat": {"sessionuuid": self._conversation.session, **members}}}

    async def _send(self, kind: Kind, body: Body, *, stub: str | None = None) -> None:
        self._number += 1
        number, session = self._number, self._conversation.session
        message_id = f"{session}-{number}"
        headers = {names.MESSAGE_ID: message_id, **({} if stub is None else {names.STUB: stub})}
        data, subject = encode(body), self._conversation.subject(kind)
        if self._habits.twice:
            await asyncio.gather(self._log.store(subject, data, headers), self._again(subject, data, headers))
        else:
            await self._log.store(subject, data, headers)
        self._traffic.sent.append(Sent(message_id, session, number))

    async def _send_garbage(self) -> None:
        self._traffic.garbage += 1
        message_id = f"{GARBAGE}{self._conversation.session}-{self._traffic.garbage}"
        subject, data = garbage(self._conversation, self._chance)
        await self._log.store(subject, data, {names.MESSAGE_ID: message_id})
        self._traffic.sent.append(Sent(message_id, "", 0))

    async def _again(self, subject: str, data: bytes, headers: dict[str, str]) -> None:
        """The same once more: in the same instant, or when the first is long stored."""
        if self._chance.random() < 0.5:
            await self._rest(self._chance.uniform(0, LATER_S_MAX) * self._gap_s)
        await self._log.store(subject, data, headers)

    async def _rest(self, wait_s: float) -> None:
        """A pause, which the end of the traffic cuts short."""
        try:
            await asyncio.wait_for(self._traffic.over.wait(), wait_s)
        except TimeoutError:
            return
