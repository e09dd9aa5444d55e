"""Whose a session is, and for how long its record is kept: asked once, remembered while there is room."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import structlog

from broker.codec import decode, encode
from broker.domain.ids import SessionId
from broker.domain.incoming import Incoming
from broker.domain.sessions import SessionRecord, kept_longer
from broker.domain.subjects import ChatPath, Kind
from broker.domain.wire import dump, validate
from broker.errors import ConflictError, ForbiddenError, UnknownSessionError
from broker.transport.records import Records

SESSIONS_REMEMBERED_MAX = 200_000
SESSION_KEEP_MS = 40 * 86_400_000

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Known:
    """What is remembered of a session; the record is kept until ``kept_until_ms`` at least, perhaps longer."""

    path: ChatPath
    kept_until_ms: int
    mobile_number: str | None


class Sessions:
    """The bucket of session records, and a bounded memory over it."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._known: OrderedDict[SessionId, Known] = OrderedDict()

    async def keep(self, session: SessionId, *, until_ms: int, now_ms: int) -> None:
        """See that the session's record outlives its link; it is written again only where it might not.

        Raises:
            ConflictError: an adapter has written it in this instant: decide again.
        """
        known = self._known.get(session)
        if known is not None and known.kept_until_ms >= until_ms:
            return
        found = await self._records.read(session)
        if found.value is None:
            return
        body = decode(found.value)
        record = validate(SessionRecord, body, what="session record")
        if (record.kept_until_ms or 0) < until_ms:
            body, ttl_s = kept_longer(body, until_ms=until_ms + SESSION_KEEP_MS, now_ms=now_ms)
            await self._records.write(session, encode(body), revision=found.revision, ttl_s=ttl_s)
            record = validate(SessionRecord, body, what="session record")
        self._remember(session, record)

    async def admit(self, incoming: Incoming, *, at_ms: int) -> None:
        """Let the event in if its session is known and lives at the event's own path.

        A visitor's event makes the session known where no adapter has: then the log is the first to tell; so does a
        stub's that names a mobile number. A timeout may outlive what it is about. A number's session follows from its
        path, so whoever began it at another one beforehand, by a good guess, loses it.

        Raises:
            UnknownSessionError: a stub speaks to a session that never began.
            ForbiddenError: the session belongs to another org, or to another chat.
        """
        conversation = incoming.conversation
        path = await self.path_of(conversation.session)
        if path is None or (incoming.number is not None and path != conversation.path):
            if incoming.subject.kind is Kind.TIMEOUT:
                return
            if not incoming.may_begin:
                raise UnknownSessionError(conversation.session)
            path = await self._make_known(incoming, at_ms)
        if path != conversation.path:
            raise ForbiddenError(f"session {conversation.log_id}", org=conversation.path.org)

    async def path_of(self, session: SessionId) -> ChatPath | None:
        """Where a session lives; it never moves, so what was found once is not asked for again."""
        known = self._known.get(session)
        if known is not None:
            return known.path
        record = await self.record(session)
        return None if record is None else self._remember(session, record)

    async def record(self, session: SessionId) -> SessionRecord | None:
        """The session's record, None if there is none."""
        found = await self._records.read(session)
        return None if found.value is None else validate(SessionRecord, decode(found.value), what="session record")

    def number_of(self, session: SessionId) -> str | None:
        """The mobile number of a session that was asked for before, None where it has none."""
        known = self._known.get(session)
        return None if known is None else known.mobile_number

    async def _make_known(self, incoming: Incoming, at_ms: int) -> ChatPath:
        conversation, path = incoming.conversation, incoming.conversation.path
        record = SessionRecord(
            channel=path.channel,
            org=path.org,
            chat_name=path.chat,
            created_at_ms=at_ms,
            mobile_number=incoming.number,
        )
        found = await self._records.read(conversation.session)
        before = None if found.value is None else validate(SessionRecord, decode(found.value), what="session record")
        if before is None or (incoming.number is not None and before.path != path):
            body, ttl_s = kept_longer(dump(record), until_ms=at_ms + SESSION_KEEP_MS, now_ms=at_ms)
            try:
                await self._records.write(conversation.session, encode(body), revision=found.revision, ttl_s=ttl_s)
                return self._remember(conversation.session, validate(SessionRecord, body, what="session record"))
            except ConflictError:
                log.debug("session_made_elsewhere", session_id=conversation.log_id)
        known = await self.record(conversation.session)
        if known is None:
            raise UnknownSessionError(conversation.session)
        return self._remember(conversation.session, known)

    def _remember(self, session: SessionId, record: SessionRecord) -> ChatPath:
        self._known[session] = Known(record.path, record.kept_until_ms or 0, record.mobile_number)
        if len(self._known) > SESSIONS_REMEMBERED_MAX:
            self._known.popitem(last=False)
        return record.path
