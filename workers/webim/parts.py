"""The worker's parts, put together once: what each needs of the others."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import stamina
import structlog

from broker.errors import BackboneError
from broker.runtime.backbone import Backbone
from broker.runtime.loop import Work
from broker.runtime.outbound_http import OutboundHttp
from broker.transport.ensure import ensure_bucket, ensure_consumers
from broker.transport.topology import CHANNELS, CONVERSATIONS, PROGRAMS, SESSIONS, STUBSESSIONS, adapter_consumers
from workers.webim.calls.answers import Answers
from workers.webim.calls.call import Calls
from workers.webim.calls.hearing import Hearings
from workers.webim.calls.inbound import Inbound
from workers.webim.channel import WEBIM
from workers.webim.channels import Channels
from workers.webim.chat.conversations import Conversations
from workers.webim.chat.endings import Endings
from workers.webim.chat.sessions import ChatSessions
from workers.webim.chat.store import CHATS, ChatStore
from workers.webim.chat.transfer_notes import TransferNotes
from workers.webim.collecting.collector import Collector
from workers.webim.collecting.looking import Looking
from workers.webim.collecting.stored_data import StoredData
from workers.webim.collecting.telling import Collecting
from workers.webim.edge import Endpoint
from workers.webim.sending.client import BotApi
from workers.webim.sending.outbound import Outbound, outbound_work
from workers.webim.sending.sender import Sender
from workers.webim.settings import WebimSettings

CHANNELS_LOOK_S = 0.5
"""How soon after the first channel was created its answers may leave."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Parts:
    """What the worker's loops and its web application work with."""

    channels: Channels
    chats: ChatStore
    conversations: Conversations
    endings: Endings
    endpoint: Endpoint
    hearings: Hearings
    outbound: Work
    collector: Collector

    async def send(self, backbone: Backbone, stop: asyncio.Event) -> None:
        """Send what programs say until ``stop`` is set; without any channel there is nothing worth a lease."""
        if not self.channels.everything():
            backbone.started.set()  # to be managed, and called, it is ready
        while not (stop.is_set() or self.channels.everything()):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CHANNELS_LOOK_S):
                    await stop.wait()
        while not stop.is_set():
            try:
                await backbone.consume(self.outbound, stop)
            except BackboneError as error:  # the server went away just as the first channel came
                if not error.retryable or backbone.connection.closed:
                    raise
                log.warning("sending_not_begun", error_code=error.code)
                await asyncio.sleep(CHANNELS_LOOK_S)


@contextlib.asynccontextmanager
async def open_parts(settings: WebimSettings, backbone: Backbone) -> AsyncIterator[Parts]:
    """Bucket and consumers are there, channels are loaded, and the log is followed, until the end of the block."""
    connection = backbone.connection
    stamina.instrumentation.set_on_retry_hooks(())  # a line for each retry of each chat is too much; they are counted
    await ensure_bucket(connection, CHATS, replicas=settings.replicas)
    await ensure_consumers(connection, CONVERSATIONS, adapter_consumers(WEBIM, settings.partitions))
    conversations = Conversations(backbone.publisher)
    chats = ChatStore(backbone.records(CHATS), backbone.records(SESSIONS))
    notes = TransferNotes(backbone.records(CHATS))
    endings = Endings(conversations, chats, notes)
    sessions = ChatSessions(conversations, backbone.records(SESSIONS), backbone.records(STUBSESSIONS))
    inbound = Inbound(
        connection, backbone.dead_letters, conversations, chats, sessions, endings, partitions=settings.partitions
    )
    hearings, answers = Hearings(), Answers(chats, conversations, endings)
    channels = Channels(connection, channels=backbone.records(CHANNELS), programs=backbone.records(PROGRAMS))
    http = OutboundHttp(private_addresses=settings.private_addresses)
    async with channels, hearings.reader(connection), contextlib.aclosing(answers), http:
        endpoint = Endpoint(channels, Calls(connection, channels, inbound, hearings, answers))
        api = BotApi(http, base_url_template=settings.base_url_template)
        stored = StoredData(http, base_url_template=settings.base_url_template)
        sender = Sender(api, stored, channels, endings, patience_s=settings.patience_s)
        outbound = Outbound(backbone, channels, chats, conversations, endings, sender, partitions=settings.partitions)
        work = outbound_work(outbound, partitions=settings.partitions, lease_s=settings.lease_s)
        collecting = Collecting(connection, conversations, partitions=settings.partitions)
        looking = Looking(channels, chats, notes, endings, stored, collecting)
        collector = Collector(connection, channels, notes, looking, stored)
        yield Parts(channels, chats, conversations, endings, endpoint, hearings, work, collector)
