"""`heimdall channels`, answered by the webim worker's own code on a real bus; a test plays the worker `programs`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from broker.cli.channels import waiting as channels_waiting
from broker.codec import decode, encode
from broker.domain.deployments import DEPLOYMENT
from broker.runtime.embedded import EmbeddedServer, nats_server
from broker.transport.commands import channel_verbs, serve_commands
from broker.transport.connection import Connection
from broker.transport.publisher import Publisher
from broker.transport.records import Records
from broker.transport.topology import CHANNELS, PROGRAMS
from tests.integration.cli.conftest import Cli, Ended
from tests.processes import free_port, worker_process
from workers.webim.administration.admin import ChannelAdmin
from workers.webim.administration.commands import ChannelCommands
from workers.webim.administration.store import ChannelStore
from workers.webim.administration.wishes import ChannelWishes
from workers.webim.channel import WEBIM

COMMIT = "3f786850e387550fdab836ed7e6dc881de23001b"
LOG = "fetched master\nchecked: 14 files\n"
Channels = Callable[..., Any]


@pytest.fixture
def programs(connection: Connection, publisher: Publisher) -> Records:
    return Records(connection, publisher, PROGRAMS)


@pytest_asyncio.fixture
async def channels(
    cli: Cli, org: str, connection: Connection, publisher: Publisher, programs: Records
) -> AsyncIterator[Channels]:
    """``await channels("create", "--domain", "x")``: the command for the test's own org."""
    store = ChannelStore(Records(connection, publisher, CHANNELS))
    admin = ChannelAdmin(store, ChannelWishes(store, programs), public_url="https://heimdall.example.org")

    async def run(*arguments: str) -> Ended:
        return await cli("channels", *arguments, "--org", org)

    async with serve_commands(connection, ChannelCommands(admin), name="test-webim", endpoints=channel_verbs(WEBIM)):
        yield run


@contextlib.asynccontextmanager
async def deploying(programs: Records, org: str, **end: object) -> AsyncIterator[None]:
    """Take every deployment of the org and end it so, as the worker `programs` would."""

    async def work() -> None:
        while True:
            for entry in await programs.entries(f"{org}.{DEPLOYMENT}"):
                found = decode(entry.value)
                if found["status"] == "pending":
                    running = {**found, "status": "running", "log": LOG}
                    revision = await programs.write(entry.key, encode(running), revision=entry.revision)
                    ended = {**running, "ended_at_ms": found["asked_at_ms"] + 1_500, **end}
                    await programs.write(entry.key, encode(ended), revision=revision)
            await asyncio.sleep(0.02)

    working = asyncio.create_task(work())
    try:
        yield
    finally:
        working.cancel()
        await asyncio.wait({working})


async def test_a_channel_is_created_and_its_deployment_waited_for(
    channels: Channels, programs: Records, org: str, tmp_path: Path
) -> None:
    secret = tmp_path / "token"
    secret.write_text("planted-bot-token\n")
    async with deploying(programs, org, status="succeeded", kind="branch", commit=COMMIT):
        ended = await channels(
            *("create", "--name", "Shop", "--domain", "examplecom", "--bot-token-file", str(secret)),
            *("--set", "v1_timeout_ms=8000", "--set", "deliver_init_replies=true", "--set", "api_version=2"),
        )
    (created,) = ended.records
    assert (ended.code, created["status"], created["active"]["commit"]) == (0, "ready", COMMIT)
    assert created["endpoint_url"].startswith("https://heimdall.example.org/chatapi/webim/")
    assert (created["v1_timeout_ms"], created["deliver_init_replies"], created["api_version"]) == (8_000, True, "2")
    assert created["bot_api_token_set"]
    assert "checked: 14 files" in ended.err
    assert "planted" not in ended.out + ended.err


async def test_a_deployment_that_fails_ends_with_1_and_its_log(channels: Channels, programs: Records, org: str) -> None:
    async with deploying(programs, org, status="failed", error="unknown_ref", log=f"{LOG}no branch 'x'"):
        ended = await channels("create", "--domain", "examplecom", "--branch", "x")
    assert (ended.code, ended.records[0]["status"]) == (1, "failed")
    assert "failed with unknown_ref" in ended.err
    assert "no branch 'x'" in ended.err
    async with deploying(programs, org, status="failed", error="tests_failed"):
        again = await channels("deploy", ended.records[0]["id"])
    assert (again.code, again.records[0]["error"]) == (1, "tests_failed")


async def test_nobody_waits_who_does_not_want_to(channels: Channels) -> None:
    created = await channels("create", "--domain", "examplecom", "--no-wait")
    assert (created.code, created.records[0]["status"]) == (0, "deploying")
    refused = await channels("deploy", created.records[0]["id"], "--no-wait")
    assert "is being deployed already" in refused.refusal


