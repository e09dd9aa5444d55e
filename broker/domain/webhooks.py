"""A call of an outside system as it is kept: what it was about, how it was answered, and, if taken, what it said.

The same for every adapter, so that one command lists them all.
Source: design.md section 2; specs/giosg.md section 4.4.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, JsonValue, StringConstraints

from broker.domain.events import Label
from broker.domain.wire import Wire

RESOURCE_ID_CHARACTERS_MAX = 256
PATH_CHARACTERS_MAX = 256

Word = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class WebhookFacts(Wire):
    """What is kept of every call.

    ``kind``: what the address is for, in the adapter's own words, such as ``messages``; ``action`` and ``resource_id``
    are the caller's, checked; None where they were not read. ``path``: without its query, which may hold a secret.
    ``reason``: why it was answered so, a code. ``duration_ms``: until that was decided. ``left_out``: how many like it
    were only counted since the last one that was written, where there were too many to write.
    """

    connection: Label
    kind: Word | None = None
    action: Word | None = None
    resource_id: Annotated[str, StringConstraints(min_length=1, max_length=RESOURCE_ID_CHARACTERS_MAX)] | None = None
    method: Word
    path: Annotated[str, StringConstraints(max_length=PATH_CHARACTERS_MAX)]
    request_id: Word
    received_at_ms: int
    duration_ms: float
    status: int
    reason: Word
    size_bytes: Annotated[int, Field(ge=0)]
    left_out: int | None = None


class StoredWebhook(Wire):
    """One call; ``content`` is there on ``taken`` alone: the body as it was verified, without any token."""

    webhook: WebhookFacts
    content: dict[str, JsonValue] | None = None
