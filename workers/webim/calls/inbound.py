"""Takes what Webim says happened: read the chat, judge, then tell the conversation and keep the record.

The record comes first, then what is published, under ids that derive from it: a crash anywhere repeats without
doubling.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from uuid import uuid4

import structlog

from broker.codec import BODY_BYTES_MAX, MSGPACK, encode
from broker.domain import headers as names
from broker.domain.dialogs import DialogRequest
from broker.domain.ids import SessionId
from broker.domain.subjects import Kind, partition_of
from broker.errors import BodyTooLargeError, CallRefusedError, ConflictError
from broker.runtime.deadletters import DeadLetters, Original
from broker.transport.connection import Connection
from broker.transport.reader import read_range
from broker.transport.topology import CONVERSATIONS
from workers.webim.calls.judging import (
    Call,
    Carry,
    NotOurs,
    Open,
    Repeat,
    Verdict,
    asked,
    event_id,
    is_asking,
    judge,
    kind_of,
    question_id,
    recorded,
    told,
)
from workers.webim.channel import WEBIM, Channel
from workers.webim.chat.chats import Chat, chat_key, settled, touched
from workers.webim.chat.conversations import Conversations, visitor_body
from workers.webim.chat.endings import QUEUE, Endings
from workers.webim.chat.sessions import ChatSessions
from workers.webim.chat.store import ChatStore, Kept
from workers.webim.translate import to_request

TRIES_MAX = 8
"""Times that one record is read and judged again because somebody else wrote it meanwhile."""
WRAPPING_BYTES = 8_192
"""What an event gains on its way into a run, beside its text."""
WITH_OPERATOR = "chat_with_operator"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a call, and the chat after it; ``question`` is the one that it asked, now or before.

    ``busy``: nothing yet, another process holds a v1 call of the same chat.
    """

    outcome: Literal["told", "repeat", "set_aside", "busy"]
    chat: Chat
    question: str


