"""Delivers one message of a chat to the visitor, in its turn: told first, then noted, so that a repetition is one."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from broker.domain.ids import SessionId
from broker.errors import ChannelAuthFailedError, ChannelError
from workers.giosg.calls.client import Apis
from workers.giosg.cases.case import Case
from workers.giosg.cases.heard import DELETED, deleted, hash_of, is_heard, seen, was_seen, with_text
from workers.giosg.cases.store import CaseStore, now_ms
from workers.giosg.cases.transitions import after_join, after_user_message, echoed
from workers.giosg.connections.connection import GiosgConnection
from workers.giosg.hearing.metrics import HEARD
from workers.giosg.runs.marks import linked
from workers.giosg.telling.languages import Languages
from workers.giosg.telling.links import Links
from workers.giosg.telling.stages import Stages
from workers.giosg.telling.visitor import Visitors
from workers.giosg.translate import Meaning, Telling, deletion_of, edit_of, meaning_of, telling_of
from workers.giosg.watching.health import Health
from workers.giosg.wire import MessageView

MS_PER_HOUR = 3_600_000
SPOKEN: frozenset[Meaning] = frozenset(("text", "unreadable"))

log = structlog.get_logger()


class Messages:
    """What is delivered to a visitor is noted in the case, which outlives the log's own window for repetitions."""

    def __init__(  # noqa: PLR0913 - what a message may lead to
        self,
        cases: CaseStore,
        apis: Apis,
        visitors: Visitors,
        *,
        links: Links,
        languages: Languages,
        stages: Stages,
        health: Health,
    ) -> None:
        self._cases = cases
        self._apis = apis
        self._visitors = visitors
        self._links = links
        self._languages = languages
        self._stages = stages
        self._health = health

    def is_news(self, case: Case, message: MessageView) -> bool:
        """Whether a message of giosg's list, as it is now, has anything that is not known here."""
        if meaning_of(message) == "visitor":
            return echoed(case, message) != case
        return not was_seen(case, message) or _is_changed(case, message)

    async def take(
        self, connection: GiosgConnection, session: SessionId, message: MessageView, *, fetched: bool
    ) -> None:
        """Deliver a message that was not yet; one that reads otherwise by now, and was ``fetched``, is corrected."""
        case = (await self._cases.load(session)).case
        if case is None:
            return
        if was_seen(case, message):
            if fetched and _is_changed(case, message):
                await self.edit(connection, session, message)
            return
        meaning, chat_id = meaning_of(message), message.chat_id or ""
        if not is_heard(case, chat_id):
            HEARD.labels(connection.name, "cleared").inc()
            return
        if meaning == "unreadable":
            self._health.problem(connection.name, "encrypted_room", "a message came that only its customer can read")
        is_late = not case.is_open or case.chat is None or case.chat.id != chat_id
        telling = telling_of(message, connection, await self._languages.of(connection))
        if telling is not None and not (is_late and meaning in ("joined", "left")):
            await self._tell(case, telling, f"message-{message.id}")
            HEARD.labels(connection.name, "delivered").inc()
        else:
            HEARD.labels(connection.name, "nothing").inc()
        await self._stages.change(session, _after(message, meaning, is_late=is_late))
        log.info("message_heard", session_id=session[:8], message_id=message.id, meaning=meaning)
        if meaning in SPOKEN and not is_late:
            await self._keep_link(connection, case, message.id)

    async def edit(self, connection: GiosgConnection, session: SessionId, change: MessageView) -> None:
        """Correct what the visitor was told, if it reads otherwise now."""
        case = (await self._cases.load(session)).case
        if case is None or not case.is_open or not _is_changed(case, change):
            return
        text = change.message or ""
        telling = edit_of(change, connection, await self._languages.of(connection))
        await self._tell(case, telling, f"edited-{change.id}-{hash_of(text)}")
        HEARD.labels(connection.name, "edited").inc()
        await self._cases.change(session, lambda found: with_text(found, change.id, text))

    async def delete(self, connection: GiosgConnection, session: SessionId, message_id: str) -> None:
        """Say that a message is gone which the visitor has; one that is still to come is never shown."""
        case = (await self._cases.load(session)).case
        if case is None or f"{DELETED}{message_id}" in case.seen:
            return
        if message_id in case.seen:
            await self._tell(case, deletion_of(message_id, connection), f"deleted-{message_id}")
            HEARD.labels(connection.name, "deleted").inc()
        await self._cases.change(session, lambda found: deleted(found, message_id))

    async def missing(self, connection: GiosgConnection, case: Case, chat_id: str) -> list[MessageView]:
        """What giosg's list has that is not known here, oldest first.

        Raises:
            ChannelError: giosg does not say it now.
        """
        api = self._apis.of(connection.name)
        try:
            messages = await api.messages(chat_id)
        except ChannelAuthFailedError:  # the visitor's own token may be good
            messages = await api.as_visitor(case.visitor_key).messages(chat_id)
        of_chat = [one.model_copy(update={"chat_id": chat_id}) for one in messages]
        return [one for one in of_chat if self.is_news(case, one)]

    async def catch_up(self, connection: GiosgConnection, case: Case, chat_id: str) -> None:
        """Deliver what is still missing of a chat that ends: afterwards nobody looks for it."""
        try:
            messages = await self.missing(connection, case, chat_id)
        except ChannelError as error:
            if error.retryable:
                raise
            log.warning("chat_not_looked_through", session_id=case.session[:8], error_code=error.code)
            return
        for message in messages:
            if meaning_of(message) != "visitor":
                await self.take(connection, SessionId(case.session), message, fetched=True)

    async def _tell(self, case: Case, telling: Telling, event_id: str) -> None:
        await self._visitors.tell(case, telling.event, event_id=event_id, text=telling.text)

    async def _keep_link(self, connection: GiosgConnection, case: Case, message_id: str) -> None:
        """An agent who still answers keeps the conversation: half of its hours have passed."""
        hours = connection.link_hours
        if case.link_until_ms - now_ms() > hours * MS_PER_HOUR / 2:
            return
        link = await self._links.live(case, now_ms=now_ms())
        if link is None or str(link.stub) != str(connection.stub):
            return
        epoch, until_ms = link.epoch, link.expires_at_ms
        if until_ms - now_ms() <= hours * MS_PER_HOUR / 2:
            epoch = await self._links.take(case, hours=hours, event_id=f"renewed-{message_id}")
            until_ms = now_ms() + round(hours * MS_PER_HOUR)
        await self._cases.change(SessionId(case.session), lambda found: linked(found, epoch, until_ms))


def _is_changed(case: Case, message: MessageView) -> bool:
    known = case.texts.get(message.id)
    return known is not None and message.message is not None and known != hash_of(message.message)


def _after(message: MessageView, meaning: Meaning, *, is_late: bool) -> Callable[[Case], Case]:
    def change(case: Case) -> Case:
        text = message.message if meaning in ("text", "automatic") else None
        case = seen(case, message, text=text)
        if is_late or case.chat is None or case.chat.id != message.chat_id:
            return case
        if meaning in SPOKEN:
            return after_user_message(case, at=message.created_at)
        return after_join(case, at=message.created_at) if meaning == "joined" else case

    return change
