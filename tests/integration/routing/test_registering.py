"""Registrations as they are made, listed, bounded, removed with their stub, and dropped when their time is over."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
import pytest_asyncio

from broker.codec import decode, encode
from broker.domain.ids import OrgId, Stub
from broker.domain.registrations import RegistrationRecord, read_register
from broker.domain.wire import Body, dump
from broker.errors import ConflictError, StubClosedError, TooManyRegistrationsError
from broker.runtime.deadletters import DeadLetters
from broker.transport.connection import Connection
from broker.transport.publisher import Publisher
from broker.transport.records import Records
from broker.transport.topology import PROFILES, REGISTRATIONS, SESSIONS, STUBSESSIONS
from tests.conftest import poll
from tests.integration.routing.conftest import Chat
from workers.linker.directory import Directory
from workers.linker.lapsing import Lapsing
from workers.linker.registering import Registering
from workers.linker.stubs import StubNotes


def task(path: str, *, stub: str = "svc.A", method: str = "keep", timeout_seconds: float = 60) -> Body:
    params = {
        "uuid": str(uuid4()),
        "on_trigger_method": method,
        "events": {"it": {"path": path, "mechanism": "cbh", "timeout_seconds": timeout_seconds}},
        "trigger_stubaction": {"action_name": "go", "stubref": stub},
    }
    return {"tasktype": "heimdall_register", "params": params}


@pytest_asyncio.fixture
async def records(connection: Connection, publisher: Publisher) -> Records:
    return Records(connection, publisher, REGISTRATIONS)


@pytest_asyncio.fixture
async def directory(connection: Connection, publisher: Publisher, records: Records) -> AsyncIterator[Directory]:
    """A linker's knowledge, as one more linker beside the running one has it."""
    profiles, sessions = (Records(connection, publisher, bucket) for bucket in (PROFILES, SESSIONS))
    async with Directory(connection, registrations=records, profiles=profiles, sessions=sessions) as opened:
        yield opened


@pytest_asyncio.fixture
async def registering(
    connection: Connection, publisher: Publisher, records: Records, directory: Directory
) -> Registering:
    """The verbs of that linker; an org may have two registrations."""
    stubs = StubNotes(Records(connection, publisher, STUBSESSIONS), directory.sessions)
    return Registering(directory, records, stubs, registrations_max=2)


async def test_the_list_comes_in_pages_and_tells_who_stands_behind_whom(chat: Chat) -> None:
    made = [task(f"{chat.path.prefix}.*", stub=stub) for stub in ("svc.A", "svc.B", "svc.A")]
    uuids = [one["params"]["uuid"] for one in made]
    for one in made:
        await chat.command("register", one)
    first = await chat.command("registrations", {"limit": 2})
    assert [found["uuid"] for found in first["registrations"]] == uuids[:2]
    assert [found["shadowed_by"] for found in first["registrations"]] == [None, uuids[0]]
    rest = await chat.command("registrations", {"limit": 2, "after": first["next"]})
    assert ([found["uuid"] for found in rest["registrations"]], rest["next"]) == (uuids[2:], None)
    of_stub = await chat.command("registrations", {"stub": "svc.B"})
    assert [found["uuid"] for found in of_stub["registrations"]] == [uuids[1]]


async def test_a_second_cbh_is_accepted_and_told_so_wildcards_counted(chat: Chat) -> None:
    first = task(f"{chat.path.prefix}.*")
    second = task(f"{chat.path.prefix}.sessionuuid.#.webchatmessagetype.#")
    assert (await chat.command("register", first))["shadowed_by"] is None
    assert (await chat.command("register", second))["shadowed_by"] == first["params"]["uuid"]


async def test_an_org_has_no_more_registrations_than_it_may_have(registering: Registering) -> None:
    org = OrgId(str(uuid4()))
    path = f"stubber.systems.notifications.webchat.org.{org}.*"
    made = [task(path) for _ in range(3)]
    for one in made[:2]:
        await registering.register(org, one, {})
    with pytest.raises(TooManyRegistrationsError, match="deregister some"):
        await registering.register(org, made[2], {})
    await registering.register(org, made[0], {})
    await registering.deregister(org, {"uuid": made[0]["params"]["uuid"]}, {})
    await registering.register(org, made[2], {})


async def test_a_closed_stubs_registrations_are_removed_and_nobody_elses(chat: Chat, registering: Registering) -> None:
    for stub in ("svc.A", "svc.A", "svc.B"):
        await chat.command("register", task(f"{chat.path.prefix}.*", stub=stub))
    assert await registering.remove_of(chat.org, Stub.parse("svc.A")) == 2
    left = (await chat.command("registrations", {}))["registrations"]
    assert [found["stub"] for found in left] == ["svc.B"]


