"""From a stored message to what the fold needs: subject, body and sender, all checked. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from broker.codec import decode
from broker.domain import headers as names
from broker.domain.events import (
    Timeout,
    VisitorContent,
    read_manage_link,
    read_notification,
    read_visitor,
    sender_in,
)
from broker.domain.grammar import parse_conversation
from broker.domain.ids import ActionName, ServiceName, SessionId, Stub
from broker.domain.registrations import Taker
from broker.domain.session import Event, LinkDeleted, LinkSet, NoChange, TimerFired, VisitorEvent
from broker.domain.subjects import LINK_FACTS, VISITOR_KINDS, Conversation, ConversationSubject, Kind
from broker.domain.wire import Body, validate
from broker.errors import InvalidBodyError, InvalidSubjectError, NoSenderError
from broker.transport.pull import Delivery

NOT_FOLDED = tuple(f".{kind}" for kind in sorted((*LINK_FACTS, Kind.RECEIPT)))
"""Facts of the past, the linker's own among them: they tell the fold nothing."""


@dataclass(frozen=True, slots=True)
class Visit:
    """What a visitor did, as a model and as it came."""

    content: VisitorContent
    payload: Body


@dataclass(frozen=True, slots=True)
class Incoming:
    """One event of the log, read and checked; ``visit`` is None where a stub or a timer speaks."""

    subject: ConversationSubject
    conversation: Conversation
    visit: Visit | None
    change: Event | None

    def event(self, fallback: Stub | None, takers: Callable[[Kind], tuple[Taker, ...]]) -> Event:
        """The event for the fold; who takes a visitor's event is looked up at the last moment."""
        if self.change is not None:
            return self.change
        return VisitorEvent(self.subject.kind, fallback, takers)


def not_folded(delivery: Delivery) -> bool:
    """Whether the linker has nothing to do with it, told by the subject alone."""
    return delivery.subject.endswith(NOT_FOLDED)


def read(public_subject: str, data: bytes, headers: Mapping[str, str]) -> Incoming:
    """Read one event.

    Raises:
        InvalidSubjectError: no row of subjects.md describes the subject, or it is not ours to fold.
        UndecodableBodyError: the body is neither msgpack nor JSON.
        InvalidBodyError: the body is not what the subject promises.
        NoSenderError: a link is wanted and nobody says for whom.
    """
    subject = parse_conversation(public_subject)
    if subject.kind in LINK_FACTS or subject.kind is Kind.RECEIPT:
        raise InvalidSubjectError(public_subject, problem="only facts of the past are published here")
    body = decode(data)
    if subject.kind in VISITOR_KINDS:
        return _visit(subject, body)
    conversation = subject.conversation
    assert conversation is not None  # noqa: S101 - the grammar has a session on all the others
    change = _change(subject, conversation.session, body, sender_of(body, headers))
    return Incoming(subject, conversation, None, change)


def _visit(subject: ConversationSubject, body: Body) -> Incoming:
    content, payload = read_visitor(subject.path.channel, body)
    session = SessionId(content.sessionuuid)
    _same_session(subject.session, session, f"{subject.path.channel} event")
    return Incoming(subject, subject.path.conversation(session), Visit(content, payload), None)


def _change(subject: ConversationSubject, session: SessionId, body: Body, sender: Stub | None) -> Event:
    channel = subject.path.channel
    match subject.kind:
        case Kind.NOTIFICATION:
            notification = read_notification(channel, body)
            _same_session(session, SessionId(notification.sessionuuid), f"{channel} notification")
            if (wish := notification.stubsession) is None:
                return NoChange()
            return LinkSet(_required(sender), wish.set_new_with_timeout_hours, _action(wish.set_feedback_action))
        case Kind.SET:
            task = read_manage_link(channel, body, operation="set")
            _same_session(session, SessionId(task.sessionuuid), f"{channel} manage_stubsession")
            owner = _owner(task.stubref, sender)
            return LinkSet(owner, task.set_new_with_timeout_hours, _action(task.set_feedback_action))
        case Kind.DELETE:
            task = read_manage_link(channel, body, operation="delete")
            _same_session(session, SessionId(task.sessionuuid), f"{channel} manage_stubsession")
            return LinkDeleted()
        case _:
            fired = validate(Timeout, body, what="timeout")
            return TimerFired(fired.timer, fired.epoch)


def sender_of(body: Body, headers: Mapping[str, str]) -> Stub | None:
    """Who speaks: the header, or the field that a person types; None if nobody says."""
    name = headers.get(names.STUB) or sender_in(body)
    return None if name is None else Stub.parse(name)


def _owner(stubref: str | None, sender: Stub | None) -> Stub:
    """The stub that a task names; a stubref alone is one of the sender's service."""
    if stubref is None:
        return _required(sender)
    service: ServiceName | None = None if sender is None else sender.service
    return Stub.parse(stubref, default_service=service)


def _required(sender: Stub | None) -> Stub:
    if sender is None:
        raise NoSenderError
    return sender


def _action(name: str | None) -> ActionName | None:
    return None if name is None else ActionName(name)


def _same_session(subject: SessionId | None, body: SessionId, what: str) -> None:
    if subject is not None and subject != body:
        raise InvalidBodyError(what, ("sessionuuid: it is not the one in the subject",))
