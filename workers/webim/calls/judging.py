"""Pure: what a call of Webim's means for its chat: a repeat, a new session, one more message, or not the bot's.

Source: specs/webim.md section 5.3.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from uuid import UUID

from broker.domain.deployments import Deployment
from broker.domain.subjects import Kind
from workers.webim.channel import Channel
from workers.webim.chat.chats import (
    MS_PER_S,
    Chat,
    Dialect,
    Question,
    Replaced,
    is_repeat,
    linked,
    settled,
    stub_for,
)
from workers.webim.chat.store import KEPT_MARGIN_S, TRANSFERRED_KEPT_S
from workers.webim.sending.steps import LATE_MS
from workers.webim.translate import NewChat, NewMessage

SESSION_KEPT_PART = 2
"""A session's record is kept so many times as long as it is needed, so that it is not written with each message."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call that something happened with; ``nonce`` is drawn for it, ``active`` the version for new sessions."""

    channel: Channel
    dialect: Dialect
    happened: NewChat | NewMessage
    active: Deployment
    webim_version: str | None
    nonce: str
    at_ms: int

    @property
    def conversation_id(self) -> str:
        """The canonical text of the chat's id."""
        return str(self.happened.chat_id)

    @property
    def idle_s(self) -> int:
        """After how much silence a session ends."""
        return self.channel.settings.session_idle_ttl_s


@dataclass(frozen=True, slots=True)
class Repeat:
    """The same call again: nothing is published."""

    chat: Chat


@dataclass(frozen=True, slots=True)
class NotOurs:
    """An operator has the chat: the message is set aside."""

    chat: Chat


@dataclass(frozen=True, slots=True)
class Open:
    """A session begins, and ends the one that it replaces."""

    chat: Chat


@dataclass(frozen=True, slots=True)
class Carry:
    """One more message of a session."""

    chat: Chat


Verdict = Repeat | NotOurs | Open | Carry


def judge(kept: Chat | None, call: Call, *, new_session: str) -> Verdict:
    """What the call means for the chat as it was found; ``new_session`` is a fresh uuid, used if one begins."""
    chat = None if kept is None else settled(kept, now_ms=call.at_ms, idle_s=call.idle_s)
    if isinstance(call.happened, NewChat) and is_repeat(chat):
        assert chat is not None  # noqa: S101 - is_repeat() says so
        return Repeat(chat)
    if chat is not None and chat.state == "active":
        if not chat.stored:
            return Open(chat)  # nothing of this session is in the log yet: whoever began it did not end it
        if isinstance(call.happened, NewMessage):
            return Carry(chat)
    if chat is not None and chat.state == "transferred" and isinstance(call.happened, NewMessage):
        return NotOurs(chat)
    replaces = None if kept is None or kept.state == "closed" else _replaced(kept, call)
    return Open(_opened(chat, call, new_session, replaces))


def event_id(call: Call, chat: Chat) -> str:
    """The id of the event that the call becomes: the same for the same call, and no outsider can guess it.

    Webim's own message id is known to whoever sees Webim's calls, so it is mixed with the channel's secret.
    """
    if isinstance(call.happened, NewChat):
        return chat.opening_id
    if call.happened.message_id is None:
        return call.nonce
    said = f"{len(call.conversation_id)}:{call.conversation_id}:{call.happened.message_id}"
    digest = hmac.new(call.channel.access_token.encode(), said.encode(), hashlib.sha256)
    return f"webim-{digest.hexdigest()}"


def question_id(event: str) -> str:
    """The question that an event asks; a repeat asks the same."""
    return str(UUID(bytes=hashlib.sha256(f"question {event}".encode()).digest()[:16], version=4))


def kind_of(call: Call, chat: Chat) -> Kind:
    """Which kind of event the call becomes in its session."""
    if call.happened.said is None:
        return Kind.NOTICE
    return Kind.MESSAGE if chat.spoke else Kind.FIRSTMESSAGE


def is_asking(chat: Chat, question: str, *, now_ms: int) -> bool:
    """Whether another v1 call of the chat waits for its answer, or has just had it: what comes is asked after it."""
    return chat.question is not None and chat.question.id != question and now_ms < chat.question.until_ms + LATE_MS


def told(chat: Chat, call: Call) -> Chat:
    """The chat once the call's event is in the log."""
    changes = {
        "stored": True,
        "replaces": None,
        "dialect": call.dialect,
        "spoke": chat.spoke or call.happened.said is not None,
        "more": chat.more or isinstance(call.happened, NewMessage),
        "last_at_ms": max(chat.last_at_ms, call.at_ms),
        "webim_version": call.webim_version or chat.webim_version,
    }
    return chat.model_copy(update=changes)


def asked(chat: Chat, call: Call, question: str) -> Chat:
    """The chat with what the event asks: a v1 call waits for the answer, a start is not answered visibly."""
    changes: dict[str, object] = {}
    if call.dialect == "1":
        until_ms = call.at_ms + call.channel.settings.v1_timeout_ms
        changes["question"] = Question(id=question, until_ms=until_ms)
    if call.happened.said is None and not call.channel.settings.deliver_init_replies:
        changes["quiet_question"] = question
    return chat.model_copy(update=changes)


def recorded(chat: Chat, *, now_ms: int, idle_s: int) -> tuple[Chat, int | None]:
    """The chat, and until when the session's record is to be kept; None where it is kept long enough."""
    needed_ms = (max(idle_s, TRANSFERRED_KEPT_S) + KEPT_MARGIN_S) * MS_PER_S
    if now_ms + needed_ms <= chat.record_until_ms:
        return chat, None
    until_ms = now_ms + SESSION_KEPT_PART * needed_ms
    return chat.model_copy(update={"record_until_ms": until_ms}), until_ms


def _replaced(before: Chat, call: Call) -> Replaced | None:
    """Why a session is over that another one follows; None where its link, which ran out, has said it already."""
    reason = settled(before, now_ms=call.at_ms, idle_s=call.idle_s).reason or "new_session"
    if reason == "idle" and before.stub is not None and call.at_ms >= before.link_until_ms:
        return None
    return Replaced(session=before.session, reason=reason)


def _opened(before: Chat | None, call: Call, session: str, replaces: Replaced | None) -> Chat:
    """A session of its own; what is known of the visitor lasts as long as the chat."""
    happened = call.happened
    service = call.active.service
    chat = Chat(
        org=call.channel.org,
        channel_id=call.channel.id,
        chat_id=happened.chat_id,
        session=session,
        dialect=call.dialect,
        webim_version=call.webim_version,
        visitor_id=happened.visitor_id or (before.visitor_id if before else None),
        user_from=happened.user_from or (before.user_from if before else {}),
        branch=call.active.ref,
        commit=call.active.commit,
        stub=None if service is None else stub_for(service, session),
        opening_id=f"{session}-opening",
        replaces=replaces,
        bot_messages=before.bot_messages if before else 0,
        opened_at_ms=call.at_ms,
        last_at_ms=call.at_ms,
    )
    return linked(chat, now_ms=call.at_ms, idle_s=call.idle_s)[0]
