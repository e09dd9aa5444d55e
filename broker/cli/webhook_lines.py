"""A call from outside as one line, as one page, or as a record for a pipe; never with what people wrote. Pure."""

from __future__ import annotations

from rich.text import Text

from broker.cli.terminal import Terminal, date_and_time, one_line, printable
from broker.domain.redaction import redacted
from broker.domain.subjects import WebhookOutcome
from broker.domain.wire import Body, dump
from broker.transport.webhooks import KeptCall

STYLES: dict[WebhookOutcome, str] = {"taken": "green", "passed": "dim", "refused": "bold red"}
WIDTHS = (6, 15, 10, 22)
"""Of all columns but the last, so that a terminal of 80 columns shows which chat or message it is about."""
HEADINGS = ("call", "came", "connection", "answer")
HEADING = Text(
    " ".join(f"{text:<{width}}" for text, width in zip(HEADINGS, WIDTHS, strict=True)) + " about", "bold underline"
)
MEANINGS = {
    "stored": "stored, to be worked on",
    "duplicate": "it had come before",
    "foreign_org": "about another organization",
    "foreign_room": "about another room",
    "foreign_chat": "about a chat that is none of ours",
    "unknown_action": "of an action that we do not know",
    "wrong_secret": "the address had no secret, or another one: compare it with what the outside system was given",
    "unknown_path": "nothing is served at that path: compare it with what the outside system was given",
    "method_not_allowed": "only POST is taken",
    "unsupported_media_type": "the body was not announced as application/json",
    "too_large": "the body was longer than the connection allows",
    "slow_body": "the body did not come whole in time",
    "invalid_json": "the body was no JSON object",
    "invalid_body": "something was missing, or not of the right type",
    "channel_mismatch": "what it was about does not belong to that address: two addresses may have been swapped",
    "ids_differ": "it named the same thing by different ids",
    "unavailable": "it could not be stored in time: the NATS server was away or slow, and the caller was told so",
    "busy": "too many calls at a time",
    "internal": "a fault of ours: see the worker's log",
}
"""Reasons that adapters share; any other is shown as it is."""


def line(call: KeptCall) -> Text:
    """One call for the list."""
    facts, style = call.stored.webhook, STYLES[call.subject.outcome]
    why = facts.reason if facts.left_out is None else f"{facts.reason} (+{facts.left_out})"
    cells = (
        (str(call.sequence), "bold"),
        (date_and_time(facts.received_at_ms), "dim"),
        (facts.connection, "cyan"),
        (f"{facts.status} {why}", style),
    )
    found = Text()
    for (text, colour), width in zip(cells, WIDTHS, strict=True):
        found.append(f"{one_line(text):<{width}} ", colour)
    if facts.resource_id is None:
        return found.append(one_line(facts.path), "dim")
    found.append(one_line(f"{facts.kind or ''} {facts.action or ''}") + " ")
    return found.append(one_line(facts.resource_id), "magenta")


def record(call: KeptCall, *, with_content: bool = False) -> Body:
    """One call for a pipe."""
    subject = call.subject
    found: Body = {
        "call": call.sequence,
        "org": subject.org,
        "channel": subject.channel,
        "outcome": subject.outcome,
        **dump(call.stored.webhook),
    }
    if with_content:
        found["content"] = redacted(call.stored.content)
    return found


def show(call: KeptCall, out: Terminal) -> None:
    """One call, whole as far as it may be looked at."""
    facts, subject = call.stored.webhook, call.subject

    def fact(name: str, value: str) -> None:
        out.text(Text.assemble((f"{name:<11}", "dim"), printable(value)))

    answer = (f"{subject.outcome} {facts.status}", STYLES[subject.outcome])
    out.row(Text.assemble((f"call {call.sequence}", "bold"), "  ", answer))
    meaning = MEANINGS.get(facts.reason)
    fact("why", facts.reason if meaning is None else f"{facts.reason}: {meaning}")
    fact("came", f"{date_and_time(facts.received_at_ms)}, decided in {facts.duration_ms:g} ms")
    fact("connection", f"{subject.channel} {facts.connection} of org {subject.org}")
    fact("call", f"{facts.method} {facts.path}, {facts.size_bytes} bytes")
    if facts.action is not None:
        fact("about", f"{facts.kind} {facts.action} {facts.resource_id}")
    fact("request", facts.request_id)
    if facts.left_out is not None:
        fact("left out", f"{facts.left_out} more like it before, only counted")
    if call.stored.content is not None:
        out.json({"content": redacted(call.stored.content)})
