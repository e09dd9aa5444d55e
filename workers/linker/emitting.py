"""The verb ``emit``: stores what a program says that a visitor did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import structlog

from broker.codec import MSGPACK, encode
from broker.domain import headers as names
from broker.domain.deliveries import is_inbox
from broker.domain.emitting import Emission, read_emit
from broker.domain.ids import OrgId, message_id
from broker.domain.replies import EmitReply, Emitted
from broker.domain.wire import Body
from broker.errors import ForbiddenError, InvalidBodyError, InvalidNameError
from broker.transport.publisher import Publisher
from workers.linker.directory import Directory

CARRIED = (names.STUB, names.TRACEPARENT)

log = structlog.get_logger()


class Emitting:
    """Checks all of a task before it stores anything of it."""

    def __init__(self, directory: Directory, publisher: Publisher) -> None:
        self._directory = directory
        self._publisher = publisher

    async def emit(self, org: OrgId, body: Body, headers: Mapping[str, str]) -> Body:
        """Verb ``emit``: where each event was stored. The same message id again stores nothing again."""
        params: Any = body.get("params")
        if not isinstance(params, dict):
            raise InvalidBodyError("heimdall_emit", ("params: an object is required here",))
        emissions = read_emit(params, org=org)
        for emission in emissions:
            await self._check_session(emission)
        carried = {name: headers[name] for name in CARRIED if name in headers} | _reply(headers)
        event_id = headers.get(names.MESSAGE_ID) or str(uuid4())
        emitted = []
        for place, emission in enumerate(emissions):
            own_id = message_id(event_id if place == 0 else f"{event_id}-{place}")
            emitted.append(await self._store(emission, {**carried, names.MESSAGE_ID: own_id}))
        return EmitReply(emitted=emitted).model_dump()

    async def _check_session(self, emission: Emission) -> None:
        """A session lives at one path; a new one begins wherever its first event is."""
        conversation = emission.conversation
        path = await self._directory.sessions.path_of(conversation.session)
        if path is not None and path != conversation.path:
            raise ForbiddenError(f"session {conversation.log_id}", org=conversation.path.org)

    async def _store(self, emission: Emission, headers: Mapping[str, str]) -> Emitted:
        said = {**headers, names.CONTENT_TYPE: MSGPACK, names.MECHANISM: emission.mechanism}
        stored = await self._publisher.store(emission.subject, encode(emission.body), said)
        log.info("event_emitted", session_id=emission.conversation.log_id, sequence=stored.sequence)
        return Emitted(
            path=emission.subject,
            mechanism=emission.mechanism,
            sequence=stored.sequence,
            duplicate=stored.duplicate,
        )


def _reply(headers: Mapping[str, str]) -> dict[str, str]:
    """The inbox that waits for the results of ``evb``."""
    if (inbox := headers.get(names.REPLY)) is None:
        return {}
    if not is_inbox(inbox):
        raise InvalidNameError("reply address", inbox, expected="an inbox, such as '_INBOX.abc'")
    return {names.REPLY: inbox}
