"""Finds what giosg may have taken though nobody heard its answer: a message (C9), a chat (C6).

Source: specs/giosg.md section 3.14 (decisions: the echo first, then the lists; giosg's clock is never compared with
ours).
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from broker.errors import ChannelError, ChatGoneError, IdentityLostError
from workers.giosg.cases.case import Case, EndReason, chat_ids
from workers.giosg.cases.transitions import is_sent
from workers.giosg.runs.marks import sent_parts
from workers.giosg.runs.talk import Talk
from workers.giosg.wire import ChatView, MessageView, moment_ms

ECHO_WAIT_S = 5.0
LOOK_S = 0.2


def match(case: Case, messages: list[MessageView], text: str, visitor_ids: Collection[str]) -> MessageView | None:
    """The message that a send of that text has made, None if there is none.

    ``messages`` are in order, ``visitor_ids`` the visitor's, earlier ones too. It is the visitor's own, no other send
    has made it, and it is not older than the last message that is known to be one of ours: one send at a time is under
    way in a chat.
    """
    since_ms = moment_ms(case.chat.last_message_at) if case.chat is not None else None
    for message in messages:
        if message.type not in (None, "msg") or message.sender_type != "visitor":
            continue
        if message.sender_id not in (None, *visitor_ids) or is_sent(case, message.id):
            continue
        at_ms = moment_ms(message.created_at)
        is_old = since_ms is not None and at_ms is not None and at_ms < since_ms
        if not is_old and (message.message or "").strip() == text.strip():
            return message
    return None


async def find_message(
    talk: Talk, text: str, *, event: int, part: int, echo_wait_s: float = ECHO_WAIT_S
) -> MessageView | None:
    """That part of an event's text, as giosg has it; None: it has not, or another process has noted it meanwhile.

    Raises:
        ChannelError: nobody can say now.
    """
    case = await talk.look()
    if case.chat is None or sent_parts(case, event) > part:
        return None
    found = await _listed(talk, text)
    if found is not None or not case.is_open:
        return found
    deadline, known = asyncio.get_running_loop().time() + echo_wait_s, case.echoes
    while found is None and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(LOOK_S)
        case = await talk.look()
        if sent_parts(case, event) > part:
            return None
        if not set(case.echoes) <= set(known):  # one that was there before is another device's, or another chat's
            found, known = await _listed(talk, text), case.echoes
    return found or await _listed(talk, text)


async def _listed(talk: Talk, text: str) -> MessageView | None:
    case = talk.case
    assert case.chat is not None  # noqa: S101 - asked by find_message()
    identity = await talk.calls.identity()
    try:
        messages = await talk.calls.messages(case.chat.id)
    except (ChatGoneError, IdentityLostError):  # the visitor has it no more; the organization may
        try:
            messages = await talk.api.messages(case.chat.id)
        except ChatGoneError:
            return None
    return match(case, messages, text, (identity.visitor_id, *identity.lost))


async def find_chat(talk: Talk) -> ChatView | None:
    """A chat that an opening has made without having heard of it: ours, open, and nobody's.

    Raises:
        ChannelError: nobody can say now.
    """
    organization = talk.connection.organization_id
    for chat in reversed(await talk.calls.chats()):
        if chat.is_ended or chat.room_id not in (None, talk.connection.room_id) or chat.id in chat_ids(talk.case):
            continue
        if await talk.store.owner_of_chat(organization, chat.id) in (None, talk.run.session):
            return chat
    return None


async def is_over(talk: Talk, chat_id: str) -> EndReason | None:
    """Why no text can go into the chat any more, None if it can, for all that giosg says.

    Raises:
        ChannelError: nobody can say now.
    """
    try:
        chat = await talk.api.chat(chat_id)
    except ChatGoneError:
        return "removed"
    except ChannelError as error:
        if error.retryable:
            raise
        chats = await talk.calls.chats()  # without an API token the visitor's own list has to do
        listed = next((each for each in chats if each.id == chat_id), None)
        return "removed" if listed is None else "ended_by_giosg" if listed.is_ended else None
    return "ended_by_giosg" if chat.is_ended else None