async def test_a_stub_that_is_closed_registers_for_nothing_any_more(chat: Chat) -> None:
    for stub in ("svc.A", "svc.B"):
        await chat.command("register", task(f"{chat.path.prefix}.*", stub=stub))
    assert (await chat.command("stubclose", {"stub": "svc.A"}))["registrations"] == 1
    refused = await chat.command("register", task(f"{chat.path.prefix}.*", stub="svc.A"))
    assert refused["error"]["code"] == "stub_closed"
    left = (await chat.command("registrations", {}))["registrations"]
    assert [found["stub"] for found in left] == ["svc.B"]


async def test_a_stub_that_is_closed_while_it_registers_leaves_nothing(
    chat: Chat, registering: Registering, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mark is written between the two looks at it."""
    answers = iter((False, True))

    async def is_closed(_self: StubNotes, _org: OrgId, _stub: Stub) -> bool:
        return next(answers)

    monkeypatch.setattr(StubNotes, "is_closed", is_closed)
    with pytest.raises(StubClosedError):
        await registering.register(chat.org, task(f"{chat.path.prefix}.*"), {})
    assert (await chat.command("registrations", {}))["registrations"] == []


async def test_what_one_linker_was_told_another_knows_when_it_is_asked(chat: Chat, registering: Registering) -> None:
    for _ in range(10):
        one = task(f"{chat.path.prefix}.*")
        await chat.command("register", one)
        listed = await registering.registrations(chat.org, {}, {})
        assert one["params"]["uuid"] in [found["uuid"] for found in listed["registrations"]]
        assert await registering.deregister(chat.org, {"uuid": one["params"]["uuid"]}, {}) == {"removed": True}


async def test_a_wait_in_vain_is_dropped_and_reported_once_with_its_task(chat: Chat) -> None:
    wanted = task(chat.path.initialize(), method="remove", timeout_seconds=0.2)
    await chat.command("register", wanted)
    letter = await chat.expect_dead("registration_timed_out")
    assert letter["headers"]["Heimdall-Stub"] == "svc.A"
    assert decode(letter["body"])["params"]["uuid"] == wanted["params"]["uuid"]
    assert letter["subject"] == f"stubber.systems.commands.org.{chat.org}.register"
    await chat.open(chat.conversation())
    await chat.settled()
    assert await chat.runs() == []
    assert (await chat.command("registrations", {}))["registrations"] == []


async def test_a_wait_that_was_rewarded_is_not_reported(chat: Chat) -> None:
    await chat.command("register", task(chat.path.initialize(), method="remove", timeout_seconds=1.5))
    late = task(f"{chat.path.prefix}.x", method="remove", timeout_seconds=1.6)
    await chat.command("register", late)
    await chat.open(chat.conversation())
    await chat.expect_runs(1)
    letter = await chat.expect_dead("registration_timed_out")
    assert decode(letter["body"])["params"]["uuid"] == late["params"]["uuid"]


async def _lapsed(chat: Chat, records: Records, **members: object) -> tuple[str, str]:
    """A record of a registration whose wait began an hour ago; its key's two parts."""
    params = read_register(task(f"{chat.path.prefix}.*", method="remove")["params"], org=chat.org)
    made_at_ms = time.time_ns() // 1_000_000 - 3_600_000
    record = RegistrationRecord(org=chat.org, stub="svc.A", since=1, params=params, made_at_ms=made_at_ms)
    changed = record.model_copy(update=members)
    await records.write(f"{chat.org}.{params.uuid}", encode(dump(changed)), revision=None)
    return chat.org, params.uuid


async def test_many_linkers_that_look_at_once_report_a_lapse_once(
    chat: Chat, directory: Directory, records: Records
) -> None:
    lapsing = Lapsing(directory, records, DeadLetters(chat.publisher))
    org, uuid = await _lapsed(chat, records)
    for _ in range(3):
        try:
            await lapsing.end(OrgId(org), uuid, now_ms=time.time_ns() // 1_000_000)
        except ConflictError:
            continue

    async def reported() -> bool:
        return decode((await records.read(f"{org}.{uuid}")).value or b"{}").get("lapse") == "reported"

    await poll(reported)
    await chat.expect_dead("registration_timed_out")


async def test_a_lapse_whose_report_a_killed_linker_did_not_send_is_reported_by_the_next(
    chat: Chat, records: Records
) -> None:
    await _lapsed(chat, records, lapse="lapsed")
    await chat.expect_dead("registration_timed_out")
