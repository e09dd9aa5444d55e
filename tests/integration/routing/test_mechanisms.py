"""Who hears of an event under which mechanism, with the real linker."""

from __future__ import annotations

from collections import Counter

import pytest

from broker.codec import encode
from broker.domain import headers as names
from broker.domain.subjects import STUBS, Kind
from broker.transport.reader import StoredMessage, read_range
from broker.transport.topology import DELIVERIES
from tests.integration.routing.conftest import READ_MAX, Chat

STUBS_OF_TEST = ("svc.A", "svc.B", "svc.C")


async def register_all(chat: Chat, mechanism: str, *, keep: bool = True) -> None:
    """Three stubs wish for the same events."""
    for stub in STUBS_OF_TEST:
        path = f"{chat.path.prefix}.webchatmessagetype.initialize"
        await chat.register(path, stub=stub, action="go", mechanism=mechanism, keep=keep)


async def stored_runs(chat: Chat) -> list[StoredMessage]:
    """The org's runs as they are stored, headers included."""
    return await read_range(chat.connection, DELIVERIES, (f"p.*.{STUBS}.org.{chat.org}.>",), after=0, limit=READ_MAX)


async def emit(chat: Chat, **headers: str) -> None:
    """A visitor's event with headers of its own."""
    conversation = chat.conversation()
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    data = encode(chat.visitor_body(conversation))
    await chat.publisher.store(chat.path.initialize(), data, {names.MESSAGE_ID: conversation.session, **more})


@pytest.mark.parametrize(
    ("mechanism", "each"),
    [pytest.param("evt", 3, id="evt"), pytest.param("evb", 3, id="evb"), pytest.param("*", 3, id="all")],
)
async def test_all_who_registered_hear_of_each_event(chat: Chat, mechanism: str, each: int) -> None:
    await register_all(chat, mechanism)
    for _ in range(2):
        await chat.open(chat.conversation())
    runs = await chat.expect_runs(2 * each)
    assert Counter(stub for stub, _, _ in runs) == dict.fromkeys(STUBS_OF_TEST, 2)


async def test_those_who_take_turns_are_run_one_after_the_other(chat: Chat) -> None:
    await register_all(chat, "rra")
    for _ in range(6):
        await chat.open(chat.conversation())
    runs = await chat.expect_runs(6)
    assert [stub for stub, _, _ in runs] == [*STUBS_OF_TEST, *STUBS_OF_TEST]


async def test_of_those_registered_for_any_one_exactly_one_runs_for_each_event(chat: Chat) -> None:
    await register_all(chat, "rnd")
    for _ in range(20):
        await chat.open(chat.conversation())
    runs = await chat.expect_runs(20)
    sessions = [post["data"]["heimdall"]["webchat"]["sessionuuid"] for _, _, post in runs]
    assert len(set(sessions)) == 20
    assert len({stub for stub, _, _ in runs}) > 1


async def test_an_event_of_one_mechanism_reaches_those_registered_for_it_or_for_all(chat: Chat) -> None:
    for mechanism in ("*", "evt", "cbh", "rra", "rnd", "evb"):
        path = f"{chat.path.prefix}.webchatmessagetype.initialize"
        action = "all" if mechanism == "*" else mechanism
        await chat.register(path, stub="svc.A", action=action, mechanism=mechanism)
    await emit(chat, Heimdall_Mechanism="evt")
    runs = await chat.expect_runs(2)
    assert sorted(action for _, action, _ in runs) == ["all", "evt"]
    await chat.open(chat.conversation())
    runs = await chat.expect_runs(8)
    assert sorted(action for _, action, _ in runs[2:]) == ["all", "cbh", "evb", "evt", "rnd", "rra"]


async def test_an_event_under_a_mechanism_that_there_is_not_is_kept_with_its_reason(chat: Chat) -> None:
    await emit(chat, Heimdall_Mechanism="everyone")
    letter = await chat.expect_dead("bad_name")
    assert "one of *, evt" in letter["detail"]


async def test_a_reply_address_reaches_the_runs_of_evb_alone(chat: Chat) -> None:
    await register_all(chat, "evb")
    await chat.register(chat.path.initialize(), stub="svc.D", action="go", mechanism="evt")
    await emit(chat, Heimdall_Reply="_INBOX_cli.abc.1")
    await chat.expect_runs(4)
    replies = {run.public_subject.split(".")[8]: run.headers.get(names.REPLY) for run in await stored_runs(chat)}
    assert replies == {"A": "_INBOX_cli.abc.1", "B": "_INBOX_cli.abc.1", "C": "_INBOX_cli.abc.1", "D": None}


@pytest.mark.parametrize(
    "address", ["stubber.systems.commands.org.x.register", "_INBOX", "_INBOX.a.>", "_INBOX. a", "_INBOX." + "a" * 300]
)
async def test_a_reply_address_that_is_no_inbox_is_left_out(chat: Chat, address: str) -> None:
    await chat.register(chat.path.initialize(), stub="svc.A", action="go", mechanism="evb")
    await emit(chat, Heimdall_Reply=address)
    await chat.expect_runs(1)
    assert [run.headers.get(names.REPLY) for run in await stored_runs(chat)] == [None]


async def test_a_registration_that_stays_bounds_each_of_its_runs(chat: Chat) -> None:
    await chat.register(chat.path.initialize(), stub="svc.A", action="stays")
    await chat.register(chat.path.initialize(), stub="svc.A", action="once", keep=False)
    await chat.open(chat.conversation())
    await chat.expect_runs(2)
    limits = {run.public_subject.split(".")[-1]: run.headers.get(names.TIME_LIMIT) for run in await stored_runs(chat)}
    assert limits == {"stays": "60", "once": None}


@pytest.mark.parametrize("mechanism", ["cbh", "rra", "rnd"])
async def test_registrations_of_one_time_are_used_once_each_by_as_many_events_at_once(
    chat: Chat, mechanism: str
) -> None:
    await register_all(chat, mechanism, keep=False)
    for _ in range(5):
        await chat.open(chat.conversation())
    runs = await chat.expect_runs(3)
    assert sorted(stub for stub, _, _ in runs) == list(STUBS_OF_TEST)
    assert (await chat.command("registrations", {}))["registrations"] == []


@pytest.mark.check(5)
async def test_check_05_a_hash_takes_any_session_and_stands_for_one_level_alone(chat: Chat) -> None:
    prefix, ending = chat.path.prefix, "webchatmessagetype.firstmessage"
    await chat.register(f"{prefix}.sessionuuid.#.{ending}", stub="svc.A", action="one_level")
    await chat.register(f"{prefix}.#.{ending}", stub="svc.A", action="two_levels")
    for _ in range(2):
        await chat.say(chat.conversation(), "hello", Kind.FIRSTMESSAGE)
    runs = await chat.expect_runs(2)
    assert [action for _, action, _ in runs] == ["one_level", "one_level"]


@pytest.mark.check(6)
async def test_check_06_a_last_star_takes_any_event_of_that_chat_and_none_of_another(chat: Chat) -> None:
    await chat.register(f"{chat.path.prefix}.*", stub="svc.A", action="any")
    conversation = chat.conversation()
    await chat.open(conversation)
    await chat.say(conversation, "hello", Kind.FIRSTMESSAGE)
    other = Chat(chat.connection, chat.publisher, chat.org, "draftother")
    await other.say(other.conversation(), "hello", Kind.FIRSTMESSAGE)
    runs = await chat.expect_runs(2)
    assert [action for _, action, _ in runs] == ["any", "any"]
    letter = await chat.expect_dead("unrouted")
    assert ".name.draftother." in letter["subject"]
