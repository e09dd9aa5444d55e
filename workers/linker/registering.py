"""The verbs about registrations: make one, forget one, list them; and forget those of a stub that is closed."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from typing import Any

import structlog

from broker.codec import decode, encode
from broker.domain.commands import Deregister, ListRegistrations
from broker.domain.ids import OrgId, Stub
from broker.domain.incoming import sender_of
from broker.domain.registrations import (
    NS_PER_MS,
    Registration,
    RegistrationRecord,
    read_register,
    to_registration,
)
from broker.domain.replies import (
    DeregisterReply,
    EventWaitedFor,
    RegisterReply,
    RegistrationShown,
    RegistrationsReply,
)
from broker.domain.wire import Body, dump, validate
from broker.errors import ConflictError, InvalidBodyError, StubClosedError, TooManyRegistrationsError
from broker.transport.records import Records
from workers.linker.directory import Directory
from workers.linker.stubs import StubNotes

CONFLICTS_MAX = 20
"""Somebody else writing the same registration this often within one command is a fault, not a race."""

PAGE_BYTES_MAX = 800_000
"""A page of a list ends here, so that any reply fits the bus; the longest registration takes a tenth of it."""

log = structlog.get_logger()


class Registering:
    """Writes the bucket; what is answered is true of this linker's own copy too when the answer goes out."""

    def __init__(
        self, directory: Directory, registrations: Records, stubs: StubNotes, *, registrations_max: int
    ) -> None:
        self._directory = directory
        self._stubs = stubs
        self._records = registrations
        self._registrations_max = registrations_max

    async def register(self, org: OrgId, body: Body, headers: Mapping[str, str]) -> Body:
        """Verb ``register``: the same uuid again replaces the registration, which keeps its place in the order."""
        params: Any = body.get("params")
        if not isinstance(params, dict):
            raise InvalidBodyError("heimdall_register", ("params: an object is required here",))
        wanted = read_register(params, org=org)
        sender = sender_of(body, headers)
        default_service = None if sender is None else sender.service
        stub = Stub.parse(wanted.trigger_stubaction.stubref, default_service=default_service)
        now_ns = time.time_ns()
        made = RegistrationRecord(org=org, stub=str(stub), since=now_ns, params=wanted, made_at_ms=now_ns // NS_PER_MS)
        self._check_room(org, wanted.uuid)
        await self._check_open(org, stub)
        record = await self._write(f"{org}.{wanted.uuid}", made)
        try:
            await self._check_open(org, stub)  # whoever closes it marks it first, then removes what there is
        except StubClosedError:
            await self._remove((f"{org}.{wanted.uuid}",))
            raise
        shadow = self._directory.registry.shadowing(to_registration(record))
        log.info("registration_made", registration_id=wanted.uuid, stubref=str(stub))
        reply = RegisterReply(uuid=wanted.uuid, shadowed_by=None if shadow is None else shadow.id)
        return reply.model_dump()

    async def deregister(self, org: OrgId, body: Body, _headers: Mapping[str, str]) -> Body:
        """Verb ``deregister``; another linker may have made it a moment ago, so the bucket is asked, not the copy."""
        wanted = validate(Deregister, body, what="deregister")
        there = (await self._records.read(f"{org}.{wanted.uuid}")).value is not None
        if there:
            await self._remove((f"{org}.{wanted.uuid}",))
        return DeregisterReply(removed=there).model_dump()

    async def registrations(self, org: OrgId, body: Body, _headers: Mapping[str, str]) -> Body:
        """Verb ``registrations``: a page, and where the next one begins; the page ends early where it grows large."""
        wanted = validate(ListRegistrations, body, what="registrations")
        stub = None if wanted.stub is None else Stub.parse(wanted.stub)
        after = (0, "") if wanted.after is None else _place(wanted.after)
        await self._catch_up(org)
        found = (one for one in self._directory.registry.of_org(org) if (one.since, one.id) > after and _waits(one))
        shown, more = self._page([one for one in found if stub in (None, one.stub)], wanted.limit)
        return RegistrationsReply(registrations=shown, next=more).model_dump()

    def _page(self, found: list[Registration], limit: int) -> tuple[list[RegistrationShown], str | None]:
        """As many as fit a reply, and the place of the last of them where there are more."""
        shown: list[RegistrationShown] = []
        size_bytes = 0
        for place, one in enumerate(found):
            registration = _shown(one, self._directory.registry.shadowing(one))
            size_bytes += len(encode(registration.model_dump()))
            if shown and (len(shown) == limit or size_bytes > PAGE_BYTES_MAX):
                last = found[place - 1]
                return shown, f"{last.since}.{last.id}"
            shown.append(registration)
        return shown, None

    async def remove_of(self, org: OrgId, stub: Stub) -> int:
        """Forget every registration that runs something on a stub; how many there were."""
        await self._catch_up(org)
        keys = tuple(f"{org}.{found.id}" for found in self._directory.registry.of_org(org) if found.stub == stub)
        await self._remove(keys)
        return len(keys)

    async def _check_open(self, org: OrgId, stub: Stub) -> None:
        if await self._stubs.is_closed(org, stub):
            raise StubClosedError(str(stub))

    def _check_room(self, org: OrgId, registration_id: str) -> None:
        """What the org has already may be replaced; linkers that register at once may go over the bound by a few."""
        registry = self._directory.registry
        before = registry.get(org, registration_id)
        if (before is None or not before.live) and registry.count(org) >= self._registrations_max:
            raise TooManyRegistrationsError(org, registrations_max=self._registrations_max)

    async def _catch_up(self, org: OrgId) -> None:
        """See that our own copy has what other linkers were told before now."""
        revision = await self._records.last_revision(org)
        with contextlib.suppress(TimeoutError):
            await self._directory.registrations.wait_for(revision)

    async def _write(self, key: str, made: RegistrationRecord) -> RegistrationRecord:
        """Store it in the place of the one before, if there is one, and see that our own copy has it."""
        for _ in range(CONFLICTS_MAX):
            before = await self._records.read(key)
            record = made if before.value is None else made.model_copy(update={"since": _since(before.value)})
            try:
                revision = await self._records.write(key, encode(dump(record)), revision=before.revision)
            except ConflictError:
                continue
            await self._directory.registrations.wait_for(revision)
            return record
        raise ConflictError(f"registration {made.params.uuid}")

    async def _remove(self, keys: tuple[str, ...]) -> None:
        revision = 0
        for key in keys:
            revision = await self._records.delete(key)
            log.info("registration_removed", registration_id=key.rpartition(".")[2])
        await self._directory.registrations.wait_for(revision)


def _since(value: bytes) -> int:
    """When the registration was first made; making it again keeps its place in the order."""
    return validate(RegistrationRecord, decode(value), what="registration").since


def _waits(found: Registration) -> bool:
    """Whether its wait is not over, by our own clock: lists show no more than that."""
    return found.until_ms is None or found.until_ms > time.time_ns() // NS_PER_MS


def _place(text: str) -> tuple[int, str]:
    """A place in the order, as ``next`` told it."""
    since, _, registration_id = text.partition(".")
    return int(since), registration_id


def _shown(found: Registration, shadow: Registration | None) -> RegistrationShown:
    """A registration as a list shows it."""
    return RegistrationShown(
        uuid=found.id,
        stub=str(found.stub),
        action=found.action,
        keep=found.keep,
        until_ms=found.until_ms,
        shadowed_by=None if shadow is None else shadow.id,
        events={
            wish.event: EventWaitedFor(mechanism=wish.mechanism, patterns=[str(form) for form in wish.forms])
            for wish in found.wishes
        },
    )
