"""Branches and tags that move, versions that conversations still need, and the end of those that nobody does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from uuid import uuid4

import pytest

from broker.codec import encode
from broker.domain.deployments import Deployment, deployment_key
from broker.domain.ids import ChannelName, ChatName, OrgId, ServiceName, SessionId, Stub, Stubref
from broker.domain.session import Link, State
from broker.domain.stubsessions import StateRecord, index_key, session_key
from broker.domain.subjects import ChatPath
from broker.domain.wire import dump
from broker.errors import RequestRefusedError
from broker.runtime.embedded import EmbeddedServer
from broker.transport.records import Records
from broker.transport.topology import DELIVERIES, STUBSESSIONS
from tests.conftest import TIME_FACTOR, poll
from tests.integration.programs.conftest import BUILD_WAIT_S, Programs, Project, Worker
from tests.processes import worker_process

STUBLESS = """\
from broker import Service, serve

TEXT = "{text}"
service = Service("shop")

if __name__ == "__main__":
    serve(service)
"""


@pytest.fixture
def linker(server: EmbeddedServer) -> Iterator[None]:
    """Answers commands: a version's registrations are asked for when it is replaced."""
    with worker_process("linker", server.url):
        yield


async def succeeded(programs: Programs, count: int) -> list[Deployment]:
    """The channel's deployments once so many have succeeded."""

    async def enough() -> bool:
        return sum(one.status == "succeeded" for one in await programs.of_channel()) >= count

    await poll(enough, within_s=BUILD_WAIT_S)
    return await programs.of_channel()


async def test_check_11_a_branch_that_moves_is_deployed_by_itself(
    programs: Programs, project: Project, worker: Worker
) -> None:
    first = project.commit("first")
    with worker():
        await programs.deploy("master")
        await programs.follow("master")
        second = project.commit("second")
        found = await succeeded(programs, 2)
        assert [(one.ref, one.commit) for one in found] == [("master", first), ("master", second)]
        assert await programs.text_of(found[-1].service) == "second"


async def test_check_10_a_channel_that_does_not_follow_keeps_its_commit_until_it_asks(
    programs: Programs, project: Project, worker: Worker
) -> None:
    project.commit("first")
    with worker():
        await programs.deploy("master")
        await programs.deploy("master", channel="ch2")
        await programs.follow("master", channel="ch2")
        second = project.commit("second")

        async def other_moved() -> bool:
            return len(await programs.of_channel("ch2")) == 2

        await poll(other_moved, within_s=BUILD_WAIT_S)
        assert len(await programs.of_channel()) == 1
        assert (await programs.deploy("master")).commit == second


async def test_a_tag_that_was_moved_is_deployed_and_a_commit_never(
    programs: Programs, project: Project, worker: Worker
) -> None:
    first = project.commit("first")
    project.git("tag", "v1")
    with worker():
        await programs.deploy("v1")
        await programs.deploy(first, channel="ch2")
        await programs.follow(first, channel="ch2")
        await programs.follow("v1")
        second = project.commit("second")
        project.git("tag", "--force", "v1")
        assert [one.commit for one in await succeeded(programs, 2)] == [first, second]
        assert len(await programs.of_channel("ch2")) == 1


async def test_a_move_that_two_workers_see_is_one_deployment_and_a_failure_is_not_repeated(
    programs: Programs, project: Project, worker: Worker, tmp_path_factory: pytest.TempPathFactory
) -> None:
    project.commit("first")
    with worker(), worker(FOLDER=str(tmp_path_factory.mktemp("second"))):
        await programs.deploy("master")
        await programs.follow("master")
        broken = project.commit("broken")

        async def failed() -> bool:
            return [one.status for one in await programs.of_channel()] == ["succeeded", "failed"]

        await poll(failed, within_s=BUILD_WAIT_S)
        await asyncio.sleep(1.0)  # several looks of both: nothing more may come
        found = await programs.of_channel()
        assert [(one.status, one.commit) for one in found][1:] == [("failed", broken)]
        mended = project.commit("mended")
        assert (await succeeded(programs, 2))[-1].commit == mended


async def test_a_branch_that_comes_later_is_deployed_once_it_is_there(
    programs: Programs, project: Project, worker: Worker
) -> None:
    commit = project.commit("first")
    with worker():
        await programs.follow("later")
        assert (await programs.deploy("later")).error == "unknown_ref"
        project.git("branch", "later")
        assert (await succeeded(programs, 1))[-1].commit == commit


