"""How a service keeps its stubs: a bucket of its own, compare-and-set."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from pydantic import Field, JsonValue

from broker.domain.events import Label, StubName
from broker.domain.grammar import parse_conversation_prefix
from broker.domain.ids import Branch, OrgId, ServiceName, Stubref
from broker.domain.subjects import Conversation
from broker.domain.wire import Wire

_CODE_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""No letter that is taken for a digit."""


class StubRecord(Wire):
    """Value in bucket ``STUBS_<service>``, key ``<org>.<stubref>``.

    ``data`` holds what the stub knows; each run's data is laid over it. ``last_sequence`` is the last run applied.
    ``conversation`` is the prefix of the conversation that the stub heard of last. ``begun_sequence`` is a run that
    was begun ``begun_count`` times, by one process after another, and is not finished yet. ``kept_s``: the record
    expires so many seconds after it was written last; None: never.
    """

    stubref: StubName
    context: Label
    branch: Branch
    state: Label = "new"
    data: dict[str, JsonValue] = Field(default_factory=dict)
    created_at_ms: int
    last_sequence: int = 0
    conversation: str | None = None
    closed: bool = False
    begun_sequence: int = 0
    begun_count: int = 0
    kept_s: int | None = None

    @property
    def heard_of(self) -> Conversation | None:
        """The conversation that the stub heard of last."""
        return None if self.conversation is None else parse_conversation_prefix(self.conversation)


def stubs_bucket(service: ServiceName) -> str:
    """The bucket of a service."""
    return f"STUBS_{service}"


def stub_key(org: OrgId, ref: Stubref) -> str:
    """Where a stub is kept in its service's bucket."""
    return f"{org}.{ref}"


def new_stubref(seed: str, at_ms: int) -> Stubref:
    """A reference such as ``2026-11-20-K3QD-7WRP`` that follows from the seed alone: the same run makes it once.

    Source: specs/stubber-webchat.md section 1 (stubref) for the form.
    """
    day = datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d")
    digest = hashlib.sha256(seed.encode()).digest()
    code = "".join(_CODE_LETTERS[byte % len(_CODE_LETTERS)] for byte in digest[:12])
    return Stubref(f"{day}-{code[:4]}-{code[4:8]}-{code[8:]}")
