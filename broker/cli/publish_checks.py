"""What is checked of a message before it leaves the shell: its subject, its body, and who may say it. Pure."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from broker.codec import decode
from broker.domain.commands import (
    CloseStub,
    CreateProfile,
    Deregister,
    ListLinks,
    ListProfiles,
    ListRegistrations,
    ReadTranscript,
    ShowSession,
)
from broker.domain.emitting import read_emit
from broker.domain.events import Delivery, Receipt, sender_in
from broker.domain.ids import Stub
from broker.domain.incoming import read_event, thread_of
from broker.domain.registrations import read_register
from broker.domain.subjects import (
    LINK_FACTS,
    AnySubject,
    ChannelCommandSubject,
    CommandSubject,
    ConversationSubject,
    DeadLetterSubject,
    DeliverySubject,
    DueSubject,
    Kind,
    SignalSubject,
    TimerSubject,
    Verb,
    WebhookSubject,
)
from broker.domain.wire import Body, Wire, validate
from broker.errors import InvalidBodyError, NoSenderError, ReservedSubjectError, UndecodableBodyError

STANDARD_INPUT = "-"
FILE_SIGN = "@"

_PLAIN_COMMANDS: dict[Verb, type[Wire]] = {
    "deregister": Deregister,
    "registrations": ListRegistrations,
    "links": ListLinks,
    "stubclose": CloseStub,
    "session": ShowSession,
    "transcript": ReadTranscript,
    "profilecreate": CreateProfile,
    "profiles": ListProfiles,
}


def read_body(argument: str) -> bytes:
    """The bytes of a BODY argument: typed, from a file (``@file``), or from standard input (``-``).

    Raises:
        InvalidBodyError: the file cannot be read.
    """
    if argument == STANDARD_INPUT:
        return sys.stdin.buffer.read()
    if not argument.startswith(FILE_SIGN):
        return argument.encode(errors="surrogateescape")
    try:
        return Path(argument[1:]).read_bytes()
    except OSError as error:
        raise InvalidBodyError("body", (f"{argument[1:]}: {error.strerror}",)) from error


def decoded(data: bytes) -> Body:
    """The body as a map; for typed JSON the message tells the place of the mistake.

    Raises:
        UndecodableBodyError: neither JSON nor msgpack.
    """
    try:
        return decode(data)
    except UndecodableBodyError as error:
        if (mistake := _mistake_in_json(data)) is None:
            raise
        raise UndecodableBodyError(len(data), mistake) from error


def refuse_reserved(text: str, subject: AnySubject) -> None:
    """Raise ReservedSubjectError for what only a worker or the server may say."""
    match subject:
        case ConversationSubject(kind=kind) if kind in LINK_FACTS:
            instead = "ask for a link by '…stubsession.set' or by a notification with a stubsession"
            raise ReservedSubjectError(text, writer="the linker", instead=instead)
        case ConversationSubject(kind=Kind.TIMEOUT):
            instead = "end a link by '…stubsession.delete', or set one for a short time"
            raise ReservedSubjectError(text, writer="the expiry worker", instead=instead)
        case TimerSubject() | DueSubject():
            instead = "a link's deadline is set by '…stubsession.set'"
            raise ReservedSubjectError(text, writer="a worker or the server", instead=instead)
        case DeadLetterSubject():
            raise ReservedSubjectError(text, writer="the linker", instead="see 'heimdall deadletters list'")
        case WebhookSubject():
            raise ReservedSubjectError(text, writer="the adapter that was called", instead="call the adapter itself")
        case _:
            return


def check_body(subject: AnySubject, body: Body, stub: Stub | None) -> None:
    """Judge a body as the linker would, before it is sent.

    Raises:
        InvalidBodyError: it is not what its subject promises, or speaks of another session.
        NoSenderError: a link is wanted and nobody says for whom.
    """
    sender = stub or _sender_of(body)
    match subject:
        case ConversationSubject():
            _check_event(subject, body, sender)
        case DeliverySubject():
            validate(Delivery, body, what="run")
        case CommandSubject():
            _check_command(subject, body, sender)
        case ChannelCommandSubject():
            pass  # the adapter has the rules, and tells every mistake at once
        case SignalSubject() | TimerSubject() | DueSubject() | DeadLetterSubject() | WebhookSubject():
            pass


def _check_event(subject: ConversationSubject, body: Body, sender: Stub | None) -> None:
    """By the linker's own reader; a receipt is for people, so nobody else reads it."""
    if subject.kind is Kind.RECEIPT:
        validate(Receipt, body, what="receipt")
    else:
        read_event(subject, body, sender, thread_of(body, {}))


def _check_command(subject: CommandSubject, body: Body, sender: Stub | None) -> None:
    """The verbs that take a documented task name their channel in the body; the linker looks closer."""
    if (model := _PLAIN_COMMANDS.get(subject.verb)) is not None:
        validate(model, body, what=subject.verb)
    elif subject.verb == "register":
        read_register(_params(body), org=subject.org)
    elif subject.verb == "emit":
        read_emit(_params(body), org=subject.org)
    elif subject.verb == "linkset":
        _require(sender, when=sender is None and "stubref" not in str(body))


def _params(body: Body) -> Body:
    params = body.get("params")
    return params if isinstance(params, dict) else {}


def _require(sender: Stub | None, *, when: bool) -> None:
    if when and sender is None:
        raise NoSenderError


def _sender_of(body: Body) -> Stub | None:
    found = sender_in(body)
    return None if found is None else Stub.parse(found)


def _mistake_in_json(data: bytes) -> str | None:
    """What is wrong with it as JSON, and where; None if nothing is."""
    try:
        found = json.loads(data)
    except json.JSONDecodeError as error:
        return str(error)
    except (ValueError, RecursionError):
        return None
    return None if isinstance(found, dict) else "it is JSON, but no object: write it as {...}"
