"""Plays a chaos run: many chats at a time under trouble, then quiet until all is answered, then the checker."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from broker.codec import decode
from broker.domain.dialogs import DIALOG_MESSAGE, DialogRequest, request_in
from broker.domain.events import DeadLetter
from broker.domain.grammar import parse_conversation
from broker.domain.ids import ChannelName
from broker.domain.incoming import read_visit
from broker.domain.subjects import VISITOR_KINDS, Kind
from broker.domain.wire import validate
from broker.errors import BackboneError
from broker.transport.connection import Connection, connect
from broker.transport.publisher import open_publisher
from broker.transport.reader import LogReader, StoredMessage
from broker.transport.records import Records
from broker.transport.topology import CONVERSATIONS, DEADLETTER_STREAM, SESSIONS
from tests.bench.webim_fire.checker import ChatSeen, RunSeen, Verdict, answers_to, judge
from tests.bench.webim_fire.program import ASKING
from tests.bench.webim_fire.stage import Stage, staged
from tests.bench.webim_fire.trouble import Trouble
from tests.standins.webim_control import ChatId, Webim
from workers.webim.chat.store import CHATS, ChatStore

WEBIM = ChannelName("webim")
GAP_S = (0.0, 0.4)
RETRIES = 1_000
RETRY_WAIT_MS = 100
SETTLE_S = 180.0
LOOK_S = 0.25
HANDED_OVER_S = 60.0
ENDED = "ended"
WITH_OPERATOR = "chat_with_operator"
REPEAT = "repeat"


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is played: ``at_once`` chats at a time, each of so many messages, for so long under trouble.

    ``operators``: the share of chats that go to an operator at last.
    """

    at_once: int = 20
    messages: int = 8
    seconds: float = 60.0
    seed: int = 4711
    settle_s: float = SETTLE_S
    operators: float = 0.5


@dataclass(frozen=True, slots=True)
class Played:
    """What came of it; times in seconds."""

    plan: Plan
    verdict: Verdict
    chats: int
    messages: int
    answers: int
    late_repeats: int
    operators: int
    deliveries: int
    calls: int
    kills: int
    broken: Mapping[str, int]
    settled_s: float


@dataclass(slots=True)
class Left:
    """What is read from the streams: by chat, the statuses told of each notification, dead letters."""

    queries: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    collected: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    marks: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    receipts: dict[int, list[str]] = field(default_factory=dict)
    dead: list[str] = field(default_factory=list)
    chats: dict[str, str] = field(default_factory=dict)


async def play(plan: Plan, folder: Path) -> Played:
    """One run, from the start of the processes to the verdict."""
    async with staged(folder) as stage:
        await stage.webim.configure(retries=RETRIES, retry_wait_ms=RETRY_WAIT_MS)
        trouble, stop = Trouble(stage, plan.seed), asyncio.Event()
        breaking = asyncio.create_task(trouble.make(stop))
        async with _transfers(stage) as handed_over:
            visits = await _visit(plan, stage.webim, handed_over)
        stop.set()
        await breaking
        began_s = time.monotonic()
        await _settled(stage, visits, plan.settle_s)
        settled_s = time.monotonic() - began_s
        return await _judged(plan, stage, visits, trouble, settled_s)


@dataclass(slots=True)
class Visit:
    """What one chat's visitor wrote, and what the operator did, None where the chat was given to nobody."""

    sent: list[str]
    said: list[str] | None = None


HandedOver = Callable[[str], Awaitable[bool]]


@contextlib.asynccontextmanager
async def _transfers(stage: Stage) -> AsyncIterator[HandedOver]:
    """Whether the adapter has noted that an operator has a chat."""
    async with connect(stage.server.url, name="chaos") as connection, open_publisher(connection) as publisher:
        chats = ChatStore(Records(connection, publisher, CHATS), Records(connection, publisher, SESSIONS))

        async def handed_over(chat_id: str) -> bool:
            try:
                chat = (await chats.load(stage.channel.id, chat_id)).chat
            except BackboneError:  # the server is away: it will be told later
                return False
            return chat is not None and chat.state == "transferred"

        yield handed_over


async def _visit(plan: Plan, webim: Webim, handed_over: HandedOver) -> dict[str, Visit]:
    """Visitors come, write and go, so many at a time, until the time is up; by chat."""
    visits: dict[str, Visit] = {}
    until_s = time.monotonic() + plan.seconds

    async def visitors(number: int) -> None:
        drawn = random.Random(f"{plan.seed}-{number}")  # noqa: S311 - a seed, not a secret
        while time.monotonic() < until_s:
            chat_id, visit = await _one_visitor(webim, drawn, plan.messages, visits)
            if drawn.random() < plan.operators:
                await _with_operator(webim, drawn, chat_id, visit, handed_over)

    await asyncio.gather(*(visitors(number) for number in range(plan.at_once)))
    return visits


async def _one_visitor(
    webim: Webim, drawn: random.Random, messages: int, visits: dict[str, Visit]
) -> tuple[ChatId, Visit]:
    first = _words(drawn)
    opened = await webim.open_chat(messages=[first], wait=False)
    visit = visits.setdefault(str(opened.chat_id), Visit([first]))
    for _ in range(messages - 1):
        await asyncio.sleep(drawn.uniform(*GAP_S))
        await _write(webim, opened.chat_id, visit, _words(drawn))
    return opened.chat_id, visit


