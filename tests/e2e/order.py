"""The checker: nothing lost, nothing twice, everything in order, in the log and in front of the visitor."""

from __future__ import annotations

from collections.abc import Sequence

from tests.e2e.chat_page import CREATED, FROM_VISITOR, TO_VISITOR, UPDATED, WELCOME
from tests.e2e.stack import Record

CONVERSATIONS = "CONVERSATIONS"
DELIVERIES = "DELIVERIES"
UPDATE = "_update_from_webchat"


def check_conversation(log: Sequence[Record], shown: Sequence[tuple[str, str]], said: Sequence[str]) -> None:
    """As check_log(), and ``shown``, what the window shows from top to bottom, is what the log holds."""
    spoken = check_log(log, said)
    assert list(shown) == spoken, f"the window shows {shown}, the log holds {spoken}"


def check_log(log: Sequence[Record], said: Sequence[str]) -> list[tuple[str, str]]:
    """A conversation with the demo program, in which the visitor wrote all that while its link lived.

    Args:
        log: everything stored about the session, as a tap gives it.
        said: what the visitor wrote, in that order.

    Returns:
        Who said what, in the log's order.
    """
    events = _ordered(log, CONVERSATIONS)
    assert [event["kind"] for event in events].count("initialize") == 1
    spoken = [_spoken(event) for event in events if event["kind"] in {"firstmessage", "message", "notification"}]
    assert [text for direction, text in spoken if direction == FROM_VISITOR] == list(said)
    answers = [text for direction, text in spoken if direction == TO_VISITOR]
    assert answers == [WELCOME, CREATED, *[UPDATED] * (len(said) - 1)]
    runs = [run for run in _ordered(log, DELIVERIES) if run["subject"].endswith(f".{UPDATE}")]
    assert [run["body"]["stubpost"]["message"] for run in runs] == list(said[1:])
    assert len({run["subject"] for run in runs}) <= 1, "the conversation went to more than one stub"
    return spoken


def _ordered(log: Sequence[Record], stream: str) -> list[Record]:
    found = [event for event in log if event["stream"] == stream]
    sequences = [event["sequence"] for event in found]
    assert sequences == sorted(set(sequences)), f"the tap showed {stream} out of order: {sequences}"
    return found


def _spoken(event: Record) -> tuple[str, str]:
    body = event["body"]
    if event["kind"] == "notification":
        return TO_VISITOR, body["platforms"]["webchat"]["webchat_message"]["value"]
    return FROM_VISITOR, body["heimdall"]["webchat"]["webchat_message"]["value"]
