"""Compare-and-set records in key-value buckets; expired keys read as absent, which nats-py gets wrong."""

from __future__ import annotations

from dataclasses import dataclass

from broker.errors import RequestRefusedError
from broker.transport.connection import Connection
from broker.transport.leader import ask_leader, may_lag
from broker.transport.publisher import Publisher
from broker.transport.reader import StoredMessage, read_range
from broker.transport.topology import MARKER_S, stream_of

MARKERS = ("KV-Operation", "Nats-Marker-Reason")
"""Either header on a stored value says that there is none any more: deleted, or expired."""
PAGE = 500
NOT_FOUND = "404"


@dataclass(frozen=True, slots=True)
class Record:
    """A value and the revision to compare with; value None: deleted or expired, revision 0: never there."""

    value: bytes | None
    revision: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One live key."""

    key: str
    value: bytes
    revision: int


class Records:
    """One bucket."""

    def __init__(self, connection: Connection, publisher: Publisher, bucket: str) -> None:
        self.bucket = bucket
        self._connection = connection
        self._publisher = publisher
        self._get = f"$JS.API.DIRECT.GET.{stream_of(bucket)}.$KV.{bucket}."
        self._put = f"$KV.{bucket}."

    async def read(self, key: str) -> Record:
        """The last value; on a cluster the leader's: whoever decides by an older one may already have acted on it.

        Raises:
            NoStreamError: the bucket does not exist.
        """
        if may_lag(self._connection):
            return await self._read_at_leader(key)
        subject = self._get + key
        message = await self._connection.request(subject)
        headers = message.headers or {}
        if (status := headers.get("Status")) is not None and "Nats-Sequence" not in headers:
            if status == NOT_FOUND:
                return Record(None, 0)
            raise RequestRefusedError(subject, int(status), 0, headers.get("Description", ""))
        gone = any(name in headers for name in MARKERS)
        return Record(None if gone else message.data, int(headers["Nats-Sequence"]))

    async def _read_at_leader(self, key: str) -> Record:
        found = await ask_leader(self._connection, stream_of(self.bucket), {"last_by_subj": self._put + key})
        if found is None:
            return Record(None, 0)
        gone = any(name in found.headers for name in MARKERS)
        return Record(None if gone else found.data, found.sequence)

    async def write(self, key: str, value: bytes, *, revision: int | None, ttl_s: int | None = None) -> int:
        """The new revision. ``revision`` is what read() gave, None to write whatever is there.

        ``ttl_s`` makes this value expire; whole seconds, at least 1.

        Raises:
            ConflictError: somebody wrote in between; nothing was stored.
        """
        headers = {} if revision is None else _expecting(revision)
        if ttl_s is not None:
            headers["Nats-TTL"] = f"{ttl_s}s"
        return (await self._publisher.store(self._put + key, value, headers)).sequence

    async def delete(self, key: str, *, revision: int | None = None) -> int:
        """Remove a key; the new revision. The server forgets it altogether after a minute.

        Raises:
            ConflictError: somebody wrote in between; nothing was removed.
        """
        headers = {} if revision is None else _expecting(revision)
        # After a "DEL" the server would keep a note of its own for another while; not so after a "PURGE".
        headers |= {"KV-Operation": "PURGE", "Nats-TTL": f"{MARKER_S}s"}
        return (await self._publisher.store(self._put + key, b"", headers)).sequence

    async def entries(self, prefix: str = "") -> list[Entry]:
        """Every live key below ``prefix`` (whole tokens, ``session.<org>`` for example), oldest write first."""
        pattern = f"{self._put}{prefix}.>" if prefix else f"{self._put}>"
        found: list[Entry] = []
        after = 0
        while True:
            page = await read_range(self._connection, stream_of(self.bucket), (pattern,), after=after, limit=PAGE)
            found.extend(entry for entry in map(self.entry, page) if entry is not None)
            if len(page) < PAGE:
                return found
            after = page[-1].sequence

    async def last_revision(self, prefix: str) -> int:
        """The revision of the last change below ``prefix`` (whole tokens), a removal included; 0 where none is kept."""
        wanted = {"last_by_subj": f"{self._put}{prefix}.>"}
        try:
            found = await self._connection.ask(f"STREAM.MSG.GET.{stream_of(self.bucket)}", wanted)
        except RequestRefusedError as error:
            if error.status == int(NOT_FOUND):
                return 0
            raise
        return int(found["message"]["seq"])

    def entry(self, message: StoredMessage) -> Entry | None:
        """A stored message of this bucket as a live key, None where it removes one."""
        if any(name in message.headers for name in MARKERS):
            return None
        return Entry(self.key(message), message.data, message.sequence)

    def key(self, message: StoredMessage) -> str:
        """The key that a stored message of this bucket speaks of."""
        return message.subject[len(self._put) :]


def _expecting(revision: int) -> dict[str, str]:
    return {"Nats-Expected-Last-Subject-Sequence": str(revision)}
