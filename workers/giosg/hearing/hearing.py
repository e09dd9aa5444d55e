"""What giosg tells of chats, by webhook or by reconciliation: the same thing, heard twice, is one thing.

Source: specs/giosg.md sections 4.3, 4.5, 6.3, 6.5 and 7.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import structlog

from broker.domain.ids import SessionId
from broker.errors import BackboneError, ChannelAuthFailedError, ChannelError, ChatGoneError
from workers.giosg.calls.client import Apis
from workers.giosg.cases.case import Case
from workers.giosg.cases.endings import Endings
from workers.giosg.cases.heard import is_heard, was_seen
from workers.giosg.cases.store import CaseStore, now_ms
from workers.giosg.cases.transitions import after_flags, decides, echoed, end_reason, is_sent, is_settled, needs_whole
from workers.giosg.connections.connection import GiosgConnection
from workers.giosg.hearing.doubts import Doubts
from workers.giosg.hearing.fetching import Fetching
from workers.giosg.hearing.messages import Messages
from workers.giosg.hearing.metrics import HEARD
from workers.giosg.hearing.ownership import Ownership
from workers.giosg.hearing.sequencer import Act, Place, Sequencer
from workers.giosg.telling.stages import Stages
from workers.giosg.translate import meaning_of
from workers.giosg.wire import ChatView, MessageView, moment_ms

MESSAGE, ABOUT_MESSAGES, CHAT = 0, 1, 2
"""What leaves before what, of all that comes together."""
LIST_WAIT_S = 5.0
"""So long an agent's answer waits for what may be missing before it."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Heard:
    """Of whose chat something was told."""

    connection: GiosgConnection
    session: SessionId
    chat_id: str
    case: Case