class Inbound:
    """Takes calls one by one; who calls it keeps those of one chat in their order."""

    def __init__(  # noqa: PLR0913 - the worker's parts
        self,
        connection: Connection,
        dead_letters: DeadLetters,
        conversations: Conversations,
        chats: ChatStore,
        sessions: ChatSessions,
        endings: Endings,
        *,
        partitions: int,
    ) -> None:
        self._connection = connection
        self._dead_letters = dead_letters
        self._conversations = conversations
        self._chats = chats
        self._sessions = sessions
        self._endings = endings
        self._partitions = partitions

    async def take(self, call: Call, *, listen: Callable[[Chat, str], None]) -> Taken:
        """Have it in the log, or know that it is there; ``listen`` is called before a v1 question is asked.

        Raises:
            CallRefusedError: ``payload_too_large``, more than the bus carries; nothing was stored.
            BusError: not now, or not surely.
        """
        for _ in range(TRIES_MAX):
            kept = await self._load(call)
            verdict = judge(kept.chat, call, new_session=str(uuid4()))
            if isinstance(verdict, NotOurs):
                await self._catch_up(call.channel, kept, now_ms=call.at_ms)
            try:
                return await self._act(call, verdict, kept.revision, listen)
            except ConflictError:
                continue
        raise ConflictError(chat_key(call.channel.id, call.conversation_id))

    async def close(self, channel: Channel, conversation_id: str, *, now_ms: int) -> None:
        """Webim says that the chat is over; nothing to do for one that we do not know."""
        kept = await self._chats.load(channel.id, conversation_id)
        kept = await self._catch_up(channel, kept, now_ms=now_ms)
        if kept.chat is not None and kept.chat.state != "closed":
            await self._endings.closed_in_webim(channel, kept.chat)

    async def _catch_up(self, channel: Channel, kept: Kept, *, now_ms: int) -> Kept:
        """Tell of a chat that went to the queue while nobody was there to say so: its v1 call died with its process."""
        chat = kept.chat
        if chat is None or chat.state != "active":
            return kept
        if settled(chat, now_ms=now_ms, idle_s=channel.settings.session_idle_ttl_s).state != "transferred":
            return kept
        return await self._endings.transfer(channel, chat, QUEUE)

    async def _load(self, call: Call) -> Kept:
        """The chat; where it is unknown whether its opening is in the log, the log is asked."""
        kept = await self._chats.load(call.channel.id, call.conversation_id)
        if kept.chat is None or kept.chat.stored or kept.chat.state != "active":
            return kept
        is_told = await self._is_told(call.channel, kept.chat)
        return Kept(kept.chat.model_copy(update={"stored": is_told}), kept.revision)

    async def _is_told(self, channel: Channel, chat: Chat) -> bool:
        """Whether anything that the visitor did in this session is in the log."""
        conversation = channel.path.conversation(SessionId(chat.session))
        number = partition_of((chat.session,), self._partitions)
        pattern = f"p.{number}.{conversation.prefix}.{WEBIM}messagetype.>"
        return bool(await read_range(self._connection, CONVERSATIONS, (pattern,), limit=1))

    async def _act(self, call: Call, verdict: Verdict, revision: int, listen: Callable[[Chat, str], None]) -> Taken:
        event = event_id(call, verdict.chat)
        question = question_id(event)
        match verdict:
            case Repeat(chat):
                listen(chat, question)
                return Taken("repeat", chat, question)
            case NotOurs(chat):
                await self._set_aside(call, chat, event, question)
                return Taken("set_aside", chat, question)
            case Open():
                request = self._request(call, verdict.chat, question, new_session=True)
                listen(verdict.chat, question)
                return Taken("told", await self._open(call, verdict, revision, request, event), question)
            case Carry(chat) if call.dialect == "1" and is_asking(chat, question, now_ms=_now_ms()):
                return Taken("busy", chat, question)
            case Carry(chat):
                request = self._request(call, chat, question, new_session=False)
                if call.dialect == "1" and question == chat.answered:
                    return Taken("repeat", chat, question)
                listen(chat, question)
                return Taken("told", await self._carry(call, Kept(chat, revision), request, event), question)

    async def _open(self, call: Call, verdict: Open, revision: int, request: DialogRequest, event: str) -> Chat:
        """A new session: its record, the end of the one before, the session's record, the link, then what opens it."""
        chat, _ = recorded(verdict.chat, now_ms=call.at_ms, idle_s=call.idle_s)
        chat = asked(chat, call, request.question_id)
        kind = kind_of(call, chat)
        revision = await self._chats.save(chat, revision=revision, idle_s=call.idle_s)
        await self._endings.say_replaced(call.channel, chat)
        await self._sessions.keep(call.channel, chat, now_ms=call.at_ms)
        if chat.stub is not None:
            await self._sessions.link(call.channel, chat)
        stored = await self._conversations.tell(call.channel, kind, request, event_id=event)
        if stored.duplicate and not await self._is_told(call.channel, chat):
            return chat  # an old message once more, stored in a session before: this one is still to begin
        log.info("session_opened", session_id=chat.session[:8], channel_id=chat.channel_id, dialect=chat.dialect)
        await self._note(call, Kept(chat, revision), lambda found: told(found, call))
        return chat

    async def _carry(self, call: Call, kept: Kept, request: DialogRequest, event: str) -> Chat:
        """One more message; the link and the session's record last as long as the chat does."""
        assert kept.chat is not None  # noqa: S101 - it was judged
        before = kept.chat
        chat, hours = touched(before, now_ms=call.at_ms, idle_s=call.idle_s)
        chat, until_ms = recorded(chat, now_ms=call.at_ms, idle_s=call.idle_s)
        chat = asked(told(chat, call), call, request.question_id)
        if call.dialect == "1":  # the lane that sends answers must see the question before anybody can answer it
            await self._chats.save(chat, revision=kept.revision, idle_s=call.idle_s)
        is_renewed = hours is not None and await self._sessions.may_renew(before, now_ms=call.at_ms)
        if is_renewed:
            await self._sessions.link(call.channel, chat)
        if until_ms is not None:
            await self._sessions.keep(call.channel, chat, now_ms=call.at_ms)
        await self._conversations.tell(call.channel, kind_of(call, before), request, event_id=event)
        if call.dialect == "2":
            lasting = {"record_until_ms": chat.record_until_ms}
            if hours is not None:  # else it may have been found to be shorter meanwhile
                lasting["link_until_ms"] = chat.link_until_ms
            is_ours = await self._note(call, kept, lambda found: told(found, call).model_copy(update=lasting))
            if is_renewed and not is_ours:  # given away meanwhile, and the link came behind what took it
                await self._sessions.unlink(call.channel, chat)
        return chat

    async def _note(self, call: Call, kept: Kept, change: Callable[[Chat], Chat]) -> bool:
        """Save what is true once the event is stored; False: the chat has gone on to another state, and is left."""
        session = "" if kept.chat is None else kept.chat.session
        for _ in range(TRIES_MAX):
            if kept.chat is None or kept.chat.session != session or kept.chat.state != "active":
                return False
            try:
                await self._chats.save(change(kept.chat), revision=kept.revision, idle_s=call.idle_s)
            except ConflictError:
                kept = await self._chats.load(call.channel.id, call.conversation_id)
            else:
                return True
        log.warning("chat_not_noted", session_id=session[:8], channel_id=call.channel.id)
        return True

    def _request(self, call: Call, chat: Chat, question: str, *, new_session: bool) -> DialogRequest:
        """The question, if the bus can carry it, in its event and in the run that this becomes."""
        request = to_request(
            chat, call.happened, question_id=question, new_session=new_session, received_at_ms=call.at_ms
        )
        try:
            size_bytes = len(encode(visitor_body(call.channel, request))) + len((request.query or "").encode())
        except BodyTooLargeError as error:
            raise CallRefusedError("payload_too_large", f"the call does not fit the bus: {error}") from error
        if size_bytes + WRAPPING_BYTES > BODY_BYTES_MAX:
            raise CallRefusedError(
                "payload_too_large",
                f"with its parts the call takes {size_bytes} bytes on the bus: "
                f"at most {BODY_BYTES_MAX - WRAPPING_BYTES} are taken",
            )
        return request

    async def _set_aside(self, call: Call, chat: Chat, event: str, question: str) -> None:
        """What a visitor tells the operator through us anyway is kept, not routed."""
        request = self._request(call, chat, question, new_session=False)
        conversation = call.channel.path.conversation(SessionId(chat.session))
        original = Original(
            subject=conversation.subject(Kind.MESSAGE),
            stream=WEBIM,
            # It never was in a stream; the number keeps two messages apart, and a repeated one together.
            sequence=int.from_bytes(hashlib.sha256(event.encode()).digest()[:6]),
            data=encode(visitor_body(call.channel, request)),
            headers={names.MESSAGE_ID: event, names.CONTENT_TYPE: MSGPACK},
            stored_at_ms=call.at_ms,
        )
        await self._dead_letters.keep(original, code=WITH_OPERATOR, detail="an operator has the chat, not the program")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
