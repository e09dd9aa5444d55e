"""What may stand at each place of a subject, and what travels in the headers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from broker.contract.row import CHAT, ORG, SESSION, STUB, WEBCHAT
from broker.domain import headers as names
from broker.domain.ids import (
    action_name,
    channel_name,
    chat_name,
    connection_name,
    org_id,
    service_name,
    session_id,
    stubref,
)


@dataclass(frozen=True, slots=True)
class Placeholder:
    """One kind of token; ``check`` is the function that lets a value in, None where a number stands."""

    name: str
    meaning: str
    rule: str
    example: str
    check: Callable[[str], str] | None = None


_UUID_RULE = "a lower-case uuid with dashes"
_ACTION_RULE = "1 to 128 letters, digits and '_', no digit first, such as '_update_from_webchat'"

PLACEHOLDERS: tuple[Placeholder, ...] = (
    Placeholder(
        "channel",
        "the outside chat system",
        "1 to 32 of a-z and 0-9, a letter first, such as 'webchat'",
        WEBCHAT,
        channel_name,
    ),
    Placeholder("org", "the organisation", _UUID_RULE, ORG, org_id),
    Placeholder(
        "chat",
        "the chat's effective name: its branch (`draft` or `live`) directly followed by its name",
        "1 to 68 of a-z, 0-9, '_' and '-', such as 'draftmywebchat'",
        CHAT,
        chat_name,
    ),
    Placeholder("session", "one conversation of one visitor; minted by us", _UUID_RULE, SESSION, session_id),
    Placeholder(
        "service",
        "the program or desk that runs the stub",
        "1 to 63 of a-z, 0-9, '_' and '-'",
        STUB.service,
        service_name,
    ),
    Placeholder(
        "stubref",
        "the stub's reference in its service",
        "1 to 128 letters, digits, '_' and '-', such as '2024-11-11-ABCD'",
        STUB.ref,
        stubref,
    ),
    Placeholder("action", "what the stub is to run", _ACTION_RULE, "_update_from_webchat", action_name),
    Placeholder("code", "why nobody could take it", _ACTION_RULE, "unrouted", action_name),
    Placeholder(
        "connection",
        "one of an org's connections to an outside system",
        "1 to 128 letters, digits, '_' and '-', such as 'support'",
        "support",
        connection_name,
    ),
    Placeholder("partition", "a share of the sessions", "a number from 0", "7"),
)
"""The rules are those of broker/domain/ids.py, word for word: a test compares them."""

HEADERS: tuple[tuple[str, str, str], ...] = (
    (names.MESSAGE_ID, "all stored subjects", "The event's id, up to 200 printable ASCII characters: stored once."),
    (names.CONTENT_TYPE, "all", "`application/msgpack` or `application/json`; the first byte decides."),
    (names.STUB, "what a stub says, commands", "`<service>.<stubref>`: who speaks."),
    (names.CONVERSATION, "runs", "The conversation's prefix, down to its session: publish the answer below it."),
    (names.EVENT, "runs", "The log sequence of the event that caused the run."),
    (names.KIND, "runs", "The kind of that event, such as `message` or `ended`."),
    (
        names.TIME_LIMIT,
        "runs",
        "So many seconds after it was handed over, a run that has not ended counts as failed (`timeout_seconds`).",
    ),
    (
        names.MECHANISM,
        "what a visitor does",
        "`evt`, `cbh`, `rra`, `rnd` or `evb`: registrations of that mechanism and of `*` hear of it. Absent: all.",
    ),
    (
        names.REPLY,
        "what a visitor does, runs",
        (
            "The inbox (`_INBOX…`) of whoever emitted the event: an `evb` run's result is published there, as "
            '`{"stub", "action", "result", "error"}`.'
        ),
    ),
    (
        names.ROUTE,
        "what a visitor does",
        (
            "The entry of the profile's `routes` that it came in by, where the channel has several. In JSON typed by "
            "hand also the top-level member `route`."
        ),
    ),
    (
        names.PARENT,
        "what a visitor does",
        (
            "`<service>.<stubref>` of who wrote what it replies to, where the channel has threads: that stub gets it, "
            "before any link. In JSON also the top-level member `parent`."
        ),
    ),
    (names.EPOCH, "timers", "The epoch of the link that the timer was armed for."),
    (names.REDRIVEN, "events and runs", "It was a dead letter: the sequence that it was first stored under."),
    (names.TRACEPARENT, "all", "W3C trace context, carried along."),
)
"""Name, where it is used, what it says."""
