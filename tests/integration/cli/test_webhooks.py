"""The calls of outside systems, at the command line: listed, followed, opened, and never with what people wrote."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from broker.codec import encode
from broker.domain.ids import ChannelName, ConnectionName, OrgId
from broker.domain.subjects import WebhookOutcome, WebhookSubject
from broker.domain.webhooks import StoredWebhook, WebhookFacts
from broker.domain.wire import dump
from broker.runtime.embedded import nats_server
from broker.transport.publisher import Publisher
from tests.integration.cli.conftest import Cli, started

CONTENT: dict[str, Any] = {
    "channel": "/api/v5/orgs/o1/owned_chats/c1/messages",
    "action": "added",
    "resource_id": "m1",
    "resource": {"id": "m1", "message": "planted words", "sender_public_name": "planted name"},
}


class Called:
    """Keeps calls as adapters do."""

    def __init__(self, publisher: Publisher, org: str) -> None:
        self._publisher = publisher
        self.org = org

    async def keep(self, outcome: WebhookOutcome = "taken", connection: str = "support", **changes: Any) -> int:
        """One call; its number."""
        facts = {
            "kind": "messages",
            "action": "added",
            "resource_id": "m1",
            "path": f"/giosg/{connection}/messages",
            "status": 200,
            "reason": "stored",
            **changes,
        }
        webhook = WebhookFacts(
            connection=connection,
            method="POST",
            request_id=uuid4().hex,
            received_at_ms=time.time_ns() // 1_000_000,
            duration_ms=0.5,
            size_bytes=100,
            **facts,
        )
        stored = StoredWebhook(webhook=webhook, content=CONTENT if outcome == "taken" else None)
        subject = WebhookSubject(OrgId(self.org), ChannelName("giosg"), ConnectionName(connection), outcome)
        return (await self._publisher.store(str(subject), encode(dump(stored)))).sequence

    async def refuse(self, **changes: Any) -> int:
        """One with a wrong secret."""
        given = {"action": None, "resource_id": None, "status": 403, "reason": "wrong_secret", **changes}
        return await self.keep("refused", **given)


@pytest_asyncio.fixture
async def called(publisher: Publisher, org: str) -> Called:
    return Called(publisher, org)


async def test_each_call_is_listed_with_its_answer_and_why(cli: Cli, called: Called) -> None:
    taken, passed, refused = await called.keep(), await called.keep("passed", reason="duplicate"), await called.refuse()
    found = (await cli("webhooks", "log", "--org", called.org)).records
    assert [(one["call"], one["outcome"], one["status"], one["reason"]) for one in found] == [
        (taken, "taken", 200, "stored"),
        (passed, "passed", 200, "duplicate"),
        (refused, "refused", 403, "wrong_secret"),
    ]
    assert (found[0]["connection"], found[0]["kind"], found[0]["action"]) == ("support", "messages", "added")
    assert "content" not in found[0]


async def test_the_list_is_narrowed(cli: Cli, called: Called) -> None:
    await called.keep()
    sales = await called.keep(connection="sales")
    refused = await called.refuse()

    async def numbers(*arguments: str) -> list[int]:
        return [one["call"] for one in (await cli("webhooks", "log", "--org", called.org, *arguments)).records]

    assert await numbers("--connection", "sales") == [sales]
    assert await numbers("--refused") == [refused]
    assert await numbers("--since", "1h", "--limit", "2") == [sales, refused]
    assert await numbers("--connection", "nobody") == []


async def test_people_get_a_table_and_what_was_left_out(
    cli: Cli, called: Called, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "160")
    await called.keep()
    await called.refuse(left_out=17)
    out = (await cli("webhooks", "log", "--org", called.org)).out
    assert "connection" in out
    assert "wrong_secret (+17)" in out
    assert "\x1b[" in out


async def test_eighty_columns_show_what_a_call_is_about(
    cli: Cli, called: Called, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    await called.keep(resource_id="8402871a-d44f-5004-b188-59f6f1185bb6")
    out = (await cli("webhooks", "log", "--org", called.org)).out
    assert "200 stored             messages added 8402871" in out


async def test_one_call_is_opened_without_what_people_wrote(
    cli: Cli, called: Called, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = str(await called.keep())
    (found,) = (await cli("webhooks", "show", number)).records
    assert found["content"]["resource"] == {"id": "m1", "message": "<13 characters>", "sender_public_name": "<hidden>"}
    monkeypatch.setenv("FORCE_COLOR", "1")
    shown = (await cli("webhooks", "show", number)).out
    assert "stored, to be worked on" in shown
    assert "<13 characters>" in shown
    assert "planted" not in shown


async def test_what_comes_is_followed(cli: Cli, called: Called, server: Any) -> None:
    before = await called.keep()
    arguments = ("webhooks", "log", "--org", called.org, "--follow", "--nats-url", server.url)
    async with started(*arguments) as following:
        assert (await following.record())["call"] == before
        after = await called.refuse()
        assert (await following.record())["call"] == after


async def test_an_empty_list_and_a_call_that_is_not_there_are_said(cli: Cli, org: str) -> None:
    ended = await cli("webhooks", "log", "--org", org)
    assert (ended.code, ended.out) == (0, "")
    assert "no calls" in ended.err
    assert "webhook 999999999" in (await cli("webhooks", "show", "999999999")).refusal


async def test_a_server_without_the_backbone_s_streams_is_said(cli: Cli, org: str, tmp_path: Path) -> None:
    async with nats_server(tmp_path) as bare:
        refusal = (await cli("webhooks", "log", "--org", org, url=bare.url)).refusal
    assert "no stream" in refusal


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        pytest.param(("--org", "nobody"), "org uuid", id="no org"),
        pytest.param(("--connection", "a.>"), "connection name", id="a pattern for a connection"),
        pytest.param(("--since", "soon"), "no time span", id="no span"),
        pytest.param(("--limit", "0"), "limit", id="a limit of nothing"),
    ],
)
async def test_what_was_typed_wrong_is_said_in_one_line(cli: Cli, arguments: tuple[str, ...], problem: str) -> None:
    assert problem in (await cli("webhooks", "log", *arguments)).refusal
