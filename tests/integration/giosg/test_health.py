"""The health of a connection, as all processes of the worker know it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest_asyncio
from pydantic import SecretStr

from broker.transport.connection import Connection
from broker.transport.ensure import ensure_bucket
from broker.transport.publisher import Publisher
from broker.transport.records import Records
from tests.conftest import poll
from workers.giosg.cases.store import CASES, now_ms
from workers.giosg.connections.connection import Connections, GiosgConnection
from workers.giosg.watching.health import Health

TOKEN, SECRET = "planted-api-token", "planted-webhook-secret-xxxxxxxx"


def a_connection(org: str) -> GiosgConnection:
    return GiosgConnection(
        name=f"c{uuid4().hex[:8]}",
        org=org,
        organization_id=str(uuid4()),
        room_id=str(uuid4()),
        api_token=SecretStr(TOKEN),
        webhook_secret=SecretStr(SECRET),
        webhook_public_url="https://heimdall.example.org",
    )


class Processes:
    """Two processes of the worker, as far as health goes."""

    def __init__(self, name: str, here: Health, there: Health) -> None:
        self.name, self.here, self.there = name, here, there


@pytest_asyncio.fixture
async def processes(connection: Connection, publisher: Publisher, org: str) -> AsyncIterator[Processes]:
    await ensure_bucket(connection, CASES)
    records, known = Records(connection, publisher, CASES), a_connection(org)
    here, there = (Health(connection, records, Connections([known]), webhooks_wait_s=0.2) for _ in range(2))
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(here)
        await stack.enter_async_context(there)
        yield Processes(known.name, here, there)


async def test_a_problem_told_in_one_process_is_known_in_the_other(processes: Processes) -> None:
    processes.here.problem(processes.name, "token_refused", "giosg answered 401")
    assert processes.here.has(processes.name, "token_refused")
    await poll(lambda: processes.there.of(processes.name).status == "degraded")
    processes.there.clear(processes.name, "token_refused")
    await poll(lambda: processes.here.of(processes.name).status == "ok")


async def test_7_13_a_message_without_its_echo_degrades_the_connection_until_a_webhook_comes(
    processes: Processes,
) -> None:
    processes.here.message_sent(processes.name)
    await poll(lambda: processes.there.of(processes.name).has("no_webhooks"))
    processes.there.webhook_seen(processes.name)
    await poll(lambda: processes.here.of(processes.name).status == "ok")


async def test_7_13_an_echo_that_another_process_heard_counts(processes: Processes) -> None:
    sent_at_ms = now_ms()
    processes.there.webhook_seen(processes.name)
    await poll(lambda: processes.here.of(processes.name).webhook_at_ms > 0)
    processes.here._sent_at_ms[processes.name] = sent_at_ms
    await poll(lambda: processes.name not in processes.here._sent_at_ms)
    assert processes.here.of(processes.name).status == "ok"


async def test_7_13_an_echo_that_comes_before_the_answer_counts(processes: Processes) -> None:
    processes.here.webhook_seen(processes.name)
    processes.here.message_sent(processes.name)
    await poll(lambda: processes.name not in processes.here._sent_at_ms)
    assert not processes.here.has(processes.name, "no_webhooks")


async def test_the_report_names_the_expected_addresses_and_no_secret(processes: Processes) -> None:
    processes.here.problem(processes.name, "no_webhooks")
    await poll(lambda: processes.here.of(processes.name).status == "degraded")
    report = processes.here.report()
    shown = report["connections"][processes.name]
    assert report["status"] == shown["status"] == "degraded"
    assert [reason["code"] for reason in shown["reasons"]] == ["no_webhooks"]
    assert shown["expected_webhooks"] == [
        f"https://heimdall.example.org/giosg/{processes.name}/{kind}?secret=…" for kind in ("chats", "messages")
    ]
    assert TOKEN not in json.dumps(report)
    assert SECRET not in json.dumps(report)


async def test_problems_of_connections_that_nobody_set_up_are_not_kept(processes: Processes) -> None:
    processes.here.problem("stranger", "giosg_away")
    assert not processes.here.has("stranger", "giosg_away")
