"""Who visitors are at giosg, and the tokens that speak for them: one refresh at a time per visitor and process.

Source: specs/giosg.md section 3.2.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, field

import structlog

from broker.errors import ChannelRejectedError, ConflictError, IdentityLostError
from broker.runtime.locks import Locks
from workers.giosg.calls.exchange import Exchange
from workers.giosg.calls.request import Request
from workers.giosg.cases.identity import Identity
from workers.giosg.cases.store import CaseStore
from workers.giosg.wire import Authenticated

MARGIN_S = 60.0
"""A token is renewed that long before its end, or half its life if that is shorter."""
TOKENS_MAX = 20_000
LOST_MAX = 20
TRIES_MAX = 5

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Token:
    """What speaks for a visitor until then, by this process's monotonic clock."""

    visitor_id: str
    value: str = field(repr=False)
    until_s: float


class VisitorTokens:
    """One per connection; ``visitor_key`` is what we know the visitor by."""

    def __init__(self, exchange: Exchange, store: CaseStore) -> None:
        self._exchange = exchange
        self._store = store
        self._locks = Locks()
        self._tokens: OrderedDict[str, Token] = OrderedDict()

    async def identity(self, visitor_key: str) -> Identity:
        """Who the visitor is; a new visitor is made, and kept, if there is none yet."""
        known, _ = await self._store.identity(self._organization, visitor_key)
        if known is not None:
            return known
        async with self._locks.hold(visitor_key):
            return await self._authenticated(visitor_key)

    async def token(self, visitor_key: str, *, refused: Token | None = None) -> Token:
        """A token that is good for a while yet, and is not the one that was ``refused``.

        Raises:
            IdentityLostError: giosg has another visitor, or none, for the secret; a new one is kept.
            ChannelError: as any call.
        """
        async with self._locks.hold(visitor_key):
            known = self._tokens.get(visitor_key)
            if known is not None and known != refused and time.monotonic() < known.until_s:
                self._tokens.move_to_end(visitor_key)
                return known
            await self._authenticated(visitor_key)
            return self._tokens[visitor_key]

    async def lose(self, visitor_key: str, token: Token) -> IdentityLostError:
        """Keep a new visitor instead of one whose fresh token is not taken either; what to raise then."""
        async with self._locks.hold(visitor_key):
            known, revision = await self._store.identity(self._organization, visitor_key)
            if known is not None and known.visitor_id == token.visitor_id:
                await self._replace(visitor_key, known, await self._ask(None), revision=revision)
        return self._lost()

    @property
    def _organization(self) -> str:
        return self._exchange.connection.organization_id

    async def _authenticated(self, visitor_key: str) -> Identity:
        for _ in range(TRIES_MAX):
            known, revision = await self._store.identity(self._organization, visitor_key)
            try:
                if known is None:
                    return await self._create(visitor_key, revision=revision)
                return await self._renew(visitor_key, known, revision=revision)
            except ConflictError:  # another process was faster: its visitor is the one
                continue
        raise ConflictError("a giosg visitor's identity")

    async def _create(self, visitor_key: str, *, revision: int) -> Identity:
        answered = await self._ask(None)
        identity = Identity(visitor_id=answered.visitor_id, visitor_secret_id=answered.visitor_secret_id)
        await self._store.save_identity(self._organization, visitor_key, identity, revision=revision)
        self._keep(visitor_key, answered)
        return identity

    async def _renew(self, visitor_key: str, known: Identity, *, revision: int) -> Identity:
        try:
            answered = await self._ask(known.visitor_secret_id)
        except ChannelRejectedError as error:
            if error.status is None or not 400 <= error.status < 500:
                raise
            answered = await self._ask(None)
        if answered.visitor_id != known.visitor_id:
            await self._replace(visitor_key, known, answered, revision=revision)
            raise self._lost()
        if answered.visitor_secret_id != known.visitor_secret_id:
            known = known.model_copy(update={"visitor_secret_id": answered.visitor_secret_id})
            await self._store.save_identity(self._organization, visitor_key, known, revision=revision)
        self._keep(visitor_key, answered)
        return known

    async def _replace(self, visitor_key: str, known: Identity, answered: Authenticated, *, revision: int) -> None:
        identity = Identity(
            visitor_id=answered.visitor_id,
            visitor_secret_id=answered.visitor_secret_id,
            lost=[*known.lost, known.visitor_id][-LOST_MAX:],
        )
        await self._store.save_identity(self._organization, visitor_key, identity, revision=revision)
        self._keep(visitor_key, answered)
        log.error("giosg_identity_lost", connection=self._exchange.connection.name, visitor_id=known.visitor_id[:8])

    async def _ask(self, secret: str | None) -> Authenticated:
        path = f"/api/v5/public/orgs/{self._organization}/auth"
        request = Request("authenticate", "POST", path, {"visitor_secret_id": secret})
        return await self._exchange.ask(request, Authenticated)

    def _keep(self, visitor_key: str, answered: Authenticated) -> None:
        lasts_s = answered.expires_in - min(MARGIN_S, answered.expires_in / 2)
        token = Token(answered.visitor_id, answered.access_token, time.monotonic() + lasts_s)
        self._tokens[visitor_key] = token
        self._tokens.move_to_end(visitor_key)
        while len(self._tokens) > TOKENS_MAX:
            self._tokens.popitem(last=False)

    def _lost(self) -> IdentityLostError:
        return IdentityLostError(self._exchange.place("authenticate"))
