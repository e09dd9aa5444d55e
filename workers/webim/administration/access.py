"""Pure: who may manage channels by HTTP: a bearer token for each org, as an operator has set them."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field

from broker.domain.ids import OrgId, org_id
from broker.errors import InvalidNameError

TOKEN_CHARACTERS_MIN = 16
SCHEME = "bearer"


@dataclass(frozen=True, slots=True)
class AdminTokens:
    """Which org a token speaks for; kept as hashes, so that no listing of this object shows one."""

    orgs: Mapping[str, OrgId] = field(default_factory=dict, repr=False)

    @classmethod
    def parse(cls, text: str) -> AdminTokens:
        """Read ``<org>=<token>``, comma-separated; an org may have several.

        Raises:
            ValueError: says which entry is wrong, by its number alone: the entry holds a secret.
        """
        orgs: dict[str, OrgId] = {}
        entries = [entry.strip() for entry in text.split(",")] if text.strip() else []
        for number, entry in enumerate(entries, 1):
            org, equals, token = entry.partition("=")
            if not equals:
                message = f"entry {number} is not <org>=<token>"
                raise ValueError(message)
            try:
                checked = org_id(org.strip().lower())
            except InvalidNameError:
                message = f"entry {number} does not begin with an org's uuid"
                raise ValueError(message) from None  # the cause would quote it
            if len(token) < TOKEN_CHARACTERS_MIN or not token.isascii() or not token.isprintable() or " " in token:
                message = f"entry {number} has no token of at least {TOKEN_CHARACTERS_MIN} visible ASCII characters"
                raise ValueError(message)
            if orgs.setdefault(_digest(token), checked) != checked:
                message = f"entry {number} has the token of another org"
                raise ValueError(message)
        return cls(orgs)

    def org_of(self, authorization: str | None) -> OrgId | None:
        """The org that an ``Authorization`` header speaks for, None if for none."""
        scheme, _, token = (authorization or "").strip().partition(" ")
        if scheme.lower() != SCHEME:
            return None
        given = _digest(token.strip())
        for digest, org in self.orgs.items():
            if hmac.compare_digest(digest, given):
                return org
        return None


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
