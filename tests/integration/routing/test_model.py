"""Random conversations, played with the real linker and expiry worker, come out as the reference model says.

The model knows the log alone, with its timestamps, so what happens at the very edge of a deadline is judged rightly
however fast the machine is. ``HEIMDALL_TEST_MODEL_EXAMPLES=200`` plays on for some ten minutes.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from broker.cli.bench.chaos.book import Book, Rules
from broker.cli.bench.chaos.checker import FOLDED, Verdict, check
from broker.cli.bench.chaos.model import expected
from broker.cli.bench.chaos.reading import read_book
from broker.domain.subjects import Conversation, Kind
from broker.runtime.embedded import nats_server
from broker.transport.connection import connect
from broker.transport.ensure import ensure
from broker.transport.publisher import open_publisher
from tests.conftest import TIME_FACTOR
from tests.integration.routing.conftest import Body, Chat
from tests.processes import worker_process

EXAMPLES = int(os.environ.get("HEIMDALL_TEST_MODEL_EXAMPLES", "6"))
AGREE_WAIT_S = 15.0 * TIME_FACTOR
HOLD_S, HELD_MAX = 0.6, 3
SOON_HOURS, LATER_HOURS = 0.0001, 1.0
"""0.36 s, and longer than any test."""
STUBS = ("svc.A", "svc.B", "desk.C")
TAKER, ACTION = "svc.desk", "take"
NEVER_LATE_MS = 60_000
"""Lateness is for the benchmark: a test must not depend on the speed of the machine."""


@dataclass(frozen=True)
class Say:
    """The visitor does something; for messages the kind in the subject is an opinion only."""

    kind: Kind


@dataclass(frozen=True)
class Link:
    """A stub sets its link, by a notification or by a task."""

    stub: str
    hours: float
    by_task: bool


@dataclass(frozen=True)
class Tell:
    """A stub writes, and leaves the link alone."""

    stub: str


@dataclass(frozen=True)
class Delete:
    """Somebody ends the link."""


@dataclass(frozen=True)
class Wait:
    """Time passes: a little, until just after a short link ran out, or until nothing is held any more."""

    wait_s: float


Command = Say | Link | Tell | Delete | Wait

says = st.builds(Say, st.sampled_from([Kind.MESSAGE] * 4 + [Kind.FIRSTMESSAGE] * 2 + [Kind.NOTICE, Kind.ENDED]))
links = st.builds(Link, st.sampled_from(STUBS), st.sampled_from([SOON_HOURS, SOON_HOURS, LATER_HOURS]), st.booleans())
others = st.one_of(st.builds(Tell, st.sampled_from(STUBS)), st.just(Delete()))
waits = st.builds(Wait, st.sampled_from([0.05, 0.37, 0.37, 0.4, 0.8]))
commands: st.SearchStrategy[Command] = st.one_of(says, says, says, links, links, others, waits)
scripts = st.lists(st.tuples(st.booleans(), st.lists(commands, min_size=3, max_size=14)), min_size=12, max_size=40)
"""Conversations side by side: in a chat that somebody waits at for first messages, or in one that nobody does."""


@pytest.fixture(scope="module")
def nats_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server, a linker with a short patience, and an expiry worker."""
    data_dir: Path = tmp_path_factory.mktemp("model")
    patience = {"HEIMDALL_LINKER_HOLD_S": str(HOLD_S), "HEIMDALL_LINKER_HELD_MAX": str(HELD_MAX)}
    with asyncio.Runner() as runner:
        server_running = nats_server(data_dir)
        server = runner.run(server_running.__aenter__())
        try:
            with worker_process("linker", server.url, **patience), worker_process("expiry", server.url):
                yield server.url
        finally:
            runner.run(server_running.__aexit__(None, None, None))


