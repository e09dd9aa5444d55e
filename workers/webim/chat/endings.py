"""The ways in which a program's part of a chat ends: given to an operator, finished by one, closed.

Each may be repeated at any line: what is said has ids that derive from the session, the record is saved when all of it
is stored, and one that somebody else has changed meanwhile is read and judged again.
Source: specs/webim.md sections 5.3 and 5.4.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from pydantic import JsonValue

from broker.domain.dialogs import LIVECHAT_FINISHED, LIVECHAT_STARTED, NO_OPERATORS
from broker.domain.subjects import Kind
from broker.errors import ConflictError
from workers.webim.channel import Channel
from workers.webim.chat.chats import Chat, CloseReason, chat_key, closed, transferred
from workers.webim.chat.conversations import Conversations
from workers.webim.chat.notices import own_event, own_id
from workers.webim.chat.store import ChatStore, Kept
from workers.webim.chat.transfer_notes import TransferNotes
from workers.webim.sending.steps import LATE_MS

WRITES_MAX = 8
"""Tries to save one record; whoever changes it so often has more to tell than an ending."""
ON_ITS_WAY_S = 1.5
"""Well within what Webim's handler call may take; a redirect that works is noted in a tenth of it."""
LOOK_AGAIN_S = 0.05
FINISH_HOURS = 1.0
"""For how long the owner gets the conversation back; what ends it is published with it."""


@dataclass(frozen=True, slots=True)
class Target:
    """To whom a chat was given; ``id`` is the operator's number or the department's key, None for the queue."""

    kind: Literal["operator", "department", "queue"]
    id: str | None = None


QUEUE = Target("queue")


