"""Pure: what is remembered of one Webim chat, and what each thing that happens makes of it.

Source: specs/webim.md sections 5.2 and 5.3.
"""

from __future__ import annotations

import hashlib
import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, JsonValue, PlainSerializer

from broker.domain.events import UUID, Label, StubName
from broker.domain.wire import Wire

State = Literal["active", "transferred", "closed"]
CloseReason = Literal["bot", "operator", "visitor_or_system", "idle", "end_session", "new_session"]
Dialect = Literal["1", "2"]

RENEW_PART = 0.1
"""The link outlasts the idle limit by this part of it, and is set anew once as much of it has passed: so it never
ends before the limit, and a busy chat does not set one with each message."""
MS_PER_S = 1000

INTEGER_MIN, INTEGER_MAX = -(1 << 63), (1 << 64) - 1
"""What a record has a form for; a greater number is kept by its digits."""
DIGITS = "digits"


def _as_kept(chat_id: int | str) -> int | str | dict[str, str]:
    if isinstance(chat_id, int) and not INTEGER_MIN <= chat_id <= INTEGER_MAX:
        return {DIGITS: str(chat_id)}
    return chat_id


def _from_kept(kept: Any) -> Any:
    return int(kept[DIGITS]) if isinstance(kept, dict) and isinstance(kept.get(DIGITS), str) else kept


ChatId = Annotated[int | str, BeforeValidator(_from_kept), PlainSerializer(_as_kept)]
"""A chat's id as Webim has it: an integer of any size stays that integer."""

_PLAIN = re.compile(r"[A-Za-z0-9-]{1,64}")


class Sending(Wire):
    """How far the answer in the notification of that sequence has got: the step that is being tried, from 0.

    ``since_ms``: when that step was first tried. ``failed``: the code of the first step that Webim refused for good.
    """

    sequence: int
    step: int
    since_ms: int = 0
    failed: str | None = None


class Question(Wire):
    """A v1 call that waits for its answer until then."""

    id: Label
    until_ms: int


class Replaced(Wire):
    """The session that the chat had before, and why it is over."""

    session: UUID
    reason: CloseReason


class Chat(Wire):
    """Value in bucket CHATS_webim, key from ``chat_key``; expires when the chat has been idle for long enough.

    ``chat_id`` keeps its JSON type, as Webim wants it back. ``stored``: the session's opening event is in the log;
    until then a repeated call publishes it again, under the same id. ``more``: something else came since.
    ``replaces``: its end is said once this record is kept, so that no crash leaves a session in use that has ended.
    ``spoke``: a message of the visitor's was told. ``record_until_ms``: until then the session's record is kept.
    ``quiet_question``: the newChatStarted whose replies are not shown. ``bot_messages``: how many of ours Webim has
    taken in this chat. ``owner``: the stub that gave the chat to an operator. ``done``: the sequence of the last
    notification that was carried out.
    ``answer``: the last v1 answer, for a call that is repeated, and ``answered`` the question it was given to.
    """

    org: UUID
    channel_id: Label
    chat_id: ChatId
    session: UUID
    state: State = "active"
    reason: CloseReason | None = None
    dialect: Dialect
    webim_version: str | None = None
    visitor_id: str | None = None
    user_from: dict[str, JsonValue] = Field(default_factory=dict)
    branch: str | None = None
    commit: str | None = None
    stub: StubName | None = None
    owner: StubName | None = None
    opening_id: Label
    stored: bool = False
    replaces: Replaced | None = None
    more: bool = False
    spoke: bool = False
    record_until_ms: int = 0
    quiet_question: str | None = None
    question: Question | None = None
    answered: str | None = None
    answer: dict[str, JsonValue] | None = None
    sending: Sending | None = None
    bot_messages: int = 0
    done: int = 0
    opened_at_ms: int
    last_at_ms: int
    link_until_ms: int = 0
    transferred_at_ms: int | None = None

    @property
    def conversation_id(self) -> str:
        """The canonical text of the chat's id."""
        return str(self.chat_id)


def settled(chat: Chat, *, now_ms: int, idle_s: int) -> Chat:
    """What time alone has made of it: a v1 question without an answer went to the queue, an idle chat is closed.

    A start without words needs no answer, so it stays with the bot.
    """
    if chat.state != "active":
        return chat
    is_answered = chat.question is None or chat.question.id == chat.quiet_question
    if chat.question is not None and not is_answered and now_ms >= chat.question.until_ms:
        return transferred(chat, now_ms=chat.question.until_ms)
    if now_ms - chat.last_at_ms > idle_s * MS_PER_S:
        return closed(chat, "idle")
    return chat


def is_repeat(chat: Chat | None) -> bool:
    """Whether a ``new_chat`` for it can only be the same call again: it is open, and nothing else happened since."""
    return chat is not None and chat.state == "active" and chat.stored and not chat.more


def touched(chat: Chat, *, now_ms: int, idle_s: int) -> tuple[Chat, float | None]:
    """The chat after another message, and for how many hours its link is to be set anew; None: it lasts."""
    after = chat.model_copy(update={"more": True, "last_at_ms": now_ms})
    return linked(after, now_ms=now_ms, idle_s=idle_s)


def linked(chat: Chat, *, now_ms: int, idle_s: int) -> tuple[Chat, float | None]:
    """The chat with a link that outlasts the idle limit, and the hours to ask for; None where it does already."""
    if chat.stub is None or now_ms + idle_s * MS_PER_S <= chat.link_until_ms:
        return chat, None
    length_s = idle_s * (1 + RENEW_PART)
    until_ms = now_ms + int(length_s * MS_PER_S)
    return chat.model_copy(update={"link_until_ms": until_ms}), length_s / 3600


def transferred(chat: Chat, *, now_ms: int, owner: str | None = None) -> Chat:
    """An operator, or the queue, has it now; ``owner``: the stub that gave it away, and hears when they are done."""
    changes = {
        "state": "transferred",
        "question": None,
        "sending": None,
        "transferred_at_ms": now_ms,
        "owner": owner or chat.stub,
    }
    return chat.model_copy(update=changes)


def closed(chat: Chat, reason: CloseReason) -> Chat:
    """The session is over."""
    return chat.model_copy(update={"state": "closed", "reason": reason, "question": None, "sending": None})


def chat_token(conversation_id: str) -> str:
    """A chat's id as one token of a key: itself where that is safe, else its hash; the prefixes cannot collide.

    Source: specs/webim.md section 5.1.
    """
    if _PLAIN.fullmatch(conversation_id):
        return f"i_{conversation_id}"
    return f"h_{hashlib.sha256(conversation_id.encode()).hexdigest()}"


def chat_key(channel_id: str, conversation_id: str) -> str:
    """Where a chat is kept."""
    return f"chat.{channel_id}.{chat_token(conversation_id)}"


def transfer_key(channel_id: str, conversation_id: str) -> str:
    """Where it is kept that an operator's dialog is to be collected."""
    return f"transfer.{channel_id}.{chat_token(conversation_id)}"


def stub_for(service: str, session: str) -> str:
    """The stub that answers a session: one each; the session's uuid is a secret and stays out of it."""
    return f"{service}.chat-{hashlib.sha256(session.encode()).hexdigest()[:24]}"
