"""Pure: the events that Webim sends to its bot, in both dialects.

Source: specs/webim.md sections 3.1.1 to 3.1.4.
"""

from __future__ import annotations

from tests.standins.webim.configuration import Configuration
from tests.standins.webim.world import Body, Chat, Message

MISSING = object()
"""A member that the event does not have, unlike one that is null."""


def new_chat(configuration: Configuration, chat: Chat, messages: object, extra: Body) -> Body:
    """The opening of a chat; ``messages``: the value of that member, or MISSING."""
    event: Body = {"event": "new_chat", "chat": {"id": chat.id}}
    if not configuration.bare_new_chat:
        if chat.visitor is not None:
            event["visitor"] = chat.visitor
        if chat.location is not None:
            event["location"] = chat.location
        if messages is not MISSING:
            event["messages"] = messages
    return {**event, **extra}


def new_message(configuration: Configuration, chat: Chat, message: Message) -> Body:
    """A visitor's message in an open chat."""
    told = message.delivered(with_id=configuration.has_message_ids)
    if not configuration.is_v1:
        return {"event": "new_message", "chat_id": chat.id, "message": told}
    if message.kind == "keyboard_response":
        told["response"] = {"button": told.pop("data")["button"]}
    return {"event": "new_message", "chat": {"id": chat.id}, **told}


def handler_call(configuration: Configuration, chat: Chat) -> Body:
    """What a chat event handler is told; the real body is not confirmed."""
    if configuration.handler_body == "none":
        return {}
    if configuration.handler_body == "chat":
        return {"chat": {"id": chat.id}}
    return {configuration.handler_body: chat.id}