class Endings:
    """Ends sessions; every call raises what the bus raises, and is then to be repeated as it was."""

    def __init__(self, conversations: Conversations, chats: ChatStore, notes: TransferNotes) -> None:
        self._conversations = conversations
        self._chats = chats
        self._notes = notes

    async def transfer(self, channel: Channel, chat: Chat, target: Target, *, owner: str | None = None) -> Kept:
        """Webim's people have the chat now: the program hears of it, and loses the link.

        ``owner`` is the stub that gave it away, ``<service>.<stubref>``, and hears when they are done; None: the stub
        that the session was linked to from its beginning, if it was.
        """
        now_ms = _now_ms()

        async def tell(found: Chat) -> None:
            data: JsonValue = {"target": target.kind, "id": target.id}
            await self._tell(channel, found, LIVECHAT_STARTED, data, event_id=own_id(found.session, LIVECHAT_STARTED))
            # A renewal may have come behind the first delete: with the chat as it is then, this is another.
            event_id = own_id(found.session, f"unlinked-{found.link_until_ms}")
            await self._conversations.unlink(channel, found, event_id=event_id)
            if channel.settings.email is not None:  # also under an alarm, which may be over before the dialog is
                await self._notes.begin(found, now_ms=now_ms, wait_s=channel.settings.log_poll_interval_s)

        def change(found: Chat) -> Chat:
            return transferred(found, now_ms=now_ms, owner=owner)

        return await self._end(channel, chat, tell, change, only=("active",))

    async def failed_transfer(self, channel: Channel, chat: Chat, *, cause: str, error: str, desc: str) -> None:
        """Webim would not: the program hears why. ``cause`` tells one failure of a session from another."""
        event_id = own_id(chat.session, f"{NO_OPERATORS}-{cause}")
        await self._tell(channel, chat, NO_OPERATORS, {"error": error, "desc": desc}, event_id=event_id)

    async def finish(self, channel: Channel, chat: Chat) -> Kept:
        """The operator is done: whoever gave the chat away gets it back, hears so, and the session ends."""

        async def tell(found: Chat) -> None:
            owner = found.owner or found.stub
            if owner is not None:
                event_id = own_id(found.session, "relinked")
                await self._conversations.link(channel, found, owner, hours=FINISH_HOURS, event_id=event_id)
            await self._tell(channel, found, LIVECHAT_FINISHED, None, event_id=own_id(found.session, LIVECHAT_FINISHED))
            await self.say_ended(channel, found, "operator")

        kept = await self._end(channel, chat, tell, lambda found: closed(found, "operator"), only=("transferred",))
        await self._notes.drop(chat)
        return kept

    async def close(self, channel: Channel, chat: Chat, reason: CloseReason) -> Kept:
        """The session is over, for that reason; Webim is not called."""

        async def tell(found: Chat) -> None:
            await self.say_ended(channel, found, reason)

        return await self._end(channel, chat, tell, lambda found: closed(found, reason), only=("active", "transferred"))

    async def settle(self, channel: Channel, chat: Chat) -> Chat:
        """The chat, given to the queue if its v1 call is over and nobody who held it is left to say so."""
        overdue = chat.question is not None and _now_ms() >= chat.question.until_ms + LATE_MS
        if chat.state != "active" or not overdue:
            return chat
        return (await self.transfer(channel, chat, QUEUE)).chat or chat

    async def closed_in_webim(self, channel: Channel, chat: Chat) -> Kept:
        """Webim says that the chat is over: an operator's end is told once their dialog is collected."""
        chat = await self._rested(chat)
        if chat.state == "active":
            return await self.close(channel, chat, "visitor_or_system")
        if chat.state == "transferred" and channel.collects and await self._notes.hasten(chat, now_ms=_now_ms()):
            return await self._chats.load(chat.channel_id, chat.conversation_id)
        return await self.finish(channel, chat)

    async def _rested(self, chat: Chat) -> Chat:
        """The chat once no answer to it is on its way: a quick operator may be done before we hear of a redirect.

        One whose redirect is not noted within ON_ITS_WAY_S, since the worker was killed say, counts as the bot's.
        """
        end_s = time.monotonic() + ON_ITS_WAY_S
        while chat.state == "active" and chat.sending is not None and time.monotonic() < end_s:
            await asyncio.sleep(LOOK_AGAIN_S)
            found = (await self._chats.load(chat.channel_id, chat.conversation_id)).chat
            if found is None or found.session != chat.session:
                return chat
            chat = found
        return chat

    async def say_ended(self, channel: Channel, chat: Chat, reason: CloseReason) -> None:
        """Only the word of it, for whoever saves the record otherwise; a link that ran out has said it already."""
        if reason == "idle" and chat.stub is not None and _now_ms() >= chat.link_until_ms:
            return
        await self._conversations.end(channel, chat, reason=reason, event_id=own_id(chat.session, "ended"))

    async def say_replaced(self, channel: Channel, chat: Chat) -> None:
        """The session is over that the chat had before this one, if there was one."""
        if (replaced := chat.replaces) is not None:
            before = chat.model_copy(update={"session": replaced.session})
            event_id = own_id(replaced.session, "ended")
            await self._conversations.end(channel, before, reason=replaced.reason, event_id=event_id)

    async def _tell(self, channel: Channel, chat: Chat, event: str, data: JsonValue, *, event_id: str) -> None:
        request = own_event(chat, event, data, event_id=event_id, now_ms=_now_ms())
        await self._conversations.tell(channel, Kind.NOTICE, request, event_id=event_id)

    async def _end(
        self,
        channel: Channel,
        chat: Chat,
        tell: Callable[[Chat], Awaitable[None]],
        change: Callable[[Chat], Chat],
        *,
        only: tuple[str, ...],
    ) -> Kept:
        """Say it, then save it, as long as the session is the chat's own and in one of these states."""
        for _ in range(WRITES_MAX):
            kept = await self._chats.load(chat.channel_id, chat.conversation_id)
            if kept.chat is None or kept.chat.session != chat.session or kept.chat.state not in only:
                return kept
            await tell(kept.chat)
            after = change(kept.chat)
            try:
                idle_s = channel.settings.session_idle_ttl_s
                return Kept(after, await self._chats.save(after, revision=kept.revision, idle_s=idle_s))
            except ConflictError:
                continue
        raise ConflictError(chat_key(chat.channel_id, chat.conversation_id))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
