"""The subjects of subjects.md as types: checked parts in, the one right subject out; grammar.py reads them.

The scheme is label.value.label.value, so every place is known by the label before it.
Source: design.md sections 1 and 2; specs/stubber-webchat.md section 2.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, NamedTuple, get_args

from broker.domain.ids import ActionName, ChannelName, ChatName, ConnectionName, OrgId, SessionId, Stub, action_name

ROOT = "stubber.systems"
NOTIFICATIONS = f"{ROOT}.notifications"
SIGNALS = f"{ROOT}.signals"
STUBS = f"{ROOT}.stubs"
TIMERS = f"{ROOT}.timers"
DEADLETTERS = f"{ROOT}.deadletters"
COMMANDS = f"{ROOT}.commands"
WEBHOOKS = f"{ROOT}.webhooks"


class Kind(StrEnum):
    """What happened in a conversation: the last part of its subject."""

    INITIALIZE = "initialize"
    FIRSTMESSAGE = "firstmessage"
    MESSAGE = "message"
    CONFIGURATION = "configuration"
    NOTICE = "notice"
    USERDATA = "userdata"
    ENDED = "ended"
    NOTIFICATION = "notification"
    SET = "stubsession.set"
    DELETE = "stubsession.delete"
    TIMEOUT = "stubsession.timeout"
    LINKED = "stubsession.linked"
    EXPIRED = "stubsession.expired"
    CANCELLED = "stubsession.cancelled"
    RECEIPT = "receipt"


VISITOR_KINDS = frozenset(
    (
        Kind.INITIALIZE,
        Kind.FIRSTMESSAGE,
        Kind.MESSAGE,
        Kind.CONFIGURATION,
        Kind.NOTICE,
        Kind.USERDATA,
        Kind.ENDED,
    )
)
"""Published by a channel adapter on ``<channel>messagetype.<kind>``."""

LINK_FACTS = frozenset((Kind.LINKED, Kind.EXPIRED, Kind.CANCELLED))
"""Published by the linker, nobody else."""

Signal = Literal["typing", "presence"]
TimerKind = Literal["link", "hold"]
WebhookOutcome = Literal["taken", "passed", "refused"]
"""Of a call from outside: stored to be worked on; answered as taken and left alone; answered with what is wrong."""
WEBHOOK_OUTCOMES: tuple[WebhookOutcome, ...] = get_args(WebhookOutcome)
Verb = Literal[
    "register",
    "deregister",
    "registrations",
    "emit",
    "notify",
    "linkset",
    "linkdelete",
    "stubclose",
    "links",
    "session",
    "transcript",
    "profilecreate",
    "profiles",
]
VERBS: tuple[Verb, ...] = get_args(Verb)
ManagingVerb = Literal["create", "list", "show", "change", "deploy", "deployment", "deployments", "remove"]
"""What is asked of an adapter about the channels of an org: its ways to the outside, with settings of their own."""
DeskVerb = Literal["availability"]
"""What is asked of a desk's adapter: about its agents."""
ChannelVerb = ManagingVerb | DeskVerb
MANAGING_VERBS: tuple[ManagingVerb, ...] = get_args(ManagingVerb)
DESK_VERBS: tuple[DeskVerb, ...] = get_args(DeskVerb)
CHANNEL_VERBS: tuple[ChannelVerb, ...] = (*MANAGING_VERBS, *DESK_VERBS)


@dataclass(frozen=True, slots=True)
class ChatPath:
    """One chat of one org on one channel: where its sessions begin."""

    channel: ChannelName
    org: OrgId
    chat: ChatName

    @property
    def prefix(self) -> str:
        """The common beginning of all the chat's subjects."""
        return f"{NOTIFICATIONS}.{self.channel}.org.{self.org}.name.{self.chat}"

    def initialize(self) -> str:
        """The subject that a new session is announced on; its uuid is in the body."""
        return f"{self.prefix}.{self.channel}messagetype.initialize"

    def conversation(self, session: SessionId) -> Conversation:
        """The conversation of one session here."""
        return Conversation(self, session)


