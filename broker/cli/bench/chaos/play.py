"""Plays one scenario from an empty folder to a verdict: start, talk, break, settle, read, check."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from broker.cli.bench.chaos.book import Book, Rules
from broker.cli.bench.chaos.checker import LATE_MS, SETTLED_MS, Verdict, check
from broker.cli.bench.chaos.reading import read_book
from broker.cli.bench.chaos.scenarios import Scenario
from broker.cli.bench.chaos.settling import settled
from broker.cli.bench.chaos.stage import SERVICE, Stage, staged
from broker.cli.bench.chaos.visitors import Habits, Log, Traffic, Visitors
from broker.codec import encode
from broker.domain import headers as names
from broker.domain.ids import ChannelName, ChatName, OrgId
from broker.domain.subjects import ChatPath, CommandSubject
from broker.domain.wire import Body
from broker.errors import BackboneError
from broker.transport.commands import request_command
from broker.transport.connection import Connection, connect
from broker.transport.publisher import open_publisher
from broker.transport.records import Records
from broker.transport.topology import SESSIONS

DEMO_CHAT, OWN_CHAT = "draftmywebchat", "draftchaos"
DEMO_STUB = f"{SERVICE}.create-draft"
TAKER, ACTION = "chaos.desk", "take"
PUBLISH_WAIT_S = 1.0
SETTLE_WAIT_S = 60.0
PROGRESS_S = 1.0

Report = Callable[[int, int], None]
"""Told every second: how many events are stored, how many kills are done."""


@dataclass(frozen=True, slots=True)
class Played:
    """One scenario's result; ``settled``: nothing waited anywhere when the book was read."""

    scenario: Scenario
    seed: int
    took_s: float
    kills: int
    garbage: int
    settled: bool
    server_version: str
    book: Book
    verdict: Verdict


async def play(scenario: Scenario, folder: Path, *, seed: int, report: Report, late_ms_max: int = LATE_MS) -> Played:
    """Play it; ``folder`` must be empty, and holds the server's data and every worker's log afterwards.

    Raises:
        BackboneError: a process could not be started again.
    """
    org = OrgId(str(uuid4()))
    began_s = time.monotonic()
    async with staged(scenario, folder, org) as stage, _publishing(stage.url) as (connection, log):
        await _register(connection, org)
        try:
            traffic = await _run(scenario, stage, log, org, seed, report)
        except* BackboneError as group:
            raise _first(group) from None
        quiet = await settled(connection, SETTLE_WAIT_S)
        await asyncio.sleep(SETTLED_MS / 1000)  # so that the checker may expect whatever ran out before
        version = connection.client.connected_server_version
        book = await read_book(connection, tuple(traffic.sent), tuple(stage.disturbed))
    verdict = check(book, rules_of(scenario), late_ms_max=late_ms_max)
    if not quiet:
        verdict.blame("lost", f"something still waited {SETTLE_WAIT_S:.0f} s after the traffic had ended")
    took_s = time.monotonic() - began_s
    return Played(
        scenario=scenario,
        seed=seed,
        took_s=took_s,
        kills=stage.kills,
        garbage=traffic.garbage,
        settled=quiet,
        server_version=f"{version.major}.{version.minor}.{version.patch}",
        book=book,
        verdict=verdict,
    )


def _first(group: BaseExceptionGroup[BackboneError]) -> BackboneError:
    """What went wrong first: everything else was cancelled for it."""
    inner = group.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner


def rules_of(scenario: Scenario) -> Rules:
    """What is registered in every run: the demo program on its chat, a stand-in on the other."""
    takers = {
        (DEMO_CHAT, "initialize"): (DEMO_STUB, "welcome"),
        (DEMO_CHAT, "firstmessage"): (DEMO_STUB, "create_stub"),
        (OWN_CHAT, "firstmessage"): (TAKER, ACTION),
    }
    return Rules(takers, service=SERVICE, hold_ms=round(scenario.hold_s * 1000), held_max=scenario.held_max)


async def _run(scenario: Scenario, stage: Stage, log: Log, org: OrgId, seed: int, report: Report) -> Traffic:
    """The traffic, with the kills in the middle."""
    chats = (DEMO_CHAT, OWN_CHAT, OWN_CHAT, OWN_CHAT)
    paths = tuple(ChatPath(ChannelName("webchat"), org, ChatName(chat)) for chat in chats)
    habits = Habits(scenario.sessions, scenario.rate, scenario.twice, scenario.garbage_share)
    visitors = Visitors(log, paths, habits, seed)
    traffic = visitors.traffic
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(visitors.talk())
        telling = tasks.create_task(_tell(traffic, stage, report))
        await asyncio.sleep(scenario.calm_s)
        if scenario.kills:
            await stage.hurt(random.Random(seed))  # noqa: S311 - a known seed is the point
            await asyncio.sleep(scenario.recover_s)
        await asyncio.sleep(scenario.calm_s)
        traffic.over.set()
        telling.cancel()
    return traffic


async def _tell(traffic: Traffic, stage: Stage, report: Report) -> None:
    while True:
        await asyncio.sleep(PROGRESS_S)
        report(len(traffic.sent), stage.kills)


async def _register(connection: Connection, org: OrgId) -> None:
    """The stand-in's standing wish for the first messages of its chat."""
    chat = ChatPath(ChannelName("webchat"), org, ChatName(OWN_CHAT))
    wish: Body = {"path": f"{chat.prefix}.webchatmessagetype.firstmessage", "mechanism": "cbh", "timeout_seconds": 3600}
    params: Body = {
        "uuid": str(uuid4()),
        "registration_name": "chaos",
        "on_trigger_method": "keep",
        "events": {"it": wish},
        "trigger_stubaction": {"action_name": ACTION, "stubref": TAKER, "message": "chaos"},
    }
    body = encode({"tasktype": "heimdall_register", "params": params})
    await request_command(connection, CommandSubject(org, "register"), body, headers={names.STUB: TAKER})


@contextlib.asynccontextmanager
async def _publishing(url: str) -> AsyncIterator[tuple[Connection, Log]]:
    async with (
        connect(url, name="chaos") as connection,
        open_publisher(connection, timeout_s=PUBLISH_WAIT_S) as publisher,
    ):
        yield connection, Log(publisher, Records(connection, publisher, SESSIONS))
