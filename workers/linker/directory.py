"""What the linker knows of an org: its registrations and chats (live copies), and its sessions."""

from __future__ import annotations

import contextlib
from functools import partial
from types import TracebackType
from typing import Self

import structlog

from broker.codec import decode, encode
from broker.domain.ids import OrgId
from broker.domain.profiles import Profile, profile_key
from broker.domain.registrations import Registration, RegistrationRecord, to_registration
from broker.domain.registry import Occasion, Registry, Taker
from broker.domain.subjects import ChatPath, Conversation, Kind
from broker.domain.wire import dump, validate
from broker.errors import BackboneError, ConflictError
from broker.transport.connection import Connection
from broker.transport.records import Records
from broker.transport.tables import Table
from workers.linker.sessions import Sessions
from workers.linker.turns import Turns
from workers.linker.waits import Waits

USED_TTL_S = 8 * 86_400
"""A day more than the log keeps the event that used a registration."""

log = structlog.get_logger()


class Directory:
    """Registrations and profiles by watching their buckets; ``sessions`` by asking."""

    def __init__(self, connection: Connection, *, registrations: Records, profiles: Records, sessions: Records) -> None:
        self.registry = Registry()
        self.registrations = Table(connection, registrations, on_change=self._registration_changed)
        self.profiles = Table(connection, profiles)
        self._profiles: dict[str, tuple[int, Profile]] = {}
        self._registrations = registrations
        self.waits = Waits()
        self._turns = Turns()
        self.sessions = Sessions(sessions)

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
        """The chat's profile on that channel, None if it has none: then registrations take what no link takes."""
        entry = self.profiles.get(profile_key(path.org, path.chat))
        if entry is None:
            return None
        revision, profile = self._profiles.get(entry.key, (0, None))
        if profile is None or revision != entry.revision:
            profile = validate(Profile, decode(entry.value), what="profile")
            self._profiles[entry.key] = entry.revision, profile
        return profile if profile.channel == path.channel else None

    def takers(self, conversation: Conversation, kind: Kind, occasion: Occasion) -> tuple[Taker, ...]:
        """Who is registered for an event, under the kind that the fold judged."""
        turn = partial(self._turns.take, sequence=occasion.sequence)
        return self.registry.takers(conversation.path.org, conversation.subject(kind), occasion, turn)

    async def use_up(self, registration: Registration, *, sequence: int) -> bool:
        """Mark a registration of one time as used by that event; it goes by itself when nothing can come again.

        Returns:
            Whether it was not marked before.

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
            return True
        if record.used_by != sequence:
            raise await self._changed_meanwhile(registration, found.revision)
        return False

    async def give_back(self, registration: Registration, *, sequence: int) -> None:
        """Take back the mark of an event whose run somebody else has got; a change meanwhile is left as it is."""
        key = f"{registration.org}.{registration.id}"
        found = await self._registrations.read(key)
        if found.value is None:
            return
        record = validate(RegistrationRecord, decode(found.value), what="registration record")
        if record.used_by == sequence:
            data = encode(dump(record.model_copy(update={"used_by": None})))
            with contextlib.suppress(ConflictError):
                await self._registrations.write(key, data, revision=found.revision)

    async def _changed_meanwhile(self, registration: Registration, revision: int) -> ConflictError:
        """The conflict, once the change is seen; where that takes long, as after a lost server, the retry waits on."""
        with contextlib.suppress(TimeoutError):
            await self.registrations.wait_for(revision)
        return ConflictError(f"registration {registration.id}")

    def _registration_changed(self, key: str, value: bytes | None) -> None:
        org, _, registration_id = key.partition(".")
        if value is None:
            self.registry.remove(OrgId(org), registration_id)
            self.waits.forget(OrgId(org), registration_id)
            return
        try:
            record = validate(RegistrationRecord, decode(value), what="registration record")
            registration = to_registration(record)
            self.registry.put(registration)
            self.waits.put(registration)
        except BackboneError as error:
            log.error("registration_refused", registration_id=registration_id, error_code=error.code, error=str(error))
