"""A story as a page for people. Pure."""

from __future__ import annotations

import re

from rich.console import Group
from rich.table import Table
from rich.text import Text

from broker.cli.event_facts import conversation_facts
from broker.cli.event_line import SESSION_SHOWN
from broker.cli.terminal import clock_time, date_and_time, one_line
from broker.domain import headers as names
from broker.domain.decisions import Step, Word
from broker.domain.grammar import parse_conversation
from broker.domain.replay import LogEvent
from broker.domain.story import Story
from broker.errors import BackboneError

HEADINGS: dict[Word, tuple[str, str]] = {
    "delivered": ("delivered", "bold green"),
    "held": ("held", "bold yellow"),
    "dead_lettered": ("dead letter", "bold red"),
    "unheard": ("heard by nobody", "bold yellow"),
    "link_set": ("link set", "bold green"),
    "link_deleted": ("link deleted", "bold yellow"),
    "link_expired": ("link expired", "bold yellow"),
    "unchanged": ("link unchanged", "bold green"),
    "refused": ("refused", "bold red"),
    "not_folded": ("told, not decided on", "bold"),
    "unknown": ("not known", "bold red"),
}
BAD = ("dead letter", "missing", "given up")
SOON_MS = 10_000
"""Steps within it are shown in milliseconds after the event."""
_SESSION = re.compile(r"\.sessionuuid\.([^.]+)")
_MS_PER_MIN, _MS_PER_HOUR = 60_000, 3_600_000


def page(story: Story, *, with_text: bool) -> Group:
    """The story for a terminal of any width: long sentences go on below themselves."""
    event, decision = story.event, story.decision
    word, style = HEADINGS[decision.word]
    parts: list[Text | Table] = [_title(event), _identity(event)]
    if with_text:
        parts.append(_row(("text", ""), Text(one_line(message_text(event) or "none that can be read"))))
    parts += [_row((word, style), _sentence(event, decision.why)), Text("")]
    steps = Table.grid(padding=(0, 2))
    for step in story.steps:
        steps.add_row(
            Text(_after(story.after_ms(step)), "dim", justify="right", no_wrap=True),
            Text(step.what, _style_of(step), no_wrap=True),
            _sentence(event, step.text),
        )
    parts.append(steps)
    parts += [_row(("note", "yellow"), _sentence(event, remark, "dim")) for remark in story.remarks]
    return Group(*parts)


def message_text(event: LogEvent) -> str | None:
    """What the message says, as a tap shows it; None where it cannot be read."""
    if event.body is None:
        return None
    try:
        return conversation_facts(parse_conversation(event.subject), event.body, event.headers)
    except BackboneError:
        return None


def _title(event: LogEvent) -> Text:
    kind = event.kind
    place = event.conversation
    return Text.assemble(
        (f"event {event.sequence}", "bold"),
        "  ",
        (one_line(str(kind) if kind is not None else "outside the grammar"), "bold cyan"),
        "  ",
        (date_and_time(event.at_ms).rpartition(" ")[0] + " " + clock_time(event.at_ms), "dim"),
        *(() if place is None else (("  " + place.session[:SESSION_SHOWN], "magenta"), f"  {place.path.chat}")),
    )


def _identity(event: LogEvent) -> Text:
    event_id = event.headers.get(names.MESSAGE_ID, "none")
    subject = event.subject if event.kind is None else ""
    return _sentence(event, f"id {event_id}  {subject}", "dim")


def _sentence(event: LogEvent, text: str, style: str = "") -> Text:
    """A sentence with no more of the session uuid than a log line holds: the whole opens the conversation."""
    found = _SESSION.search(event.subject)
    session = event.conversation.session if event.conversation is not None else found[1] if found else ""
    if len(session) > SESSION_SHOWN:
        text = text.replace(session, session[:SESSION_SHOWN] + "…")
    return Text(one_line(text), style, overflow="fold")


def _row(heading: tuple[str, str], text: Text) -> Table:
    row = Table.grid(padding=(0, 2))
    row.add_row(Text(heading[0], heading[1], no_wrap=True), text)
    return row


def _after(after_ms: int | None) -> str:
    """How long after the event, short enough for a narrow column."""
    if after_ms is None:
        return ""
    sign, ms = ("-" if after_ms < 0 else "+"), abs(after_ms)
    if ms < SOON_MS:
        return f"{sign}{ms} ms"
    if ms < _MS_PER_MIN:
        return f"{sign}{ms / 1000:.1f} s"
    if ms < _MS_PER_HOUR:
        return f"{sign}{ms / _MS_PER_MIN:.1f} min"
    return f"{sign}{ms / _MS_PER_HOUR:.1f} h"


def _style_of(step: Step) -> str:
    return "bold red" if step.what in BAD else "bold cyan"
