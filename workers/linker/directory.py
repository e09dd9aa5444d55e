"""What the linker knows of an org: its registrations and chats (live copies), and whose a session is."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from types import TracebackType
from typing import Self

import structlog

from broker.codec import decode, encode
from broker.domain.ids import OrgId, SessionId
from broker.domain.incoming import Incoming
from broker.domain.profiles import Profile, profile_key
from broker.domain.registrations import Registration, RegistrationRecord, Registry, Taker, to_registration
from broker.domain.sessions import SessionRecord
from broker.domain.subjects import VISITOR_KINDS, ChatPath, Conversation, Kind
from broker.domain.wire import dump, validate
from broker.errors import BackboneError, ConflictError, ForbiddenError, UnknownSessionError
from broker.transport.connection import Connection
from broker.transport.records import Records
from broker.transport.tables import Table

SESSIONS_REMEMBERED_MAX = 200_000
SESSION_TTL_S = 40 * 86_400
USED_TTL_S = 8 * 86_400
"""A day more than the log keeps the event that used a registration."""

log = structlog.get_logger()


class Directory:
    """Registrations and profiles by watching their buckets; sessions by asking, remembered once found."""

    def __init__(self, connection: Connection, *, registrations: Records, profiles: Records, sessions: Records) -> None:
        self.registry = Registry()
        self.registrations = Table(connection, registrations, on_change=self._registration_changed)
        self.profiles = Table(connection, profiles)
        self._registrations = registrations
        self._sessions = sessions
        self._kept_until_ms: OrderedDict[SessionId, int] = OrderedDict()
        self._paths: OrderedDict[SessionId, ChatPath] = OrderedDict()

    async def __aenter__(self) -> Self:
        await self.registrations.start()
        await self.profiles.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.registrations.stop()
        await self.profiles.stop()

    def profile(self, path: ChatPath) -> Profile | None:
        """The chat's profile, None if it has none: then registrations take what no link takes."""
        entry = self.profiles.get(profile_key(path.org, path.chat))
        return None if entry is None else validate(Profile, decode(entry.value), what="profile")

    def takers(self, conversation: Conversation, kind: Kind, *, sequence: int) -> tuple[Taker, ...]:
        """Who is registered for an event, under the kind that the fold judged."""
        return self.registry.takers(conversation.path.org, conversation.subject(kind), sequence=sequence)

    async def use_up(self, registration: Registration, *, sequence: int) -> None:
        """Mark a registration of one time as used by that event; it goes by itself when nothing can come again.

        Raises:
            ConflictError: another event has used it, or it was removed: decide again.
        """
        key = f"{registration.org}.{registration.id}"
        found = await self._registrations.read(key)
        if found.value is None:
            raise await self._changed_meanwhile(registration, found.revision)
        record = validate(RegistrationRecord, decode(found.value), what="registration record")
        if record.used_by is None:
            data = encode(dump(record.model_copy(update={"used_by": sequence})))
            await self._registrations.write(key, data, revision=found.revision, ttl_s=USED_TTL_S)
        elif record.used_by != sequence:
            raise await self._changed_meanwhile(registration, found.revision)

    async def _changed_meanwhile(self, registration: Registration, revision: int) -> ConflictError:
        """The conflict, once the change is seen; where that takes long, as after a lost server, the retry waits on."""
        with contextlib.suppress(TimeoutError):
            await self.registrations.wait_for(revision)
        return ConflictError(f"registration {registration.id}")

    async def keep_session(self, session: SessionId, *, until_ms: int, now_ms: int) -> None:
        """See that the session's record outlives its link; it is written again only where it might not."""
        if self._kept_until_ms.get(session, 0) >= until_ms:
            return
        found = await self._sessions.read(session)
        if found.value is None:
            return
        kept_s = max(0, until_ms - now_ms) // 1000 + SESSION_TTL_S
        with contextlib.suppress(ConflictError):  # the adapter has just done the same
            await self._sessions.write(session, found.value, revision=found.revision, ttl_s=kept_s)
        self._kept_until_ms[session] = now_ms + kept_s * 1000
        if len(self._kept_until_ms) > SESSIONS_REMEMBERED_MAX:
            self._kept_until_ms.popitem(last=False)

    async def admit(self, incoming: Incoming, *, at_ms: int) -> None:
        """Let the event in if its session is known and lives at the event's own path.

        A visitor's event makes the session known where no adapter has: then the log is the first to tell. A timeout
        may outlive what it is about.

        Raises:
            UnknownSessionError: a stub speaks to a session that never began.
            ForbiddenError: the session belongs to another org, or to another chat.
        """
        conversation = incoming.conversation
        path = await self.path_of(conversation.session)
        if path is None:
            if incoming.subject.kind is Kind.TIMEOUT:
                return
            if incoming.subject.kind not in VISITOR_KINDS:
                raise UnknownSessionError(conversation.session)
            path = await self._make_known(conversation, at_ms)
        if path != conversation.path:
            raise ForbiddenError(f"session {conversation.log_id}", org=conversation.path.org)

    async def path_of(self, session: SessionId) -> ChatPath | None:
        """Where a session lives; it never moves, so what was found once is not asked for again."""
        path = self._paths.get(session)
        if path is not None:
            return path
        record = await self.session(session)
        return None if record is None else self._remember(session, record.path)

    async def session(self, session: SessionId) -> SessionRecord | None:
        """The session's record, None if there is none."""
        found = await self._sessions.read(session)
        return None if found.value is None else validate(SessionRecord, decode(found.value), what="session record")

    async def _make_known(self, conversation: Conversation, at_ms: int) -> ChatPath:
        path = conversation.path
        record = SessionRecord(channel=path.channel, org=path.org, chat_name=path.chat, created_at_ms=at_ms)
        found = await self._sessions.read(conversation.session)
        if found.value is None:
            try:
                data = encode(dump(record))
                await self._sessions.write(conversation.session, data, revision=found.revision, ttl_s=SESSION_TTL_S)
                return self._remember(conversation.session, path)
            except ConflictError:
                log.debug("session_made_elsewhere", session_id=conversation.log_id)
        known = await self.session(conversation.session)
        if known is None:
            raise UnknownSessionError(conversation.session)
        return self._remember(conversation.session, known.path)

    def _remember(self, session: SessionId, path: ChatPath) -> ChatPath:
        self._paths[session] = path
        if len(self._paths) > SESSIONS_REMEMBERED_MAX:
            self._paths.popitem(last=False)
        return path

    def _registration_changed(self, key: str, value: bytes | None) -> None:
        org, _, registration_id = key.partition(".")
        if value is None:
            self.registry.remove(OrgId(org), registration_id)
            return
        try:
            record = validate(RegistrationRecord, decode(value), what="registration record")
            self.registry.put(to_registration(record))
        except BackboneError as error:
            log.error("registration_refused", registration_id=registration_id, error_code=error.code, error=str(error))
