"""Pure: what of a chaos run on giosg was lost, doubled or reordered, on the way there or on the way back.

Each text, a visitor's or an agent's, is there once in the whole run, so each is its own proof. What giosg has and what
the log has are read independently; neither is asked what the desk thinks it did.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

Kind = Literal["lost", "doubled", "reordered", "wrong"]
KINDS: tuple[Kind, ...] = ("lost", "doubled", "reordered", "wrong")
EXAMPLES_MAX = 40
ORDER_MS = 600
"""What came by webhook so close together is in order. The promise is 1 s; the rest is for slow machines."""

Fault = tuple[Kind, str]


@dataclass(frozen=True, slots=True)
class AgentText:
    """What an agent wrote. ``arrived_at_ms``: when its first webhook was kept by us, None if none ever was."""

    text: str
    created_at_ms: int
    arrived_at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class ChatSeen:
    """A chat as giosg has it: the texts of visitor and agents, each in giosg's order; ``notices``: joins and leaves."""

    id: str
    connection: str
    created_at_ms: int
    visitor: tuple[str, ...] = ()
    agents: tuple[AgentText, ...] = ()
    notices: tuple[AgentText, ...] = ()
    is_ended: bool = False


@dataclass(frozen=True, slots=True)
class ConversationSeen:
    """A conversation as the log has it.

    ``written``: what its visitor wrote. ``kept_by_bot``: those of them that went to the bot, and that no hand-over was
    to bring along: giosg need not have them. ``heard``: the agents' texts. ``ends``: how often its visitor was told of
    an end, ``renewals`` of a new chat, which may stand for the end of the one before. ``left_at_ms``: when the visitor
    ended the conversation; nobody reads what comes then.
    """

    connection: str
    written: tuple[str, ...]
    kept_by_bot: frozenset[str] = frozenset()
    heard: tuple[str, ...] = ()
    ends: int = 0
    renewals: int = 0
    left_at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter; ``texts``: the visitors' texts in it."""

    reason: str
    texts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunSeen:
    """Everything that is left of a run; conversations by their session."""

    conversations: Mapping[str, ConversationSeen]
    chats: Sequence[ChatSeen] = ()
    letters: Sequence[Letter] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """How often each kind of fault was found, and the first few in words.

    No faults, but told: ``late``, agents' texts that came after later ones, further apart than the promise reaches, or
    with their webhooks lost; ``unannounced``, those of which no webhook ever arrived; ``unheard``, those that were
    written when the visitor had gone, and that nobody was shown.
    """

    faults: Mapping[Kind, int]
    examples: tuple[str, ...]
    late: int = 0
    unannounced: int = 0
    unheard: int = 0

    @property
    def clean(self) -> bool:
        """Whether nothing at all was found."""
        return not any(self.faults.values())


@dataclass(slots=True)
class _Told:
    late: int = 0
    unheard: int = 0
    faults: list[Fault] = field(default_factory=list)


def judge(run: RunSeen) -> Verdict:
    """Hold what is there against what has to be."""
    writers = {text: session for session, one in run.conversations.items() for text in one.written}
    chats = defaultdict[str, list[ChatSeen]](list)
    found: list[Fault] = []
    for chat in sorted(run.chats, key=lambda chat: chat.created_at_ms):
        owners = {writers.get(text, "nobody") for text in chat.visitor}
        found += _chat_faults(chat, owners, run.conversations)
        for owner in owners:
            chats[owner].append(chat)
    found += _strangers(run)
    told = _Told()
    for session, conversation in run.conversations.items():
        own = chats[session]
        found += [(kind, f"{session[:8]} to giosg: {text}") for kind, text in _sent_faults(conversation, own)]
        _hear(session, conversation, own, told)
    found += told.faults
    found += [_letter_fault(letter) for letter in run.letters]
    counted = Counter(kind for kind, _ in found)
    return Verdict(
        {kind: counted[kind] for kind in KINDS},
        tuple(f"{kind}: {text}" for kind, text in found[:EXAMPLES_MAX]),
        late=told.late,
        unannounced=sum(text.arrived_at_ms is None for chat in run.chats for text in chat.agents),
        unheard=told.unheard,
    )


def compare(expected: Sequence[str], found: Sequence[str]) -> list[Fault]:
    """Both are lists of different texts; what is not as it has to be."""
    counted = Counter(found)
    faults: list[Fault] = [("lost", text) for text in expected if not counted[text]]
    faults += [("wrong", text) for text in counted if text not in set(expected)]
    faults += [("doubled", text) for text in expected for _ in range(counted[text] - 1)]
    place = {text: number for number, text in enumerate(expected)}
    first_times = [text for text in dict.fromkeys(found) if text in place]
    pairs = pairwise(first_times)
    faults += [("reordered", f"{later} after {before}") for before, later in pairs if place[later] < place[before]]
    return faults


