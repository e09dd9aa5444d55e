"""Pure: the events that are ours and not the visitor's, as questions to the program: notices of one chat.

Source: specs/webim.md sections 5.1 and 5.4.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from uuid import UUID, uuid5

from pydantic import JsonValue

from broker.domain.dialogs import DialogRequest, RequestData
from workers.webim.channel import WEBIM
from workers.webim.chat.chats import MS_PER_S, Chat

DIGEST_CHARACTERS = 32


def own_event(chat: Chat, event: str, event_data: JsonValue, *, event_id: str, now_ms: int) -> DialogRequest:
    """The question that one of our own events is; its id derives from the event's, so a repeat asks the same."""
    return DialogRequest(
        channel_id=chat.channel_id,
        channel_type=WEBIM,
        branch=chat.branch,
        commit=chat.commit,
        conversation_id=chat.conversation_id,
        client_id=chat.conversation_id,
        visitor_id=chat.visitor_id,
        session_id=chat.session,
        question_id=str(uuid5(UUID(chat.session), event_id)),
        event=event,
        event_data=event_data,
        data=RequestData(chatId=chat.conversation_id),
        user_from=chat.user_from,
        api_version=chat.dialect,
        received_at=datetime.fromtimestamp(now_ms / MS_PER_S, UTC).isoformat(),
    )


def own_id(session: str, what: str) -> str:
    """The id of something that happens once in a session; no id that comes from outside begins so."""
    return f"{session}-own-{what}"


def told_id(session: str, key: str) -> str:
    """The id of what is told about one thing of Webim's, whose own key may be any text."""
    return own_id(session, hashlib.sha256(key.encode()).hexdigest()[:DIGEST_CHARACTERS])
