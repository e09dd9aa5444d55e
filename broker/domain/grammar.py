"""Reads subjects: text to the types of subjects.py, or one sentence on where it leaves the grammar."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

from broker.domain.ids import (
    OrgId,
    SessionId,
    Stub,
    action_name,
    channel_name,
    chat_name,
    connection_name,
    is_session_id,
    org_id,
    service_name,
    session_id,
    stubref,
)
from broker.domain.subjects import (
    CHANNEL_VERBS,
    ROOT,
    VERBS,
    VISITOR_KINDS,
    WEBHOOK_OUTCOMES,
    AnySubject,
    ChannelCommandSubject,
    ChatPath,
    CommandSubject,
    Conversation,
    ConversationSubject,
    DeadLetterSubject,
    DeliverySubject,
    DueSubject,
    Kind,
    SignalSubject,
    TimerSubject,
    WebhookSubject,
)
from broker.errors import GrammarError, InvalidNameError, InvalidSubjectError

SUBJECT_CHARACTERS_MAX = 1_000
"""Longer subjects are refused before they are read; the server's own line limit is 4,096 bytes."""

_KIND_BY_TAIL = {str(kind): kind for kind in Kind if kind not in VISITOR_KINDS}
_KIND_BY_MESSAGETYPE = {str(kind): kind for kind in VISITOR_KINDS}
_CHAT_TOKENS = 8
_CONVERSATION_TOKENS = 10
CHATS_REMEMBERED_MAX = 4_096
SUBJECTS_REMEMBERED_MAX = 1_024
"""Events of a session come together, and most of them on the same subject."""
_PARTITION = re.compile(r"0|[1-9][0-9]{0,3}")

_Value = TypeVar("_Value")


@lru_cache(SUBJECTS_REMEMBERED_MAX)
def parse_conversation(subject: str) -> ConversationSubject:
    """Read a subject under ``stubber.systems.notifications``.

    A doubled ``sessionuuid`` pair, as one documented page shows it, is read as one.

    Raises:
        InvalidSubjectError: no row of subjects.md describes it; the message says where it fails.
    """
    if (usual := _usual(subject)) is not None:
        return usual
    tokens = subject.split(".")
    try:
        _literal(tokens, 2, "notifications")
        path = _chat_path(tokens)
        rest = tokens[8:]
        session: SessionId | None = None
        if rest[:1] == ["sessionuuid"]:
            session = _labelled(tokens, 8, "sessionuuid", session_id)
            rest = rest[4:] if rest[2:4] == rest[:2] else rest[2:]
        return ConversationSubject(path, session, _kind(path.channel, rest, has_session=session is not None))
    except GrammarError as error:
        raise InvalidSubjectError(subject, problem=str(error)) from error


def _usual(subject: str) -> ConversationSubject | None:
    """The short way for what nearly every event looks like; None leaves it to the long way, which says what is wrong.

    Chats are few and sessions many, so chats are remembered.
    """
    prefix, found, rest = subject.partition(".sessionuuid.")
    session, _, tail = rest.partition(".")
    if not found or not is_session_id(session):
        return None
    path = _usual_path(prefix)
    if path is None:
        return None
    kind = _KIND_BY_TAIL.get(tail)
    if kind is None:
        channel, _, visitor = tail.partition("messagetype.")
        kind = _KIND_BY_MESSAGETYPE.get(visitor) if channel == path.channel else None
    if kind is None or kind is Kind.INITIALIZE:
        return None
    return ConversationSubject(path, SessionId(session), kind)


@lru_cache(CHATS_REMEMBERED_MAX)
def _usual_path(prefix: str) -> ChatPath | None:
    tokens = prefix.split(".")
    if len(tokens) != _CHAT_TOKENS or tokens[2] != "notifications":
        return None
    try:
        return _chat_path(tokens)
    except GrammarError:
        return None


def parse_subject(subject: str) -> AnySubject:
    """Read any subject of ours.

    Raises:
        InvalidSubjectError: no row of subjects.md describes it; the message says where it fails.
    """
    if len(subject) > SUBJECT_CHARACTERS_MAX:
        raise InvalidSubjectError(subject, problem=f"longer than {SUBJECT_CHARACTERS_MAX} characters")
    tokens = subject.split(".")
    if tokens[:2] != ROOT.split(".") or len(tokens) < 3:
        raise InvalidSubjectError(subject, problem=f"it does not begin with '{ROOT}.'")
    if tokens[2] == "notifications":
        return parse_conversation(subject)
    readers: dict[str, Callable[[list[str]], AnySubject]] = {
        "signals": _signal,
        "stubs": _delivery,
        "timers": _timer,
        "deadletters": _dead_letter,
        "commands": _command,
        "webhooks": _webhook,
    }
    reader = readers.get(tokens[2])
    if reader is None:
        known = ", ".join(["notifications", *readers])
        raise InvalidSubjectError(subject, problem=f"unknown area {tokens[2]!r}: expected one of {known}")
    try:
        return reader(tokens)
    except GrammarError as error:
        raise InvalidSubjectError(subject, problem=str(error)) from error


def parse_conversation_prefix(prefix: str) -> Conversation:
    """Read a conversation's prefix, as the header ``Heimdall-Conversation`` carries it.

    Raises:
        InvalidSubjectError: it is not a prefix down to a session uuid.
    """
    tokens = prefix.split(".")
    try:
        _length(tokens, _CONVERSATION_TOKENS)
        _literal(tokens, 2, "notifications")
        return Conversation(_chat_path(tokens), _labelled(tokens, 8, "sessionuuid", session_id))
    except GrammarError as error:
        raise InvalidSubjectError(prefix, problem=str(error)) from error


