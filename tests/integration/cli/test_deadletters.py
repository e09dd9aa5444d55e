"""Dead letters, at the command line: found, shown, published again in order and once, dropped."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio

from broker.codec import encode
from broker.domain import headers as names
from broker.domain.ids import ActionName, OrgId, SessionId, Stub
from broker.domain.subjects import Conversation, DeliverySubject, Kind
from broker.errors import LinkerBehindError
from broker.runtime.deadletters import DeadLetters, Original
from broker.runtime.embedded import EmbeddedServer, nats_server
from broker.transport import redrive
from broker.transport.connection import Connection, connect
from broker.transport.ensure import ensure
from broker.transport.letters import Letter, Selection, letters, one_letter, remove_letter
from broker.transport.publisher import Publisher, open_publisher
from broker.transport.reader import StoredMessage, read_range
from broker.transport.redrive import Redrive, candidate_of
from broker.transport.topology import CONVERSATIONS, DELIVERIES, WEBHOOK_STREAM
from tests.integration.cli.conftest import Cli, conversation, started

STUB = Stub.parse("keeper.A-1")


class Morgue:
    """Sets originals aside as workers do; each is stored in its stream first."""

    def __init__(self, connection: Connection, publisher: Publisher, org: str) -> None:
        self.connection, self.publisher, self.org = connection, publisher, OrgId(org)
        self.session = SessionId(str(uuid4()))

    @property
    def conversation(self) -> Conversation:
        return conversation(self.org, self.session)

    async def event(self, text: str, *, code: str = "unrouted", conversation: Conversation | None = None) -> int:
        """A visitor's message that nobody took; its sequence in the log."""
        place = conversation or self.conversation
        content = {"sessionuuid": place.session, "webchat_message": {"type": "text", "value": text}}
        body = encode({"heimdall": {"webchat": content}})
        return await self._set_aside(CONVERSATIONS, place.subject(Kind.MESSAGE), body, {}, code)

    async def run(self, text: str, *, stub: Stub = STUB, caused_by: int = 0) -> int:
        """A run that its stub could not take; its sequence in DELIVERIES."""
        headers = {names.CONVERSATION: self.conversation.prefix, names.EVENT: str(caused_by), "traceparent": "00-1"}
        body = encode({"stubpost": {"message": text, "data": {}}})
        subject = str(DeliverySubject(self.org, stub, ActionName("go")))
        return await self._set_aside(DELIVERIES, subject, body, headers, "worker_fault")

    async def raw(self, stream: str, subject: str, body: bytes, code: str, sequence: int = 1) -> None:
        original = Original(subject, stream, sequence, body, {}, 1_000)
        await DeadLetters(self.publisher).keep(original, code=code, detail="because")

    async def letters(self) -> list[Letter]:
        return [letter async for letter in letters(self.connection, Selection(org=self.org))]

    async def stored(self, stream: str, after: int) -> list[StoredMessage]:
        root = self.conversation.path.prefix if stream == CONVERSATIONS else f"stubber.systems.stubs.org.{self.org}"
        return await read_range(self.connection, stream, (f"p.*.{root}.>",), after=after, limit=1_000)

    async def _set_aside(self, stream: str, subject: str, body: bytes, headers: dict[str, str], code: str) -> int:
        named = {**headers, names.MESSAGE_ID: str(uuid4())}
        sequence = (await self.publisher.store(subject, body, named)).sequence
        original = Original(subject, stream, sequence, body, named, 1_000, attempts=2)
        await DeadLetters(self.publisher).keep(original, code=code, detail=f"for session uuid '{self.session}'")
        return sequence


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedServer]:
    """A server of this file's own: a linker, which other files start, would set the redriven events aside again."""
    async with nats_server(tmp_path_factory.mktemp("nats")) as running:
        async with connect(running.url, name="test-topology") as connection:
            await ensure(connection)
        yield running


@pytest.fixture
def morgue(connection: Connection, publisher: Publisher, org: str) -> Morgue:
    return Morgue(connection, publisher, org)


async def test_letters_are_listed_the_newest_last_by_reason_session_and_number(
    cli: Cli, org: str, morgue: Morgue
) -> None:
    await morgue.event("one")
    await morgue.event("two", code="unanswered")
    other = conversation(org, SessionId(str(uuid4())))
    await morgue.event("three", conversation=other)
    listed = (await cli("deadletters", "list", "--org", org)).records
    assert [letter["reason"] for letter in listed] == ["unrouted", "unanswered", "unrouted"]
    assert [letter["session"] for letter in listed] == [morgue.session, morgue.session, other.session]
    by_reason = (await cli("deadletters", "list", "--org", org, "--reason", "unanswered")).records
    assert [letter["letter"] for letter in by_reason] == [listed[1]["letter"]]
    by_session = (await cli("deadletters", "list", "--org", org, "--session", other.session[:8])).records
    assert [letter["letter"] for letter in by_session] == [listed[2]["letter"]]
    newest = await cli("deadletters", "list", "--org", org, "--limit", "1")
    assert [letter["letter"] for letter in newest.records] == [listed[2]["letter"]]
    assert "2 older ones are not shown" in newest.err
    assert (await cli("deadletters", "list", "--org", org, "--since", "1h")).records == listed
    assert "three" not in str(listed)


