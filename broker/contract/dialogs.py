"""The channels that ask questions in subjects.md: the question, the answer, and what an answer may hold."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from broker.codec import to_json
from broker.contract.row import ORG, SESSION
from broker.contract.sections import example_lines, field_table, table
from broker.domain.dialogs import (
    DIALOG_MESSAGE,
    LIVECHAT_FINISHED,
    LIVECHAT_STARTED,
    NEWS,
    NO_OPERATORS,
    DialogRequest,
    DialogResponse,
)
from broker.domain.ids import ChannelName, ChatName
from broker.domain.subjects import ChatPath, Kind
from broker.domain.wire import Body, Wire

WEBIM = ChannelName("webim")
CONVERSATION = ChatPath(WEBIM, ORG, ChatName("livech7f3c")).conversation(SESSION)


class Asked(Wire):
    """Where the question stands in ``heimdall.webim``."""

    webim_request: DialogRequest


class Answered(Wire):
    """Where the answer stands in ``platforms.webim``."""

    webim_response: DialogResponse


_RAW: Body = {"event": "new_chat", "chat": {"id": 1}, "visitor": {"id": "51b6"}, "location": {"address": "pricing"}}
ASKS: Body = {
    "heimdall": {
        WEBIM: {
            "sessionuuid": SESSION,
            "webim_request": {
                "channel_id": "ch7f3c",
                "channel_type": WEBIM,
                "branch": "master",
                "commit": "8f02c7a1b3",
                "conversation_id": "1",
                "client_id": "1",
                "visitor_id": "51b6",
                "session_id": SESSION,
                "new_session": True,
                "question_id": "0f6c2f58-0001",
                "event": "newChatStarted",
                "event_data": _RAW,
                "data": {"chatId": "1", "messages": [], "files": []},
                "user_from": {"id": "51b6"},
                "raw_request": _RAW,
                "api_version": "2",
                "received_at": "2024-01-01T00:00:00Z",
            },
        }
    }
}
ANSWERS: Body = {
    "platforms": {
        WEBIM: {
            "sessionuuid": SESSION,
            "webim_response": {
                "question_id": "0f6c2f58-0001",
                "replies": [
                    {"type": "text", "text": "Hello!"},
                    {"type": "buttons", "buttons": [{"text": "Delivery", "id": "d"}, {"text": "Return"}]},
                ],
                "actions": [{"type": "redirect_to_department", "department_key": "sales"}],
            },
        }
    }
}
REPLIES = (
    ("text", "`text`", "a text"),
    ("buttons", "`buttons`: list of `{text, id?}`, or of rows of them", "a pressed one is the next query"),
    ("inlineButtons", "`buttons`: list of `{text, url?}`", "with a `url` it opens that"),
    ("image", "`imageUrl`, `text`?", "a picture, then a text"),
    ("link", "`url`", "an address"),
    ("switch", "`destination`?", "as the action `redirect_to_department`, or `redirect_to_queue`"),
)
TOLD = {
    LIVECHAT_STARTED: ("`target`: operator, department or queue; `id`?", "somebody else has the chat"),
    NO_OPERATORS: ("`error`, `desc`: the channel's own words", "nobody took it: the program goes on"),
    DIALOG_MESSAGE: (
        "`author`: client, agent or system; `kind`, `text`, `id`?, `created_at`?, `operator_id`?, `file`?, `button`?",
        "one message of the dialog with the operator, collected afterwards",
    ),
    LIVECHAT_FINISHED: ("", "the operator is done; the session ends behind it"),
}
ACTIONS = (
    ("redirect_to_operator", "`operator_id`: digits", "the chat goes to one operator"),
    ("redirect_to_department", "`department_key`", "the chat goes to a department"),
    ("redirect_to_queue", "", "the chat goes to whoever is free first"),
    ("close_chat", "`category`?, `sub_category`?", "the chat is closed"),
)


def dialog_lines() -> Iterator[str]:
    """Questions and answers, as `webim` has them; all else is as on any channel."""
    yield from (
        "",
        "## Channels that ask questions",
        "",
        "On `webim` each thing that a visitor does is a question, and the channel may wait for its answer. A query has",
        "`webim_message` beside it as anywhere; an event that is none of a message is a `notice`. The question, inside",
        "`heimdall.webim`; a stub finds it as it came, in `_incoming_webim_data`:",
        "",
        *field_table(Asked),
        *example_lines(ASKS),
        "",
        "Nobody waits where the event is one of these, which tell what became of the chat:",
        "",
        *table(("event", "`event_data`", "meaning"), [(f"`{name}`", *TOLD[name]) for name in TOLD if name in NEWS]),
        "",
        "The answer, inside `platforms.webim` of a notification; one `webim_message` is an answer of one text:",
        "",
        *field_table(Answered),
        *example_lines(ANSWERS),
        "",
        "The adapter drops what it does not know, and says so in its log. Replies:",
        "",
        *table(("type", "members", "shown"), [(f"`{kind}`", members, shown) for kind, members, shown in REPLIES]),
        "",
        "Actions; the first one is carried out, after all replies:",
        "",
        *table(("type", "members", "effect"), [(f"`{kind}`", members, effect) for kind, members, effect in ACTIONS]),
        "",
        "```sh",
        f"heimdall tap '{CONVERSATION.path.prefix}.*'",
        f"heimdall publish {CONVERSATION.subject(Kind.NOTIFICATION)} {shlex.quote(to_json(ANSWERS))}",
        "```",
    )