class Hearing:
    """Takes what was told, in any order and any number of times; returns when it was delivered, or is nothing.

    Every method raises what the bus and giosg's API raise, and is then to be called again with the same.
    """

    def __init__(  # noqa: PLR0913 - the parts that hear
        self,
        cases: CaseStore,
        apis: Apis,
        stages: Stages,
        endings: Endings,
        messages: Messages,
        *,
        ownership: Ownership | None = None,
        sequencer: Sequencer | None = None,
        list_wait_s: float = LIST_WAIT_S,
    ) -> None:
        self._cases = cases
        self._apis = apis
        self._stages = stages
        self._endings = endings
        self._messages = messages
        self._ownership = ownership or Ownership(cases, apis, stages)
        self._sequencer = sequencer or Sequencer()
        self._chats: Fetching[ChatView] = Fetching()
        self._lists: Fetching[list[MessageView]] = Fetching()
        self._list_wait_s = list_wait_s
        self._doubts = Doubts()

    async def message(self, connection: GiosgConnection, chat_id: str, message: MessageView) -> None:
        """Something was said or happened in a chat, which may be anybody's."""
        session = await self._ownership.resolve(connection, chat_id)
        heard = await self._of(connection, chat_id, session)
        if heard is None:
            return
        if meaning_of(message) != "visitor" and self._doubts.are_about(_key(heard), heard.case):
            missing = [one for one in await self._missing(heard) if one.id != message.id]
            await self._take_all(heard, missing, message)
        else:
            await self._take_message(heard, message, fetched=False)

    def doubt(self) -> None:
        """What was told until now may not have been heard."""
        self._doubts.begin()

    async def messages(self, connection: GiosgConnection, chat_id: str, messages: Sequence[MessageView]) -> None:
        """All that giosg's list has, as it is now: what is missing here is delivered, what was changed is corrected."""
        await self._ownership.look_again(connection, chat_id)
        heard = await self._of(connection, chat_id, await self._ownership.resolve(connection, chat_id))
        if heard is None:
            return
        of_chat = [one.model_copy(update={"chat_id": chat_id}) for one in messages]
        news = [one for one in of_chat if self._messages.is_news(heard.case, one)]
        await self._take_all(heard, news)

    async def message_changed(self, connection: GiosgConnection, chat_id: str, change: MessageView) -> None:
        """Members of a message are others now; where the message itself is not known here, it is fetched."""
        heard = await self._known(connection, chat_id)
        if heard is None or not is_heard(heard.case, chat_id):
            return
        if was_seen(heard.case, change):
            if heard.case.is_open and change.message is not None:
                act = partial(self._messages.edit, connection, heard.session, change)
                await self._sequencer.deliver(_key(heard), _about(change.id), act)
            return
        if is_sent(heard.case, change.id) or change.id in heard.case.echoes:
            return
        try:
            whole = await self._apis.of(connection.name).message(chat_id, change.id)
        except (ChatGoneError, ChannelAuthFailedError):
            return
        await self._take_message(heard, whole, fetched=True)

    async def message_removed(self, connection: GiosgConnection, chat_id: str, message_id: str) -> None:
        """A message is gone."""
        heard = await self._known(connection, chat_id)
        if heard is None or is_sent(heard.case, message_id) or message_id in heard.case.echoes:
            return
        act = partial(self._messages.delete, connection, heard.session, message_id)
        await self._sequencer.deliver(_key(heard), _about(message_id), act)

    async def chat_added(self, connection: GiosgConnection, chat: ChatView) -> None:
        """There is a new chat, which may be one that is being opened here."""
        session = await self._ownership.resolve(connection, chat.id)
        await self._take_chat(await self._of(connection, chat.id, session), chat, fetched=False)

    async def chat(self, connection: GiosgConnection, chat: ChatView, *, fetched: bool = False) -> None:
        """Members of a chat are others now, or, ``fetched``, this is all of it as C8 has just answered."""
        await self._take_chat(await self._known(connection, chat.id), chat, fetched=fetched)

    async def chat_gone(self, connection: GiosgConnection, chat_id: str) -> None:
        """A chat is said to be erased; it is when C8 says so as well."""
        heard = await self._known(connection, chat_id)
        if heard is None or heard.case.chat is None or heard.case.chat.id != chat_id:
            return
        if heard.case.stage == "removed" and is_settled(heard.case):
            return
        try:
            chat = await self._fetch(connection, chat_id)
        except (ChatGoneError, ChannelAuthFailedError):  # where C8 is refused, the webhook's own word has to do
            await self._sequencer.deliver(_key(heard), _place_of_chat(chat_id, None), partial(self._remove, heard))
        else:
            await self._take_chat(heard, chat, fetched=True)

    async def _known(self, connection: GiosgConnection, chat_id: str) -> _Heard | None:
        return await self._of(connection, chat_id, await self._ownership.known(connection, chat_id))

    async def _of(self, connection: GiosgConnection, chat_id: str, session: SessionId | None) -> _Heard | None:
        """None: it is nobody's here, or another connection of the same organization hears of it as well."""
        case = None if session is None else (await self._cases.load(session)).case
        if session is None or case is None or case.connection != connection.name:
            HEARD.labels(connection.name, "foreign").inc()
            return None
        return _Heard(connection, session, chat_id, case)

    async def _take_message(self, heard: _Heard, message: MessageView, *, fetched: bool) -> None:
        message = message.model_copy(update={"chat_id": heard.chat_id})
        if meaning_of(message) == "visitor":
            HEARD.labels(heard.connection.name, "echo").inc()
            await self._cases.change(heard.session, lambda found: echoed(found, message))
            return
        if not (fetched or not was_seen(heard.case, message)):
            HEARD.labels(heard.connection.name, "known").inc()
            return
        place = Place(MESSAGE, moment_ms(message.created_at) or 0, message.id)
        act = partial(self._messages.take, heard.connection, heard.session, message, fetched=fetched)
        try:
            await self._sequencer.deliver(_key(heard), place, act)
        except BackboneError as error:
            if error.retryable:
                self._doubts.begin_about(_key(heard))
            raise

    async def _take_all(self, heard: _Heard, listed: Sequence[MessageView], *told: MessageView) -> None:
        """At once, so that they find their order among each other."""
        taking = [self._take_message(heard, one, fetched=True) for one in listed]
        taking += [self._take_message(heard, one, fetched=False) for one in told]
        for outcome in await asyncio.gather(*taking, return_exceptions=True):
            if outcome is not None:
                raise outcome

    async def _missing(self, heard: _Heard) -> list[MessageView]:
        """What the list has that is not known here; where giosg does not say it soon, an answer does not wait."""
        begun_ms = now_ms()
        call = partial(self._messages.missing, heard.connection, heard.case, heard.chat_id)
        try:
            async with asyncio.timeout(self._list_wait_s):
                missing = await self._lists.fetch(_key(heard), call)
        except (TimeoutError, ChannelError) as error:
            log.warning("chat_not_looked_through", session_id=heard.session[:8], error_type=type(error).__name__)
            return []
        self._doubts.end(_key(heard), begun_ms)
        return missing

    async def _take_chat(self, heard: _Heard | None, chat: ChatView, *, fetched: bool) -> None:
        """What is to be completed is fetched before its turn, so that changes that come together are completed once."""
        if heard is None or not decides(heard.case, chat):
            return
        follow: Act = partial(self._follow, heard, chat, fetched=fetched)
        if not fetched and _is_incomplete(heard.case, chat):
            follow = await self._complete(heard, chat)
        await self._sequencer.deliver(_key(heard), _place_of_chat(chat.id, chat.updated_at), follow)

    async def _complete(self, heard: _Heard, chat: ChatView) -> Act:
        """What to do about a chat, now that C8 was asked."""
        try:
            whole = await self._fetch(heard.connection, chat.id)
        except ChatGoneError:
            return partial(self._remove, heard)
        except ChannelAuthFailedError:  # the webhook's own word has to do
            return partial(self._follow, heard, chat, fetched=True)
        return partial(self._follow, heard, whole, fetched=True)

    async def _fetch(self, connection: GiosgConnection, chat_id: str) -> ChatView:
        call = partial(self._apis.of(connection.name).chat, chat_id)
        return await self._chats.fetch(f"{connection.name} {chat_id}", call)

    async def _follow(self, heard: _Heard, chat: ChatView, *, fetched: bool) -> None:
        """In the chat's turn: the case goes where its flags lead, or to its end."""
        case = (await self._cases.load(heard.session)).case
        if case is None or not decides(case, chat):
            return
        if not fetched and _is_incomplete(case, chat):  # the case has gone on since it was asked
            await (await self._complete(heard, chat))()
        elif not chat.is_ended:
            await self._stages.change(heard.session, lambda found: after_flags(found, chat))
        elif case.is_open or not is_settled(case):
            await self._messages.catch_up(heard.connection, case, chat.id)
            await self._endings.end(case, end_reason(case))

    async def _remove(self, heard: _Heard) -> None:
        case = (await self._cases.load(heard.session)).case
        if case is not None and case.chat is not None and case.chat.id == heard.chat_id:
            await self._endings.end(case, "removed")


def _is_incomplete(case: Case, chat: ChatView) -> bool:
    """Whether C8 has to say more, or it again: also of an end that was marked and never brought to its end."""
    is_unfinished = chat.is_ended is True and case.stage in ("ended", "removed") and not is_settled(case)
    return is_unfinished or needs_whole(case, chat)


def _key(heard: _Heard) -> str:
    return f"{heard.connection.name} {heard.chat_id}"


def _about(message_id: str) -> Place:
    return Place(ABOUT_MESSAGES, 0, message_id)


def _place_of_chat(chat_id: str, updated_at: str | None) -> Place:
    return Place(CHAT, moment_ms(updated_at) or 0, chat_id)
