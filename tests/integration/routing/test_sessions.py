"""What the linker knows of a session, and for how long the bucket keeps it."""

from __future__ import annotations

from uuid import uuid4

from broker.codec import decode, encode
from broker.domain.ids import SessionId
from broker.transport.connection import Connection
from broker.transport.publisher import Publisher
from broker.transport.records import Records
from broker.transport.topology import SESSIONS
from workers.linker.sessions import SESSION_KEEP_MS, Sessions

NOW_MS = 1_735_725_600_000


async def _record(records: Records, org: str, **more: object) -> SessionId:
    session = SessionId(str(uuid4()))
    record = {"channel": "webchat", "org": org, "chat_name": "draftshop", "created_at_ms": 1, "newer": "kept", **more}
    await records.write(session, encode(record), revision=0, ttl_s=60)
    return session


async def test_a_record_that_outlives_the_link_is_neither_read_again_nor_written(
    connection: Connection, publisher: Publisher, org: str
) -> None:
    records = Records(connection, publisher, SESSIONS)
    session = await _record(records, org, kept_until_ms=NOW_MS + 1)
    sessions = Sessions(records)
    assert await sessions.path_of(session) is not None
    await records.delete(session)  # a read would find nothing now, and remember nothing
    await sessions.keep(session, until_ms=NOW_MS + 1, now_ms=NOW_MS)
    assert (await sessions.path_of(session)) is not None
    assert (await records.read(session)).value is None


async def test_a_record_that_might_not_outlive_the_link_is_written_once_and_says_until_when(
    connection: Connection, publisher: Publisher, org: str
) -> None:
    records = Records(connection, publisher, SESSIONS)
    session = await _record(records, org)
    sessions = Sessions(records)
    await sessions.keep(session, until_ms=NOW_MS + 1, now_ms=NOW_MS)
    written = await records.read(session)
    assert written.value is not None
    kept = decode(written.value)
    assert (kept["kept_until_ms"], kept["newer"]) == (NOW_MS + 1 + SESSION_KEEP_MS, "kept")
    await sessions.keep(session, until_ms=NOW_MS + SESSION_KEEP_MS, now_ms=NOW_MS)
    assert (await records.read(session)).revision == written.revision
