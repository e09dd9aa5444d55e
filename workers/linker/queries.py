"""The commands that only read: live links, one session, its transcript."""

from __future__ import annotations

import time
from collections.abc import Mapping

from broker.codec import decode
from broker.domain.commands import ListLinks, ReadTranscript, ShowSession
from broker.domain.deliveries import default_feedback_action
from broker.domain.ids import ChannelName, OrgId, SessionId, Stub
from broker.domain.stubsessions import INDEX, StateRecord, session_key
from broker.domain.subjects import ChatPath, Conversation, partition_of
from broker.domain.wire import Body, dump, validate
from broker.errors import BackboneError, ForbiddenError, UnknownSessionError
from broker.transport.connection import Connection
from broker.transport.reader import StoredMessage, read_range
from broker.transport.records import Records
from broker.transport.topology import CONVERSATIONS
from workers.linker.directory import Directory


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
        prefix = f"{INDEX}.{org}" if stub is None else f"{INDEX}.{org}.{stub.service}.{stub.ref}"
        found = []
        for entry in await self._records.entries(prefix):
            session = SessionId(entry.key.rpartition(".")[2])
            link = await self._link(org, session)
            if link is not None and f".{link['service']}.{link['stubref']}." in entry.key:
                found.append(link)
        return {"links": sorted(found, key=lambda link: str(link["expires_at_ms"]))}

    async def session(self, org: OrgId, body: Body, _headers: Mapping[str, str]) -> Body:
        """One session's record, without its token, and its live link."""
        session = SessionId(validate(ShowSession, body, what="session").sessionuuid)
        await self._path(org, session)
        record = await self._directory.session(session)
        shown = {} if record is None else dump(record)
        shown.pop("token_sha256", None)
        return {"session": shown, "link": await self._link(org, session)}

    async def transcript(self, org: OrgId, body: Body, _headers: Mapping[str, str]) -> Body:
        """A session's events after a sequence, in order."""
        wanted = validate(ReadTranscript, body, what="transcript")
        session = SessionId(wanted.sessionuuid)
        conversation = (await self._path(org, session)).conversation(session)
        stored = await read_range(
            self._connection,
            CONVERSATIONS,
            (self._filter(conversation),),
            after=wanted.after,
            limit=wanted.limit,
        )
        return {"events": [_event(message, conversation) for message in stored]}

    async def _path(self, org: OrgId, session: SessionId) -> ChatPath:
        path = await self._directory.path_of(session)
        if path is None:
            raise UnknownSessionError(session)
        if path.org != org:
            raise ForbiddenError(f"session {session}", org=org)
        return path

    async def _link(self, org: OrgId, session: SessionId) -> Body | None:
        found = await self._records.read(session_key(org, session))
        if found.value is None:
            return None
        record = validate(StateRecord, decode(found.value), what="state record")
        link, now_ms = record.link, time.time_ns() // 1_000_000
        if link is None or link.expires_at_ms <= now_ms:
            return None
        stub = Stub.parse(link.stub)
        return {
            "platform": record.channel,
            "sessionuuid": session,
            "chat_name": record.chat_name,
            "service": stub.service,
            "stubref": stub.ref,
            "feedback_action": link.feedback_action or default_feedback_action(ChannelName(record.channel)),
            "timeout_hours": link.timeout_hours,
            "epoch": link.epoch,
            "expires_at_ms": link.expires_at_ms,
            "ttl_seconds": (link.expires_at_ms - now_ms) / 1000,
        }

    def _filter(self, conversation: Conversation) -> str:
        number = partition_of((conversation.session,), self._partitions)
        return f"p.{number}.{conversation.prefix}.>"


def _event(message: StoredMessage, conversation: Conversation) -> Body:
    try:
        body: Body | None = decode(message.data)
    except BackboneError:
        body = None
    return {
        "sequence": message.sequence,
        "stored_at_ms": message.stored_at_ms,
        "what": message.public_subject.removeprefix(conversation.prefix + "."),
        "body": body,
    }
