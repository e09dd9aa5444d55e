"""The commands that only read: live links, one session, its transcript."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from broker.codec import BODY_BYTES_MAX, EVENT_DEPTH_MAX, decode, encode
from broker.domain.commands import ListLinks, ReadTranscript, ShowSession
from broker.domain.ids import OrgId, SessionId, Stub
from broker.domain.replies import EventShown, LinkShown, LinksReply, SessionReply, SessionShown, TranscriptReply
from broker.domain.subjects import ChatPath, Conversation, partition_of
from broker.domain.wire import Body, validate
from broker.errors import BackboneError, ForbiddenError, UnknownSessionError
from broker.transport.connection import Connection
from broker.transport.links import LiveLink, live_link, live_links
from broker.transport.reader import StoredMessage, read_range
from broker.transport.records import Records
from broker.transport.topology import CONVERSATIONS
from workers.linker.directory import Directory

EVENTS_AT_ONCE = 50
EVENTS_BYTES_MAX = BODY_BYTES_MAX - 1_000
"""What a reply holds, without the little around it."""


class Queries:
    """Answers from the buckets and the log; every link is checked, since the index may lag."""

    def __init__(self, connection: Connection, directory: Directory, records: Records, partitions: int) -> None:
        self._connection = connection
        self._directory = directory
        self._records = records
        self._partitions = partitions

    async def links(self, org: OrgId, body: Body, _headers: Mapping[str, str]) -> Body:
        """Live links of the org, or of one stub."""
        wanted = validate(ListLinks, body, what="links")
        stub = None if wanted.stub is None else Stub.parse(wanted.stub)
        found = await live_links(self._records, org, stub, now_ms=now_ms())
        return LinksReply(links=[_link(link) for link in found]).model_dump()

    async def session(self, org: OrgId, body: Body, _headers: Mapping[str, str]) -> Body:
        """One session's record, without its token, and its live link."""
        session = SessionId(validate(ShowSession, body, what="session").sessionuuid)
        await self._path(org, session)
        record = await self._directory.sessions.record(session)
        if record is None:
            raise UnknownSessionError(session)
        found = await live_link(self._records, org, session, now_ms=now_ms())
        link = None if found is None else _link(replace(found, mobile_number=record.mobile_number))
        return SessionReply(session=SessionShown(**record.model_dump()), link=link).model_dump()

    async def transcript(self, org: OrgId, body: Body, _headers: Mapping[str, str]) -> Body:
        """A session's events after a sequence, in order, as many as fit a reply; read by the few, as some are long."""
        wanted = validate(ReadTranscript, body, what="transcript")
        session = SessionId(wanted.sessionuuid)
        conversation = (await self._path(org, session)).conversation(session)
        filters, after, size_bytes = (self._filter(conversation),), wanted.after, 0
        events: list[Body] = []
        while (count := min(EVENTS_AT_ONCE, wanted.limit - len(events))) > 0:
            page = await read_range(self._connection, CONVERSATIONS, filters, after=after, limit=count)
            for message in page:
                event, event_bytes = _event(message, conversation)
                size_bytes += event_bytes
                if size_bytes > EVENTS_BYTES_MAX:
                    return _transcript(events)
                events.append(event)
            if len(page) < count:
                break
            after = page[-1].sequence
        return _transcript(events)

    async def _path(self, org: OrgId, session: SessionId) -> ChatPath:
        path = await self._directory.sessions.path_of(session)
        if path is None:
            raise UnknownSessionError(session)
        if path.org != org:
            raise ForbiddenError(f"session {session[:8]}", org=org)
        return path

    def _filter(self, conversation: Conversation) -> str:
        number = partition_of((conversation.session,), self._partitions)
        return f"p.{number}.{conversation.prefix}.>"


def now_ms() -> int:
    """The worker's clock, Unix, UTC: for what is shown as time left, never for a decision."""
    return time.time_ns() // 1_000_000


def _link(link: LiveLink) -> LinkShown:
    """A live link as documented for lists."""
    return LinkShown(
        platform=link.channel,
        endpoint=link.endpoint,
        profile=link.profile,
        sessionuuid=link.session,
        chat_name=link.chat_name,
        service=link.stub.service,
        stubref=link.stub.ref,
        feedback_action=link.feedback_action,
        timeout_hours=link.timeout_hours,
        epoch=link.epoch,
        expires_at=datetime.fromtimestamp(link.expires_at_ms / 1000, UTC).isoformat(timespec="milliseconds"),
        expires_at_ms=link.expires_at_ms,
        ttl_seconds=(link.expires_at_ms - now_ms()) / 1000,
    )


def _transcript(events: list[Body]) -> Body:
    """The events were built from what the models say; what is in a body is the sender's."""
    return TranscriptReply.model_construct(
        events=[EventShown.model_construct(**event) for event in events]
    ).model_dump()


def _event(message: StoredMessage, conversation: Conversation) -> tuple[Body, int]:
    """One event as a transcript shows it, and its size; no body where it cannot be read, or fills a reply alone."""
    event: Body = {
        "sequence": message.sequence,
        "stored_at_ms": message.stored_at_ms,
        "what": message.public_subject.removeprefix(conversation.prefix + "."),
        "body": None,
    }
    bare_bytes = len(encode(event))
    with contextlib.suppress(BackboneError):
        body = decode(message.data, depth_max=EVENT_DEPTH_MAX)
        if (event_bytes := bare_bytes + len(encode(body))) <= EVENTS_BYTES_MAX:
            return {**event, "body": body}, event_bytes
    return event, bare_bytes
