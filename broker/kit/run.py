"""One run of one action on one stub: what came, what the stub knows, and what it can do about it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Literal
from uuid import NAMESPACE_URL, uuid5

import structlog

from broker.codec import decode, encode
from broker.domain import headers as names
from broker.domain.events import TIMEOUT_HOURS_DEFAULT
from broker.domain.ids import (
    ActionName,
    ChannelName,
    OrgId,
    SessionId,
    Stub,
    action_name,
    effective_chat_name,
    session_id,
)
from broker.domain.incoming import read_visit
from broker.domain.registrations import Mechanism
from broker.domain.subjects import ChatPath, Conversation
from broker.domain.wire import Body, dump, validate
from broker.errors import CommandRefusedError, NameTakenError, NoConversationError
from broker.kit.bus import ServiceBus
from broker.kit.messages import Message
from broker.kit.records import StubRecord, new_stubref

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a run happens. ``id`` is the same each time the same run is seen; at the start ``sequence`` is 0."""

    id: str
    action: ActionName
    sequence: int = 0
    at_ms: int = 0
    message: str = ""
    data: Body = field(default_factory=dict)
    conversation: Conversation | None = None


class Run:
    """Passed to an action. What it publishes has ids derived from the run, so a run seen twice shows once.

    Attributes:
        org: the org that the stub belongs to.
        stub: the stub's address.
        message: ``stubpost.message``: what the visitor wrote, or the registration's message.
        data: ``stubpost.data``: the event, under ``_incoming_<channel>_data`` or ``heimdall.<channel>``.
        memory: what the stub knows, with this run's data laid over it; kept when the run ends.
        state: the stub's state, free text; kept as well.
        conversation: the conversation that the run is about, else the one that the stub heard of last, else None.
    """

    def __init__(self, bus: ServiceBus, stub: Stub, record: StubRecord, cause: Cause) -> None:
        self.org: OrgId = bus.org
        self.stub = stub
        self.message = cause.message
        self.data = cause.data
        self.memory: Body = {**record.data, **cause.data}
        self.state = record.state
        self.conversation = cause.conversation or record.heard_of
        self._bus = bus
        self._record = record
        self._cause = cause
        self._count = 0
        self._is_closing = False
        self._acks: list[asyncio.Future[object]] = []

    @property
    def sessionuuid(self) -> SessionId:
        """The session that the run is about, wherever the data hold it (spec 2.5, O10)."""
        if self.conversation is not None:
            return self.conversation.session
        raise NoConversationError(str(self.stub))

    @property
    def visitor_text(self) -> str:
        """What the visitor wrote, whether a link or a registration led here; "" if that was nothing."""
        if self.conversation is None or "heimdall" not in self.data:
            return self.message
        return read_visit(self.conversation.path.channel, self.data).content.text

    async def ensure_chat(self, name: str, *, title: str | None = None) -> str:
        """Make a webchat on the stub's branch unless it is there; the prefix of its subjects, to register on.

        Raises:
            CommandRefusedError: the name breaks the rules for new names.
        """
        request = {"name": name, "branch": self._record.branch, **({} if title is None else {"title": title})}
        try:
            await self._bus.command("profilecreate", request)
        except CommandRefusedError as error:
            if error.code != NameTakenError.code:
                raise
        return ChatPath(ChannelName("webchat"), self.org, effective_chat_name(self._record.branch, name)).prefix

    async def notify(
        self,
        message: Message | None = None,
        *,
        link_hours: float | None = None,
        feedback_action: str | None = None,
        more: Body | None = None,
        session: str | None = None,
    ) -> None:
        """Send a message to the visitor; ``link_hours`` makes this stub the owner for so long.

        Args:
            message: from ``text()``, ``markdown()``, ``html()`` or ``form()``.
            link_hours: hours above 0, fractions allowed; None leaves the link as it is.
            feedback_action: what runs on the visitor's next messages; None: the channel's default.
            more: further members as documented, without the channel's prefix: ``agent``, ``control_event``,
                ``client_configuration``.
            session: another session of the org than the run's own.

        Raises:
            NoConversationError: no session is named, and the stub has heard of none.
            CommandRefusedError: the named session is unknown or another org's.
        """
        members = dict(more or {})
        if message is not None:
            members["message"] = message
        stubsession: Body | None = None
        if link_hours is not None or feedback_action is not None:
            hours = TIMEOUT_HOURS_DEFAULT if link_hours is None else float(link_hours)
            stubsession = {"set_new_with_timeout_hours": hours}
            if feedback_action is not None:
                stubsession["set_feedback_action"] = action_name(feedback_action)
        conversation = await self._conversation(session)
        await self._elders_stored()
        self._acks.append(
            await self._bus.notify(conversation, members, stubsession, sender=self.stub, message_id=self._next_id())
        )

    async def hand_over(self, stub: str, *, hours: float = TIMEOUT_HOURS_DEFAULT) -> None:
        """Let another stub of the org have the conversation from here on, such as a desk: ``giosg.support``.

        A desk gives it back to the stub that had it, and says so to its ``_update_from_<desk>``.
        """
        conversation = await self._conversation(None)
        await self._elders_stored()
        self._acks.append(
            await self._bus.link(
                conversation, Stub.parse(stub), hours=hours, sender=self.stub, message_id=self._next_id()
            )
        )

    async def create_stub(self, context: str = "default", *, data: Body | None = None, message: str = "") -> Stub:
        """Make a new stub and run its ``_create``; its reference derives from the run, so it is made once."""
        ref = new_stubref(self._next_id(), self._cause.at_ms)
        stub = Stub(self.stub.service, ref)
        record = StubRecord(
            stubref=ref,
            context=context,
            branch=self._record.branch,
            created_at_ms=self._cause.at_ms,
            conversation=None if self.conversation is None else self.conversation.prefix,
        )
        await self._bus.create(stub, record)
        await self.send_action(stub, "_create", message=message or "stub created by task", data=data)
        return stub

    async def send_action(self, stub: Stub, action: str, *, message: str = "", data: Body | None = None) -> None:
        """Run an action on another stub, or on this one after this run."""
        await self._elders_stored()
        self._acks.append(
            await self._bus.deliver(
                stub,
                action_name(action),
                {"stubpost": {"message": message, "data": data or {}}},
                conversation=self.conversation,
                message_id=self._next_id(),
            )
        )

    async def register(
        self,
        path: str,
        *,
        action: str,
        mechanism: Mechanism = "evt",
        on_trigger: Literal["keep", "remove"] = "keep",
        timeout_s: float | None = None,
        message: str = "",
    ) -> str:
        """Have an action run on this stub for each event on a path; the same wish again changes nothing.

        Args:
            path: as Heimdall spells it: ``#`` for one level, a last ``*`` for anything deeper.
            action: what runs, with the event under ``heimdall``.
            mechanism: ``evt`` all, ``cbh`` the first one registered, ``rra`` in turns, ``rnd`` at random, ``evb`` all,
                and what each returns goes to the emitter; ``*`` under each.
            on_trigger: ``remove``: once.
            timeout_s: with ``remove`` how long it waits, with ``keep`` how long a run may take.
            message: ``stubpost.message`` of the run.

        Returns:
            The registration's uuid.
        """
        registration = str(uuid5(NAMESPACE_URL, f"{self.org}/{self.stub}/{path}/{action}"))
        event: Body = {"path": path, "mechanism": mechanism}
        if timeout_s is not None:
            event["timeout_seconds"] = float(timeout_s)
        params = {
            "uuid": registration,
            "registration_name": action,
            "on_trigger_method": on_trigger,
            "events": {action: event},
            "trigger_stubaction": {"action_name": action_name(action), "stubref": str(self.stub), "message": message},
        }
        task = {"tasktype": "heimdall_register", "params": params}
        reply = await self._bus.command("register", task, sender=self.stub)
        if (older := reply.get("shadowed_by")) is not None:
            log.warning("registration_shadowed", stubref=str(self.stub), action=action, by=older)
        return registration

    async def deregister(self, registration: str) -> None:
        """Forget a registration, by the uuid that register() gave; one that is not there is no error."""
        await self._bus.command("deregister", {"uuid": registration}, sender=self.stub)

    async def emit(self, path: str, data: Body, *, mechanism: Mechanism = "evt", reply_to: str | None = None) -> None:
        """Say what a visitor did, on one path without wildcards: whoever registered for it runs.

        Args:
            path: of a visitor's event, in this org.
            data: what lies in the event's ``heimdall``, such as ``{"webchat": {"sessionuuid": ...}}``.
            mechanism: only registrations of this one, and of ``*``, hear of it; ``*``: all.
            reply_to: an inbox that the results of ``evb`` registrations go to.

        Raises:
            CommandRefusedError: a wildcard, another org's path, or data that are no such event.
        """
        task = {"tasktype": "heimdall_emit", "params": {"path": path, "mechanism": mechanism, "data": data}}
        headers = {names.MESSAGE_ID: self._next_id(), **({} if reply_to is None else {names.REPLY: reply_to})}
        await self._bus.command("emit", task, sender=self.stub, headers=headers)

    def close(self) -> None:
        """Close this stub when the run ends: its links and registrations go with it, and it runs nothing any more.

        What visitors write from then on takes the unlinked way; runs that still come are dead letters ``stub_closed``.
        """
        self._is_closing = True

    async def finish(self) -> StubRecord:
        """Wait until all that was published is stored, and close the stub if that is wanted; the record to keep.

        Raises:
            BodyError: an action left something that could not be read again, and the stub would be lost with it.
        """
        await asyncio.gather(*self._acks)
        if self._is_closing:
            await self._bus.command("stubclose", {"stub": str(self.stub)}, sender=self.stub)
        return self.kept()

    def kept(self) -> StubRecord:
        """The record as it would be kept if the run ended now.

        Raises:
            BodyError: as finish() does; asked before anything is published, the run has no half effect.
        """
        conversation = self.conversation
        kept: Body = {
            **dump(self._record),
            "data": self.memory,
            "state": self.state,
            "last_sequence": max(self._cause.sequence, self._record.last_sequence),
            "conversation": None if conversation is None else conversation.prefix,
            "closed": self._is_closing or self._record.closed,
            "begun_sequence": 0,
            "begun_count": 0,
        }
        return validate(StubRecord, decode(encode(kept)), what="stub record")

    async def _conversation(self, session: str | None) -> Conversation:
        if session is not None and (self.conversation is None or session != self.conversation.session):
            return await self._bus.conversation_of(session_id(session))
        if self.conversation is None:
            raise NoConversationError(str(self.stub))
        return self.conversation

    async def _elders_stored(self) -> None:
        """What was lost would be stored behind what was published after it, once the run is tried again."""
        if self._acks:
            await self._acks[-1]

    def _next_id(self) -> str:
        self._count += 1
        return f"{self._cause.id}-{self._count}"