async def test_one_letter_is_shown_with_its_original(cli: Cli, morgue: Morgue) -> None:
    sequence = await morgue.event("what was written")
    [letter] = await morgue.letters()
    (shown,) = (await cli("deadletters", "show", str(letter.sequence))).records
    assert (shown["reason"], shown["attempts"], shown["sequence"]) == ("unrouted", 2, sequence)
    assert shown["body"]["heimdall"]["webchat"]["webchat_message"]["value"] == "what was written"
    assert names.MESSAGE_ID in shown["headers"]
    for number in ("999999999", "0", "9" * 30):
        assert f"dead letter {number} was not found" in (await cli("deadletters", "show", number)).refusal


async def test_redriven_letters_keep_the_order_of_the_log_and_are_gone_afterwards(
    cli: Cli, org: str, morgue: Morgue
) -> None:
    sequences = [await morgue.event(text) for text in ("one", "two", "three")]
    ended = await cli("deadletters", "redrive", "--all", "--org", org)
    assert [record["first_sequence"] for record in ended.records] == sequences
    again = await morgue.stored(CONVERSATIONS, sequences[-1])
    assert [message.headers[names.REDRIVEN] for message in again] == [str(sequence) for sequence in sequences]
    assert [b"one" in again[0].data, b"two" in again[1].data, b"three" in again[2].data] == [True] * 3
    assert len({message.headers[names.MESSAGE_ID] for message in again}) == 3
    assert await morgue.letters() == []


async def test_a_run_goes_behind_its_stub_s_other_runs_with_its_headers(cli: Cli, org: str, morgue: Morgue) -> None:
    first = await morgue.run("one", caused_by=7)
    await cli("deadletters", "redrive", "--all", "--org", org)
    (again,) = await morgue.stored(DELIVERIES, first)
    kept = {name: again.headers[name] for name in (names.CONVERSATION, names.EVENT, "traceparent", names.REDRIVEN)}
    assert kept == {
        names.CONVERSATION: morgue.conversation.prefix,
        names.EVENT: "7",
        "traceparent": "00-1",
        names.REDRIVEN: str(first),
    }


async def test_one_that_fails_again_keeps_its_first_place(
    cli: Cli, org: str, morgue: Morgue, publisher: Publisher
) -> None:
    first, second = await morgue.event("one"), await morgue.event("two")
    [letter, _] = await morgue.letters()
    await cli("deadletters", "redrive", str(letter.sequence))
    (again,) = await morgue.stored(CONVERSATIONS, second)
    original = Original(
        again.public_subject, CONVERSATIONS, again.sequence, again.data, again.headers, again.stored_at_ms
    )
    await DeadLetters(publisher).keep(original, code="unrouted", detail="once more")
    ended = await cli("deadletters", "redrive", "--all", "--org", org)
    assert [record["first_sequence"] for record in ended.records] == [first, second]


async def test_a_webhook_that_nobody_could_take_is_worked_on_again(cli: Cli, org: str, morgue: Morgue) -> None:
    subject = f"stubber.systems.webhooks.org.{org}.channel.giosg.connection.support"
    await morgue.raw(WEBHOOK_STREAM, f"{subject}.taken", encode({"sessionuuid": morgue.session}), "worker_fault")
    await morgue.raw(WEBHOOK_STREAM, f"{subject}.passed", b"{}", "worker_fault", sequence=2)
    ended = await cli("deadletters", "redrive", "--all", "--org", org)
    assert [(one["stream"], one["subject"]) for one in ended.records] == [(WEBHOOK_STREAM, f"{subject}.taken")]
    assert "nobody works on a call that was not taken" in ended.err
    (stored,) = await read_range(morgue.connection, WEBHOOK_STREAM, (f"p.*.{subject}.taken",), limit=10)
    assert stored.headers[names.REDRIVEN] == "1"


async def test_a_dry_run_shows_the_order_and_publishes_nothing(cli: Cli, org: str, morgue: Morgue) -> None:
    sequences = [await morgue.event(text) for text in ("one", "two")]
    before = await morgue.letters()
    ended = await cli("deadletters", "redrive", "--all", "--org", org, "--dry-run")
    assert [record["letter"] for record in ended.records] == [letter.sequence for letter in before]
    assert await morgue.letters() == before
    assert await morgue.stored(CONVERSATIONS, sequences[-1]) == []


