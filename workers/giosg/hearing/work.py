"""Works on the webhooks that were stored: what each tells, to whoever hears it.

Each has a lane of its own: the order within a chat is made by the sequencer, in which several wait at once.
Source: specs/giosg.md section 4.
"""

from __future__ import annotations

import re

import structlog

from broker.codec import EVENT_DEPTH_MAX, decode
from broker.domain.grammar import parse_subject
from broker.domain.subjects import WebhookSubject
from broker.domain.webhooks import StoredWebhook
from broker.domain.wire import Body, validate
from broker.errors import InvalidSubjectError
from broker.runtime.deadletters import Original
from broker.runtime.loop import Work
from broker.transport.pull import Delivery
from broker.transport.topology import WEBHOOK_STREAM, webhook_consumers
from workers.giosg.connections.connection import Connections, GiosgConnection
from workers.giosg.hearing.hearing import Hearing
from workers.giosg.hearing.typing import Typing
from workers.giosg.telling.visitor import SERVICE
from workers.giosg.wire import ChatView, Membership, MessageView, WebhookCall

CHAT_IN_CHANNEL = re.compile(r"/owned_chats/([A-Za-z0-9_-]{1,256})/(?:messages|memberships)")

log = structlog.get_logger()


class Webhooks:
    """Handles one stored webhook; may be called again for the same one."""

    def __init__(self, connections: Connections, hearing: Hearing, typing: Typing) -> None:
        self._connections = connections
        self._hearing = hearing
        self._typing = typing

    async def __call__(self, original: Original) -> None:
        """Hear what it tells; returns when that was delivered.

        Raises:
            BackboneError: it is not to be understood, or cannot be delivered now.
        """
        subject = parse_subject(original.subject)
        if not isinstance(subject, WebhookSubject):
            raise InvalidSubjectError(original.subject, problem="expected a webhook")
        connection = self._connections.get(subject.connection)
        stored = validate(StoredWebhook, decode(original.data, depth_max=EVENT_DEPTH_MAX), what="stored webhook")
        if connection is None or connection.org != subject.org or stored.content is None:
            log.warning("webhook_passed_over", connection=subject.connection)
            return
        call = validate(WebhookCall, stored.content, what="webhook")
        match stored.webhook.kind:
            case "chats":
                await self._chat(connection, call)
            case "messages":
                await self._message(connection, call)
            case "memberships":
                await self._membership(connection, call)
            case _:
                log.debug("webhook_passed_over", connection=connection.name)

    def doubt(self) -> None:
        """Webhooks may have come that nobody took."""
        self._hearing.doubt()

    async def _chat(self, connection: GiosgConnection, call: WebhookCall) -> None:
        if call.action == "removed":
            await self._hearing.chat_gone(connection, call.resource_id)
            return
        chat = validate(ChatView, _resource(call), what="giosg chat")
        if call.action == "added":
            await self._hearing.chat_added(connection, chat)
        elif call.action == "changed":
            await self._hearing.chat(connection, chat)

    async def _message(self, connection: GiosgConnection, call: WebhookCall) -> None:
        chat_id = _chat_in(call)
        if chat_id is None:
            return
        if call.action == "removed":
            await self._hearing.message_removed(connection, chat_id, call.resource_id)
            return
        message = validate(MessageView, _resource(call), what="giosg message")
        if call.action == "added":
            await self._hearing.message(connection, chat_id, message)
        elif call.action == "changed":
            await self._hearing.message_changed(connection, chat_id, message)

    async def _membership(self, connection: GiosgConnection, call: WebhookCall) -> None:
        chat_id = _chat_in(call)
        if chat_id is not None and call.action == "changed" and connection.typing_from_giosg:
            member = validate(Membership, call.resource or {}, what="giosg membership")
            await self._typing.member_changed(connection, chat_id, member)


def hearing_work(handle: Webhooks, *, lease_s: int) -> Work:
    """What the worker consumes to hear giosg; the consumers must be there."""
    consumers = tuple(spec.name for spec in webhook_consumers(SERVICE))
    return Work(WEBHOOK_STREAM, consumers, handle, _lane_of, retaken=lambda _: handle.doubt(), lease_s=lease_s)


def _lane_of(delivery: Delivery) -> str:
    return str(delivery.sequence)


def _resource(call: WebhookCall) -> Body:
    """The resource; its id is the call's, which was checked, whatever it says itself."""
    return {**(call.resource or {}), "id": call.resource_id}


def _chat_in(call: WebhookCall) -> str | None:
    found = CHAT_IN_CHANNEL.search(call.channel)
    return None if found is None else found[1]
