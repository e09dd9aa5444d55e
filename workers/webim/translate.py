"""Pure: what a call of Webim's says happened, and the question that a program gets about it. Both dialects, one parser.

Source: specs/webim.md sections 3.1, 4, 5.1 and 6.1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pydantic import JsonValue

from broker.domain.dialogs import FILE_EVENT, NEW_CHAT_STARTED, DialogRequest, RequestData
from broker.domain.outside_json import HALVES, Json, as_carried
from broker.errors import CallRefusedError
from workers.webim.calls.words import (
    Ignored,
    Said,
    check_length,
    combined,
    message_id_of,
    message_in,
    messages_in,
    read_said,
)
from workers.webim.channel import WEBIM
from workers.webim.chat.chats import MS_PER_S, Chat
from workers.webim.wire import CARRIED_NESTING_MAX

CHAT_ID_CHARACTERS_MAX = 128
VISITOR_ID_CHARACTERS_MAX = 256
FIELDS_MAX = 64
FIELD_CHARACTERS_MAX = 512
"""Of a visitor's field that is remembered with the chat."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class NewChat:
    """A chat begins, or was given back to the bot; ``said`` None: its visitor has not said anything yet."""

    chat_id: int | str
    visitor_id: str | None
    user_from: Json
    said: Said | None
    raw: Json


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A visitor said something in a chat; ``message_id`` is Webim's, None if it gave none, as it gives no visitor."""

    chat_id: int | str
    visitor_id: str | None
    user_from: Json
    said: Said
    message_id: str | None
    raw: Json


Happened = NewChat | NewMessage | Ignored


def event_of(body: Json) -> str:
    """What a call is about.

    Raises:
        CallRefusedError: ``bad_event``.
    """
    event = body.get("event")
    if not isinstance(event, str):
        raise CallRefusedError("bad_event", "'event' must be a string, such as new_chat or new_message")
    return event


def parse(body: Json, *, separator: str) -> Happened:
    """What happened; the texts of one call become one query, joined by ``separator``.

    Raises:
        CallRefusedError: with the code of what is wrong first.
    """
    event = event_of(body)
    if event not in {"new_chat", "new_message"}:
        return Ignored("event")
    chat_id = chat_id_of(body)
    carried = as_carried(body, CARRIED_NESTING_MAX)
    assert isinstance(carried, dict)  # noqa: S101 - as the body is
    visitor_id, user_from = _visitor(carried)
    if event == "new_message":
        message = message_in(carried)
        said = read_said(message)
        if isinstance(said, Ignored):
            return said
        check_length(said)
        # Of a single message the call itself is the part, so it is not told twice.
        single = replace(said, parts=())
        return NewMessage(chat_id, visitor_id, user_from, single, message_id_of(message), carried)
    together = combined(messages_in(carried), separator)
    if together is not None:
        check_length(together)
    return NewChat(chat_id, visitor_id, user_from, together, carried)


def chat_id_of(body: Json) -> int | str:
    """The chat's id, with the JSON type that it has.

    Raises:
        CallRefusedError: ``bad_chat_id``.
    """
    chat = body.get("chat")
    found = body.get("chat_id")
    if found is None and isinstance(chat, dict):
        found = chat.get("id")
    if not is_chat_id(found):
        raise CallRefusedError(
            "bad_chat_id",
            f"the chat's id must be an integer or a text of 1 to {CHAT_ID_CHARACTERS_MAX} characters, none of them "
            "a control character",
        )
    assert isinstance(found, int | str)  # noqa: S101 - just checked
    return found


def handler_chat(body: Json) -> int | str | None:
    """The chat that a chat event handler is about, None if it names none. Source: section 3.4."""
    chat = body.get("chat")
    places = (chat.get("id") if isinstance(chat, dict) else None, body.get("chat_id"), body.get("id"))
    for found in places:
        if is_chat_id(found):
            assert isinstance(found, int | str)  # noqa: S101 - just checked
            return found
    return None


def is_chat_id(value: JsonValue) -> bool:
    """Whether this can be a chat's id."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return False
    text = str(value)
    return 0 < len(text) <= CHAT_ID_CHARACTERS_MAX and not _CONTROL.search(text) and not HALVES.search(text)


def to_request(
    chat: Chat, happened: NewChat | NewMessage, *, question_id: str, new_session: bool, received_at_ms: int
) -> DialogRequest:
    """The question that the program gets. Source: section 5.1; of query and event there is one."""
    said = happened.said
    event = None
    if said is None:
        event = NEW_CHAT_STARTED
    elif said.query is None:
        event = FILE_EVENT
    return DialogRequest(
        channel_id=chat.channel_id,
        channel_type=WEBIM,
        branch=chat.branch,
        commit=chat.commit,
        conversation_id=chat.conversation_id,
        client_id=chat.conversation_id,
        visitor_id=chat.visitor_id,
        session_id=chat.session,
        new_session=new_session,
        question_id=question_id,
        query=None if said is None else said.query,
        event=event,
        event_data=happened.raw if event == NEW_CHAT_STARTED else None,
        data=_data(chat, said),
        user_from=chat.user_from,
        raw_request=happened.raw,
        api_version=chat.dialect,
        received_at=_moment(received_at_ms),
    )


def _data(chat: Chat, said: Said | None) -> RequestData:
    if said is None:
        return RequestData(chatId=chat.conversation_id)
    return RequestData(
        chatId=chat.conversation_id, messages=list(said.parts), files=list(said.files), button=said.button
    )


def _moment(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / MS_PER_S, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _visitor(body: Json) -> tuple[str | None, Json]:
    """The visitor's id, and what is known of them under the platform's names."""
    if "visitor" not in body:
        return None, {}
    visitor = body["visitor"]
    if not isinstance(visitor, dict):
        raise CallRefusedError("bad_visitor", "'visitor' must be an object")
    visitor_id = visitor.get("id")
    if isinstance(visitor_id, bool) or not isinstance(visitor_id, int | str):
        raise CallRefusedError("bad_visitor", "'visitor.id' must be a string or an integer")
    if len(text := str(visitor_id)) > VISITOR_ID_CHARACTERS_MAX:
        raise CallRefusedError("bad_visitor", f"'visitor.id' has more than {VISITOR_ID_CHARACTERS_MAX} characters")
    return text, {**_known(visitor.get("fields")), "id": text}


def _known(fields: JsonValue) -> Json:
    """What is remembered of a visitor with the chat; all else stands in the call as it came."""
    known: Json = {}
    for name, value in (fields if isinstance(fields, dict) else {}).items():
        is_short = len(name) <= FIELD_CHARACTERS_MAX and len(str(value)) <= FIELD_CHARACTERS_MAX
        if is_short and not isinstance(value, dict | list) and len(known) < FIELDS_MAX:
            known["firstName" if name == "name" else name] = value
    return known
