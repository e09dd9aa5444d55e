"""Reads that a stream's leader answers: on a cluster, a direct read may come from a replica that lags behind."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime
from email.parser import HeaderParser

from broker.errors import NoStreamError, RequestRefusedError
from broker.transport.connection import Connection
from broker.transport.reader import StoredMessage, read_one

NO_MESSAGE_CODE = 10037
NO_STREAM_CODE = 10059
ANSWER_WAIT_S = 2.0
"""A stream without a leader is silent, and a question to it is lost: whoever asks again soon is answered sooner."""


def may_lag(connection: Connection) -> bool:
    """Whether the server is one of several: then what it reads directly may be behind what is stored."""
    return bool(connection.client._server_info.get("cluster"))  # noqa: SLF001 - nats-py tells nobody else


async def ask_leader(connection: Connection, stream: str, wanted: Mapping[str, object]) -> StoredMessage | None:
    """The message with ``{"seq": …}``, or the last one with ``{"last_by_subj": …}``; None if there is none.

    Raises:
        NoStreamError: no such stream.
        RequestRefusedError, NoAnswerError: not now, as while the leader is elected.
    """
    subject = f"STREAM.MSG.GET.{stream}"
    try:
        found = (await connection.ask(subject, wanted, wait_s=ANSWER_WAIT_S))["message"]
    except RequestRefusedError as error:
        if error.err_code == NO_MESSAGE_CODE:
            return None
        if error.err_code == NO_STREAM_CODE:
            raise NoStreamError(subject) from error
        raise
    moment = datetime.fromisoformat(found["time"])
    return StoredMessage(
        subject=found["subject"],
        data=base64.b64decode(found.get("data", "")),
        headers=_headers(found.get("hdrs", "")),
        sequence=int(found["seq"]),
        stored_at_ms=int(moment.timestamp() * 1000),
    )


async def read_kept(connection: Connection, stream: str, sequence: int) -> StoredMessage | None:
    """A message that is known to have been stored; None only where the stream itself has given it up."""
    found = await read_one(connection, stream, sequence)
    if found is None and may_lag(connection):
        found = await ask_leader(connection, stream, {"seq": sequence})
    return found


def _headers(encoded: str) -> dict[str, str]:
    """A version line, then one line for each, as in a mail."""
    _, _, lines = base64.b64decode(encoded).decode(errors="surrogateescape").partition("\r\n")
    return dict(HeaderParser().parsestr(lines).items())
