"""What the sockets need of the backbone: chats, sessions, the log of one conversation, and publishing with patience."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import secrets
import time
from collections import deque
from collections.abc import Mapping
from uuid import uuid4

from broker import codec
from broker.domain.events import Receipt
from broker.domain.headers import CONTENT_TYPE, MESSAGE_ID
from broker.domain.ids import ChatName, OrgId, SessionId, new_session_id
from broker.domain.profiles import Profile, profile_key
from broker.domain.sessions import SessionRecord, kept_longer
from broker.domain.subjects import Conversation, Kind, Signal, partition_of
from broker.domain.wire import Body, dump, validate
from broker.errors import (
    BackboneError,
    BusError,
    ForbiddenError,
    ServerUnreachableError,
    StreamFullError,
    UnknownChatError,
    UnknownSessionError,
)
from broker.runtime.backbone import Backbone
from broker.transport.publisher import Stored
from broker.transport.reader import StoredMessage, read_one, read_range
from broker.transport.tables import Table
from broker.transport.topology import CONVERSATIONS, SESSIONS
from workers.webchat import translate
from workers.webchat.settings import WebchatSettings

TOKEN_BYTES = 32
MS_PER_DAY = 86_400_000
REPLAY_EVENTS_MAX = 2_000
REPLAY_BYTES_MAX = 8 << 20
"""What one returning browser may make the process hold; older events are left out, and the browser is told."""
REPLAY_PAGE = 25
"""Of the largest messages this is some megabytes: what others wait for has to fit in between."""
REPLAYS_READ_MAX = 2
"""Conversations that are read at a time; more would crowd what everybody says off the one connection."""
FIRST_RETRY_WAIT_S = 0.1
RETRY_WAIT_S_MAX = 2.0
PATIENCE_S = 15.0
"""How long a socket holds what it could not store; then the browser, which kept it, is sent to try again."""
FULL_PATIENCE_S = 2.0
"""A full log is not mended within seconds: the browser is told soon, and keeps what it has to say."""


class Bus:
    """The worker's one way to NATS."""

    def __init__(self, backbone: Backbone, profiles: Table, settings: WebchatSettings) -> None:
        self._connection = backbone.connection
        self._publisher = backbone.publisher
        self._sessions = backbone.records(SESSIONS)
        self._profiles = profiles
        self._partitions = settings.partitions
        self._replays = asyncio.Semaphore(REPLAYS_READ_MAX)
        self._session_keep_ms = settings.session_keep_days * MS_PER_DAY

    @property
    def connected(self) -> bool:
        """Whether the server is there now."""
        return self._connection.connected

    def profile(self, org: OrgId, chat: ChatName) -> Profile:
        """The chat of that name in that org.

        Raises:
            UnknownChatError: there is none.
        """
        entry = self._profiles.get(profile_key(org, chat))
        if entry is None:
            raise UnknownChatError(chat, org=org)
        return validate(Profile, codec.decode(entry.value), what="profile")

    async def begin_session(self, record: SessionRecord, session: SessionId) -> Stored:
        """Keep the record, then announce the session: whoever hears of it finds it."""
        if not self.connected:
            raise ServerUnreachableError(self._connection.url)
        await self._keep(session, dump(record), revision=0)
        body = translate.to_initialize(session, record)
        return await self.store(record.path.initialize(), body, translate.event_id(session, Kind.INITIALIZE))

    async def resume_session(self, session: SessionId, token: str, *, org: OrgId, chat: ChatName) -> SessionRecord:
        """The record of a session that this token opens, kept for its full time again.

        Raises:
            UnknownSessionError: there is none, or none any more.
            ForbiddenError: another token, or a session of another chat.
        """
        found = await self._sessions.read(session)
        if found.value is None:
            raise UnknownSessionError(session)
        kept = codec.decode(found.value)
        record = validate(SessionRecord, kept, what="session record")
        is_ours = (record.channel, record.org, record.chat_name) == (translate.WEBCHAT, org, chat)
        if not is_ours or not hmac.compare_digest(record.token_sha256 or "", token_hash(token)):
            raise ForbiddenError(f"session {session[:8]}", org=org)
        with contextlib.suppress(BusError):  # Somebody else may have done the same in this instant.
            await self._keep(session, kept, revision=found.revision)
        return record

    async def _keep(self, session: SessionId, record: Body, *, revision: int) -> None:
        now_ms = time.time_ns() // 1_000_000
        longer, ttl_s = kept_longer(record, until_ms=now_ms + self._session_keep_ms, now_ms=now_ms)
        await self._sessions.write(session, codec.encode(longer), revision=revision, ttl_s=ttl_s)

    async def read_log(self, conversation: Conversation) -> tuple[list[StoredMessage], bool]:
        """The newest events of a conversation, oldest first, and whether older ones were left out."""
        number = partition_of((conversation.session,), self._partitions)
        async with self._replays:
            return await self._read_newest(f"p.{number}.{conversation.prefix}.>")

    async def _read_newest(self, pattern: str) -> tuple[list[StoredMessage], bool]:
        newest: deque[StoredMessage] = deque()
        size_bytes, after, is_cut = 0, 0, False
        while True:
            page = await read_range(self._connection, CONVERSATIONS, (pattern,), after=after, limit=REPLAY_PAGE)
            newest.extend(page)
            size_bytes += sum(len(message.data) for message in page)
            while len(newest) > REPLAY_EVENTS_MAX or size_bytes > REPLAY_BYTES_MAX:
                size_bytes -= len(newest.popleft().data)
                is_cut = True
            if len(page) < REPLAY_PAGE:
                return list(newest), is_cut
            after = page[-1].sequence

    async def is_kept(self, sequence: int) -> bool:
        """Whether the log still reaches back to this sequence."""
        return await read_one(self._connection, CONVERSATIONS, sequence) is not None

    async def store(self, subject: str, body: Body, event_id: str) -> Stored:
        """Publish until it is stored, with growing waits while the server is away.

        Raises:
            StreamFullError: the log has no room; told after FULL_PATIENCE_S.
            BackboneError: it will not be taken, or PATIENCE_S is over (then ``retryable`` is true).
        """
        headers = {MESSAGE_ID: event_id, CONTENT_TYPE: codec.MSGPACK}
        data = codec.encode(body)
        begun_s, wait_s = time.monotonic(), FIRST_RETRY_WAIT_S
        while True:
            try:
                return await self._publisher.store(subject, data, headers)
            except BackboneError as error:
                patience_s = FULL_PATIENCE_S if isinstance(error, StreamFullError) else PATIENCE_S
                if not error.retryable or time.monotonic() + wait_s > begun_s + patience_s:
                    raise
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, RETRY_WAIT_S_MAX)

    async def confirm(self, conversation: Conversation, sequence: int) -> None:
        """One receipt for one notification, whoever says it how often."""
        body = dump(Receipt(notification=sequence, status="delivered"))
        message_id = translate.event_id(conversation.session, f"receipt-{sequence}")
        await self.store(conversation.subject(Kind.RECEIPT), body, message_id)

    async def signal_typing(self, conversation: Conversation) -> None:
        """Tell who listens right now; nobody minds if it is lost."""
        await self._signal(conversation, "typing", {})

    async def signal_presence(self, conversation: Conversation, *, is_present: bool) -> None:
        """Tell that the visitor's first window of this process opened, or its last one closed."""
        await self._signal(conversation, "presence", {"present": is_present})

    async def _signal(self, conversation: Conversation, signal: Signal, members: Mapping[str, object]) -> None:
        body = {"sessionuuid": conversation.session, "from": "visitor", **members}
        with contextlib.suppress(BusError):
            await self._connection.publish(
                conversation.signal(signal), codec.encode(body), headers={CONTENT_TYPE: codec.MSGPACK}
            )


def draw_session() -> SessionId:
    """A fresh session uuid, version 4."""
    return new_session_id(uuid4())


def draw_token() -> str:
    """What opens a session again; only its hash is kept."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def token_hash(token: str) -> str:
    """The form in which a token is kept: it is long and random, so a plain hash is enough."""
    return hashlib.sha256(token.encode()).hexdigest()
