"""From a body on a subject to what the fold needs: who did what in which conversation, all checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from broker.domain import headers as names
from broker.domain.events import (
    Timeout,
    VisitorContent,
    read_manage_link,
    read_notification,
    read_visitor,
    sender_in,
)
from broker.domain.ids import ActionName, SessionId, Stub, stubref
from broker.domain.registrations import Mechanism
from broker.domain.registry import Taker
from broker.domain.session import Event, LinkDeleted, LinkSet, NoChange, TimerFired, VisitorEvent
from broker.domain.subjects import LINK_FACTS, VISITOR_KINDS, Conversation, ConversationSubject, Kind
from broker.domain.wire import Body, validate
from broker.errors import InvalidBodyError, InvalidSubjectError, NoSenderError


@dataclass(frozen=True, slots=True)
class Visit:
    """What a visitor did, as a model and as it came."""

    content: VisitorContent
    payload: Body


@dataclass(frozen=True, slots=True)
class Incoming:
    """One event of the log, read and checked; ``visit`` is None where a stub or a timer speaks.

    ``emitted`` is the mechanism that a visitor's event is meant for, ``*`` all of them.
    """

    subject: ConversationSubject
    conversation: Conversation
    visit: Visit | None
    change: Event | None
    emitted: Mechanism = "*"

    def event(self, fallback: Stub | None, takers: Callable[[Kind], tuple[Taker, ...]]) -> Event:
        """The event for the fold; who takes a visitor's event is looked up at the last moment."""
        if self.change is not None:
            return self.change
        return VisitorEvent(self.subject.kind, fallback, takers)


def read_event(subject: ConversationSubject, body: Body, sender: Stub | None) -> Incoming:
    """Read one event; ``sender`` is who speaks, as ``sender_of`` tells.

    Raises:
        InvalidSubjectError: a fact of the past, which nobody folds.
        InvalidBodyError: the body is not what the subject promises.
        NoSenderError: a link is wanted and nobody says for whom.
    """
    if subject.kind in VISITOR_KINDS:
        return _visit(subject, body)
    conversation = subject.conversation
    assert conversation is not None  # noqa: S101 - the grammar has a session on all the others
    if subject.kind in LINK_FACTS or subject.kind is Kind.RECEIPT:
        raise InvalidSubjectError(conversation.subject(subject.kind), problem="it tells a fact, which is not folded")
    change = _change(subject, conversation.session, body, sender)
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


def _owner(name: str | None, sender: Stub | None) -> Stub:
    """The stub that a task names; a stubref alone is one of the sender's service."""
    if name is None:
        return _required(sender)
    return Stub.parse(name) if "." in name else Stub(_required(sender).service, stubref(name))


def _required(sender: Stub | None) -> Stub:
    if sender is None:
        raise NoSenderError
    return sender


def _action(name: str | None) -> ActionName | None:
    return None if name is None else ActionName(name)


def _same_session(subject: SessionId | None, body: SessionId, what: str) -> None:
    if subject is not None and subject != body:
        raise InvalidBodyError(what, ("sessionuuid: it is not the one in the subject",))
