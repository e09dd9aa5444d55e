"""Keeps cases and what leads to them: compare-and-set in the desk's own bucket, so processes share a connection."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass

from broker.codec import decode, encode
from broker.domain.ids import SessionId, session_id
from broker.domain.wire import dump, validate
from broker.errors import ConflictError
from broker.transport.records import Records
from workers.giosg.cases.case import Case
from workers.giosg.cases.identity import Identity

CASES = "CHATS_giosg"
"""The bucket: ``case.<session>``, ``chat.<organization>.<chat id>``, ``visitor.<organization>.<visitor id>``,
``identity.<organization>.<hash of the visitor key>``, ``open.<connection>.<session>``; of the watching also
``turn.<connection>`` and ``health.<connection>``."""
CASE_KEPT_S = CHAT_KEPT_S = 60 * 86_400
"""A chat that nobody ends stays giosg's for weeks, and its late messages find their conversation."""
IDENTITY_KEPT_S = 365 * 86_400
TRIES_MAX = 20

Change = Callable[[Case], Case | None]
"""What a case becomes, None: it stays; it may be called again with a newer one, so it must be pure."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A record as found, None if there is none, and the revision that a save must name."""

    case: Case | None
    revision: int


@dataclass(frozen=True, slots=True)
class Listed:
    """A session on the list of a connection's open cases: since when, and the revision of that note."""

    session: SessionId
    since_ms: int
    revision: int


class CaseStore:
    """Bucket CHATS_giosg."""

    def __init__(self, records: Records) -> None:
        self._records = records

    async def load(self, session: SessionId) -> Kept:
        """The case of a session."""
        found = await self._records.read(f"case.{session}")
        return Kept(None if found.value is None else _case(found.value), found.revision)

    async def save(self, case: Case, *, revision: int) -> int:
        """The new revision. Whatever is to be looked after by the clock is listed first, see ``listed``.

        Raises:
            ConflictError: somebody else wrote meanwhile.
        """
        if case.needs_watching:
            await self._list(case)
        return await self._write(case, revision=revision)

    async def _write(self, case: Case, *, revision: int) -> int:
        return await self._records.write(
            f"case.{case.session}", encode(dump(case)), revision=revision, ttl_s=CASE_KEPT_S
        )

    async def change(self, session: SessionId, change: Change) -> Case | None:
        """The case after the change, whoever else writes at the same time; None if there is no case.

        Raises:
            ConflictError: others were faster, every time.
        """
        for _ in range(TRIES_MAX):
            kept = await self.load(session)
            if kept.case is None:
                return None
            if (after := change(kept.case)) is None or after == kept.case:
                return kept.case
            if after.needs_watching and not (kept.case.needs_watching and after.connection == kept.case.connection):
                await self._list(after)
            with contextlib.suppress(ConflictError):
                await self._write(after, revision=kept.revision)
                return after
        raise ConflictError(f"the case of session {session[:8]}")

    async def listed(self, connection: str) -> list[Listed]:
        """The cases of a connection that are open, and some that were until lately.

        A case is listed before it is saved as open, and struck off by the watching alone, minutes after its end: so
        none that is open is missing, and nobody looks through all that ever were.
        """
        entries = await self._records.entries(f"open.{connection}")
        return [Listed(session_id(entry.key.rpartition(".")[2]), int(entry.value), entry.revision) for entry in entries]

    async def strike_off(self, connection: str, listed: Listed) -> None:
        """List a case no more; one that was listed again since stays."""
        with contextlib.suppress(ConflictError):
            await self._records.delete(f"open.{connection}.{listed.session}", revision=listed.revision)

    async def _list(self, case: Case) -> None:
        await self._records.write(f"open.{case.connection}.{case.session}", str(now_ms()).encode(), revision=None)

    async def sessions(self) -> list[SessionId]:
        """All sessions that have a case, the one that changed longest ago first."""
        return [session_id(entry.key.partition(".")[2]) for entry in await self._records.entries("case")]

    async def own_chat(self, organization: str, chat_id: str, session: SessionId) -> SessionId:
        """Note whose chat that is; the session that has it, which is another one only if that was first."""
        return await self._own(f"chat.{organization}.{chat_id}", session)

    async def owner_of_chat(self, organization: str, chat_id: str) -> SessionId | None:
        """The session whose chat that is or was, None: none of ours."""
        return await self._owner(f"chat.{organization}.{chat_id}")

    async def lead_visitor(self, organization: str, visitor_id: str, session: SessionId) -> None:
        """Note for which session a visitor of giosg's last opened a chat."""
        await self._records.write(
            f"visitor.{organization}.{visitor_id}", session.encode(), revision=None, ttl_s=CASE_KEPT_S
        )

    async def session_of_visitor(self, organization: str, visitor_id: str) -> SessionId | None:
        """For which session a visitor of giosg's last opened a chat, None: no visitor of ours."""
        return await self._owner(f"visitor.{organization}.{visitor_id}")

    async def identity(self, organization: str, visitor_key: str) -> tuple[Identity | None, int]:
        """Who a visitor is at giosg, and the revision that a save must name."""
        found = await self._records.read(_identity_key(organization, visitor_key))
        if found.value is None:
            return None, found.revision
        return validate(Identity, decode(found.value), what="giosg identity"), found.revision

    async def save_identity(self, organization: str, visitor_key: str, identity: Identity, *, revision: int) -> int:
        """The new revision; ConflictError if somebody else wrote meanwhile."""
        key = _identity_key(organization, visitor_key)
        return await self._records.write(key, encode(dump(identity)), revision=revision, ttl_s=IDENTITY_KEPT_S)

    async def _own(self, key: str, session: SessionId) -> SessionId:
        found = await self._records.read(key)
        if found.value is None:
            with contextlib.suppress(ConflictError):
                await self._records.write(key, session.encode(), revision=found.revision, ttl_s=CHAT_KEPT_S)
                return session
        return await self._owner(key) or session

    async def _owner(self, key: str) -> SessionId | None:
        value = (await self._records.read(key)).value
        return None if value is None else session_id(value.decode())


def now_ms() -> int:
    """This process's clock, Unix, UTC."""
    return time.time_ns() // 1_000_000


def _case(value: bytes) -> Case:
    return validate(Case, decode(value), what="giosg case")


def _identity_key(organization: str, visitor_key: str) -> str:
    return f"identity.{organization}.{hashlib.sha256(visitor_key.encode()).hexdigest()}"
