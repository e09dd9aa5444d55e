from __future__ import annotations

import json
from pathlib import Path
from uuid import uuid4

import pytest

from broker.domain.ids import OrgId
from broker.domain.subjects import CommandSubject, Kind
from broker.runtime.embedded import free_port, nats_server
from broker.transport.connection import Connection, connect
from broker.transport.ensure import ensure
from broker.transport.reader import read_one
from tests.integration.cli.conftest import (
    OTHER_SESSION,
    SESSION,
    Cli,
    conversation,
    notification_body,
    visitor_body,
)

STUB = "demo.2024-11-11-ABCD"


async def test_a_stored_message_is_told_by_its_sequence_and_carries_what_was_typed(
    cli: Cli, org: str, connection: Connection
) -> None:
    subject = conversation(org).subject(Kind.NOTIFICATION)
    ended = await cli("publish", subject, notification_body("hello"), "--stub", STUB, "--id", "m1")
    assert (ended.code, ended.err) == (0, "")
    (told,) = ended.records
    stored = await read_one(connection, "CONVERSATIONS", told["sequence"])
    assert stored is not None
    assert stored.public_subject == subject
    assert json.loads(stored.data) == json.loads(notification_body("hello"))
    assert stored.headers["Heimdall-Stub"] == STUB
    assert stored.headers["Nats-Msg-Id"] == told["id"] == "m1"
    assert stored.headers["Content-Type"] == "application/json"


async def test_the_same_id_again_is_stored_once(cli: Cli, org: str) -> None:
    arguments = ("publish", conversation(org).subject(Kind.MESSAGE), visitor_body("hei"), "--id", str(uuid4()))
    first, second = (await cli(*arguments)).records[0], (await cli(*arguments)).records[0]
    assert (first["duplicate"], second["duplicate"]) == (False, True)
    assert first["sequence"] == second["sequence"]


async def test_a_body_may_come_from_a_file_as_msgpack(cli: Cli, org: str, tmp_path: Path) -> None:
    msgpack_of_a_signal = b"\x81\xa2on\xc3"
    (tmp_path / "body").write_bytes(msgpack_of_a_signal)
    ended = await cli("publish", conversation(org).signal("typing"), f"@{tmp_path / 'body'}")
    assert ended.records == [{"subject": conversation(org).signal("typing"), "stored": False}]


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        pytest.param(
            "stubber.systems.notifications.webchat.org.{org}.name.Draft!shop", "bad chat name", id="chat name"
        ),
        pytest.param("stubber.systems.notifications.webchat.org.acme.name.draftshop", "bad org uuid", id="org uuid"),
        pytest.param("orders.created", "does not begin with 'stubber.systems.'", id="not ours at all"),
        pytest.param("stubber.systems.orders.x", "unknown area 'orders'", id="unknown area"),
        pytest.param("stubber.systems.commands.org.{org}.explode", "bad verb 'explode'", id="unknown verb"),
    ],
)
async def test_a_subject_outside_the_grammar_is_refused_with_the_place(
    cli: Cli, org: str, subject: str, expected: str
) -> None:
    assert expected in (await cli("publish", subject.format(org=org), "{}")).refusal


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param("hello", "neither a msgpack map nor a JSON object", id="no JSON"),
        pytest.param('{"platforms": }', "line 1 column 15", id="JSON with a mistake: the place"),
        pytest.param("[1]", "it is JSON, but no object", id="no object"),
        pytest.param("{}", "platforms.webchat: an object is required here", id="a member is missing"),
        pytest.param(
            notification_body("x", OTHER_SESSION),
            "sessionuuid: it is not the one in the subject",
            id="another session than its subject",
        ),
        pytest.param(
            notification_body("x", set_new_with_timeout_hours=0),
            "set_new_with_timeout_hours: Input should be greater than 0",
            id="0 hours",
        ),
        pytest.param(
            notification_body("x", set_new_with_timeout_hours=-1),
            "set_new_with_timeout_hours: Input should be greater than 0",
            id="negative hours",
        ),
        pytest.param(
            notification_body("x").replace('"text", ', '"buttons", '), "'text', 'markdown'", id="unknown type"
        ),
        pytest.param("@/nowhere/body.json", "No such file or directory", id="no such file"),
    ],
)
async def test_a_body_that_its_subject_does_not_promise_is_refused_before_it_is_sent(
    cli: Cli, org: str, body: str, expected: str
) -> None:
    ended = await cli("publish", conversation(org).subject(Kind.NOTIFICATION), body, "--stub", STUB)
    assert expected in ended.refusal
    assert (await cli("tap", "--org", org, "--since", "all", "--no-follow")).records == []