class Conversation(NamedTuple):
    """One conversation: the prefix that all its events share."""

    path: ChatPath
    session: SessionId

    @property
    def prefix(self) -> str:
        """The common beginning of all the conversation's subjects."""
        return f"{self.path.prefix}.sessionuuid.{self.session}"

    @property
    def tail(self) -> str:
        """The prefix without its root, as timers and signals carry it."""
        return self.prefix[len(NOTIFICATIONS) + 1 :]

    @property
    def log_id(self) -> str:
        """As much of the session uuid as a log line may hold: the whole is a bearer secret."""
        return self.session[:8]

    def subject(self, kind: Kind) -> str:
        """The subject of one kind of event; ``initialize`` alone stands at the chat's path."""
        if kind is Kind.INITIALIZE:
            return self.path.initialize()
        if kind in VISITOR_KINDS:
            return f"{self.prefix}.{self.path.channel}messagetype.{kind}"
        return f"{self.prefix}.{kind}"

    def signal(self, signal: Signal) -> str:
        """The subject of something shown and never stored."""
        return f"{SIGNALS}.{self.tail}.{signal}"

    def timer(self, kind: TimerKind) -> str:
        """The subject that holds the conversation's schedule; a new one there replaces it."""
        return f"{TIMERS}.{kind}.{self.tail}"


class ConversationSubject(NamedTuple):
    """A parsed event subject; ``session`` is None on ``initialize`` alone."""

    path: ChatPath
    session: SessionId | None
    kind: Kind

    @property
    def conversation(self) -> Conversation | None:
        """The conversation, None on ``initialize``: its session is in the body."""
        return None if self.session is None else Conversation(self.path, self.session)


@dataclass(frozen=True, slots=True)
class SignalSubject:
    """A parsed signal subject."""

    conversation: Conversation
    signal: Signal


class DeliverySubject(NamedTuple):
    """One run for one stub: ``stubber.systems.stubs.org.<O>.service.<service>.stubref.<R>.action.<A>``."""

    org: OrgId
    stub: Stub
    action: ActionName

    def __str__(self) -> str:
        stub = self.stub
        return f"{STUBS}.org.{self.org}.service.{stub.service}.stubref.{stub.ref}.action.{self.action}"


@dataclass(frozen=True, slots=True)
class TimerSubject:
    """A schedule of one conversation."""

    kind: TimerKind
    conversation: Conversation


@dataclass(frozen=True, slots=True)
class DueSubject:
    """Where fired timers of one partition land."""

    partition: int

    def __str__(self) -> str:
        return f"{TIMERS}.due.partition.{self.partition}"


@dataclass(frozen=True, slots=True)
class DeadLetterSubject:
    """``stubber.systems.deadletters.org.<O>.reason.<code>``."""

    org: OrgId
    reason: ActionName

    def __str__(self) -> str:
        return f"{DEADLETTERS}.org.{self.org}.reason.{self.reason}"


@dataclass(frozen=True, slots=True)
class CommandSubject:
    """``stubber.systems.commands.org.<O>.<verb>``."""

    org: OrgId
    verb: Verb

    def __str__(self) -> str:
        return f"{COMMANDS}.org.{self.org}.{self.verb}"


@dataclass(frozen=True, slots=True)
class ChannelCommandSubject:
    """``stubber.systems.commands.org.<O>.channel.<channel>.<verb>``: answered by that channel's adapter."""

    org: OrgId
    channel: ChannelName
    verb: ChannelVerb

    def __str__(self) -> str:
        return f"{COMMANDS}.org.{self.org}.channel.{self.channel}.{self.verb}"


class WebhookSubject(NamedTuple):
    """``stubber.systems.webhooks.org.<O>.channel.<channel>.connection.<name>.<outcome>``: a call from outside."""

    org: OrgId
    channel: ChannelName
    connection: ConnectionName
    outcome: WebhookOutcome

    def __str__(self) -> str:
        return f"{WEBHOOKS}.org.{self.org}.channel.{self.channel}.connection.{self.connection}.{self.outcome}"


AnySubject = (
    ConversationSubject
    | SignalSubject
    | DeliverySubject
    | TimerSubject
    | DueSubject
    | DeadLetterSubject
    | CommandSubject
    | ChannelCommandSubject
    | WebhookSubject
)


def dead_letter_subject(org: OrgId, code: str) -> str:
    """Where an original with this reason is kept."""
    return str(DeadLetterSubject(org, action_name(code)))


def partition_of(tokens: tuple[str, ...], count: int) -> int:
    """The partition that nats-server's ``partition(count, ...)`` puts these tokens in: FNV-1a 32, no dots.

    Source: nats-server ``server/subject_transform.go``, measured in nats-notes.md section 3.1.
    """
    value = 0x811C9DC5
    for byte in "".join(tokens).encode():
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value % count