def _chat_path(tokens: list[str]) -> ChatPath:
    """Tokens 0 to 7 of everything that happens in a chat."""
    if tokens[:2] != ["stubber", "systems"]:
        raise InvalidNameError("beginning", ".".join(tokens[:2]), expected=f"'{ROOT}'")
    return ChatPath(
        channel_name(_token(tokens, 3, "a channel")),
        _labelled(tokens, 4, "org", org_id),
        _labelled(tokens, 6, "name", chat_name),
    )


def _kind(channel: str, rest: list[str], *, has_session: bool) -> Kind:
    """The event kind that the tokens after the path and the session pair tell."""
    kind = _KIND_BY_TAIL.get(".".join(rest)) if has_session else None
    if kind is None and len(rest) == 2 and rest[0] == f"{channel}messagetype":
        kind = _KIND_BY_MESSAGETYPE.get(rest[1])
        if kind is not None and (kind is Kind.INITIALIZE) == has_session:
            kind = None
    if kind is None:
        visitor = f"'{channel}messagetype.<type>' with one of " + ", ".join(
            sorted(str(kind) for kind in VISITOR_KINDS if (kind is Kind.INITIALIZE) != has_session)
        )
        others = ", or one of " + ", ".join(sorted(_KIND_BY_TAIL)) if has_session else ""
        after = "its session" if has_session else "its chat (events of a session have 'sessionuuid.<uuid>' here)"
        raise InvalidNameError("ending", ".".join(rest), expected=f"after {after}: {visitor}{others}")
    return kind


def _signal(tokens: list[str]) -> SignalSubject:
    _length(tokens, 11)
    conversation = Conversation(_chat_path(tokens), _labelled(tokens, 8, "sessionuuid", session_id))
    match tokens[10]:
        case "typing" | "presence" as signal:
            return SignalSubject(conversation, signal)
        case other:
            raise InvalidNameError("signal", other, expected="'typing' or 'presence'")


def _delivery(tokens: list[str]) -> DeliverySubject:
    org = _labelled(tokens, 3, "org", org_id)
    stub = Stub(_labelled(tokens, 5, "service", service_name), _labelled(tokens, 7, "stubref", stubref))
    action = _labelled(tokens, 9, "action", action_name)
    _length(tokens, 11)
    return DeliverySubject(org, stub, action)


def _timer(tokens: list[str]) -> TimerSubject | DueSubject:
    match _token(tokens, 3, "'link', 'hold' or 'due'"):
        case "link" | "hold" as kind:
            _length(tokens, 11)
            del tokens[3]
            conversation = Conversation(_chat_path(tokens), _labelled(tokens, 8, "sessionuuid", session_id))
            return TimerSubject(kind, conversation)
        case "due":
            number = _labelled(tokens, 4, "partition", str)
            _length(tokens, 6)
            if not _PARTITION.fullmatch(number):
                raise InvalidNameError("partition", number, expected="a number")
            return DueSubject(int(number))
        case other:
            raise InvalidNameError("timer", other, expected="'link', 'hold' or 'due'")


def _dead_letter(tokens: list[str]) -> DeadLetterSubject:
    org = _labelled(tokens, 3, "org", org_id)
    reason = _labelled(tokens, 5, "reason", action_name)
    _length(tokens, 7)
    return DeadLetterSubject(org, reason)


def _command(tokens: list[str]) -> CommandSubject | ChannelCommandSubject:
    org = _labelled(tokens, 3, "org", org_id)
    if tokens[5:6] == ["channel"]:
        return _channel_command(tokens, org)
    _length(tokens, 6)
    for verb in VERBS:
        if tokens[5] == verb:
            return CommandSubject(org, verb)
    raise InvalidNameError("verb", tokens[5], expected="one of " + ", ".join(VERBS))


def _channel_command(tokens: list[str], org: OrgId) -> ChannelCommandSubject:
    channel = _labelled(tokens, 5, "channel", channel_name)
    _length(tokens, 8)
    for verb in CHANNEL_VERBS:
        if tokens[7] == verb:
            return ChannelCommandSubject(org, channel, verb)
    raise InvalidNameError("verb", tokens[7], expected="one of " + ", ".join(CHANNEL_VERBS))


def _webhook(tokens: list[str]) -> WebhookSubject:
    org = _labelled(tokens, 3, "org", org_id)
    channel = _labelled(tokens, 5, "channel", channel_name)
    connection = _labelled(tokens, 7, "connection", connection_name)
    _length(tokens, 10)
    for outcome in WEBHOOK_OUTCOMES:
        if tokens[9] == outcome:
            return WebhookSubject(org, channel, connection, outcome)
    raise InvalidNameError("outcome", tokens[9], expected="one of " + ", ".join(WEBHOOK_OUTCOMES))


def _labelled(tokens: list[str], index: int, label: str, read: Callable[[str], _Value]) -> _Value:
    """The value after the label that must stand at ``index``."""
    _literal(tokens, index, label)
    return read(_token(tokens, index + 1, f"a value after '{label}'"))


def _literal(tokens: list[str], index: int, label: str) -> None:
    found = _token(tokens, index, f"'{label}'")
    if found != label:
        raise InvalidNameError(f"token {index + 1}", found, expected=f"'{label}'")


def _token(tokens: list[str], index: int, expected: str) -> str:
    if index >= len(tokens):
        raise InvalidNameError("end", ".".join(tokens[-2:]), expected=f"{expected} as token {index + 1}")
    return tokens[index]


def _length(tokens: list[str], count: int) -> None:
    if len(tokens) != count:
        raise InvalidNameError("length", f"{len(tokens)} tokens", expected=f"{count} tokens")
