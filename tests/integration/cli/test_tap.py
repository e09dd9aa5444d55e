from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest

from broker.codec import encode
from broker.domain import headers as names
from broker.domain.ids import ActionName, OrgId, Stub
from broker.domain.subjects import NOTIFICATIONS, DeliverySubject, Kind, dead_letter_subject
from broker.runtime.embedded import EmbeddedServer
from broker.transport.connection import Connection
from broker.transport.publisher import Publisher
from tests.integration.cli.conftest import OTHER_SESSION, SESSION, Cli, Ended, conversation, started, visitor_body

Say = Callable[..., Awaitable[int]]


@pytest.fixture
def say(publisher: Publisher, org: str) -> Say:
    """``await say("hello")``: a visitor's message in the log; its sequence."""

    async def store(text: str, session: object = SESSION, chat: str = "draftshop") -> int:
        place = conversation(org, session, chat)  # type: ignore[arg-type] # only the tests' own two session ids come in
        body = visitor_body(text, place.session).encode()
        return (await publisher.store(place.subject(Kind.MESSAGE), body)).sequence

    return store


def texts(ended: Ended) -> list[str]:
    return [record["body"]["heimdall"]["webchat"]["webchat_message"]["value"] for record in ended.records]


async def test_history_and_what_comes_are_one_ordered_view(org: str, say: Say, server: EmbeddedServer) -> None:
    before = [await say(f"before {number}") for number in range(5)]
    async with started("tap", "--org", org, "--json", "--nats-url", server.url) as tap:
        seen = [(await tap.record())["sequence"] for _ in before]
        after = [await say(f"after {number}") for number in range(5)]
        seen += [(await tap.record())["sequence"] for _ in after]
    assert seen == before + after


async def test_a_tap_stops_at_the_end_of_what_is_stored(cli: Cli, org: str, say: Say) -> None:
    await say("one")
    await say("two")
    assert texts(await cli("tap", "--org", org, "--no-follow")) == ["one", "two"]


async def test_a_tap_stops_after_as_many_as_were_asked_for(cli: Cli, org: str, say: Say) -> None:
    for text in ("one", "two", "three"):
        await say(text)
    assert texts(await cli("tap", "--org", org, "--count", "2")) == ["one", "two"]


@pytest.mark.parametrize(
    ("pattern", "spelling"),
    [
        pytest.param(NOTIFICATIONS + ".webchat.org.{org}.name.draftshop.*", "heimdall", id="heimdall, anything deeper"),
        pytest.param(
            NOTIFICATIONS + ".#.org.{org}.name.draftshop.sessionuuid.#.webchatmessagetype.message",
            "heimdall",
            id="heimdall, one level each",
        ),
        pytest.param(NOTIFICATIONS + ".webchat.org.{org}.name.draftshop.>", "nats", id="NATS, anything deeper"),
        pytest.param(NOTIFICATIONS + ".*.org.{org}.name.draftshop.>", "nats", id="NATS, one level"),
    ],
)
async def test_either_spelling_is_read_and_named(cli: Cli, org: str, say: Say, pattern: str, spelling: str) -> None:
    await say("here")
    await say("elsewhere", chat="draftother")
    ended = await cli("tap", pattern.format(org=org), "--no-follow")
    assert texts(ended) == ["here"]
    assert f"pattern read as {spelling} spells it" in ended.err


async def test_a_reading_can_be_forced(cli: Cli, org: str, say: Say) -> None:
    await say("here")
    pattern = f"{NOTIFICATIONS}.webchat.org.{org}.name.draftshop.*"
    assert texts(await cli("tap", pattern, "--heimdall", "--no-follow")) == ["here"]
    assert texts(await cli("tap", pattern, "--nats", "--no-follow")) == []


async def test_one_session_is_shown_with_its_initialize(cli: Cli, org: str, say: Say, publisher: Publisher) -> None:
    for session in (SESSION, OTHER_SESSION):
        body = {"heimdall": {"webchat": {"sessionuuid": session}}}
        await publisher.store(conversation(org).path.initialize(), encode(body))
        await say("hello", session)
    ended = await cli("tap", "--session", OTHER_SESSION, "--org", org, "--no-follow")
    assert [(record["kind"], record["session"]) for record in ended.records] == [
        ("initialize", OTHER_SESSION),
        ("message", OTHER_SESSION),
    ]


async def test_new_events_only_leaves_out_what_is_stored(org: str, say: Say, cli: Cli) -> None:
    await say("old")
    assert texts(await cli("tap", "--org", org, "--since", "now", "--no-follow")) == []


