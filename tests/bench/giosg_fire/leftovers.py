"""What a chaos run has left: in the streams, and at giosg."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from broker.codec import decode
from broker.domain import headers as names
from broker.domain.events import DeadLetter, Linked
from broker.domain.grammar import parse_conversation, parse_subject
from broker.domain.ids import SessionId
from broker.domain.incoming import read_visit
from broker.domain.subjects import VISITOR_KINDS, ConversationSubject, DeliverySubject, Kind
from broker.domain.webhooks import StoredWebhook
from broker.domain.wire import validate
from broker.transport.connection import Connection
from broker.transport.reader import LogReader, StoredMessage
from broker.transport.topology import CONVERSATIONS, DEADLETTER_STREAM, DELIVERIES, WEBHOOK_STREAM
from tests.bench.giosg_fire.checker import AgentText, ChatSeen, ConversationSeen, Letter, RunSeen
from tests.bench.giosg_fire.program import CHAT
from tests.bench.giosg_fire.stage import ROOMS, Route
from tests.bench.giosg_fire.visitors import DESK, desk_event
from tests.standins.giosg_control import Chat, Giosg
from workers.giosg.wire import moment_ms

TEXT = re.compile(rb"v-[0-9a-f]{8}-\d+-[0-9a-f]{8}")
BOT = f"{CHAT}."
GIVEN_BACK = "_update_from_giosg"


@dataclass(slots=True)
class Heard:
    """One conversation, as it is read from the log; ``written`` by the sequence of the event."""

    written: dict[int, str] = field(default_factory=dict)
    heard: list[str] = field(default_factory=list)
    handed_over_at: list[int] = field(default_factory=list)
    ends: int = 0
    renewals: int = 0
    left_at_ms: int | None = None


@dataclass(slots=True)
class Left:
    """What is in the streams: ``bot_events``, those that the bot was given; ``arrivals``, by giosg's message.

    ``given_back``: texts that the desk gave to the bot, with the conversation.
    """

    conversations: dict[str, Heard] = field(default_factory=lambda: defaultdict(Heard))
    bot_events: set[int] = field(default_factory=set)
    arrivals: dict[str, int] = field(default_factory=dict)
    letters: list[Letter] = field(default_factory=list)
    given_back: set[str] = field(default_factory=set)

    async def read_log(self, message: StoredMessage) -> None:
        """One message of the log."""
        subject = parse_conversation(message.public_subject)
        if subject.session is None:
            return
        heard = self.conversations[subject.session]
        if subject.kind in VISITOR_KINDS:
            _read_visit(subject, message, heard)
        elif subject.kind is Kind.LINKED:
            fact = validate(Linked, decode(message.data), what="link fact")
            if fact.stub.startswith(DESK) and (fact.replaces or "").startswith(BOT):
                heard.handed_over_at.append(fact.epoch)
        elif subject.kind is Kind.NOTIFICATION:
            event = desk_event(message)
            heard.ends += event.get("type") == "session.ended"
            heard.renewals += event.get("type") == "conversation.new"
            if event.get("type") == "agent.message":
                heard.heard.append(str(event.get("text")))

    async def read_run(self, message: StoredMessage) -> None:
        """One run for a stub."""
        subject = parse_subject(message.public_subject)
        assert isinstance(subject, DeliverySubject)
        if subject.stub.service == CHAT:
            self.bot_events.add(int(message.headers.get(names.EVENT, "0")))
            if subject.action == GIVEN_BACK:
                self.given_back |= {each.decode() for each in TEXT.findall(message.data)}

    async def read_webhook(self, message: StoredMessage) -> None:
        """One call of giosg's, if it told of a message."""
        stored = validate(StoredWebhook, decode(message.data), what="webhook")
        facts = stored.webhook
        if stored.content is not None and (facts.kind, facts.action) == ("messages", "added"):
            self.arrivals.setdefault(str(facts.resource_id), message.stored_at_ms)

    async def read_letter(self, message: StoredMessage) -> None:
        """One dead letter."""
        letter = validate(DeadLetter, decode(message.data), what="dead letter")
        texts = tuple(dict.fromkeys(each.decode() for each in TEXT.findall(letter.body)))
        self.letters.append(Letter(f"{letter.reason} ({letter.detail}) about {letter.subject}", texts))


async def left_in(connection: Connection) -> Left:
    """Read every stream from its beginning."""
    left = Left()
    for stream, accept in (
        (CONVERSATIONS, left.read_log),
        (DELIVERIES, left.read_run),
        (WEBHOOK_STREAM, left.read_webhook),
        (DEADLETTER_STREAM, left.read_letter),
    ):
        async with LogReader(connection, stream, accept, filters=(">",), after=0) as reader:
            await reader.caught_up.wait()
    return left


async def run_seen(connection: Connection, giosg: Giosg, routes: Mapping[SessionId, Route]) -> RunSeen:
    """All of it, as the checker wants it. giosg is asked last, so that it lacks nothing that the log has."""
    left = await left_in(connection)
    chats = [_chat(chat, left.arrivals) for chat in await giosg.chats()]
    conversations: dict[str, ConversationSeen] = {
        session: _conversation(left, session, route) for session, route in routes.items()
    }
    return RunSeen(conversations, chats, left.letters)


def _read_visit(subject: ConversationSubject, message: StoredMessage, heard: Heard) -> None:
    if subject.kind is Kind.ENDED:
        heard.left_at_ms = message.stored_at_ms
        return
    visit = read_visit(subject.path.channel, decode(message.data))
    if visit.content.text:
        heard.written[message.sequence] = visit.content.text


def _conversation(left: Left, session: str, route: Route) -> ConversationSeen:
    heard = left.conversations[session]
    to_bot = {one for one, text in heard.written.items() if one in left.bot_events or text in left.given_back}
    brought = {max((one for one in heard.written if one < epoch), default=0) for epoch in heard.handed_over_at}
    return ConversationSeen(
        connection=route.connection,
        written=tuple(heard.written.values()),
        kept_by_bot=frozenset(heard.written[one] for one in to_bot - brought),
        heard=tuple(heard.heard),
        ends=heard.ends,
        renewals=heard.renewals,
        left_at_ms=heard.left_at_ms,
    )


def _chat(chat: Chat, arrivals: Mapping[str, int]) -> ChatSeen:
    rooms = {room_id: name for name, (_, room_id) in ROOMS.items()}
    return ChatSeen(
        id=chat.id,
        connection=rooms[chat.record["room_id"]],
        created_at_ms=_ms(chat.record["created_at"]),
        visitor=tuple(chat.texts("visitor")),
        agents=tuple(_of_agents(chat, ("msg",), arrivals)),
        notices=tuple(_of_agents(chat, ("join", "leave"), arrivals)),
        is_ended=chat.is_ended,
    )


def _of_agents(chat: Chat, types: tuple[str, ...], arrivals: Mapping[str, int]) -> Iterable[AgentText]:
    for one in chat.messages:
        if one["type"] in types and one["sender_type"] == "user":
            yield AgentText(str(one["message"]), _ms(one["created_at"]), arrivals.get(one["id"]))


def _ms(moment: str) -> int:
    found = moment_ms(moment)
    assert found is not None
    return found
