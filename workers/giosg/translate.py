"""Pure: what giosg tells of a chat, as the visitor's side of it: an event for programs, and what the visitor reads.

Source: specs/giosg.md sections 3.10 and 6.3. Text is passed on as it is; each channel escapes it in its own way.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from pydantic import JsonValue

from broker.domain.desks import ATTACHMENTS_MAX, DeskAgent, DeskEvent, DeskEventType
from broker.domain.events import TEXT_CHARACTERS_MAX
from workers.giosg.connections.connection import GiosgConnection
from workers.giosg.telling.texts import Words
from workers.giosg.telling.visitor import stub_name
from workers.giosg.wire import Attachment, AttachmentAction, MessageView

LABEL_CHARACTERS_MAX = 128
DETAIL_CHARACTERS_MAX = 2_048
ACTIONS_MAX = 20

Meaning = Literal["text", "automatic", "unreadable", "joined", "left", "visitor", "other"]
"""What a message is, to us. ``other``: tags, carts and whatever giosg may think of."""


@dataclass(frozen=True, slots=True)
class Telling:
    """What the visitor is told: the event, and what is read of it, if anything."""

    event: DeskEvent
    text: str | None = None


def meaning_of(message: MessageView) -> Meaning:
    """What a message is; only its type and its sender count."""
    kind, sender = message.type or "msg", message.sender_type
    if kind in ("join", "leave"):
        return ("joined" if kind == "join" else "left") if sender in (None, "user") else "other"
    if kind not in ("msg", "autosuggest"):
        return "other"
    if sender == "visitor":
        return "visitor"
    if message.is_encrypted and message.message is None:
        return "unreadable"
    return "automatic" if kind == "autosuggest" or sender == "rule" else "text" if sender == "user" else "other"


def telling_of(message: MessageView, connection: GiosgConnection, words: Words) -> Telling | None:
    """What a message is to the visitor, None: nothing."""
    meaning = meaning_of(message)
    match meaning:
        case "text" | "automatic":
            if meaning == "automatic" and not connection.deliver_autosuggest:
                return None
            return _message(message, connection, is_automatic=meaning == "automatic")
        case "unreadable":
            return Telling(_event("agent.message.unreadable", message, connection), words.unreadable)
        case "joined" | "left" if connection.deliver_agent_events:
            has_come, name = meaning == "joined", message.sender_public_name
            event = _event("agent.joined" if has_come else "agent.left", message, connection)
            return Telling(event, words.joined_by(name) if has_come else words.left_by(name))
        case _:
            return None


def edit_of(message: MessageView, connection: GiosgConnection, words: Words) -> Telling:
    """An agent has changed what the visitor was told before."""
    text = clean(message.message or "")
    event = _event("agent.message.edited", message, connection)
    return Telling(event.model_copy(update={"text": text}), words.corrected(text))


def deletion_of(message_id: str, connection: GiosgConnection) -> Telling:
    """A message is gone; programs that show it can take it away, nothing is said."""
    return Telling(_event("agent.message.deleted", MessageView(id=message_id), connection))


def text_of(message: MessageView) -> str:
    """What the visitor reads of a message: its text, then what its attachments hold."""
    shown = [clean(message.message or ""), *map(_readable, message.attachments or [])]
    return "\n\n".join(filter(None, shown))[:TEXT_CHARACTERS_MAX]


def clean(text: str) -> str:
    """As the bus can carry it: JSON can spell half a character, UTF-8 cannot."""
    return text[:TEXT_CHARACTERS_MAX].encode(errors="replace").decode()


def _message(message: MessageView, connection: GiosgConnection, *, is_automatic: bool) -> Telling | None:
    text = text_of(message)
    copies = [_structured(one) for one in (message.attachments or [])[:ATTACHMENTS_MAX]]
    if not text.strip() and not copies:
        return None
    event = _event("agent.message", message, connection).model_copy(
        update={
            "text": clean(message.message) if message.message else None,
            "attachments": copies or None,
            "automatic": is_automatic or None,
        }
    )
    return Telling(event, text if text.strip() else None)


def _event(kind: DeskEventType, message: MessageView, connection: GiosgConnection) -> DeskEvent:
    return DeskEvent(
        type=kind,
        desk=stub_name(connection.name),
        id=message.id[:LABEL_CHARACTERS_MAX],
        at=_label(message.created_at),
        agent=_agent(message),
    )


def _agent(message: MessageView) -> DeskAgent | None:
    name = _label(message.sender_public_name)
    avatar = None if message.sender_avatar is None else _detail(message.sender_avatar.url)
    return None if name is None and avatar is None else DeskAgent(name=name, avatar_url=avatar)


def _readable(attachment: Attachment) -> str:
    """Title, text, links and the labels of buttons, a line each."""
    title = _linked(attachment.title, attachment.title_link_url)
    image = attachment.image_link_url or attachment.image_url
    lines = [title, attachment.text, image, *(_button(action) for action in (attachment.actions or [])[:ACTIONS_MAX])]
    return "\n".join(_unrepeated(clean(line).strip() for line in lines if line))


def _linked(title: str | None, link: str | None) -> str | None:
    return f"{title}: {link}" if title and link else title or link


def _button(action: AttachmentAction) -> str | None:
    if not action.text:
        return None
    is_link = action.type == "link_button" and isinstance(action.value, str) and bool(action.value)
    return f"[{action.text}] {action.value}" if is_link else f"[{action.text}]"


def _unrepeated(lines: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(filter(None, lines)))


def _structured(attachment: Attachment) -> dict[str, JsonValue]:
    """A copy for programs, of known members only, each within bounds."""
    members = ("id", "title", "title_link_url", "text", "image_url", "image_link_url")
    copy: dict[str, JsonValue] = {name: value for name in members if (value := _detail(getattr(attachment, name)))}
    actions = [_structured_action(action) for action in (attachment.actions or [])[:ACTIONS_MAX]]
    return copy | ({"actions": list(actions)} if actions else {})


def _structured_action(action: AttachmentAction) -> dict[str, JsonValue]:
    copy: dict[str, JsonValue] = {
        name: value for name in ("id", "text", "type") if (value := _detail(getattr(action, name)))
    }
    return copy | ({"value": _detail(action.value)} if isinstance(action.value, str) and action.value else {})


def _label(text: str | None) -> str | None:
    return clean(text or "").strip()[:LABEL_CHARACTERS_MAX] or None


def _detail(text: str | None) -> str | None:
    return clean(text)[:DETAIL_CHARACTERS_MAX] if text else None