async def test_a_redrive_that_ended_half_way_stores_nothing_twice(
    connection: Connection, publisher: Publisher, morgue: Morgue
) -> None:
    sequence = await morgue.event("one")
    [letter] = await morgue.letters()
    stored = [await Redrive(connection, publisher)._publish(letter) for _ in range(2)]
    assert stored[0].sequence == stored[1].sequence
    assert len(await morgue.stored(CONVERSATIONS, sequence)) == 1
    subject, message_id = letter.content.subject, redrive._id_of(letter)
    found = await Redrive(connection, publisher)._stored_before(letter, subject, message_id)
    assert found == stored[0].sequence  # found in the stream itself, however long ago it was


async def test_a_redrive_that_is_killed_is_gone_on_with_nothing_lost_or_doubled(
    cli: Cli, org: str, morgue: Morgue, server: EmbeddedServer
) -> None:
    sequences = [await morgue.event(str(number)) for number in range(100)]
    arguments = ("deadletters", "redrive", "--all", "--org", org, "--nats-url", server.url)
    for _ in range(3):
        async with started(*arguments) as running:
            for _ in range(10):
                await running.record()
            running.process.kill()
    await cli("deadletters", "redrive", "--all", "--org", org)
    again = await morgue.stored(CONVERSATIONS, sequences[-1])
    assert [int(message.headers[names.REDRIVEN]) for message in again] == sequences
    assert await morgue.letters() == []


async def test_what_cannot_be_published_again_is_kept_and_told(cli: Cli, org: str, morgue: Morgue) -> None:
    subject = morgue.conversation.subject(Kind.MESSAGE)
    await morgue.raw("TIMERS", "stubber.systems.timers.due.partition.1", b"", "worker_fault")
    await morgue.raw(CONVERSATIONS, f"{subject}.bogus", b"{}", "bad_subject")
    await morgue.raw(CONVERSATIONS, subject, b"x" * 960_000, "undecodable")
    found = [letter async for letter in letters(morgue.connection, Selection(session=morgue.session))]
    assert len(found) == 2
    ended = await cli("deadletters", "redrive", *(str(letter.sequence) for letter in found))
    assert (ended.code, ended.records) == (1, [])
    assert "outside the grammar" in ended.err
    assert "too long to be kept whole" in ended.err
    assert [(await one_letter(morgue.connection, letter.sequence)) is not None for letter in found] == [True, True]


async def test_a_run_never_overtakes_the_redriven_event_that_no_linker_takes(
    tmp_path: Path, org: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redrive, "LINKER_WAIT_S", 0.1)
    async with nats_server(tmp_path) as alone, connect(alone.url, name="test") as connection:
        await ensure(connection)
        async with open_publisher(connection) as publisher:
            morgue = Morgue(connection, publisher, org)
            event = await morgue.event("one")
            run = await morgue.run("two", caused_by=event + 1)
            candidates = [candidate_of(letter) for letter in await morgue.letters()]
            with pytest.raises(LinkerBehindError):
                [redriven async for redriven in Redrive(connection, publisher).run(candidates)]
            assert [letter.content.sequence for letter in await morgue.letters()] == [run]
            assert await morgue.stored(DELIVERIES, run) == []


async def test_dropping_asks_first_and_says_what_it_dropped(cli: Cli, org: str, morgue: Morgue) -> None:
    await morgue.event("one")
    await morgue.event("two", code="unanswered")
    assert "say --yes" in (await cli("deadletters", "drop", "--all", "--org", org)).refusal
    assert len(await morgue.letters()) == 2
    ended = await cli("deadletters", "drop", "--reason", "unanswered", "--org", org, "--yes")
    assert [record["reason"] for record in ended.records] == ["unanswered"]
    assert morgue.session not in ended.out
    [left] = await morgue.letters()
    assert left.content.reason == "unrouted"
    assert await remove_letter(morgue.connection, left.sequence)
    assert not await remove_letter(morgue.connection, left.sequence)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(("drop",), "which ones?", id="nothing named to drop"),
        pytest.param(("redrive",), "which ones?", id="nothing named to redrive"),
        pytest.param(("redrive", "1", "--all"), "not both", id="numbers and all"),
        pytest.param(("list", "--since", "soon"), "7d (see 'heimdall deadletters list --help')", id="no span"),
        pytest.param(("list", "--session", "X"), "takes a uuid", id="no session"),
        pytest.param(("list", "--reason", "a.b"), "bad", id="no reason"),
    ],
)
async def test_what_cannot_be_meant_is_refused_in_one_line(
    cli: Cli, org: str, arguments: tuple[str, ...], expected: str
) -> None:
    assert expected in (await cli("deadletters", *arguments, "--org", org)).refusal
