"""Desks of human agents in subjects.md: how a conversation gets there and back, and what a desk tells."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from broker.codec import to_json
from broker.contract.row import ORG, SESSION
from broker.contract.sections import example_lines, field_table, table
from broker.domain.desks import DeskEvent, DeskEventType
from broker.domain.ids import ChannelName, ChatName
from broker.domain.subjects import ChatPath, Kind
from broker.domain.wire import Body, Wire

DESK = "giosg.support"
PROGRAM = "reception.2024-11-11-ABCD"
WEBCHAT = ChannelName("webchat")
CONVERSATION = ChatPath(WEBCHAT, ORG, ChatName("draftmywebchat")).conversation(SESSION)


class Told(Wire):
    """Where a desk's event stands in ``platforms.webchat`` of its notification."""

    webchat_control_event: DeskEvent


HAND_OVER: Body = {
    "stub": PROGRAM,
    "params": {
        WEBCHAT: {"operation": "set", "sessionuuid": SESSION, "stubref": DESK, "set_new_with_timeout_hours": 24}
    },
}
TELLS: Body = {
    "platforms": {
        WEBCHAT: {
            "sessionuuid": SESSION,
            "webchat_agent": {"name": "Aino"},
            "webchat_message": {"type": "text", "value": "Good day!"},
            "webchat_control_event": {
                "type": "agent.message",
                "desk": DESK,
                "id": "51b6a1d7",
                "at": "2024-11-11T08:00:00.000Z",
                "agent": {"name": "Aino"},
                "text": "Good day!",
            },
        }
    }
}
RETURNS: Body = {
    "stubpost": {
        "message": "",
        "data": {
            "_incoming_giosg_data": {
                "type": "session.ended",
                "desk": DESK,
                "reason": "ended_by_giosg",
                "sessionuuid": SESSION,
                "connection": "support",
            }
        },
    }
}
EVENTS: dict[DeskEventType, str] = {
    "agent.message": "an agent has written; what is read of it is the notification's message",
    "agent.message.edited": "the message with that `id` has another `text` now",
    "agent.message.deleted": "it is gone",
    "agent.message.unreadable": "an agent has written what the desk cannot read",
    "agent.joined": "somebody is there for the visitor",
    "agent.left": "that one is gone",
    "session.opened": "the desk has a chat for the conversation",
    "session.waiting": "it waits for an agent",
    "session.active": "an agent has it",
    "session.ended": "it is over: `reason`",
    "unavailable": "nobody is there: `reason`, `check_again_at_ms`",
    "held": "nobody is there; what the visitor wrote waits for somebody",
    "waiting.long": "nobody has come yet",
    "conversation.new": "the former chat is over, and the visitor's text begins another",
    "message.delayed": "the desk's system is away; `failed_event` waits",
    "message.failed": "`failed_event` could not be given to the desk: it is a dead letter",
    "files.unsupported": "the desk takes no files",
}


def desk_lines() -> Iterator[str]:
    """The hand-over, what is told meanwhile, and the way back."""
    yield from (
        "",
        "## Desks of human agents",
        "",
        "A desk is a stub whose answers are written by people; `giosg.<connection>` is one. A program hands over by",
        "linking the conversation to it:",
        "",
        "```sh",
        f"heimdall publish {CONVERSATION.subject(Kind.SET)} {shlex.quote(to_json(HAND_OVER))}",
        "```",
        "",
        "Whatever happens there is a notification of the desk's, with the same words for every desk:",
        "",
        *field_table(Told),
        *example_lines(TELLS),
        "",
        *table(("type", "what happened"), [(f"`{name}`", meaning) for name, meaning in EVENTS.items()]),
        "",
        "When it is over, or nobody is there, the stub that handed over has the link again, and its",
        "`_update_from_<desk>` runs with the event that says why; `message` is what the visitor wrote and nobody took:",
        *example_lines(RETURNS),
    )