async def link(programs: Programs, service: str | None, *, for_s: float) -> None:
    """A session that is linked to a stub of a service, as the linker would have written it."""
    assert service is not None
    links = Records(programs.connection, programs.publisher, STUBSESSIONS)
    org, session = OrgId(programs.org), SessionId(str(uuid4()))
    stub = Stub(ServiceName(service), Stubref("chat-1"))
    until_ms = int((time.time() + for_s * TIME_FACTOR) * 1000)
    state = State(last_sequence=1, link=Link(stub, None, epoch=1, expires_at_ms=until_ms, timeout_hours=1.0))
    path = ChatPath(ChannelName("webim"), org, ChatName("livech1"))
    await links.write(session_key(org, session), encode(dump(StateRecord.of(path, state))), revision=0)
    await links.write(index_key(org, stub, session), b"", revision=0)


async def consumers_of(programs: Programs, service: str | None) -> int:
    """How many consumers a version has."""
    count = 0
    for number in range(4):
        try:
            await programs.connection.ask(f"CONSUMER.INFO.{DELIVERIES}.service-{programs.org}-{service}-{number}")
        except RequestRefusedError:
            continue
        count += 1
    return count


async def is_running(programs: Programs, service: str | None) -> bool:
    """Whether anybody takes a version's runs."""
    for number in range(4):
        name = f"service-{programs.org}-{service}-{number}"
        if (await programs.connection.ask(f"CONSUMER.INFO.{DELIVERIES}.{name}"))["num_waiting"]:
            return True
    return False


async def has_ended(programs: Programs, service: str | None) -> bool:
    """The same the other way round."""
    return not await is_running(programs, service)


async def test_a_replaced_version_answers_while_a_link_lives_and_then_is_ended(
    programs: Programs, project: Project, worker: Worker, linker: None
) -> None:
    project.commit("first")
    with worker():
        first = await programs.deploy("master")
        await link(programs, first.service, for_s=12)
        project.commit("second")
        second = await programs.deploy("master")
        await asyncio.sleep(2.5)  # more than the looks after which a version without links is ended
        assert await programs.text_of(first.service) == "first"
        assert await programs.text_of(second.service) == "second"
        await poll(lambda: has_ended(programs, first.service), within_s=30)
        assert await is_running(programs, second.service)


async def test_a_version_that_a_conversation_comes_back_to_is_started_again(
    programs: Programs, project: Project, worker: Worker, linker: None
) -> None:
    project.commit("first")
    with worker():
        first = await programs.deploy("master")
        assert await programs.text_of(first.service) == "first"
        project.commit("second")
        await programs.deploy("master")
        await poll(lambda: has_ended(programs, first.service), within_s=30)
        await link(programs, first.service, for_s=60)
        assert await programs.text_of(first.service, within_s=20) == "first"


async def test_a_run_for_a_version_that_nobody_is_linked_to_any_more_is_done_nevertheless(
    programs: Programs, project: Project, worker: Worker, linker: None
) -> None:
    project.commit("first")
    with worker():
        first = await programs.deploy("master")
        assert await programs.text_of(first.service) == "first"
        project.commit("second")
        await programs.deploy("master")
        await poll(lambda: has_ended(programs, first.service), within_s=30)
        await asyncio.sleep(3.0)  # more than the looks after which nothing is kept of what nobody can come back to
        assert await programs.text_of(first.service, within_s=20) == "first"


async def test_the_newest_twenty_deployments_are_kept_and_the_one_that_answers(
    programs: Programs, project: Project, worker: Worker
) -> None:
    project.commit("first")
    with worker():
        good = await programs.deploy("master")
        for number in range(25):
            one = good.model_copy(
                update={"id": f"old{number}", "status": "failed", "service": None, "asked_at_ms": number + 2}
            )
            key = deployment_key(programs.org, "ch1", one.id)
            await programs.records.write(key, encode(dump(one)), revision=0)

        async def pruned() -> bool:
            return len(await programs.of_channel()) == 21

        await poll(pruned)
        assert [one.id for one in await programs.of_channel()] == [good.id, *(f"old{n}" for n in range(5, 25))]


async def test_of_a_version_that_never_had_a_stub_nothing_at_all_is_left(
    programs: Programs, project: Project, worker: Worker, linker: None
) -> None:
    project.commit("first", program=STUBLESS)
    with worker():
        first = await programs.deploy("master")
        bucket = f"KV_STUBS_{first.service}"
        assert await exists(programs, bucket)
        project.commit("second", program=STUBLESS)
        second = await programs.deploy("master")

        async def forgotten() -> bool:
            kept = [entry.key for entry in await programs.records.entries(f"{programs.org}.version")]
            return kept == [f"{programs.org}.version.{second.service}"]

        await poll(forgotten, within_s=30)
        assert await consumers_of(programs, first.service) == 0
        assert not await exists(programs, bucket)
        assert await exists(programs, f"KV_STUBS_{second.service}")


async def exists(programs: Programs, stream: str) -> bool:
    """Whether there is a stream of that name."""
    try:
        await programs.connection.ask(f"STREAM.INFO.{stream}")
    except RequestRefusedError:
        return False
    return True
