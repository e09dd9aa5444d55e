"""Pure: a browser's frames to the bodies of the log, the log's events to the browser's frames."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_never

from pydantic import JsonValue

from broker.domain.events import Form, NotificationContent, Plain, VisitorContent
from broker.domain.ids import ChannelName, SessionId
from broker.domain.profiles import Profile
from broker.domain.sessions import SessionRecord
from broker.domain.subjects import Kind
from broker.domain.wire import Body, dump
from broker.transport.reader import StoredMessage
from workers.webchat import markup
from workers.webchat.wire import Configure, Control, Message, Opening, Say, Told

WEBCHAT = ChannelName("webchat")
USER_AGENT_CHARACTERS_MAX = 512


def to_event(frame: Told, session: SessionId, record: SessionRecord, *, is_first: bool) -> tuple[Kind, Body] | None:
    """The kind and body that a frame becomes; None for a message that holds only blanks and no page event.

    A page event alone is published as a message without text. Which of the two kinds of message it is, is our
    own judgement: a client's claim is never read.
    Source: specs/stubber-webchat.md sections 2.3 and 5.2 (steps 2 and 7).
    """
    body: dict[str, Any] = {}
    match frame:
        case Configure():
            body["webchat_client_configuration"] = {"platform_switch": dump(frame.platform_switch)}
            return Kind.CONFIGURATION, _visitor_body(body, session, record)
        case Say():
            if frame.text.strip():
                body["webchat_message"] = {"type": "text", "value": frame.text}
            if frame.event is not None:
                body["webchat_control_event"] = frame.event
        case Control():
            body["webchat_control_event"] = frame.event
        case _:
            assert_never(frame)
    if not body:
        return None
    return Kind.FIRSTMESSAGE if is_first else Kind.MESSAGE, _visitor_body(body, session, record)


def to_initialize(session: SessionId, record: SessionRecord) -> Body:
    """What announces a new session; it has no message.

    Source: specs/stubber-webchat.md section 2.3.
    """
    return _visitor_body({}, session, record)


def meta_data(address: str, user_agent: str) -> dict[str, JsonValue]:
    """What is told about the visitor's browser. Source: specs/stubber-webchat.md section 2.4."""
    return {"ip": address, "user_agent": user_agent[:USER_AGENT_CHARACTERS_MAX]}


def from_notification(content: NotificationContent, message_id: str, stored: StoredMessage) -> Message:
    """What a stub sends, as the visitor may see it; several parts of one notification stay one frame."""
    shown_type, html = _shown(content.message)
    settings = content.client_configuration
    return Message(
        sequence=stored.sequence,
        id=message_id,
        direction="to_visitor",
        at_ms=stored.stored_at_ms,
        agent=content.agent.name,
        type=shown_type,
        html=html,
        settings=None if settings is None else {label: dump(value) for label, value in settings.items()},
        control=content.control_event,
    )


def from_visitor(content: VisitorContent, client_id: str, stored: StoredMessage) -> Message:
    """What the visitor said earlier, for a page that shows the conversation again; it goes as text, never as html."""
    return Message(
        sequence=stored.sequence,
        id=client_id,
        direction="from_visitor",
        at_ms=stored.stored_at_ms,
        type="text" if content.text else None,
        text=content.text or None,
    )


def echo(frame: Say, sequence: int, at_ms: int) -> Message:
    """What one tab said, for the visitor's other tabs."""
    return Message(sequence=sequence, id=frame.id, direction="from_visitor", at_ms=at_ms, type="text", text=frame.text)


def opening_of(profile: Profile) -> Opening | None:
    """The greeting that a profile gives by itself; it sets no link. Source: section 9.2, decision 25."""
    if not profile.opening_message:
        return None
    return Opening(type="text", html=markup.text_to_html(profile.opening_message))


def event_id(session: SessionId, client_id: str) -> str:
    """The id of what a browser sent: the same frame, sent again, is the same event."""
    return f"{session}-{client_id}"


def client_id_of(session: SessionId, message_id: str) -> str:
    """The browser's own id of an event; other adapters' ids come back as they are."""
    return message_id.removeprefix(f"{session}-")


def _visitor_body(parts: Mapping[str, Any], session: SessionId, record: SessionRecord) -> Body:
    configuration = {"orguuid": record.org, "chatname": record.chat_name}
    if record.pass_through is not None:
        configuration["passthroughData"] = record.pass_through
    content: dict[str, Any] = {"sessionuuid": session, **parts, "webchat_configuration": configuration}
    if record.meta_data is not None:
        content["webchat_meta_data"] = record.meta_data
    return {"heimdall": {"webchat": content}}


def _shown(message: Plain | Form | None) -> tuple[str | None, str | None]:
    match message:
        case None:
            return None, None
        case Form():
            return "text", markup.text_to_html(f"A form ({message.value.form_name}): it cannot be filled in here yet.")
        case Plain(type="text"):
            return "text", markup.text_to_html(message.value)
        case Plain(type="markdown"):
            return "markdown", markup.markdown_to_html(message.value)
        case Plain():
            return "html", markup.clean_html(message.value)
        case _:
            assert_never(message)
