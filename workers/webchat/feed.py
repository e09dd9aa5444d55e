"""Hands what the log says to the sockets of its session: one reader per process, no consumer per session."""

from __future__ import annotations

from typing import Protocol

from broker.domain.ids import SessionId
from broker.domain.subjects import NOTIFICATIONS, Kind
from broker.transport.connection import Connection
from broker.transport.reader import LogReader, StoredMessage
from broker.transport.topology import CONVERSATIONS
from workers.webchat.translate import WEBCHAT
from workers.webchat.wire import Message

SESSION_TOKEN = 9
"""Where the session stands in a public subject."""
KINDS = (Kind.NOTIFICATION, Kind.LINKED, Kind.EXPIRED, Kind.CANCELLED)
_CONVERSATIONS = f"p.*.{NOTIFICATIONS}.{WEBCHAT}.org.*.name.*.sessionuuid.*"
FILTERS = tuple(f"{_CONVERSATIONS}.{kind}" for kind in KINDS)


class Listener(Protocol):
    """One socket, as the feed sees it; none of this may block."""

    def hear(self, message: StoredMessage) -> None:
        """An event of the log came, in the log's order."""

    def hear_sibling(self, frame: Message) -> None:
        """Another tab of the same visitor said something."""


class Feed:
    """The listeners of this process, by session."""

    def __init__(self) -> None:
        self._listeners: dict[SessionId, list[Listener]] = {}

    def reader(self, connection: Connection) -> LogReader:
        """What feeds it, from now on; not started yet."""
        return LogReader(connection, CONVERSATIONS, self.accept, filters=FILTERS)

    def attach(self, session: SessionId, listener: Listener) -> bool:
        """Let the listener hear everything that the log gets about the session; whether it is the first here."""
        listeners = self._listeners.setdefault(session, [])
        listeners.append(listener)
        return len(listeners) == 1

    def detach(self, session: SessionId, listener: Listener) -> bool:
        """Let it hear no more; whether it was the last here. No error if it did not listen."""
        listeners = self._listeners.get(session, [])
        if listener not in listeners:
            return False
        listeners.remove(listener)
        if not listeners:
            del self._listeners[session]
        return not listeners

    async def accept(self, message: StoredMessage) -> None:
        """Hand on what is for us; most of it is another process's, so it is told by one look-up."""
        session = SessionId(message.public_subject.split(".", SESSION_TOKEN + 1)[SESSION_TOKEN])
        for listener in tuple(self._listeners.get(session, ())):
            listener.hear(message)

    def tell_siblings(self, session: SessionId, frame: Message, *, of: Listener) -> None:
        """Show the visitor's other tabs in this process what was said in one of them."""
        for listener in tuple(self._listeners.get(session, ())):
            if listener is not of:
                listener.hear_sibling(frame)
