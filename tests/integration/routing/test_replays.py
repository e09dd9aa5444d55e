"""A linker that dies between a run and its acknowledgement decides again, and may decide otherwise."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

from broker.codec import encode
from broker.domain import headers as names
from broker.runtime.embedded import nats_server
from broker.transport.connection import Connection, connect
from broker.transport.ensure import ensure
from broker.transport.publisher import open_publisher
from broker.transport.records import Records
from broker.transport.topology import CONVERSATIONS, REGISTRATIONS
from tests.conftest import poll
from tests.integration.routing.conftest import Chat
from tests.processes import worker_process

CHOOSING = ("cbh", "rra", "rnd")


async def register_three_each(chat: Chat) -> dict[tuple[str, str], str]:
    """Three stubs under each mechanism that chooses one; the uuid of each registration."""
    made = {}
    for mechanism in CHOOSING:
        for stub in ("svc.A", "svc.B", "svc.C"):
            reply = await chat.register(chat.path.initialize(), stub=stub, action=mechanism, mechanism=mechanism)
            made[mechanism, stub] = reply["uuid"]
    return made


async def test_of_two_choices_for_one_event_the_stream_keeps_the_first(tmp_path: Path) -> None:
    """As after a crash: the event comes to a new process, and whoever was chosen is not there any more."""
    async with nats_server(tmp_path) as server, connect(server.url, name="test") as connection:
        await ensure(connection)
        async with open_publisher(connection) as publisher:
            chat = Chat(connection, publisher, str(uuid4()))
            with worker_process("linker", server.url):
                made = await register_three_each(chat)
                await chat.open(chat.conversation())
                runs = await chat.expect_runs(len(CHOOSING))
            assert sorted(action for _, action, _ in runs) == sorted(CHOOSING)
            records = Records(connection, publisher, REGISTRATIONS)
            for stub, mechanism, _ in runs:
                await records.delete(f"{chat.org}.{made[mechanism, stub]}")
            await _forget_what_was_taken(connection)
            with worker_process("linker", server.url):
                marked = chat.conversation()
                await publisher.store(
                    chat.path.initialize(),
                    encode(chat.visitor_body(marked)),
                    {names.MESSAGE_ID: marked.session, names.MECHANISM: "cbh"},
                )

                async def replayed() -> bool:
                    """The event behind the replayed one has had its run."""
                    return _sessions(await chat.runs()).get(marked.session, 0) > 0

                await poll(replayed, within_s=20)
            after = await chat.runs()
            assert [run[:2] for run in after[: len(CHOOSING)]] == [run[:2] for run in runs]
            assert len(after) == len(CHOOSING) + 1
            assert after[-1][0] != next(stub for stub, action, _ in runs if action == "cbh")


async def test_who_is_chosen_in_vain_by_a_second_choice_is_not_used_up_by_it(tmp_path: Path) -> None:
    """The first choice, for one that stays, has its run; the second, for one of one time, comes too late."""
    async with nats_server(tmp_path) as server, connect(server.url, name="test") as connection:
        await ensure(connection)
        async with open_publisher(connection) as publisher:
            chat = Chat(connection, publisher, str(uuid4()))
            records = Records(connection, publisher, REGISTRATIONS)
            with worker_process("linker", server.url):
                first = await chat.register(chat.path.initialize(), stub="svc.A", action="go", mechanism="cbh")
                late = await chat.register(
                    chat.path.initialize(), stub="svc.B", action="go", mechanism="cbh", keep=False
                )
                await chat.open(chat.conversation())
                await chat.expect_runs(1)
            await records.delete(f"{chat.org}.{first['uuid']}")
            await _forget_what_was_taken(connection)
            with worker_process("linker", server.url):
                await chat.settled()
                assert [run[0] for run in await chat.runs()] == ["svc.A"]
                listed = await chat.command("registrations", {})
                assert [one["uuid"] for one in listed["registrations"]] == [late["uuid"]]
                await chat.open(chat.conversation())
                runs = await chat.expect_runs(2)
            assert [run[0] for run in runs] == ["svc.A", "svc.B"]


async def _forget_what_was_taken(connection: Connection) -> None:
    """Without their consumers, linkers take the whole log anew."""
    for consumer in (await connection.ask(f"CONSUMER.NAMES.{CONVERSATIONS}"))["consumers"]:
        await connection.ask(f"CONSUMER.DELETE.{CONVERSATIONS}.{consumer}")


def _sessions(runs: list[tuple[str, str, dict[str, object]]]) -> dict[str, int]:
    """How many runs each session has."""
    counts: dict[str, int] = {}
    for _, _, post in runs:
        data = post["data"]
        assert isinstance(data, dict)
        session = data["heimdall"]["webchat"]["sessionuuid"]
        counts[session] = counts.get(session, 0) + 1
    return counts