async def test_whoever_waits_for_nobody_is_told(channels: Channels, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels_waiting, "UNTOUCHED_S", 0.1)
    monkeypatch.setattr(channels_waiting, "WAIT_S", 1.2)
    ended = await channels("create", "--domain", "examplecom")
    assert ended.code == 1
    assert "'heimdall worker programs' starts one" in ended.err
    assert "has not ended after" in ended.err


async def test_a_channel_is_listed_shown_changed_and_removed_by_its_name(
    channels: Channels, programs: Records, org: str
) -> None:
    async with deploying(programs, org, status="succeeded", kind="branch", commit=COMMIT):
        (created,) = (await channels("create", "--name", "Shop chat", "--domain", "examplecom")).records
    ended = await channels("list")
    assert [channel["name"] for channel in ended.records] == ["Shop chat"]
    assert created["access_token"][:5] not in ended.out
    assert (await channels("show", "shop CHAT")).records == [created]
    changed = await channels("change", "Shop chat", "--branch", "v2", "--set", "max_text_len=500")
    assert [(one["branch"], one["max_text_len"]) for one in changed.records] == [("v2", 500)]
    assert "it is being deployed" in changed.err
    found = (await channels("deployments", "Shop chat")).records
    assert [one["ref"] for one in found] == ["v2", "master"]
    (one,) = (await channels("deployments", "Shop chat", found[1]["id"])).records
    assert one["log"] == LOG
    assert "say --yes" in (await channels("remove", "Shop chat")).refusal
    assert (await channels("remove", "Shop chat", "--yes")).records == [{"id": created["id"], "removed": True}]
    empty = await channels("list")
    assert (empty.code, empty.out) == (0, "")


async def test_fields_are_removed_by_name(channels: Channels, tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_bytes(b" planted \r\n")
    login = ("--email", "admin@example.com", "--password-file", str(secret))
    (created,) = (await channels("create", "--domain", "examplecom", *login, "--no-wait")).records
    assert created["password_set"]
    changed = await channels("change", created["id"], "--unset", "email", "--unset", "password")
    assert (changed.records[0]["email"], changed.records[0]["password_set"]) == (None, False)


async def test_every_mistake_is_told_in_one_sentence(channels: Channels) -> None:
    wrong = ("--domain", "https://examplecom.webim.ru", "--branch", "a..b", "--set", "depoyment=manual")
    refusal = (await channels("create", *wrong)).refusal
    assert "enter `examplecom`" in refusal
    assert "branch: give a branch, a tag or a commit" in refusal
    assert "depoyment: leave it out, or write 'deployment'" in refusal


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(("show", "Nothing"), "has no channel 'Nothing': 'heimdall channels list'", id="an unknown name"),
        pytest.param(("remove", "ch0123456789ab", "--yes"), "'heimdall channels list' shows", id="an unknown id"),
        pytest.param(("create", "--set", "password=x"), "give it by --password-file", id="a secret as an argument"),
        pytest.param(("create", "--set", "x"), "'x' is not FIELD=VALUE", id="no value"),
        pytest.param(("create", "--bot-token-file", "/nowhere/x"), "No such file or directory", id="no file"),
        pytest.param(("create", "--email", "a@b.example", "--domain", "a"), "'email' needs it", id="no password"),
        pytest.param(("change", "x"), "say what to change", id="nothing to change"),
        pytest.param(("list", "--type", "Webim"), "bad channel name 'Webim'", id="no kind of channel"),
    ],
)
async def test_what_cannot_be_done_is_refused_in_one_line(
    channels: Channels, arguments: tuple[str, ...], expected: str
) -> None:
    assert expected in (await channels(*arguments)).refusal


async def test_a_question_that_no_adapter_is_there_to_answer_says_how_to_start_one(cli: Cli, tmp_path: Path) -> None:
    async with nats_server(tmp_path) as alone:
        ended = await cli("channels", "list", url=alone.url)
    assert "no worker 'webim' is there to answer 'list': start one with 'heimdall worker webim'" in ended.refusal


async def test_the_worker_answers_the_commands(cli: Cli, server: EmbeddedServer, org: str) -> None:
    with worker_process("webim", server.url, HEIMDALL_WEBIM_PORT=str(free_port())):
        created = await cli("channels", "create", "--domain", "examplecom", "--no-wait", "--org", org)
        listed = await cli("channels", "list", "--org", org)
    assert [one["id"] for one in listed.records] == [created.records[0]["id"]]
