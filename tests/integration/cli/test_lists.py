from __future__ import annotations

import time
from pathlib import Path

import pytest

from broker.codec import encode
from broker.domain.ids import OrgId, SessionId, Stub
from broker.domain.stubsessions import LinkRecord, StateRecord, index_key, session_key
from broker.domain.wire import dump
from broker.kit.records import StubRecord, stub_key, stubs_bucket
from broker.runtime.embedded import EmbeddedServer, nats_server
from broker.transport.connection import Connection
from broker.transport.ensure import ensure_bucket
from broker.transport.publisher import Publisher
from broker.transport.records import Records
from broker.transport.topology import STUBSESSIONS
from tests.integration.cli.conftest import OTHER_SESSION, SESSION, Cli
from tests.processes import worker_process

A, B = Stub.parse("demo.A-1"), Stub.parse("desk.B-2")
HOUR_MS = 3_600_000


class Links:
    """Writes link records as the linker does."""

    def __init__(self, records: Records, org: OrgId) -> None:
        self._records = records
        self._org = org

    async def note(self, stub: Stub, session: SessionId, number: str = "") -> None:
        await self._records.write(index_key(self._org, stub, session), number.encode(), revision=None)

    async def set(self, stub: Stub, session: SessionId, *, left_ms: int, action: str | None = None) -> None:
        link = LinkRecord(
            stub=str(stub),
            feedback_action=action,
            epoch=7,
            expires_at_ms=int(time.time() * 1000) + left_ms,
            timeout_hours=24,
        )
        state = StateRecord(channel="webchat", chat_name="draftshop", last_sequence=9, link=link)
        await self._records.write(session_key(self._org, session), encode(dump(state)), revision=None)
        await self.note(stub, session)


@pytest.fixture
def links(connection: Connection, publisher: Publisher, org: str) -> Links:
    return Links(Records(connection, publisher, STUBSESSIONS), OrgId(org))


async def test_live_links_are_shown_with_the_action_that_will_run(cli: Cli, org: str, links: Links) -> None:
    await links.set(A, SESSION, left_ms=2 * HOUR_MS)
    await links.set(B, OTHER_SESSION, left_ms=HOUR_MS, action="answer")
    ended = await cli("links", "--org", org)
    assert [(link["stub"], link["session"], link["feedback_action"]) for link in ended.records] == [
        ("desk.B-2", OTHER_SESSION, "answer"),
        ("demo.A-1", SESSION, "_update_from_webchat"),
    ]
    assert 3_500 < ended.records[0]["left_s"] <= 3_600


async def test_a_link_of_a_number_shows_the_number_and_its_profile(cli: Cli, org: str, links: Links) -> None:
    await links.set(A, SESSION, left_ms=HOUR_MS)
    await links.note(A, SESSION, "27820000000")
    (link,) = (await cli("links", "--org", org, "--stub", str(A))).records
    assert (link["endpoint"], link["profile"], link["session"]) == ("27820000000", "draftshop", SESSION)


@pytest.mark.check(35)
async def test_check_35_an_expired_link_is_never_shown_swept_or_not(cli: Cli, org: str, links: Links) -> None:
    await links.set(A, SESSION, left_ms=-1)
    ended = await cli("links", "--org", org)
    assert (ended.code, ended.records) == (0, [])
    assert f"org {org} has no live links" not in ended.out


@pytest.mark.check(20)
async def test_check_20_an_index_that_lags_shows_no_old_owner(cli: Cli, org: str, links: Links) -> None:
    await links.note(A, SESSION)
    await links.note(A, OTHER_SESSION)
    await links.set(B, SESSION, left_ms=HOUR_MS)
    assert [link["stub"] for link in (await cli("links", "--org", org)).records] == ["desk.B-2"]
    assert (await cli("links", "--org", org, "--stub", str(A))).records == []


async def test_one_stub_lists_its_links_alone(cli: Cli, org: str, links: Links) -> None:
    await links.set(A, SESSION, left_ms=HOUR_MS)
    await links.set(B, OTHER_SESSION, left_ms=HOUR_MS)
    found = (await cli("links", "--org", org, "--stub", str(A))).records
    assert [link["session"] for link in found] == [SESSION]


async def test_another_orgs_links_are_not_shown(cli: Cli, org: str, links: Links) -> None:
    await links.set(A, SESSION, left_ms=HOUR_MS)
    assert (await cli("links", "--org", "0f6c2f58-8f43-5a0e-9b7e-000000000000")).records == []


async def test_stubs_are_listed_newest_first_and_shown_one_by_one(
    cli: Cli, org: str, connection: Connection, publisher: Publisher
) -> None:
    for stub, at_ms in ((A, 1_000), (B, 2_000)):
        bucket = stubs_bucket(stub.service)
        await ensure_bucket(connection, bucket)
        record = StubRecord(
            stubref=stub.ref, context="default", branch="draft", data={"name": "Ada"}, created_at_ms=at_ms
        )
        key = stub_key(OrgId(org), stub.ref)
        await Records(connection, publisher, bucket).write(key, encode(dump(record)), revision=None)
    assert [stub["stub"] for stub in (await cli("stubs", "--org", org)).records] == [str(B), str(A)]
    assert [stub["stub"] for stub in (await cli("stubs", "--org", org, "--service", "demo")).records] == [str(A)]
    (one,) = (await cli("stubs", str(A), "--org", org)).records
    assert (one["stub"], one["context"], one["data"]) == (str(A), "default", {"name": "Ada"})


