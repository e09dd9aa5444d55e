"""What the contract says about one subject, and the sample values that its examples use."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from broker.domain.ids import ChannelName, ChatName, OrgId, SessionId, Stub
from broker.domain.subjects import ChatPath, Conversation
from broker.domain.wire import Body, Wire

Role = Literal["adapter", "service", "linker", "expiry", "server", "developer"]
ROLES: dict[Role, str] = {
    "adapter": "a channel adapter: the worker of one outside chat system, such as `webchat`",
    "service": "a stub's service: the program, bot or desk that answers",
    "linker": "the worker that folds the log and routes",
    "expiry": "the worker that says when a deadline has passed",
    "server": "nats-server itself: its scheduler",
    "developer": "whoever has a shell: `heimdall tap`, `heimdall publish`, scripts",
}

Stream = Literal["CONVERSATIONS", "DELIVERIES", "TIMERS", "DEADLETTERS", "WEBHOOKS", "core NATS", "request and reply"]
"""Where a subject's messages are kept; the last two are kept nowhere."""

Area = Literal[
    "visitor", "stub", "facts", "signals", "runs", "timers", "deadletters", "webhooks", "commands", "channels"
]
AREAS: dict[Area, tuple[str, str]] = {
    "visitor": (
        "What a visitor does",
        "Published by the adapter of the channel. All have one body; what is in it says what the visitor did.",
    ),
    "stub": (
        "What a stub says",
        "Published by whoever answers: messages to the visitor, and wishes about who owns the conversation.",
    ),
    "facts": (
        "What the backbone says",
        "Facts about the conversation, in the same log. Read them; publishing one by hand changes nothing.",
    ),
    "signals": ("Signals", "Shown while they are fresh, stored nowhere: whoever listens now hears them."),
    "runs": ("Runs for a stub", "What a service reads: one message is one action to run for one of its stubs."),
    "timers": ("Timers", "Deadlines, kept and fired by the server's own scheduler. Read them; never publish one."),
    "deadletters": ("Dead letters", "Nothing is dropped: what nobody could take is kept here with the reason."),
    "webhooks": (
        "Webhooks",
        (
            "What outside systems call us with. Each call is kept with how it was answered; `heimdall webhooks log` "
            "lists them, `show` opens one without what was written."
        ),
    ),
    "commands": (
        "Commands",
        'Ask by request and reply; any linker answers, with a map. A failure is `{"error": {"code", "message"}}`.',
    ),
    "channels": (
        "Commands about channels",
        (
            "An org's ways to an outside system, each with settings and secrets of its own. The adapter of the channel "
            "answers, and does the same by HTTP at `/api/channels`. All that is wrong with a form is told at once: "
            '`{"error": {"code": "validation", "message", "fields": {<field>: [<code>, ...]}, "hints"}}`.'
        ),
    ),
}
"""Title and one sentence for each part of the table."""

WEBCHAT = ChannelName("webchat")
ORG = OrgId("0f6c2f58-8f43-5a0e-9b7e-2f1b6a1d7c90")
CHAT = ChatName("draftmywebchat")
SESSION = SessionId("5b0c7f0e-2a41-4a55-8f7d-6c2f0e8a9d11")
STUB = Stub.parse("desk.2024-11-11-ABCD")
"""Not of the demo program: it would take runs for stubs that it has not made for a mistake."""
SAMPLE = Conversation(ChatPath(WEBCHAT, ORG, CHAT), SESSION)
TEMPLATE = Conversation(ChatPath(ChannelName("<channel>"), OrgId("<org>"), ChatName("<chat>")), SessionId("<session>"))
"""Builders join whatever they are given, so the templates come from the very builders that the workers use."""


@dataclass(frozen=True, slots=True)
class Row:
    """One subject: who publishes and consumes it, where it is kept, what it means and what its body is.

    ``model`` describes the object at ``inside`` of the body (() is the body itself), None where there is nothing to
    describe; ``reply_model`` describes ``reply``. ``example`` is a documented body, ``typed`` a short one for the shell
    (None: the example is short enough). ``by_hand`` says that publishing it from a shell makes sense.
    """

    name: str
    area: Area
    template: str
    sample: str
    publishers: tuple[Role, ...]
    consumers: tuple[Role, ...]
    stream: Stream
    meaning: str
    model: type[Wire] | None = None
    inside: tuple[str, ...] = ()
    example: Body | None = field(default=None, hash=False)
    typed: Body | None = field(default=None, hash=False)
    reply: Body | None = field(default=None, hash=False)
    reply_model: type[Wire] | None = None
    by_hand: bool = False
    remarks: tuple[str, ...] = ()

    @property
    def is_command(self) -> bool:
        """Whether it is asked for and answered."""
        return self.stream == "request and reply"

    @property
    def is_stored(self) -> bool:
        """Whether a stream keeps it, so that it can be read later."""
        return self.stream not in ("core NATS", "request and reply")