def _chat_faults(chat: ChatSeen, owners: set[str], conversations: Mapping[str, ConversationSeen]) -> Iterator[Fault]:
    if len(owners) > 1:
        yield "wrong", f"chat {chat.id[:8]} has texts of {len(owners)} conversations: {sorted(owners)}"
    if not chat.visitor and not chat.is_ended:
        yield "wrong", f"chat {chat.id[:8]} of {chat.connection} is open, and nothing was written in it"
    for owner in owners:
        conversation = conversations.get(owner)
        if conversation is not None and conversation.connection != chat.connection:
            yield "wrong", f"{owner[:8]} of {conversation.connection} is in chat {chat.id[:8]} of {chat.connection}"


def _sent_faults(conversation: ConversationSeen, chats: Sequence[ChatSeen]) -> list[Fault]:
    """What its visitor wrote, against what its chats have."""
    own = set(conversation.written)
    found = [text for chat in chats for text in chat.visitor if text in own]
    there = set(found)
    expected = [text for text in conversation.written if text not in conversation.kept_by_bot or text in there]
    return compare(expected, found)


def _strangers(run: RunSeen) -> Iterator[Fault]:
    """Whatever a conversation heard that was not written in one of its own chats."""
    writers = {text: session for session, one in run.conversations.items() for text in one.written}
    listeners = {
        text.text: {writers.get(each, "nobody") for each in chat.visitor} for chat in run.chats for text in chat.agents
    }
    for session, conversation in run.conversations.items():
        for text in conversation.heard:
            if session not in listeners.get(text, ()):
                yield "wrong", f"{session[:8]} heard {text}, which was written to {sorted(listeners.get(text, ()))}"


def _hear(session: str, conversation: ConversationSeen, chats: Sequence[ChatSeen], told: _Told) -> None:
    """What agents wrote, against what the visitor was told; and one end for each chat that has ended."""
    counted = Counter(conversation.heard)
    left_at_ms = conversation.left_at_ms
    for chat in chats:
        for text in chat.agents:
            if counted[text.text] > 1:
                told.faults += [("doubled", f"{session[:8]} heard: {text.text}")] * (counted[text.text] - 1)
            if counted[text.text]:
                continue
            if left_at_ms is not None and text.created_at_ms >= left_at_ms:
                told.unheard += 1
            else:
                told.faults.append(("lost", f"{session[:8]} never heard {text.text} of chat {chat.id}"))
        _judge_order(session, conversation.heard, chat, told)
    ended = sum(chat.is_ended for chat in chats)
    if conversation.ends > ended:
        told.faults.append(("doubled", f"{session[:8]} was told of {conversation.ends} ends of {ended} chats"))
    elif conversation.ends + conversation.renewals < ended and left_at_ms is None:
        told.faults.append(("lost", f"{session[:8]} was told of {conversation.ends} ends of {ended} chats"))


def _judge_order(session: str, heard: Sequence[str], chat: ChatSeen, told: _Told) -> None:
    """Each text against those that the visitor read before it, and that are younger."""
    by_text = {text.text: (number, text) for number, text in enumerate(chat.agents)}
    before: list[tuple[int, AgentText]] = []
    for place, text in (by_text[each] for each in dict.fromkeys(heard) if each in by_text):
        younger = [other for number, other in before if number > place]
        if younger and _is_promised(text, younger, chat):
            told.faults.append(("reordered", f"{session[:8]} heard {text.text} after {younger[0].text}"))
        elif younger:
            told.late += 1
        before.append((place, text))


def _is_promised(text: AgentText, before: Sequence[AgentText], chat: ChatSeen) -> bool:
    """Whether the text had to come before those: by webhook all, and its own not much after any that is younger.

    One that has waited long enough takes everything along that is older than it.
    """
    if text.arrived_at_ms is None or any(other.arrived_at_ms is None for other in before):
        return False
    younger = [other for other in (*chat.agents, *chat.notices) if other.created_at_ms > text.created_at_ms]
    arrivals = [other.arrived_at_ms for other in younger if other.arrived_at_ms is not None]
    return text.arrived_at_ms <= min(arrivals) + ORDER_MS


def _letter_fault(letter: Letter) -> Fault:
    if letter.texts:
        return "lost", f"dead letter {letter.reason} with {', '.join(letter.texts)}"
    return "wrong", f"dead letter {letter.reason}"
