"""What the visitor is told, and shown, in the conversation: notifications and typing signals."""

from __future__ import annotations

import contextlib

from broker import codec
from broker.domain import headers as names
from broker.domain.desks import DeskEvent
from broker.domain.grammar import parse_conversation_prefix
from broker.domain.subjects import Conversation, Kind
from broker.domain.wire import Body, dump
from broker.errors import BusError
from broker.transport.connection import Connection
from broker.transport.publisher import Publisher, Stored
from workers.giosg.cases.case import Case

SERVICE = "giosg"


class Visitors:
    """Speaks to visitors; ids derive from the session, which no outsider knows, so nothing is said twice."""

    def __init__(self, connection: Connection, publisher: Publisher) -> None:
        self._connection = connection
        self._publisher = publisher

    async def tell(self, case: Case, event: DeskEvent, *, event_id: str, text: str | None = None) -> Stored:
        """One notification: what happened, for programs, and what the visitor reads of it, if anything.

        ``event_id``: what makes it the same one if it is said again, unique in the session.

        Raises:
            BackboneError: as the publisher's store().
        """
        conversation = conversation_of(case)
        channel = conversation.path.channel
        content: Body = {"sessionuuid": case.session, f"{channel}_control_event": dump(event)}
        if event.agent is not None and event.agent.name:
            content[f"{channel}_agent"] = {"name": event.agent.name}
        if text is not None:
            content[f"{channel}_message"] = {"type": "text", "value": text}
        headers = {
            names.MESSAGE_ID: f"{case.session}-giosg-{event_id}",
            names.CONTENT_TYPE: codec.MSGPACK,
            names.STUB: stub_name(case.connection),
        }
        body = codec.encode({"platforms": {channel: content}})
        return await self._publisher.store(conversation.subject(Kind.NOTIFICATION), body, headers)

    async def signal_typing(self, case: Case, *, is_typing: bool, agent: str | None = None) -> None:
        """Show that an agent writes, or stopped; nobody minds if it is lost."""
        body: Body = {"sessionuuid": case.session, "from": "stub", "typing": is_typing}
        if agent is not None:
            body["agent"] = agent
        with contextlib.suppress(BusError):
            await self._connection.publish(
                conversation_of(case).signal("typing"),
                codec.encode(body),
                headers={names.CONTENT_TYPE: codec.MSGPACK, names.STUB: stub_name(case.connection)},
            )


def conversation_of(case: Case) -> Conversation:
    """Where the case's events are; the record was written by us, so it parses."""
    return parse_conversation_prefix(case.conversation)


def stub_name(connection: str) -> str:
    """The desk's address as a stub: the connection is its reference."""
    return f"{SERVICE}.{connection}"
