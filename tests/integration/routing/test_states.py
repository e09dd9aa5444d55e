"""The linker's memory of states over the bucket, with another linker that writes there too."""

from __future__ import annotations

from uuid import uuid4

from broker.domain.ids import ChannelName, ChatName, OrgId, SessionId
from broker.domain.session import State
from broker.domain.subjects import ChatPath
from broker.transport.connection import Connection
from broker.transport.publisher import Publisher
from broker.transport.records import Records
from broker.transport.topology import STUBSESSIONS
from workers.linker.states import States


async def test_a_linker_whose_consumer_was_taken_decides_by_what_another_wrote(
    connection: Connection, publisher: Publisher, org: str
) -> None:
    records = Records(connection, publisher, STUBSESSIONS)
    ours, theirs = States(records), States(records)
    path = ChatPath(ChannelName("webchat"), OrgId(org), ChatName("draftshop"))
    conversation = path.conversation(SessionId(str(uuid4())))
    _, revision, _ = await ours.load(conversation)
    await ours.save(conversation, State(last_sequence=1), revision=revision, at_ms=0)
    state, revision, _ = await theirs.load(conversation)
    await theirs.save(conversation, State(last_sequence=2), revision=revision, at_ms=0)
    assert (state, (await ours.load(conversation))[0]) == (State(last_sequence=1), State(last_sequence=1))
    ours.forget_all("linker-3")
    assert (await ours.load(conversation))[0] == State(last_sequence=2)
