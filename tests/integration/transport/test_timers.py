"""Schedules on the real server: they fire where the expiry worker reads, are replaced, are removed."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
import pytest_asyncio

from broker.domain.ids import ChannelName, ChatName, OrgId, SessionId
from broker.domain.subjects import TIMERS, ChatPath, DueSubject
from broker.errors import ConflictError
from broker.transport.connection import Connection
from broker.transport.publisher import Publisher
from broker.transport.reader import LogReader, StoredMessage
from broker.transport.timers import Timers, arm, disarm, rfc3339
from broker.transport.topology import TIMER_STREAM
from tests.conftest import Eventually


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
def subject(org: str) -> str:
    return f"{TIMERS}.link.webchat.org.{org}.name.draftshop.sessionuuid.{uuid4()}"


@pytest_asyncio.fixture
async def fired(connection: Connection) -> AsyncIterator[list[StoredMessage]]:
    seen: list[StoredMessage] = []

    async def accept(message: StoredMessage) -> None:
        seen.append(message)

    async with LogReader(connection, TIMER_STREAM, accept, filters=(f"{TIMERS}.due.>",)):
        yield seen


def of(fired: list[StoredMessage], subject: str) -> list[StoredMessage]:
    return [message for message in fired if message.headers.get("Nats-Scheduler") == subject]


async def test_a_timer_fires_into_the_due_subject_of_its_partition_with_its_headers(
    publisher: Publisher, subject: str, fired: list[StoredMessage], eventually: Eventually
) -> None:
    at_ms = now_ms() + 400
    await (await arm(publisher, subject, at_ms=at_ms, partition=3, headers={"Heimdall-Event": "42"}))
    await eventually(lambda: of(fired, subject))
    [message] = of(fired, subject)
    assert message.subject == str(DueSubject(3))
    assert message.headers["Heimdall-Event"] == "42"
    assert message.stored_at_ms >= at_ms


async def test_a_new_deadline_replaces_the_old_one(
    publisher: Publisher, subject: str, fired: list[StoredMessage], eventually: Eventually
) -> None:
    await (await arm(publisher, subject, at_ms=now_ms() + 60_000, partition=0, headers={"Heimdall-Event": "1"}))
    await (await arm(publisher, subject, at_ms=now_ms() + 300, partition=0, headers={"Heimdall-Event": "2"}))
    await eventually(lambda: of(fired, subject))
    assert [message.headers["Heimdall-Event"] for message in of(fired, subject)] == ["2"]


async def test_a_disarmed_timer_is_gone_from_the_server(
    connection: Connection, publisher: Publisher, subject: str
) -> None:
    async def armed() -> int:
        answer = await connection.ask(f"STREAM.INFO.{TIMER_STREAM}", {"subjects_filter": subject})
        return len(answer["state"].get("subjects") or {})

    await (await arm(publisher, subject, at_ms=now_ms() + 60_000, partition=0))
    assert await armed() == 1
    await (await disarm(publisher, subject))
    assert await armed() == 0


async def test_disarming_what_was_never_armed_is_harmless(publisher: Publisher, subject: str) -> None:
    assert (await (await disarm(publisher, subject))).sequence > 0


async def test_a_moment_that_has_passed_fires_at_once(
    publisher: Publisher, subject: str, fired: list[StoredMessage], eventually: Eventually
) -> None:
    await (await arm(publisher, subject, at_ms=now_ms() - 5_000, partition=0))
    await eventually(lambda: of(fired, subject), within_s=2)


def test_a_moment_is_written_in_utc_to_the_millisecond() -> None:
    assert rfc3339(1_700_000_000_007) == "2023-11-14T22:13:20.007Z"


async def test_after_a_firing_a_timer_is_armed_again_unless_somebody_has_set_one_since(
    publisher: Publisher, org: str, fired: list[StoredMessage], eventually: Eventually
) -> None:
    timers = Timers(publisher)
    path = ChatPath(ChannelName("webchat"), OrgId(org), ChatName("draftshop"))
    conversation = path.conversation(SessionId(str(uuid4())))
    await (await timers.arm(conversation, "link", at_ms=now_ms() + 100, epoch=1))
    with pytest.raises(ConflictError):
        await timers.arm_again(conversation, "link", at_ms=now_ms() + 60_000, epoch=1)
    await eventually(lambda: len(of(fired, conversation.timer("link"))) == 1)
    await timers.arm_again(conversation, "link", at_ms=now_ms() + 100, epoch=2)
    await eventually(lambda: len(of(fired, conversation.timer("link"))) == 2)
    assert of(fired, conversation.timer("link"))[1].headers["Heimdall-Epoch"] == "2"
