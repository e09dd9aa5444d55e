"""Is a version still in use? Conversations linked to it, runs that wait for it; and the end of what nobody uses."""

from __future__ import annotations

import math
import time
from collections.abc import Collection
from datetime import datetime
from typing import Any

from broker.codec import MSGPACK, encode
from broker.domain import headers as names
from broker.domain.deployments import Version
from broker.domain.ids import OrgId, session_id
from broker.domain.stubsessions import INDEX
from broker.domain.subjects import CommandSubject, Verb
from broker.domain.wire import Body
from broker.errors import RequestRefusedError
from broker.kit.records import stubs_bucket
from broker.transport.commands import request_command
from broker.transport.connection import Connection
from broker.transport.ensure import consumers_of
from broker.transport.links import live_link
from broker.transport.reader import read_range
from broker.transport.records import Records
from broker.transport.topology import DELIVERIES, service_consumers, stream_of

PAGE = 200
STUBS_KEPT_S = 8 * 86_400
"""Longer than DELIVERIES keeps runs: a version that is deployed again reads them all anew, and its stubs tell which are
done."""
CONSUMERS_KEPT_S = 2 * 86_400
"""After the last run. A conversation that an operator has comes back within a day, linked for an instant only: then the
runs that wait alone tell that the version is needed. Not for longer, since a stream has a limited number of them."""
NOT_FOUND_STATUS = 404

Consumers = dict[str, dict[str, Any]]


class Use:
    """Asks the bus."""

    def __init__(self, connection: Connection, links: Records) -> None:
        self._connection = connection
        self._links = links

    async def consumers(self) -> Consumers:
        """Every consumer of runs, by name: read once for all versions."""
        return await consumers_of(self._connection, DELIVERIES)

    async def is_used(self, version: Version, consumers: Consumers) -> bool:
        """Whether a live link leads to it, or a run of it is not done."""
        mine = (consumers.get(name) for name in _consumer_names(version))
        waiting = any(one is not None and (one["num_pending"] or one["num_ack_pending"]) for one in mine)
        return waiting or await self._is_linked(version)

    async def retire(self, version: Version, consumers: Consumers) -> bool:
        """Remove its consumers and its stubs, each once they are old; whether nothing is left."""
        stream = stream_of(stubs_bucket(version.service))
        found = await self._ask_gone(f"STREAM.INFO.{stream}")
        has_stubs = found is not None and found["state"]["messages"]
        age_s = time.time() - _moment_s(found["state"]["last_ts"]) if found is not None and has_stubs else math.inf
        if age_s < CONSUMERS_KEPT_S:
            return False
        for name in _consumer_names(version):
            if name in consumers:
                await self._ask_gone(f"CONSUMER.DELETE.{DELIVERIES}.{name}")
        if age_s < STUBS_KEPT_S:
            return False
        if found is not None:
            await self._ask_gone(f"STREAM.DELETE.{stream}")
        return True

    async def _is_linked(self, version: Version) -> bool:
        """The index may lag, so each note is checked; the first live link is enough."""
        org, now_ms = OrgId(version.org), time.time_ns() // 1_000_000
        pattern = f"$KV.{self._links.bucket}.{INDEX}.{org}.{version.service}.>"
        after = 0
        while True:
            page = await read_range(
                self._connection, stream_of(self._links.bucket), (pattern,), after=after, limit=PAGE
            )
            for entry in filter(None, map(self._links.entry, page)):
                session = session_id(entry.key.rpartition(".")[2])
                link = await live_link(self._links, org, session, now_ms=now_ms)
                if link is not None and link.stub.service == version.service:
                    return True
            if len(page) < PAGE:
                return False
            after = page[-1].sequence

    async def deregister(self, org: str, services: Collection[str]) -> None:
        """Forget what these services wish for: their successors do, and take the visitors from here on.

        Raises:
            NoLinkerError, NoAnswerError: no linker runs, or none answers in time.
        """
        after: Body = {}
        found: list[str] = []
        while True:
            reply = await self._command(org, "registrations", after)
            shown = reply.get("registrations", [])
            found += [one["uuid"] for one in shown if str(one["stub"]).partition(".")[0] in services]
            if reply.get("next") is None:
                break
            after = {"after": reply["next"]}
        for uuid in found:
            await self._command(org, "deregister", {"uuid": uuid})

    async def _command(self, org: str, verb: Verb, body: Body) -> Body:
        subject = CommandSubject(OrgId(org), verb)
        return await request_command(self._connection, subject, encode(body), headers={names.CONTENT_TYPE: MSGPACK})

    async def _ask_gone(self, request: str) -> dict[str, Any] | None:
        """The answer; None where there is no such thing, or not any more."""
        try:
            return await self._connection.ask(request)
        except RequestRefusedError as error:
            if error.status == NOT_FOUND_STATUS:
                return None
            raise


def _consumer_names(version: Version) -> list[str]:
    return [spec.name for spec in service_consumers(version.org, version.service)]


def _moment_s(text: str) -> float:
    """The server's time stamp; Python reads six digits of a second at most."""
    whole, _, _ = text.partition(".")
    return datetime.fromisoformat(f"{whole.removesuffix('Z')}+00:00").timestamp()
