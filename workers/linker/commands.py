"""The commands: what services and the CLI ask of the backbone by request and reply."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID, uuid4, uuid5

import structlog

from broker.codec import MSGPACK, decode, encode
from broker.domain import headers as names
from broker.domain.commands import CreateProfile, ListProfiles
from broker.domain.events import read_manage_link, read_notification
from broker.domain.ids import ChannelName, OrgId, SessionId, Stub, channel_name, message_id, session_id
from broker.domain.incoming import sender_of
from broker.domain.profiles import Profile, profile_key, profile_name
from broker.domain.subjects import Conversation, Kind, Verb
from broker.domain.wire import Body, dump, validate
from broker.errors import (
    BackboneError,
    ConflictError,
    ForbiddenError,
    InvalidBodyError,
    NameTakenError,
    NoSenderError,
    UnknownSessionError,
)
from broker.transport.commands import Command
from broker.transport.publisher import Publisher
from broker.transport.records import Records
from workers.linker.directory import Directory
from workers.linker.emitting import Emitting
from workers.linker.queries import Queries
from workers.linker.registering import Registering

log = structlog.get_logger()

Answer = Callable[[OrgId, Body, Mapping[str, str]], Awaitable[Body]]


class Commands:
    """One method per verb. A reply is a map; ``{"error": {"code", "message"}}`` says what went wrong."""

    def __init__(
        self,
        directory: Directory,
        publisher: Publisher,
        registering: Registering,
        profiles: Records,
        queries: Queries,
        emitting: Emitting,
    ) -> None:
        self._directory = directory
        self._publisher = publisher
        self._profiles = profiles
        self._verbs: dict[Verb, Answer] = {
            "register": registering.register,
            "deregister": registering.deregister,
            "registrations": registering.registrations,
            "emit": emitting.emit,
            "notify": self._notify,
            "linkset": self._linkset,
            "linkdelete": self._linkdelete,
            "links": queries.links,
            "session": queries.session,
            "transcript": queries.transcript,
            "profilecreate": self._profilecreate,
            "profiles": self._list_profiles,
        }

    async def __call__(self, command: Command) -> bytes:
        """The encoded reply; a request that cannot be answered gets its error's code and sentence."""
        try:
            parsed = command.parsed
            reply = await self._verbs[parsed.verb](parsed.org, decode(command.data), command.headers)
            return encode(reply)
        except BackboneError as error:
            log.info("command_refused", error_code=error.code)
            return _error(error.code, str(error))
        except Exception as error:  # noqa: BLE001 - a fault in one command must not end the service
            log.error("command_failed", error_code="worker_fault", error_type=type(error).__name__)
            return _error("worker_fault", f"the linker failed with {type(error).__name__}: see its log")

    async def _notify(self, org: OrgId, body: Body, headers: Mapping[str, str]) -> Body:
        channel, session = _addressed(body, "platforms")
        conversation = await self._conversation(org, session, channel)
        notification = read_notification(channel, body)
        if notification.stubsession is not None and sender_of(body, headers) is None:
            raise NoSenderError
        return await self._forward(conversation, Kind.NOTIFICATION, body, headers)

    async def _linkset(self, org: OrgId, body: Body, headers: Mapping[str, str]) -> Body:
        channel, session = _addressed(body, "params")
        conversation = await self._conversation(org, session, channel)
        task = read_manage_link(channel, body, operation="set")
        sender = sender_of(body, headers)
        if task.stubref is not None:
            Stub.parse(task.stubref, default_service=None if sender is None else sender.service)
        elif sender is None:
            raise NoSenderError
        return await self._forward(conversation, Kind.SET, body, headers)

    async def _linkdelete(self, org: OrgId, body: Body, headers: Mapping[str, str]) -> Body:
        channel, session = _addressed(body, "params")
        conversation = await self._conversation(org, session, channel)
        read_manage_link(channel, body, operation="delete")
        return await self._forward(conversation, Kind.DELETE, body, headers)

    async def _profilecreate(self, org: OrgId, body: Body, _headers: Mapping[str, str]) -> Body:
        wanted = validate(CreateProfile, body, what="profilecreate")
        chat = profile_name(wanted.branch, wanted.name)
        if wanted.stub is not None:
            Stub.parse(wanted.stub)
        profile = Profile(
            org=org,
            branch=wanted.branch,
            name=wanted.name,
            chat_name=chat,
            profile_uuid=str(uuid5(UUID(org), chat)),
            stub=wanted.stub,
            title=wanted.title,
            opening_message=wanted.opening_message,
        )
        key = profile_key(org, chat)
        before = await self._profiles.read(key)
        if before.value is not None:
            raise NameTakenError(wanted.name, branch=wanted.branch, org=org)
        try:
            revision = await self._profiles.write(key, encode(dump(profile)), revision=before.revision)
        except ConflictError as error:
            raise NameTakenError(wanted.name, branch=wanted.branch, org=org) from error
        await self._directory.profiles.wait_for(revision)
        log.info("profile_created", chat_name=chat)
        return dump(profile)

    async def _list_profiles(self, org: OrgId, body: Body, _headers: Mapping[str, str]) -> Body:
        validate(ListProfiles, body, what="profiles")
        found = [decode(entry.value) for entry in self._directory.profiles.items() if entry.key.startswith(f"{org}.")]
        return {"profiles": found}

    async def _conversation(self, org: OrgId, session: SessionId, channel: ChannelName) -> Conversation:
        """The session's conversation, if it is the org's and on that channel."""
        path = await self._directory.sessions.path_of(session)
        if path is None:
            raise UnknownSessionError(session)
        if path.org != org:
            raise ForbiddenError(f"session {session[:8]}", org=org)
        if path.channel != channel:
            raise InvalidBodyError("command", (f"{channel}: the session is on channel {path.channel}",))
        return path.conversation(session)

    async def _forward(self, conversation: Conversation, kind: Kind, body: Body, headers: Mapping[str, str]) -> Body:
        """Store the body as the event that it is; the log takes it from there."""
        subject = conversation.subject(kind)
        passed = {name: headers[name] for name in (names.STUB, names.TRACEPARENT) if name in headers}
        event_id = message_id(headers.get(names.MESSAGE_ID) or str(uuid4()))
        stored = await self._publisher.store(
            subject, encode(body), {**passed, names.MESSAGE_ID: event_id, names.CONTENT_TYPE: MSGPACK}
        )
        return {"sequence": stored.sequence, "duplicate": stored.duplicate}


def _addressed(body: Body, outer: str) -> tuple[ChannelName, SessionId]:
    """The one channel that a body speaks of, and the session it names there."""
    inside: Any = body.get(outer)
    found = [(k, v) for k, v in inside.items() if isinstance(v, dict)] if isinstance(inside, dict) else []
    if len(found) != 1 or not isinstance(found[0][1].get("sessionuuid"), str):
        raise InvalidBodyError("command", (f"{outer}: expected one channel with its 'sessionuuid'",))
    return channel_name(found[0][0]), session_id(found[0][1]["sessionuuid"])


def _error(code: str, message: str) -> bytes:
    return encode({"error": {"code": code, "message": message}})
