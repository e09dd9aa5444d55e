from __future__ import annotations

import time

import pytest

from broker.codec import encode
from broker.domain.events import Timeout
from broker.domain.subjects import Kind
from broker.domain.wire import dump
from broker.runtime.embedded import EmbeddedServer
from broker.transport.publisher import Publisher
from broker.transport.timers import Timers
from tests.integration.cli.conftest import OTHER_SESSION, SESSION, Cli, conversation, started

HOUR_MS = 3_600_000


@pytest.fixture
def timers(publisher: Publisher) -> Timers:
    return Timers(publisher)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


async def tell_timeout(publisher: Publisher, org: str, *, late_ms: int, epoch: int = 1) -> None:
    body = Timeout(epoch=epoch, deadline_at_ms=now_ms() - late_ms)
    await publisher.store(conversation(org).subject(Kind.TIMEOUT), encode(dump(body)))


async def test_armed_timers_are_counted_by_kind_and_the_soonest_come_first(cli: Cli, org: str, timers: Timers) -> None:
    for session, hours, kind in ((SESSION, 3, "link"), (OTHER_SESSION, 1, "link"), (SESSION, 2, "hold")):
        at_ms = now_ms() + hours * HOUR_MS
        await (await timers.arm(conversation(org, session), kind, at_ms=at_ms, epoch=40 + hours))  # type: ignore[arg-type] # both are kinds
    (found,) = (await cli("timers", "--org", org)).records
    assert found["armed"] == {"link": 2, "hold": 1}
    assert [(due["session"], due["timer"], due["epoch"]) for due in found["next_due"]] == [
        (OTHER_SESSION[:8], "link", 41),
        (SESSION[:8], "hold", 42),
        (SESSION[:8], "link", 43),
    ]
    assert 3_500 < found["next_due"][0]["left_s"] <= 3_600
    assert (found["overdue"], found["read"]) == (0, 3)
    (one,) = (await cli("timers", "--org", org, "--count", "1")).records
    assert [due["epoch"] for due in one["next_due"]] == [41]


async def test_an_armed_timer_that_is_set_again_is_counted_once(cli: Cli, org: str, timers: Timers) -> None:
    for hours in (1, 2):
        await (await timers.arm(conversation(org), "link", at_ms=now_ms() + hours * HOUR_MS, epoch=hours))
    (found,) = (await cli("timers", "--org", org)).records
    assert (found["armed"]["link"], [due["epoch"] for due in found["next_due"]]) == (1, [2])


async def test_lateness_is_that_of_the_last_timeouts(cli: Cli, org: str, publisher: Publisher) -> None:
    for late_ms in (90_000, 10_000, 20_000, 30_000):
        await tell_timeout(publisher, org, late_ms=late_ms)
    await publisher.store(conversation(org).subject(Kind.TIMEOUT), b"garbage")
    (found,) = (await cli("timers", "--org", org, "--last", "4")).records
    late = found["late"]["link"]
    assert late["count"] == 3
    assert 20_000 <= late["p50_ms"] < 25_000
    assert 30_000 <= late["max_ms"] < 35_000
    assert found["late"]["hold"] is None
    assert found["late_since_ms"] <= now_ms()


async def test_an_org_without_timers_has_none(cli: Cli, org: str) -> None:
    (found,) = (await cli("timers", "--org", org)).records
    assert (found["armed"], found["next_due"], found["late_since_ms"]) == ({"link": 0, "hold": 0}, [], None)


async def test_watching_goes_on(org: str, timers: Timers, server: EmbeddedServer) -> None:
    async with started("timers", "--watch", "--org", org, "--nats-url", server.url) as watching:
        assert (await watching.record())["armed"]["link"] == 0
        await (await timers.arm(conversation(org), "link", at_ms=now_ms() + HOUR_MS, epoch=1))
        while (await watching.record())["armed"]["link"] == 0:
            pass


async def test_a_bad_org_is_refused_by_timers_too(cli: Cli) -> None:
    assert "bad org uuid 'acme'" in (await cli("timers", "--org", "acme")).refusal
