"""`heimdall giosg verify`, and the settings that it reads: checks 2 and 3."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from broker.runtime.settings import child_environment
from tests.conftest import TIME_FACTOR, poll
from tests.integration.giosg.api_fixtures import a_connection
from tests.integration.giosg.conftest import Desk
from tests.processes import free_port
from tests.standins.giosg_control import API_TOKEN, ORGANIZATION_ID, ROOM_ID, Giosg
from workers.giosg.checking.at_start import self_test
from workers.giosg.connections.connection import Connections
from workers.giosg.hearing.verifying import PROBE_ACTION
from workers.giosg.verify import main

SECRET = "planted-webhook-secret-0123456789"
ENVIRONMENT = {"GIOSG_TOKEN": API_TOKEN, "GIOSG_SECRET": SECRET, "GIOSG_SHORT": "too-short"}
KINDS = ("chats", "messages")
RUN_WAIT_S = 60.0 * TIME_FACTOR


@dataclass(frozen=True)
class Result:
    """What one run of the command left behind."""

    code: int
    records: list[dict[str, Any]]
    output: str

    def state(self, check: str) -> str:
        """How one check ended."""
        return str(self.record(check)["state"])

    def record(self, check: str) -> dict[str, Any]:
        """All of it."""
        (found,) = [one for one in self.records if one.get("check") == check]
        return found

    @property
    def failed(self) -> dict[str, str]:
        """What failed, with what to do about it."""
        return {one["check"]: one["mend"] for one in self.records if one.get("state") == "failed"}


Verify = Callable[..., Awaitable[Result]]


@pytest.fixture
def verify(capsys: pytest.CaptureFixture[str]) -> Verify:
    """The command as in a pipe; in this process, since starting one takes longer than all that it does."""

    async def run(*arguments: str) -> Result:
        code = await asyncio.to_thread(main, arguments, ENVIRONMENT)
        return _result(code, capsys.readouterr().out)

    return run


def _result(code: int, output: str) -> Result:
    assert API_TOKEN not in output
    return Result(code, [json.loads(line) for line in output.splitlines() if line.startswith("{")], output)


async def test_the_command_is_heimdall_giosg_verify(giosg: Giosg, tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "broker.cli", "giosg", "verify", "support", a_file(tmp_path, giosg)),
        env=child_environment(ENVIRONMENT),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(RUN_WAIT_S):
        out, err = await process.communicate()
    assert err == b""
    assert process.returncode == 1
    assert list(_result(1, out.decode()).failed) == [f"webhook {kind}: address" for kind in KINDS]


def a_file(folder: Path, giosg: Giosg, **changes: Any) -> str:
    """A file with one connection; a change to None leaves the key out."""
    given: dict[str, Any] = {
        "org": ORGANIZATION_ID,
        "base_url": giosg.url,
        "organization_id": ORGANIZATION_ID,
        "room_id": ROOM_ID,
        "api_token": {"env": "GIOSG_TOKEN"},
        "webhook_secret": {"env": "GIOSG_SECRET"},
        "webhook_public_url": f"http://127.0.0.1:{free_port()}",
    }
    path = folder / "giosg.toml"
    lines = [f"{key} = {_toml(value)}" for key, value in (given | changes).items() if value is not None]
    path.write_text("\n".join(["[connections.support]", *lines]))
    return f"--file={path}"


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + " }"
    return json.dumps(value)


async def test_check_02_all_problems_are_named_at_once_and_nothing_is_sent(
    verify: Verify, giosg: Giosg, tmp_path: Path
) -> None:
    wrong = {
        "organization_id": ORGANIZATION_ID.upper().replace("-", ""),
        "api_token": None,
        "webhook_secret": {"env": "GIOSG_SHORT"},
    }
    result = await verify(a_file(tmp_path, giosg, **wrong))
    assert result.code == 1
    found = [one["found"] for one in result.records]
    assert [one["check"] for one in result.records] == ["settings"] * 3
    for place, told in (("organization_id", "uuid"), ("api_token", "missing"), ("webhook_secret", "at least 24")):
        assert any(f"connections.support.{place}" in one and told in one for one in found), place
    assert "too-short" not in result.output
    assert await giosg.calls() == []


async def test_check_02_an_upper_case_organization_id_is_folded(verify: Verify, giosg: Giosg, tmp_path: Path) -> None:
    result = await verify(a_file(tmp_path, giosg, organization_id=ORGANIZATION_ID.upper()))
    assert result.state("organization") == "ok"


async def test_check_03_plain_http_to_another_machine_is_refused(verify: Verify, giosg: Giosg, tmp_path: Path) -> None:
    result = await verify(a_file(tmp_path, giosg, base_url="http://service.giosg.com"))
    assert result.code == 1
    (found,) = [one["found"] for one in result.records]
    assert "connections.support.base_url: expected https" in found


async def test_a_connection_that_works_has_nothing_to_mend(verify: Verify, giosg: Giosg, tmp_path: Path) -> None:
    async with worker_like() as endpoint:
        file = a_file(tmp_path, giosg, webhook_public_url=endpoint.url)
        result = await verify("support", file)
        assert result.failed == {}
        assert result.code == 0
        assert [one["state"] for one in result.records if "check" in one] == ["ok"] * (6 + 3 * len(KINDS))
        urls = {one["webhook"]: one for one in result.records if "webhook" in one}
        assert urls["messages"]["channel"] == "/api/v5/orgs/{organization_id}/owned_chats/*/messages"
        assert urls["messages"]["events"] == ["additions", "changes", "deletions"]
        assert urls["chats"]["url"] == f"{endpoint.url}/giosg/support/chats?secret=…"
        assert SECRET not in result.output
        shown = await verify("support", file, "--show-secrets")
        assert f'"{endpoint.url}/giosg/support/chats?secret={SECRET}"' in shown.output
        channels = {body["channel"] for body in endpoint.bodies}
        assert channels == {
            f"/api/v5/orgs/{ORGANIZATION_ID}/owned_chats",
            f"/api/v5/orgs/{ORGANIZATION_ID}/owned_chats/heimdall-verify/messages",
        }
    assert [call.path for call in await giosg.calls()] == [f"/api/v5/orgs/{ORGANIZATION_ID}/rooms/{ROOM_ID}"] * 2


@pytest.mark.parametrize(
    ("status", "failed", "mend"),
    [
        pytest.param(401, "API token", "make a new API token", id="401"),
        pytest.param(403, "organization", "compare organization_id with 'Account UUID'", id="403"),
        pytest.param(404, "room", "compare room_id with 'Room ID'", id="404"),
        pytest.param(301, "giosg", "does not look like giosg", id="301"),
        pytest.param(502, "giosg", "status.giosg.com", id="502"),
    ],
)
async def test_what_giosg_refuses_is_told_with_how_to_mend_it(
    verify: Verify, giosg: Giosg, tmp_path: Path, status: int, failed: str, mend: str
) -> None:
    await giosg.fault(path="/rooms/*", status=status, count=None)
    async with worker_like() as endpoint:
        result = await verify(a_file(tmp_path, giosg, webhook_public_url=endpoint.url))
    assert result.code == 1
    assert list(result.failed) == [failed]
    assert mend in result.failed[failed]
    assert result.state("agents") == "skipped"


async def test_a_wrong_token_organization_and_room_are_told_apart(verify: Verify, giosg: Giosg, tmp_path: Path) -> None:
    other = "2c8c3d3e-7c3e-4d80-9f75-8b2b7b8f4c03"
    async with worker_like() as endpoint:
        for change, failed in (({"organization_id": other}, "organization"), ({"room_id": other}, "room")):
            result = await verify(a_file(tmp_path, giosg, webhook_public_url=endpoint.url, **change))
            assert list(result.failed) == [failed]
        await giosg.api_tokens("another")
        result = await verify(a_file(tmp_path, giosg, webhook_public_url=endpoint.url))
        assert list(result.failed) == ["API token"]


async def test_a_room_that_is_offline_is_a_warning(verify: Verify, giosg: Giosg, tmp_path: Path) -> None:
    await giosg.room("offline")
    async with worker_like() as endpoint:
        result = await verify(a_file(tmp_path, giosg, webhook_public_url=endpoint.url))
    assert result.code == 0
    assert result.state("agents") == "warning"
    assert "pressed Start" in result.record("agents")["mend"]


async def test_a_giosg_and_a_worker_that_are_not_there_are_told(verify: Verify, giosg: Giosg, tmp_path: Path) -> None:
    result = await verify(a_file(tmp_path, giosg, base_url=f"http://127.0.0.1:{free_port()}"))
    assert result.code == 1
    assert set(result.failed) == {"giosg", "webhook chats: address", "webhook messages: address"}
    assert "start the giosg worker" in result.failed["webhook chats: address"]


@pytest.mark.parametrize(
    ("statuses", "failed", "mend"),
    [
        pytest.param({"GET": 404}, "address", "a worker without this connection", id="not found"),
        pytest.param({"GET": 502}, "address", "does not reach it", id="proxy without a worker"),
        pytest.param({"GET": 301}, "address", "redirects", id="redirect"),
        pytest.param({"GET": 200}, "address", "something else than the worker", id="a web page"),
        pytest.param({"wrong": 200}, "wrong secret", "pass the whole address on", id="everybody is let in"),
        pytest.param({"right": 403}, "our secret", "another secret than this shell", id="another secret"),
        pytest.param({"right": 503}, "our secret", "see whether NATS runs", id="no bus"),
    ],
)
async def test_a_webhook_address_that_does_not_do_is_told_with_how_to_mend_it(
    verify: Verify, giosg: Giosg, tmp_path: Path, statuses: Mapping[str, int], failed: str, mend: str
) -> None:
    async with worker_like(**statuses) as endpoint:
        result = await verify(a_file(tmp_path, giosg, webhook_public_url=endpoint.url))
    assert result.code == 1
    assert list(result.failed) == [f"webhook {kind}: {failed}" for kind in KINDS]
    assert all(mend in one for one in result.failed.values())


async def test_a_connection_that_is_not_in_the_file_is_told(verify: Verify, giosg: Giosg, tmp_path: Path) -> None:
    result = await verify("sales", a_file(tmp_path, giosg))
    assert (result.code, result.records[0]["found"]) == (1, "the file has no connection 'sales': it has support")


async def test_without_a_file_it_is_told_where_to_name_one(verify: Verify) -> None:
    result = await verify("--json")
    assert result.code == 1
    assert "HEIMDALL_GIOSG_CONNECTIONS" in result.records[0]["found"]


async def test_a_running_worker_answers_as_it_should(verify: Verify, desk: Desk, tmp_path: Path) -> None:
    result = await verify(f"--file={tmp_path / 'giosg.toml'}")
    assert result.failed == {}
    assert (result.code, result.state("webhook chats: our secret")) == (0, "ok")


async def test_the_self_test_says_in_the_log_what_is_wrong(
    giosg: Giosg, org: str, capsys: pytest.CaptureFixture[str]
) -> None:
    fine = a_connection(giosg, org, name="fine")
    wrong = a_connection(giosg, org, name="wrong", room_id=org)
    stop = asyncio.Event()
    testing = asyncio.create_task(self_test(Connections([fine, wrong]), stop))
    found: list[str] = []

    def told() -> bool:
        found.extend(line for line in capsys.readouterr().out.splitlines() if "connection_test" in line)
        return len(found) == 2

    await poll(told)
    stop.set()
    await testing
    assert "connection_tested" in found[0]
    assert all(word in found[1] for word in ("connection_test_failed", "room", "compare room_id"))


@dataclass
class WorkerLike:
    """Answers as the worker does, or as a test has it: ``GET``, ``wrong`` and ``right`` secret."""

    statuses: Mapping[str, int]
    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One call."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            method, target, _ = head[0].split(" ")
            lengths = [int(line.partition(":")[2]) for line in head if line.lower().startswith("content-length:")]
            if body := await reader.readexactly(sum(lengths)):
                self.bodies.append(json.loads(body))
                assert self.bodies[-1]["action"] == PROBE_ACTION
            is_ours = parse_qs(urlsplit(target).query).get("secret") == [SECRET]
            status = self.statuses["GET" if method == "GET" else "right" if is_ours else "wrong"]
            writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}".encode())
            await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def worker_like(**statuses: int) -> AsyncIterator[WorkerLike]:
    """What stands at the webhooks' public address."""
    found = WorkerLike({"GET": 405, "wrong": 403, "right": 200, **statuses})
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    async with server:
        found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield found