async def test_a_wish_for_a_link_needs_its_stub(cli: Cli, org: str) -> None:
    body = notification_body("x", set_new_with_timeout_hours=24)
    subject = conversation(org).subject(Kind.NOTIFICATION)
    assert "Heimdall-Stub: <service>.<stubref>" in (await cli("publish", subject, body)).refusal
    assert (await cli("publish", subject, body, "--stub", STUB)).code == 0
    assert (await cli("publish", subject, json.dumps({**json.loads(body), "stub": STUB}))).code == 0


@pytest.mark.parametrize(
    ("kind", "writer"),
    [
        pytest.param(Kind.LINKED, "only the linker", id="a link fact"),
        pytest.param(Kind.EXPIRED, "only the linker", id="another link fact"),
        pytest.param(Kind.TIMEOUT, "only the expiry worker", id="what the clock says"),
    ],
)
async def test_facts_cannot_be_forged_from_the_shell(cli: Cli, org: str, kind: Kind, writer: str) -> None:
    assert writer in (await cli("publish", conversation(org).subject(kind), "{}")).refusal


async def test_timers_are_the_servers(cli: Cli, org: str) -> None:
    assert "only a worker or the server" in (await cli("publish", conversation(org).timer("link"), "{}")).refusal


async def test_a_bad_stub_name_is_refused(cli: Cli, org: str) -> None:
    subject = conversation(org).subject(Kind.NOTIFICATION)
    assert "<service>.<stubref>" in (await cli("publish", subject, notification_body("x"), "--stub", "ABCD")).refusal


async def test_no_server_is_one_line_that_says_what_to_do(cli: Cli, org: str) -> None:
    url = f"nats://127.0.0.1:{free_port()}"
    ended = await cli("publish", conversation(org).subject(Kind.MESSAGE), visitor_body("x"), url=url)
    assert f"no NATS server answers at {url}: start one with 'make dev'" in ended.refusal


async def test_an_address_that_is_none_is_one_line_too(cli: Cli, org: str) -> None:
    ended = await cli("publish", conversation(org).subject(Kind.MESSAGE), visitor_body("x"), url="nats://[")
    assert "no NATS server answers at" in ended.refusal


async def test_a_command_that_nobody_answers_says_who_would(cli: Cli, org: str, tmp_path: Path) -> None:
    subject, body = str(CommandSubject(OrgId(org), "session")), json.dumps({"sessionuuid": SESSION})
    async with nats_server(tmp_path) as alone:
        ended = await cli("publish", subject, body, url=alone.url)
    assert "start one with 'heimdall worker linker'" in ended.refusal


async def test_an_option_that_does_not_exist_is_a_usage_error(cli: Cli, org: str) -> None:
    ended = await cli("publish", "x", "--loud")
    assert ended.code == 2
    assert "see 'heimdall publish --help'" in ended.refusal


async def test_a_full_log_is_told_in_one_line(cli: Cli, org: str, tmp_path: Path) -> None:
    async with nats_server(tmp_path) as alone:
        async with connect(alone.url, name="test") as connection:
            await ensure(connection, log_bytes_max=2_000)
        arguments = ("publish", conversation(org).subject(Kind.MESSAGE), visitor_body("x" * 800))
        while (ended := await cli(*arguments, url=alone.url)).code == 0:
            pass
    assert "stubber.systems.notifications is full" in ended.refusal
    assert SESSION[:9] not in ended.err
