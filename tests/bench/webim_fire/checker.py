"""Pure: what of a chaos run on Webim chats was lost, doubled or reordered, anywhere between visitor and visitor.

Each visitor's message has a text of its own, and the program answers the n-th one of a session with ``<n>a <text>`` and
``<n>b <text>``: an answer that is there once, with the right number, shows that its message reached the program once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

Kind = Literal["lost", "doubled", "reordered", "wrong"]
KINDS: tuple[Kind, ...] = ("lost", "doubled", "reordered", "wrong")
EXAMPLES_MAX = 20


MARKS = ("livechatStarted", "livechatFinished", "ended")
"""What the log tells of a chat that went to an operator, each once and in this order."""


@dataclass(frozen=True, slots=True)
class ChatSeen:
    """One chat, from three sides: what its visitor wrote, the queries in the log, the answers that were shown.

    ``said``: what an operator wrote at last, None if the chat was given to nobody; ``collected``: what the log has of
    that. ``marks``: the log's other notices and its end.
    """

    sent: tuple[str, ...]
    logged: tuple[str, ...]
    shown: tuple[str, ...]
    said: tuple[str, ...] | None = None
    collected: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunSeen:
    """Everything that is left of a run.

    ``receipts``: the statuses that were told of each notification, by its sequence; one that none was told of is in it
    with an empty list. ``dead``: the reasons of dead letters. ``violations``: what was done against Webim's own rules.
    """

    chats: Mapping[str, ChatSeen]
    receipts: Mapping[int, Sequence[str]] = field(default_factory=dict)
    dead: Sequence[str] = ()
    violations: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """How often each kind of fault was found, and the first few in words."""

    faults: Mapping[Kind, int]
    examples: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """Whether nothing at all was found."""
        return not any(self.faults.values())


def answers_to(sent: Sequence[str]) -> tuple[str, ...]:
    """What the program has to say to these messages."""
    return tuple(f"{number}{part} {text}" for number, text in enumerate(sent, 1) for part in "ab")


def judge(run: RunSeen) -> Verdict:
    """Hold what is there against what has to be."""
    found: list[tuple[Kind, str]] = []
    for name, chat in run.chats.items():
        found += [(kind, f"chat {name}, the log: {text}") for kind, text in compare(chat.sent, chat.logged)]
        answers = answers_to(chat.sent)
        found += [(kind, f"chat {name}, the answers: {text}") for kind, text in compare(answers, chat.shown)]
        said, marks = ((), ()) if chat.said is None else (chat.said, MARKS)
        found += [(kind, f"chat {name}, the operator's: {text}") for kind, text in compare(said, chat.collected)]
        found += [(kind, f"chat {name}: {mark}") for kind, mark in compare(marks, chat.marks)]
    found += _receipt_faults(run.receipts)
    found += [("wrong", f"dead letter {reason}") for reason in run.dead]
    found += [("wrong", f"against Webim's rules: {problem}") for problem in run.violations]
    counted = Counter(kind for kind, _ in found)
    return Verdict(
        {kind: counted[kind] for kind in KINDS}, tuple(f"{kind}: {text}" for kind, text in found[:EXAMPLES_MAX])
    )


def compare(expected: Sequence[str], found: Sequence[str]) -> list[tuple[Kind, str]]:
    """Both are lists of different texts; what is not as it has to be."""
    counted = Counter(found)
    faults: list[tuple[Kind, str]] = [("lost", text) for text in expected if not counted[text]]
    faults += [("wrong", text) for text in counted if text not in set(expected)]
    faults += [("doubled", text) for text in expected for _ in range(counted[text] - 1)]
    place = {text: number for number, text in enumerate(expected)}
    first_times = [text for text in dict.fromkeys(found) if text in place]
    pairs = pairwise(first_times)
    faults += [("reordered", f"{later} after {before}") for before, later in pairs if place[later] < place[before]]
    return faults


def _receipt_faults(receipts: Mapping[int, Sequence[str]]) -> Iterable[tuple[Kind, str]]:
    for sequence, statuses in receipts.items():
        if not statuses:
            yield "lost", f"the receipt of notification {sequence}"
        for status in statuses[1:]:
            yield "doubled", f"a receipt of notification {sequence}: {status}"
        if statuses and statuses[0] == "failed":
            yield "wrong", f"notification {sequence} failed"
