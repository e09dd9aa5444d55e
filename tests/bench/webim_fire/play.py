"""Plays a chaos run: many chats at a time under trouble, then quiet until all is answered, then the checker."""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from broker.codec import decode
from broker.domain.dialogs import request_in
from broker.domain.grammar import parse_conversation
from broker.domain.ids import ChannelName
from broker.domain.incoming import read_visit
from broker.domain.subjects import VISITOR_KINDS, Kind
from broker.transport.connection import Connection, connect
from broker.transport.reader import LogReader, StoredMessage
from broker.transport.topology import CONVERSATIONS, DEADLETTER_STREAM
from tests.bench.webim_fire.checker import ChatSeen, RunSeen, Verdict, answers_to, judge
from tests.bench.webim_fire.stage import Stage, staged
from tests.bench.webim_fire.trouble import Trouble
from tests.standins.webim_control import Webim

WEBIM = ChannelName("webim")
GAP_S = (0.0, 0.4)
RETRIES = 1_000
RETRY_WAIT_MS = 100
SETTLE_S = 120.0
LOOK_S = 0.25


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is played: ``at_once`` chats at a time, each of so many messages, for so long under trouble."""

    at_once: int = 20
    messages: int = 8
    seconds: float = 60.0
    seed: int = 4711
    settle_s: float = SETTLE_S


@dataclass(frozen=True, slots=True)
class Played:
    """What came of it; times in seconds."""

    plan: Plan
    verdict: Verdict
    chats: int
    messages: int
    answers: int
    deliveries: int
    calls: int
    kills: int
    broken: Mapping[str, int]
    settled_s: float


@dataclass(slots=True)
class Left:
    """What is read from the streams: queries by chat, the statuses told of each notification, dead letters."""

    queries: dict[str, list[str]]
    receipts: dict[int, list[str]]
    dead: list[str]


async def play(plan: Plan, folder: Path) -> Played:
    """One run, from the start of the processes to the verdict."""
    async with staged(folder) as stage:
        await stage.webim.configure(retries=RETRIES, retry_wait_ms=RETRY_WAIT_MS)
        trouble, stop = Trouble(stage, plan.seed), asyncio.Event()
        breaking = asyncio.create_task(trouble.make(stop))
        sent = await _visit(plan, stage.webim)
        stop.set()
        await breaking
        began_s = time.monotonic()
        await _settled(stage, sent, plan.settle_s)
        settled_s = time.monotonic() - began_s
        return await _judged(plan, stage, sent, trouble, settled_s)


async def _visit(plan: Plan, webim: Webim) -> dict[str, list[str]]:
    """Visitors come, write and go, so many at a time, until the time is up; what each chat's visitor wrote."""
    sent: dict[str, list[str]] = {}
    until_s = time.monotonic() + plan.seconds

    async def visitors(number: int) -> None:
        drawn = random.Random(f"{plan.seed}-{number}")  # noqa: S311 - a seed, not a secret
        while time.monotonic() < until_s:
            await _one_visitor(webim, drawn, plan.messages, sent)

    await asyncio.gather(*(visitors(number) for number in range(plan.at_once)))
    return sent


async def _one_visitor(webim: Webim, drawn: random.Random, messages: int, sent: dict[str, list[str]]) -> None:
    first = f"m{drawn.getrandbits(48):012x}"
    opened = await webim.open_chat(messages=[first], wait=False)
    said = sent.setdefault(str(opened.chat_id), [first])
    for _ in range(messages - 1):
        await asyncio.sleep(drawn.uniform(*GAP_S))
        text = f"m{drawn.getrandbits(48):012x}"
        await webim.visitor(opened.chat_id, text, wait=False)
        said.append(text)


async def _settled(stage: Stage, sent: Mapping[str, list[str]], within_s: float) -> None:
    """Wait until every chat shows all its answers and every notification has its receipt, or the time is up."""
    deadline_s = time.monotonic() + within_s
    async with connect(stage.server.url, name="chaos") as connection:
        while time.monotonic() < deadline_s:
            shown = {str(chat.id): chat.texts("bot") for chat in await stage.webim.chats()}
            if all(set(answers_to(texts)) <= set(shown[chat_id]) for chat_id, texts in sent.items()):
                left = await _left(connection)
                if all(left.receipts.values()):
                    return
            await asyncio.sleep(LOOK_S)


async def _judged(plan: Plan, stage: Stage, sent: dict[str, list[str]], trouble: Trouble, settled_s: float) -> Played:
    async with connect(stage.server.url, name="chaos") as connection:
        left = await _left(connection)
    shown = {str(chat.id): tuple(chat.texts("bot")) for chat in await stage.webim.chats()}
    chats = {
        chat_id: ChatSeen(tuple(texts), tuple(left.queries.get(chat_id, ())), shown[chat_id])
        for chat_id, texts in sent.items()
    }
    violations = [f"{one['path']}: {one['problem']}" for one in await stage.webim.violations()]
    return Played(
        plan,
        judge(RunSeen(chats, left.receipts, left.dead, violations)),
        chats=len(chats),
        messages=sum(map(len, sent.values())),
        answers=sum(map(len, shown.values())),
        deliveries=len(await stage.webim.deliveries()),
        calls=len(await stage.webim.calls()),
        kills=trouble.kills,
        broken=dict(sorted(trouble.broken.items())),
        settled_s=settled_s,
    )


async def _left(connection: Connection) -> Left:
    """Read the log and the dead letters from their beginnings."""
    left = Left(defaultdict(list), {}, [])

    async def heard(message: StoredMessage) -> None:
        _note(message, left)

    async def died(message: StoredMessage) -> None:
        left.dead.append(message.public_subject.rpartition(".")[2])

    for stream, accept in ((CONVERSATIONS, heard), (DEADLETTER_STREAM, died)):
        async with LogReader(connection, stream, accept, filters=(">",), after=0) as reader:
            await reader.caught_up.wait()
    return left


def _note(message: StoredMessage, left: Left) -> None:
    subject = parse_conversation(message.public_subject)
    if subject.kind is Kind.NOTIFICATION:
        left.receipts.setdefault(message.sequence, [])
    elif subject.kind is Kind.RECEIPT:
        body = decode(message.data)
        left.receipts.setdefault(int(body["notification"]), []).append(str(body["status"]))
    elif subject.kind in VISITOR_KINDS:
        request = request_in(WEBIM, read_visit(WEBIM, decode(message.data)).payload)
        if request is not None and request.query is not None:
            left.queries[request.conversation_id].append(request.query)
