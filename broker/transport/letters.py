"""Dead letters as they are kept: found by what they say, read one by one, removed."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

from broker.codec import decode
from broker.domain import headers as names
from broker.domain.events import DeadLetter
from broker.domain.grammar import parse_subject
from broker.domain.ids import ActionName, OrgId
from broker.domain.subjects import DEADLETTERS, DeadLetterSubject
from broker.domain.wire import validate
from broker.errors import BackboneError, BodyError, RequestRefusedError
from broker.transport.connection import Connection
from broker.transport.reader import StoredMessage, read_one, read_range
from broker.transport.topology import DEADLETTER_STREAM

PAGE = 50
"""A letter may hold almost a megabyte."""
GONE_CODES = frozenset((10043, 10057))
"""What the server answers when the message to delete is not there: sequence not found, no message found."""

_SESSION = re.compile(r"(?:^|\.)sessionuuid\.([^.]+)")


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter; ``sequence`` is its own, ``content`` tells where the original was."""

    sequence: int
    kept_at_ms: int
    org: OrgId
    content: DeadLetter

    @property
    def session(self) -> str | None:
        """The session that the original was about, None if none is named."""
        for place in (self.content.subject, self.content.headers.get(names.CONVERSATION, "")):
            if found := _SESSION.search(place):
                return found[1]
        return _session_in(self.content.body)

    @property
    def first_sequence(self) -> int:
        """The sequence that the original was first stored under, before it was redriven for the first time."""
        marked = self.content.headers.get(names.REDRIVEN, "")
        return int(marked) if marked.isascii() and marked.isdigit() else self.content.sequence


@dataclass(frozen=True, slots=True)
class Selection:
    """Which letters are meant; what is None does not matter. A session may be told by its first characters."""

    org: OrgId | None = None
    reason: ActionName | None = None
    since_ms: int | None = None
    session: str | None = None

    def takes(self, letter: Letter) -> bool:
        """Whether a letter of the right org and reason is one of them."""
        if self.since_ms is not None and letter.kept_at_ms < self.since_ms:
            return False
        return self.session is None or (letter.session or "").startswith(self.session)


async def letters(connection: Connection, selection: Selection) -> AsyncIterator[Letter]:
    """The letters that are meant, oldest first; what is no letter that we can read is passed over."""
    pattern = f"{DEADLETTERS}.org.{selection.org or '*'}.reason.{selection.reason or '*'}"
    after = 0
    while page := await read_range(connection, DEADLETTER_STREAM, (pattern,), after=after, limit=PAGE):
        for message in page:
            found = read_letter(message)
            if found is not None and selection.takes(found):
                yield found
        after = page[-1].sequence


async def one_letter(connection: Connection, sequence: int) -> Letter | None:
    """The letter with that sequence, None if it is gone, never was, or cannot be read."""
    message = await read_one(connection, DEADLETTER_STREAM, sequence)
    return None if message is None else read_letter(message)


async def remove_letter(connection: Connection, sequence: int) -> bool:
    """Delete a letter for good, its place on the disk overwritten; False if it was gone already."""
    try:
        await connection.ask(f"STREAM.MSG.DELETE.{DEADLETTER_STREAM}", {"seq": sequence})
    except RequestRefusedError as error:
        if error.err_code in GONE_CODES:
            return False
        raise
    return True


def read_letter(message: StoredMessage) -> Letter | None:
    """A stored message as a letter; None for what a newer worker, or somebody else, has put there."""
    try:
        subject = parse_subject(message.subject)
        content = validate(DeadLetter, decode(message.data), what="dead letter")
    except BackboneError:
        return None
    if not isinstance(subject, DeadLetterSubject):
        return None
    return Letter(message.sequence, message.stored_at_ms, subject.org, content)


def _session_in(body: bytes) -> str | None:
    """``initialize`` names its session in the body alone."""
    try:
        text = json.dumps(decode(body), default=str)
    except BodyError:
        return None
    found = re.search(r'"sessionuuid": "([^"]+)"', text)
    return None if found is None else found[1]