class Theatre:
    """One org with two chats, in which the scripts are played."""

    def __init__(self, waited_at: Chat, lonely: Chat) -> None:
        self._chats = {True: waited_at, False: lonely}
        self.sessions: set[str] = set()

    async def play(self, *, waited_at: bool, script: list[Command]) -> None:
        """One conversation, one command after another."""
        chat = self._chats[waited_at]
        conversation = chat.conversation()
        self.sessions.add(conversation.session)
        for command in (Say(Kind.NOTICE), *script):  # a visitor's event makes the session known
            await self._do(chat, conversation, command)

    async def _do(self, chat: Chat, conversation: Conversation, command: Command) -> None:
        match command:
            case Say(kind):
                await chat.say(conversation, "hello", kind)
            case Link(stub, hours, by_task):
                await self._link(chat, conversation, stub, hours, by_task=by_task)
            case Tell(stub):
                await chat.notify(conversation, stub)
            case Delete():
                params = {"operation": "delete", "sessionuuid": conversation.session}
                await chat.publish(conversation.subject(Kind.DELETE), {"params": {"webchat": params}})
            case Wait(wait_s):
                await asyncio.sleep(wait_s)

    async def _link(self, chat: Chat, conversation: Conversation, stub: str, hours: float, *, by_task: bool) -> None:
        wish: Body = {"set_new_with_timeout_hours": hours}
        if not by_task:
            await chat.notify(conversation, stub, stubsession=wish)
            return
        params = {"operation": "set", "sessionuuid": conversation.session, **wish}
        await chat.publish(conversation.subject(Kind.SET), {"params": {"webchat": params}}, stub=stub)


def own(book: Book, sessions: set[str]) -> Book:
    """What is about these sessions: the server holds earlier examples as well."""
    events = tuple(event for event in book.events if event.session in sessions)
    known = {event.sequence for event in events}
    letters = tuple(letter for letter in book.letters if letter.event in known)
    return replace(book, events=events, runs=tuple(r for r in book.runs if r.session in sessions), letters=letters)


def owners(book: Book, rules: Rules) -> dict[str, str]:
    """Who has which conversation now, as the model says."""
    found = {}
    for session in {event.session for event in book.events}:
        events = [event for event in book.events if event.session == session and event.kind in FOLDED]
        outcome = expected(events, rules, until_ms=book.read_at_ms)
        if outcome.owner is not None:
            found[session] = outcome.owner.stub
    return found


async def agree(chat: Chat, sessions: set[str], rules: Rules) -> tuple[Verdict, bool]:
    """Wait until workers and model agree, and then once more when nothing is on its way: whether they do."""
    deadline_s = time.monotonic() + AGREE_WAIT_S
    settled = False
    while True:
        book = own(await read_book(chat.connection, ()), sessions)
        verdict = check(book, rules, late_ms_max=NEVER_LATE_MS)
        linked = {
            link["sessionuuid"]: f"{link['service']}.{link['stubref']}"
            for link in (await chat.command("links", {}))["links"]
        }
        same = linked == owners(book, rules)
        if (verdict.clean and same and settled) or time.monotonic() > deadline_s:
            return verdict, same
        if verdict.clean and same:
            await chat.settled()
            settled = True
        await asyncio.sleep(0.1)


async def play(nats_url: str, scripts: list[tuple[bool, list[Command]]]) -> None:
    """One example: all conversations at once, in an org of its own."""
    org = str(uuid4())
    async with connect(nats_url, name="test") as connection, open_publisher(connection) as publisher:
        await ensure(connection)
        waited_at, lonely = (Chat(connection, publisher, org, name) for name in ("draftshop", "draftlonely"))
        path = f"{waited_at.path.prefix}.webchatmessagetype.firstmessage"
        await waited_at.register(path, stub=TAKER, action=ACTION, mechanism="cbh")
        theatre = Theatre(waited_at, lonely)
        await asyncio.gather(*(theatre.play(waited_at=waited, script=script) for waited, script in scripts))
        takers: dict[tuple[str, str], tuple[str, str]] = {(waited_at.path.chat, "firstmessage"): (TAKER, ACTION)}
        rules = Rules(takers, hold_ms=round(HOLD_S * 1000), held_max=HELD_MAX)
        verdict, same_owners = await agree(waited_at, theatre.sessions, rules)
    assert verdict.clean, verdict.examples
    assert same_owners


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    print_blob=True,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # time is part of an example: a smaller one tells no more
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(scripts=scripts)
def test_random_conversations_come_out_as_the_reference_model_says(
    nats_url: str, scripts: list[tuple[bool, list[Command]]]
) -> None:
    asyncio.run(play(nats_url, scripts))