async def test_a_stub_is_closed_by_a_linker_and_only_when_somebody_said_yes(
    server: EmbeddedServer, cli: Cli, org: str
) -> None:
    assert "say --yes" in (await cli("stubs", "close", str(A), "--org", org)).refusal
    with worker_process("linker", server.url):
        (closed,) = (await cli("stubs", "close", str(A), "--org", org, "--yes")).records
    assert closed == {"stub": str(A), "links": 0, "registrations": 0}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(("stubs", "close", "ABCD", "--yes"), "expected <service>.<stubref>", id="no stub's name to close"),
        pytest.param(("stubs", "demo.NONE-1"), "stub demo.NONE-1 of org", id="a stub that is not there"),
        pytest.param(("stubs", "nobody.NONE-1"), "stub nobody.NONE-1 of org", id="a service that is not there"),
        pytest.param(("stubs", "ABCD"), "expected <service>.<stubref>", id="no stub's name"),
        pytest.param(("links", "--stub", "ABCD"), "expected <service>.<stubref>", id="no stub's name for links"),
        pytest.param(("chats", "create", "Shop"), "bad chat name 'Shop'", id="upper case"),
        pytest.param(("chats", "create", "a.b"), "bad chat name 'a.b'", id="a dot"),
        pytest.param(("chats", "create", "draftshop"), "not beginning with 'draft'", id="a branch in the name"),
        pytest.param(("chats", "create", "shop", "--branch", "test"), "'draft' or 'live'", id="no such branch"),
    ],
)
async def test_what_cannot_be_asked_is_refused_in_one_line(
    cli: Cli, org: str, arguments: tuple[str, ...], expected: str
) -> None:
    assert expected in (await cli(*arguments, "--org", org)).refusal


@pytest.mark.parametrize("command", ["links", "stubs", "registrations"])
async def test_a_bad_org_is_refused(cli: Cli, command: str) -> None:
    assert "bad org uuid 'acme'" in (await cli(command, "--org", "acme")).refusal


async def test_an_unknown_worker_lists_the_known_ones(cli: Cli) -> None:
    refusal = (await cli("worker", "linkr")).refusal
    assert "no worker is called 'linkr'" in refusal
    assert "demo, expiry, giosg, linker, programs, webchat" in refusal


async def test_every_subject_of_the_contract_is_listed(cli: Cli) -> None:
    names = {row["name"] for row in (await cli("subjects")).records}
    assert {"initialize", "notification", "stubsession.linked", "run", "dead letter", "profilecreate"} <= names


async def test_a_subject_is_explained_token_by_token(cli: Cli, org: str) -> None:
    subject = f"stubber.systems.notifications.webchat.org.{org}.name.draftshop.webchatmessagetype.initialize"
    (explained,) = (await cli("subjects", "check", subject)).records
    assert [token["token"] for token in explained["tokens"]] == subject.split(".")
    assert (explained["row"], explained["stream"]) == ("initialize", "CONVERSATIONS")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("stubber.systems.notifications.webchat.org.acme", "bad org uuid 'acme'", id="a bad uuid"),
        pytest.param("stubber.systems.notifications.webchat.org.acme.>", "bad org uuid 'acme'", id="in a pattern"),
        pytest.param("orders.#.x", "no subject of ours can match", id="a pattern of somebody else"),
    ],
)
async def test_what_is_wrong_with_a_subject_is_one_line(cli: Cli, text: str, expected: str) -> None:
    assert expected in (await cli("subjects", "check", text)).refusal


async def test_a_pattern_lists_what_it_reaches(cli: Cli, org: str) -> None:
    ended = await cli("subjects", "check", f"stubber.systems.notifications.webchat.org.{org}.name.#.#.initialize")
    assert ended.records[0]["matches"] == ["initialize"]


@pytest.mark.parametrize(
    "words",
    [
        "dev",
        "worker",
        "tap",
        "publish",
        "explain",
        "links",
        "timers",
        "stubs",
        "stubs close",
        "registrations",
        "chats list",
        "chats create",
        "channels list",
        "channels show",
        "channels create",
        "channels change",
        "channels deploy",
        "channels deployments",
        "channels remove",
        "subjects",
        "subjects check",
        "deadletters list",
        "deadletters show",
        "deadletters redrive",
        "deadletters drop",
    ],
)
async def test_every_command_explains_itself_with_an_example(cli: Cli, words: str) -> None:
    ended = await cli(*words.split(), "--help")
    assert ended.code == 0
    assert f"Usage: heimdall {words}" in ended.out
    assert "Example" in ended.out


@pytest.mark.parametrize("arguments", [("chats", "list"), ("registrations",)])
async def test_a_question_that_no_linker_is_there_to_answer_says_how_to_start_one(
    cli: Cli, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    async with nats_server(tmp_path) as alone:
        ended = await cli(*arguments, url=alone.url)
    assert "start one with 'heimdall worker linker'" in ended.refusal
