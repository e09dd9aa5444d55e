"""What nobody could take is kept: the original as it was, the reason, the attempts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import structlog

from broker.codec import BODY_BYTES_MAX, MSGPACK, encode
from broker.domain import headers as names
from broker.domain.events import DeadLetter
from broker.domain.ids import NO_ORG, OrgId, org_id
from broker.domain.subjects import dead_letter_subject
from broker.domain.wire import dump
from broker.errors import BackboneError, GrammarError, shorten
from broker.transport.publisher import Publisher

ORIGINAL_BYTES_MAX = 900_000
"""A longer original is kept cut, and the detail says so: the envelope must fit the bus as well."""
DETAIL_CHARACTERS_MAX = 4_000
ENVELOPE_BYTES = 30_000
"""What the letter's members take beside headers and body, with room to spare: the detail (up to four bytes each
character), a subject of 4,096 bytes, numbers and names."""
SHOWN_CHARACTERS = 8
"""Of a session uuid, in a log line."""
HEADER_BYTES = 10
"""What a header takes beside its name and value."""

_SESSION = re.compile(rf"((?:sessionuuid\.|session uuid ')[^.\s']{{{SHOWN_CHARACTERS}}})[^.\s']*")
"""Where an error quotes a session uuid."""

log = structlog.get_logger()


@dataclass(slots=True)
class Original:
    """A stored message as it was found. Not frozen: one is made for each message, and freezing trebles the cost."""

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
        detail = shorten(detail, DETAIL_CHARACTERS_MAX)
        bytes_max = _body_room(original.headers)
        if len(original.data) > bytes_max:
            detail += f"; body cut from {len(original.data)} to {bytes_max} bytes"
        letter = DeadLetter(
            reason=code,
            detail=detail,
            subject=original.subject,
            stream=original.stream,
            sequence=original.sequence,
            stored_at_ms=original.stored_at_ms,
            attempts=original.attempts,
            headers=dict(original.headers),
            body=original.data[:bytes_max],
        )
        headers = {
            names.MESSAGE_ID: f"{original.stream}-{original.sequence}-{code}",
            names.CONTENT_TYPE: MSGPACK,
        }
        await self._publisher.store(dead_letter_subject(org_in(original.subject), code), encode(dump(letter)), headers)
        log.error(
            "event_dead_lettered",
            error_code=code,
            error=_SESSION.sub(r"\1", detail),
            subject=without_session(original.subject),
            sequence=original.sequence,
            attempt=original.attempts,
        )

    async def keep_failed(self, original: Original, error: BaseException) -> None:
        """Keep what a handler could not take; an error of ours says why, any other is a fault of the program."""
        if isinstance(error, BackboneError):
            if error.attempts is not None:
                original = replace(original, attempts=error.attempts)
            await self.keep(original, code=error.code, detail=str(error))
        else:
            await self.keep(original, code="worker_fault", detail=f"the worker failed with {type(error).__name__}")


def _body_room(headers: Mapping[str, str]) -> int:
    """How much of the body fits; bytes that were no text have grown threefold when they were read as headers."""
    taken = sum(len(name.encode()) + len(value.encode()) + HEADER_BYTES for name, value in headers.items())
    return min(ORIGINAL_BYTES_MAX, BODY_BYTES_MAX - ENVELOPE_BYTES - taken)


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
            tokens[index + 1] = tokens[index + 1][:SHOWN_CHARACTERS]
    return ".".join(tokens)
