"""What the simulated organization holds: rooms, agents, visitors, chats, and everything that was observed."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import time
import uuid
from dataclasses import dataclass, field, fields
from typing import Any

from tests.standins.giosg.configuration import API_TOKEN, ROOM_ID, Configuration, Rule

Body = dict[str, Any]

ABSENT = object()
"""A member that an event does not have, unlike one that is null."""
_SEED = uuid.UUID("91056000-0000-4000-8000-000000000000")
_SIGNING_KEY = b"the stand-in's own"


@dataclass(slots=True)
class Agent:
    """A user who works in the console, or a bot user. ``name`` is the internal one, which no visitor may see."""

    id: str
    public_name: str
    name: str
    is_online: bool = True
    is_bot: bool = False


@dataclass(slots=True)
class Room:
    """Where visitors are. ``agent_ids``: whom its router offers chats to."""

    id: str
    name: str
    agent_ids: list[str] = field(default_factory=list)
    language_code: str = "en"
    is_open: bool = True
    has_router: bool = True


@dataclass(slots=True)
class Visitor:
    """``presence`` is by room, None where it has no end; ``secret_until_ms`` None: for ever."""

    id: str
    secret: str
    secret_until_ms: int | None
    origin: str
    presence: dict[str, int | None] = field(default_factory=dict)
    variables: list[Body] = field(default_factory=list)

    @property
    def name(self) -> str:
        """What the console shows."""
        names = [str(one["value"]) for one in self.variables if one["key"] == "username"]
        return names[-1] if names else "Visitor"


@dataclass(slots=True)
class VisitorToken:
    """Whom a token is for, and until when."""

    visitor_id: str
    expires_at_ms: int


@dataclass(slots=True)
class Message:
    """One entry of a chat; ``sender_type`` is user, visitor, rule, or None for the system's own."""

    id: str
    type: str
    created_at_ms: int
    sender_type: str | None
    sender_id: str | None
    text: str | None
    is_encrypted: bool = False
    attachments: list[Body] = field(default_factory=list)
    extra: Body = field(default_factory=dict)


@dataclass(slots=True)
class Member:
    """Somebody's part in a chat; ``type`` is user or visitor."""

    id: str
    type: str
    created_at_ms: int
    updated_at_ms: int
    is_participating: bool = True
    composing: str = "idle"


@dataclass(slots=True)
class Chat:
    """One chat. ``waits``: its visitor wrote and no agent has taken it yet."""

    id: str
    token: str
    visitor_id: str
    room_id: str
    chat_type: str
    created_at_ms: int
    updated_at_ms: int
    waits: bool = False
    waiting_started_at_ms: int | None = None
    taken_at_ms: int | None = None
    ended_at_ms: int | None = None
    ended_by: str | None = None
    is_encrypted: bool = False
    is_autosuggested: bool = False
    tags: list[str] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    members: dict[str, Member] = field(default_factory=dict)

    @property
    def is_ended(self) -> bool:
        """For good."""
        return self.ended_at_ms is not None


@dataclass(slots=True, frozen=True)
class Event:
    """What a webhook tells; no ``resource``: the object is gone. ``is_forged``: it goes out as it stands."""

    channel: str
    action: str
    resource_id: str
    resource: Any = ABSENT
    is_forged: bool = False


class Changes:
    """Lets readers wait until something has happened; ``version`` grows and never begins anew."""

    def __init__(self) -> None:
        self.version = 0
        self.is_closed = False
        self._happened = asyncio.Event()

    def note(self) -> None:
        """Something has happened."""
        self.version += 1
        self._happened.set()
        self._happened = asyncio.Event()

    def close(self) -> None:
        """Nobody shall wait any more."""
        self.is_closed = True
        self.note()

    async def after(self, version: int, wait_s: float) -> int:
        """The version, as soon as it is a later one, or after that time."""
        if self.version <= version:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._happened.wait(), wait_s)
        return self.version


