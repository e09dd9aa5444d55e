"""From a body on a subject to what the fold needs: who did what in which conversation, all checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from pydantic import Field

from broker.domain import headers as names
from broker.domain.channels import platform_of
from broker.domain.events import Label, StubName, Timeout, VisitorContent, read_notification, read_visitor, sender_in
from broker.domain.ids import ActionName, ChannelName, SessionId, Stub, stubref
from broker.domain.managing import ManageLink, ManagePhoneLink, Operation, read_manage_link
from broker.domain.phones import (
    PhoneContent,
    PhoneNotification,
    check_profile,
    phone_session,
    read_phone_notification,
    read_phone_visit,
    session_at,
)
from broker.domain.registrations import Mechanism
from broker.domain.registry import Taker
from broker.domain.steps import Event, LinkDeleted, LinkSet, NoChange, TimerFired, VisitorEvent
from broker.domain.subjects import LINK_FACTS, VISITOR_KINDS, Conversation, ConversationSubject, Kind
from broker.domain.wire import Body, Wire, validate
from broker.errors import InvalidBodyError, InvalidSubjectError, NoSenderError


class Visit(NamedTuple):
    """What a visitor did, as a model and as it came."""

    content: VisitorContent | PhoneContent
    payload: Body


class Thread(Wire):
    """Where in the channel a visitor's event came in: by which route, and in reply to whose message."""

    route: Label | None = Field(default=None)
    parent: StubName | None = None


NO_THREAD = Thread()


class Incoming(NamedTuple):
    """One event of the log, read and checked; ``visit`` is None where a stub or a timer speaks.

    ``emitted`` is the mechanism that a visitor's event is meant for, ``*`` all of them.
    ``number`` is the mobile number that the body names: its session follows from it, so it need not be known before.
    """

    subject: ConversationSubject
    conversation: Conversation
    visit: Visit | None
    change: Event | None
    emitted: Mechanism = "*"
    number: str | None = None
    thread: Thread = NO_THREAD

    @property
    def may_begin(self) -> bool:
        """Whether the event makes its session known where nobody has."""
        return self.visit is not None or self.number is not None

    def event(self, fallback: Stub | None, takers: Callable[[Kind], tuple[Taker, ...]]) -> Event:
        """The event for the fold; who takes a visitor's event is looked up at the last moment."""
        if self.change is not None:
            return self.change
        parent = None if self.thread.parent is None else Stub.parse(self.thread.parent)
        return VisitorEvent(self.subject.kind, fallback, takers, parent)


def read_event(subject: ConversationSubject, body: Body, sender: Stub | None, thread: Thread = NO_THREAD) -> Incoming:
    """Read one event; ``sender`` is who speaks, as ``sender_of`` tells, and ``thread`` is what ``thread_of`` tells.

    Raises:
        InvalidSubjectError: a fact of the past, which nobody folds.
        InvalidBodyError: the body is not what the subject promises.
        NoSenderError: a link is wanted and nobody says for whom.
    """
    if subject.kind in VISITOR_KINDS:
        return _visit(subject, body, thread)
    conversation = subject.conversation
    assert conversation is not None  # noqa: S101 - the grammar has a session on all the others
    if subject.kind in LINK_FACTS or subject.kind is Kind.RECEIPT:
        raise InvalidSubjectError(conversation.subject(subject.kind), problem="it tells a fact, which is not folded")
    change, number = _change(subject.kind, conversation, body, sender)
    return Incoming(subject, conversation, None, change, number=number)


def sender_of(body: Body, headers: Mapping[str, str]) -> Stub | None:
    """Who speaks: the header, or the field that a person types; None if nobody says."""
    name = headers.get(names.STUB) or sender_in(body)
    return None if name is None else Stub.parse(name)


def thread_of(body: Body, headers: Mapping[str, str]) -> Thread:
    """The route and the parent's stub: the headers, or the fields ``route`` and ``parent`` that a person types.

    Raises:
        InvalidBodyError: one of them is no such name.
    """
    found: dict[str, Any] = {}
    for member, header in (("route", names.ROUTE), ("parent", names.PARENT)):
        if (value := headers.get(header) or body.get(member)) is not None:
            found[member] = value
    return validate(Thread, found, what="place in the channel") if found else NO_THREAD


def _visit(subject: ConversationSubject, body: Body, thread: Thread) -> Incoming:
    path, what = subject.path, f"{subject.path.channel} event"
    visit = read_visit(path.channel, body)
    if isinstance(visit.content, PhoneContent):
        number = visit.content.sender
        check_profile(path, visit.content.profile_name, what=what)
        session = phone_session(path, number)
    else:
        number, session = None, SessionId(visit.content.sessionuuid)
    _same_session(subject.session, session, what)
    return Incoming(subject, path.conversation(session), visit, None, number=number, thread=thread)


def read_visit(channel: ChannelName, body: Body) -> Visit:
    """What a visitor did, by the model of the channel.

    Raises:
        InvalidBodyError: it is missing or does not validate.
    """
    return Visit(*(read_phone_visit if platform_of(channel).by_number else read_visitor)(channel, body))


def _change(kind: Kind, conversation: Conversation, body: Body, sender: Stub | None) -> tuple[Event, str | None]:
    """What happens to the link, and the mobile number that the body names."""
    match kind:
        case Kind.NOTIFICATION:
            return _notified(conversation, body, sender)
        case Kind.SET:
            task, number = _task(conversation, body, "set")
            owner = _owner(task.stubref, sender)
            return LinkSet(owner, task.set_new_with_timeout_hours, _action(task.set_feedback_action)), number
        case Kind.DELETE:
            task, number = _task(conversation, body, "delete")
            return LinkDeleted(None if task.only_of is None else Stub.parse(task.only_of)), number
        case _:
            fired = validate(Timeout, body, what="timeout")
            return TimerFired(fired.timer, fired.epoch), None


def _notified(conversation: Conversation, body: Body, sender: Stub | None) -> tuple[Event, str | None]:
    channel = conversation.path.channel
    by_number = platform_of(channel).by_number
    notification = (read_phone_notification if by_number else read_notification)(channel, body)
    number = _checked(conversation, notification, f"{channel} notification")
    if (wish := notification.stubsession) is None:
        return NoChange(), number
    owner = _required(sender)
    return LinkSet(owner, wish.set_new_with_timeout_hours, _action(wish.set_feedback_action)), number


def _task(
    conversation: Conversation, body: Body, operation: Operation
) -> tuple[ManageLink | ManagePhoneLink, str | None]:
    channel = conversation.path.channel
    task = read_manage_link(channel, body, operation=operation)
    return task, _checked(conversation, task, f"{channel} manage_stubsession")


def _checked(conversation: Conversation, said: Any, what: str) -> str | None:
    """The mobile number that a stub names, None on other channels; the session must be the one in the subject."""
    if isinstance(said, PhoneNotification | ManagePhoneLink):
        session = session_at(conversation.path, said, what=what)
        if session is not None:
            _same_session(conversation.session, session, what)
        return said.mobile_number
    _same_session(conversation.session, SessionId(said.sessionuuid), what)
    return None


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