async def test_a_body_that_cannot_be_decoded_is_shown_as_such_with_its_size(
    cli: Cli, org: str, publisher: Publisher
) -> None:
    await publisher.store(conversation(org).subject(Kind.MESSAGE), b"\xc1 no msgpack")
    (record,) = (await cli("tap", "--org", org, "--no-follow")).records
    assert record["body"] is None
    assert record["size_bytes"] == 12
    assert "cannot be decoded, 12 bytes" in record["problem"]


async def test_runs_and_dead_letters_are_read_from_their_own_streams(cli: Cli, org: str, publisher: Publisher) -> None:
    run = DeliverySubject(OrgId(org), Stub.parse("demo.A-1"), ActionName("_create"))
    headers = {names.CONVERSATION: conversation(org).prefix}
    await publisher.store(str(run), encode({"stubpost": {"message": "hei", "data": {}}}), headers)
    letter = {"reason": "unrouted", "subject": conversation(org).subject(Kind.MESSAGE), "body": encode({"a": 1})}
    await publisher.store(dead_letter_subject(OrgId(org), "unrouted"), encode(letter))
    everything = await cli("tap", "stubber.systems.>", "--org", org, "--no-follow")
    assert [(record["stream"], record["session"]) for record in everything.records] == [
        ("DELIVERIES", SESSION),
        ("DEADLETTERS", SESSION),
    ]
    assert everything.records[1]["body"]["body"] == {"a": 1}
    only_runs = await cli("tap", f"stubber.systems.stubs.org.{org}.>", "--no-follow")
    assert [record["kind"] for record in only_runs.records] == ["run"]


async def test_signals_are_watched_as_they_pass(org: str, connection: Connection, server: EmbeddedServer) -> None:
    pattern = f"stubber.systems.signals.webchat.org.{org}.>"
    async with started("tap", pattern, "--json", "--nats-url", server.url) as tap:
        await tap.complaint()  # how the pattern was read

        async def keep_typing() -> None:
            while True:
                await connection.publish(conversation(org).signal("typing"), encode({"on": True}))
                await asyncio.sleep(0.05)

        typing = asyncio.create_task(keep_typing())
        record = await tap.record()
        typing.cancel()
    assert (record["kind"], record["body"], record["sequence"]) == ("typing", {"on": True}, None)


async def test_a_tap_leaves_nothing_behind_and_owns_no_place_in_the_log(
    cli: Cli, org: str, say: Say, connection: Connection
) -> None:
    await say("one")
    before = (await connection.ask("STREAM.INFO.CONVERSATIONS"))["state"]
    await cli("tap", "--org", org, "--no-follow")
    after = (await connection.ask("STREAM.INFO.CONVERSATIONS"))["state"]
    assert after["consumer_count"] == before["consumer_count"]
    assert after["messages"] == before["messages"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(("orders.>",), "nothing is published there", id="nothing of ours"),
        pytest.param(("stubber.systems.commands.>",), "would disturb them", id="commands"),
        pytest.param(("stubber.*.x.#",), "use one spelling", id="mixed spellings"),
        pytest.param(("--since", "soon"), "is no time span", id="no time span"),
        pytest.param(("--session", "me"), "bad session uuid", id="no session uuid"),
        pytest.param(("--org", "acme"), "bad org uuid", id="no org uuid"),
        pytest.param(("--nats", "--heimdall"), "choose one", id="both readings"),
    ],
)
async def test_what_cannot_be_watched_is_refused_in_one_line(
    cli: Cli, arguments: tuple[str, ...], expected: str
) -> None:
    assert expected in (await cli("tap", *arguments)).refusal


async def test_a_closed_pipe_ends_it_quietly(org: str, say: Say, server: EmbeddedServer) -> None:
    await say("one")
    async with started("tap", "--org", org, "--json", "--nats-url", server.url) as tap:
        await tap.record()
        assert tap.process.stdout is not None
        tap.process.stdout._transport.close()  # type: ignore[attr-defined] # as `head` does when it has enough
        await say("two")
        await asyncio.wait_for(tap.process.wait(), 10)
        assert await tap.complaint() == ""


async def test_json_lines_stay_one_line_whatever_a_visitor_writes(cli: Cli, org: str, say: Say) -> None:
    nasty = "a\nb\x1b[31m\u202e\x85c"
    await say(nasty)
    ended = await cli("tap", "--org", org, "--no-follow")
    assert texts(ended) == [nasty]
    assert "\x1b" not in ended.out
    assert len(ended.out.splitlines()) == 1
    assert json.loads(ended.out)
