"""What nobody could take is kept: the original as it was, the reason, the attempts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from broker.codec import MSGPACK, encode
from broker.domain import headers as names
from broker.domain.events import DeadLetter
from broker.domain.ids import NO_ORG, OrgId, org_id
from broker.domain.subjects import dead_letter_subject
from broker.domain.wire import dump
from broker.errors import BackboneError, GrammarError
from broker.transport.publisher import Publisher

ORIGINAL_BYTES_MAX = 900_000
"""A longer original is kept cut, and the detail says so: the envelope must fit the bus as well."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Original:
    """A stored message as it was found."""

    subject: str
    stream: str
    sequence: int
    data: bytes
    headers: Mapping[str, str]
    stored_at_ms: int
    attempts: int = 1


class DeadLetters:
    """Publishes dead letters; the same original with the same reason is kept once."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    async def keep(self, original: Original, *, code: str, detail: str) -> None:
        """Return when the original is stored with its reason; only then may it be acknowledged."""
        if len(original.data) > ORIGINAL_BYTES_MAX:
            detail += f"; body cut from {len(original.data)} to {ORIGINAL_BYTES_MAX} bytes"
        letter = DeadLetter(
            reason=code,
            detail=detail,
            subject=original.subject,
            stream=original.stream,
            sequence=original.sequence,
            stored_at_ms=original.stored_at_ms,
            attempts=original.attempts,
            headers=dict(original.headers),
            body=original.data[:ORIGINAL_BYTES_MAX],
        )
        headers = {
            names.MESSAGE_ID: f"{original.stream}-{original.sequence}-{code}",
            names.CONTENT_TYPE: MSGPACK,
        }
        await self._publisher.store(dead_letter_subject(org_in(original.subject), code), encode(dump(letter)), headers)
        log.error(
            "event_dead_lettered",
            error_code=code,
            error=detail,
            subject=without_session(original.subject),
            sequence=original.sequence,
            attempt=original.attempts,
        )

    async def keep_failed(self, original: Original, error: BaseException) -> None:
        """Keep what a handler could not take; an error of ours says why, any other is a fault of the program."""
        if isinstance(error, BackboneError):
            await self.keep(original, code=error.code, detail=str(error))
        else:
            await self.keep(original, code="worker_fault", detail=f"the worker failed with {type(error).__name__}")


def org_in(subject: str) -> OrgId:
    """The org that a subject names, well formed or not; the nil uuid where none can be read."""
    tokens = subject.split(".")
    try:
        return org_id(tokens[tokens.index("org") + 1])
    except (ValueError, IndexError, GrammarError):
        return NO_ORG


def without_session(subject: str) -> str:
    """The subject for a log line: a session uuid is a bearer secret there, so its first 8 characters must do."""
    tokens = subject.split(".")
    for index, token in enumerate(tokens[:-1]):
        if token == "sessionuuid":
            tokens[index + 1] = tokens[index + 1][:8]
    return ".".join(tokens)