@dataclass(slots=True)
class World:
    """The whole state; a reset makes a new one."""

    port: int
    changes: Changes
    configuration: Configuration = field(default_factory=Configuration)
    agents: dict[str, Agent] = field(default_factory=dict)
    rooms: dict[str, Room] = field(default_factory=dict)
    visitors: dict[str, Visitor] = field(default_factory=dict)
    tokens: dict[str, VisitorToken] = field(default_factory=dict)
    api_tokens: set[str] = field(default_factory=lambda: {API_TOKEN})
    chats: dict[str, Chat] = field(default_factory=dict)
    removed_chat_ids: list[str] = field(default_factory=list)
    calls: list[Body] = field(default_factory=list)
    deliveries: list[Body] = field(default_factory=list)
    clock_offset_ms: int = 0
    frozen_at_ms: int | None = None
    _events: list[Event] = field(default_factory=list)
    _ids: int = 0
    _last_ms: int = 0

    def __post_init__(self) -> None:
        for agent in (
            Agent(self.new_id(), "Aino", "Aino Agent-Internal"),
            Agent(self.new_id(), "Eero", "Eero Agent-Internal", is_online=False),
            Agent(self.new_id(), "Botti", "Botti Bot-Internal", is_online=False, is_bot=True),
        ):
            self.agents[agent.id] = agent
        self.rooms[ROOM_ID] = Room(ROOM_ID, "Stand-in room", list(self.agents))

    def begin_anew(self) -> None:
        """As after the start: state and records are gone, ids begin at the first again."""
        fresh = World(self.port, self.changes)
        for one in fields(self):
            setattr(self, one.name, getattr(fresh, one.name))
        self.changes.note()

    def enforces(self, rule: Rule) -> bool:
        """Whether that rule holds."""
        return rule not in self.configuration.off

    def now_ms(self) -> int:
        """Our clock, as the test has set it."""
        shown = time.time_ns() // 1_000_000 if self.frozen_at_ms is None else self.frozen_at_ms
        return shown + self.clock_offset_ms

    def stamp_ms(self) -> int:
        """A moment for a record; none comes twice unless ``stamps_tie``."""
        now_ms = self.now_ms()
        self._last_ms = now_ms if self.configuration.stamps_tie else max(now_ms, self._last_ms + 1)
        return self._last_ms

    def new_id(self) -> str:
        """A uuid, the same ones in every run."""
        self._ids += 1
        return str(uuid.uuid5(_SEED, f"id-{self._ids}"))

    def new_visitor(self, origin: str) -> Visitor:
        """Somebody whom giosg has never seen."""
        made = self.new_id()
        lifetime_s = self.configuration.secret_lifetime_s
        until_ms = None if lifetime_s is None else self.now_ms() + lifetime_s * 1000
        visitor = Visitor(made.replace("-", ""), hashlib.sha256(made.encode()).hexdigest()[:50], until_ms, origin)
        self.visitors[visitor.id] = visitor
        return visitor

    def new_token(self, visitor: Visitor) -> tuple[str, VisitorToken]:
        """A JWT for that visitor."""
        kept = VisitorToken(visitor.id, self.now_ms() + self.configuration.token_lifetime_s * 1000)
        claims = {"sub": visitor.id, "exp": kept.expires_at_ms // 1000, "jti": self.new_id()}
        signed = f"{_coded({'alg': 'HS256', 'typ': 'JWT'})}.{_coded(claims)}"
        signature = hmac.digest(_SIGNING_KEY, signed.encode(), "sha256")
        token = f"{signed}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"
        self.tokens[token] = kept
        return token, kept

    def emit(self, event: Event) -> None:
        """Something that webhooks tell."""
        self._events.append(event)
        self.changes.note()

    def take_events(self) -> list[Event]:
        """What was emitted since the last time."""
        taken, self._events = self._events, []
        return taken

    def online_agents(self, room: Room) -> list[Agent]:
        """Whom a new chat in that room would be offered to; nobody in a closed room or one without a router."""
        if not (room.is_open and room.has_router):
            return []
        return [agent for agent_id in room.agent_ids if (agent := self.agents[agent_id]).is_online]


def _coded(part: Body) -> str:
    return base64.urlsafe_b64encode(json.dumps(part, separators=(",", ":")).encode()).decode().rstrip("=")
