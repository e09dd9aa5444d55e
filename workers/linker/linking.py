"""The verbs that speak to a conversation, or for a stub: notify, set and delete a link, close a stub.

A link is decided by the fold alone, so each verb stores an event, and its reply tells what the fold will make of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import structlog

from broker.codec import MSGPACK, encode
from broker.domain import headers as names
from broker.domain.channels import platform_of
from broker.domain.commands import CloseStub
from broker.domain.events import read_notification
from broker.domain.ids import ChannelName, OrgId, SessionId, Stub, channel_name, chat_name, message_id, session_id
from broker.domain.incoming import sender_of
from broker.domain.managing import read_manage_link
from broker.domain.phones import PhoneAddress, phone_model, phone_session, read_phone_notification
from broker.domain.replies import LinkSetReply, StoredReply, StubCloseReply
from broker.domain.session import Limits
from broker.domain.subjects import ChatPath, Conversation, Kind
from broker.domain.wire import Body, validate
from broker.errors import (
    BackboneError,
    ForbiddenError,
    InvalidBodyError,
    NoSenderError,
    StubClosedError,
    UnknownSessionError,
)
from broker.transport.publisher import Publisher, Stored
from workers.linker.registering import Registering
from workers.linker.sessions import Sessions
from workers.linker.stubs import StubNotes

SECOND_LOOK_S = 1.0
"""On a cluster a copy of the bucket may be behind for a moment; a link set in the instant of the closing shows then."""

log = structlog.get_logger()


class Linking:
    """Answers the verbs; each stores an event, or several."""

    def __init__(
        self, sessions: Sessions, publisher: Publisher, stubs: StubNotes, registering: Registering, limits: Limits
    ) -> None:
        self._sessions = sessions
        self._publisher = publisher
        self._stubs = stubs
        self._registering = registering
        self._limits = limits
        self._looks: set[asyncio.Task[None]] = set()

    async def notify(self, org: OrgId, body: Body, headers: Mapping[str, str]) -> Body:
        """Verb ``notify``."""
        channel, content = _addressed(body, "platforms")
        conversation = await self._conversation(org, channel, content)
        read = read_phone_notification if platform_of(channel).by_number else read_notification
        if read(channel, body).stubsession is not None and sender_of(body, headers) is None:
            raise NoSenderError
        stored = await self._forward(conversation, Kind.NOTIFICATION, body, headers)
        return StoredReply(sequence=stored.sequence, duplicate=stored.duplicate).model_dump()

    async def linkset(self, org: OrgId, body: Body, headers: Mapping[str, str]) -> Body:
        """Verb ``linkset``: hours and action are those that the link will have."""
        channel, content = _addressed(body, "params")
        conversation = await self._conversation(org, channel, content)
        task = read_manage_link(channel, body, operation="set")
        sender = sender_of(body, headers)
        if task.stubref is None and sender is None:
            raise NoSenderError
        service = None if sender is None else sender.service
        owner = sender if task.stubref is None else Stub.parse(task.stubref, default_service=service)
        assert owner is not None  # noqa: S101 - one of the two is there
        if await self._stubs.is_closed(org, owner):
            raise StubClosedError(str(owner))
        stored = await self._forward(conversation, Kind.SET, body, headers)
        asked, hours_max = task.set_new_with_timeout_hours, self._limits.timeout_hours_max
        reply = LinkSetReply(
            sequence=stored.sequence,
            duplicate=stored.duplicate,
            sessionuuid=conversation.session,
            stub=str(owner),
            feedback_action=task.set_feedback_action or platform_of(channel).feedback_action,
            timeout_hours=min(asked, hours_max),
            clamped=asked > hours_max,
        )
        return reply.model_dump()

    async def linkdelete(self, org: OrgId, body: Body, headers: Mapping[str, str]) -> Body:
        """Verb ``linkdelete``: it succeeds whether there is a link or not."""
        channel, content = _addressed(body, "params")
        conversation = await self._conversation(org, channel, content)
        read_manage_link(channel, body, operation="delete")
        stored = await self._forward(conversation, Kind.DELETE, body, headers)
        return StoredReply(sequence=stored.sequence, duplicate=stored.duplicate).model_dump()

    async def stubclose(self, org: OrgId, body: Body, headers: Mapping[str, str]) -> Body:
        """Verb ``stubclose``: the mark first, then the links that are noted, so no link slips through between."""
        stub = Stub.parse(validate(CloseStub, body, what="stubclose").stub)
        await self._stubs.close(org, stub)
        registrations = await self._registering.remove_of(org, stub)
        told = await self._end_links(org, stub, headers, frozenset())
        look = asyncio.create_task(self._look_again(org, stub, headers, told))
        self._looks.add(look)
        look.add_done_callback(self._looks.discard)
        log.info("stub_closed", stubref=str(stub), links=len(told), registrations=registrations)
        return StubCloseReply(stub=str(stub), links=len(told), registrations=registrations).model_dump()

    async def _look_again(self, org: OrgId, stub: Stub, headers: Mapping[str, str], told: frozenset[SessionId]) -> None:
        """Nobody waits for it: on one server the first look has seen everything."""
        await asyncio.sleep(SECOND_LOOK_S)
        try:
            await self._end_links(org, stub, headers, told)
        except BackboneError as error:
            log.warning("second_look_failed", stubref=str(stub), error_code=error.code, error=str(error))

    async def _end_links(
        self, org: OrgId, stub: Stub, headers: Mapping[str, str], told: frozenset[SessionId]
    ) -> frozenset[SessionId]:
        """Store a delete for each session that the stub may own and that was not told yet; it ends this link alone."""
        sessions = [session for session in await self._stubs.sessions(org, stub) if session not in told]
        for session in sessions:
            path = await self._sessions.path_of(session)
            if path is None:
                continue  # its link has ended long ago, and the note is a left-over
            task: Body = {"operation": "delete", "sessionuuid": session, "only_of": str(stub)}
            body: Body = {"params": {"platform": path.channel, path.channel: task}}
            trace = {name: headers[name] for name in (names.TRACEPARENT,) if name in headers}
            await self._forward(path.conversation(session), Kind.DELETE, body, trace)
        return frozenset(sessions)

    async def _conversation(self, org: OrgId, channel: ChannelName, content: Body) -> Conversation:
        """The conversation that a body means: a session that is known, or a mobile number that need not be.

        Raises:
            UnknownSessionError: no session of that uuid began.
            ForbiddenError: the session is another org's.
            InvalidBodyError: it names none, or one of another channel.
        """
        if platform_of(channel).by_number and content.get("mobile_number") is not None:
            return _by_number(org, channel, content)
        session = content.get("sessionuuid")
        if not isinstance(session, str):
            also = f", or 'mobile_number' and '{channel}_profile_name'" if platform_of(channel).by_number else ""
            raise InvalidBodyError("command", (f"{channel}: 'sessionuuid'{also} is required here",))
        path = await self._sessions.path_of(session_id(session))
        if path is None:
            raise UnknownSessionError(session)
        if path.org != org:
            raise ForbiddenError(f"session {session[:8]}", org=org)
        if path.channel != channel:
            raise InvalidBodyError("command", (f"{channel}: the session is on channel {path.channel}",))
        return path.conversation(session_id(session))

    async def _forward(self, conversation: Conversation, kind: Kind, body: Body, headers: Mapping[str, str]) -> Stored:
        """Store the body as the event that it is; the log takes it from there."""
        passed = {name: headers[name] for name in (names.STUB, names.TRACEPARENT) if name in headers}
        event_id = message_id(headers.get(names.MESSAGE_ID) or str(uuid4()))
        return await self._publisher.store(
            conversation.subject(kind),
            encode(body),
            {**passed, names.MESSAGE_ID: event_id, names.CONTENT_TYPE: MSGPACK},
        )


def _by_number(org: OrgId, channel: ChannelName, content: Body) -> Conversation:
    what = f"{channel} command"
    address: PhoneAddress = validate(phone_model(PhoneAddress, channel), content, what=what)
    if address.profile_name is None or address.mobile_number is None:
        raise InvalidBodyError(what, (f"{channel}_profile_name: required beside 'mobile_number'",))
    path = ChatPath(channel, org, chat_name(address.profile_name))
    return path.conversation(phone_session(path, address.mobile_number))


def _addressed(body: Body, outer: str) -> tuple[ChannelName, Body]:
    """The one channel that a body speaks of, and what it says there."""
    inside: Any = body.get(outer)
    found = [(k, v) for k, v in inside.items() if isinstance(v, dict)] if isinstance(inside, dict) else []
    if len(found) != 1:
        raise InvalidBodyError("command", (f"{outer}: expected one channel, with the session that is meant",))
    return channel_name(str(found[0][0]).removeprefix("meta_")), found[0][1]