async def _with_operator(
    webim: Webim, drawn: random.Random, chat_id: ChatId, visit: Visit, handed_over: HandedOver
) -> None:
    """The visitor asks for a human, who says two things and closes the chat.

    People are slow: when they come the adapter knows that the chat is theirs. (Closed before that, it counts as closed
    by its visitor.)
    """
    visit.said = []
    await _write(webim, chat_id, visit, ASKING + _words(drawn))
    deadline_s = time.monotonic() + HANDED_OVER_S
    while not await handed_over(str(chat_id)):
        if time.monotonic() > deadline_s:
            return  # the checker misses what the log says of it
        await asyncio.sleep(LOOK_S)
    for _ in range(2):
        visit.said.append(_words(drawn))
        await webim.operator(chat_id, visit.said[-1])
    await webim.close(chat_id)


async def _write(webim: Webim, chat_id: ChatId, visit: Visit, text: str) -> None:
    visit.sent.append(text)
    await webim.visitor(chat_id, text, wait=False)


def _words(drawn: random.Random) -> str:
    return f"m{drawn.getrandbits(48):012x}"


async def _settled(stage: Stage, visits: Mapping[str, Visit], within_s: float) -> None:
    """Wait until every chat shows its answers, all have their receipts and their ends, or the time is up."""
    deadline_s = time.monotonic() + within_s
    async with connect(stage.server.url, name="chaos") as connection:
        while time.monotonic() < deadline_s:
            shown = {str(chat.id): chat.texts("bot") for chat in await stage.webim.chats()}
            if all(set(answers_to(visit.sent)) <= set(shown[chat_id]) for chat_id, visit in visits.items()):
                left = await _left(connection)
                given = [chat_id for chat_id, visit in visits.items() if visit.said is not None]
                if all(left.receipts.values()) and all(ENDED in left.marks[chat_id] for chat_id in given):
                    return
            await asyncio.sleep(LOOK_S)


async def _judged(plan: Plan, stage: Stage, visits: dict[str, Visit], trouble: Trouble, settled_s: float) -> Played:
    async with connect(stage.server.url, name="chaos") as connection:
        left = await _left(connection)
    shown = {str(chat.id): tuple(chat.texts("bot")) for chat in await stage.webim.chats()}
    chats = {
        chat_id: ChatSeen(
            tuple(visit.sent),
            tuple(left.queries[chat_id]),
            shown[chat_id],
            None if visit.said is None else tuple(visit.said),
            tuple(left.collected[chat_id]),
            tuple(left.marks[chat_id]),
        )
        for chat_id, visit in visits.items()
    }
    violations = [f"{one['path']}: {one['problem']}" for one in await stage.webim.violations()]
    return Played(
        plan,
        judge(RunSeen(chats, left.receipts, [reason for reason in left.dead if reason != REPEAT], violations)),
        chats=len(chats),
        messages=sum(len(visit.sent) for visit in visits.values()),
        answers=sum(map(len, shown.values())),
        late_repeats=left.dead.count(REPEAT),
        operators=sum(visit.said is not None for visit in visits.values()),
        deliveries=len(await stage.webim.deliveries()),
        calls=len(await stage.webim.calls()),
        kills=trouble.kills,
        broken=dict(sorted(trouble.broken.items())),
        settled_s=settled_s,
    )


async def _left(connection: Connection) -> Left:
    """Read the log and the dead letters from their beginnings."""
    left = Left()

    async def heard(message: StoredMessage) -> None:
        _note(message, left)

    async def died(message: StoredMessage) -> None:
        left.dead.append(_reason(message, left))

    for stream, accept in ((CONVERSATIONS, heard), (DEADLETTER_STREAM, died)):
        async with LogReader(connection, stream, accept, filters=(">",), after=0) as reader:
            await reader.caught_up.wait()
    return left


def _reason(message: StoredMessage, left: Left) -> str:
    """Why it is dead; a repeat of what the log has, which came when an operator had the chat, is only counted."""
    letter = validate(DeadLetter, decode(message.data), what="dead letter")
    request = request_in(WEBIM, read_visit(WEBIM, decode(letter.body)).payload)
    if (
        letter.reason == WITH_OPERATOR
        and request is not None
        and request.query in left.queries[request.conversation_id]
    ):
        return REPEAT
    return letter.reason


def _note(message: StoredMessage, left: Left) -> None:
    subject = parse_conversation(message.public_subject)
    if subject.kind is Kind.NOTIFICATION:
        left.receipts.setdefault(message.sequence, [])
    elif subject.kind is Kind.RECEIPT:
        body = decode(message.data)
        left.receipts.setdefault(int(body["notification"]), []).append(str(body["status"]))
    elif subject.kind in VISITOR_KINDS:
        assert subject.session is not None
        payload = read_visit(WEBIM, decode(message.data)).payload
        request = request_in(WEBIM, payload)
        if request is not None:
            left.chats[subject.session] = request.conversation_id
            _note_request(request, left)
        elif subject.kind is Kind.ENDED:
            left.marks[left.chats[subject.session]].append(ENDED)


def _note_request(request: DialogRequest, left: Left) -> None:
    chat_id, data = request.conversation_id, request.event_data
    if request.query is not None:
        left.queries[chat_id].append(request.query)
    elif request.event == DIALOG_MESSAGE:
        assert isinstance(data, dict)
        if data["author"] == "agent":
            left.collected[chat_id].append(str(data["text"]))
    else:
        left.marks[chat_id].append(str(request.event))
