"""One call of Webim's, read and allowed: what it says is taken, within the time that Webim waits."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from uuid import uuid4

import structlog

from broker.domain.deployments import Deployment
from broker.domain.outside_json import Json
from broker.errors import CallRefusedError
from broker.runtime.locks import Locks
from broker.transport.connection import Connection
from workers.webim.calls.answers import Answers
from workers.webim.calls.composing import NOTHING_TO_SAY
from workers.webim.calls.hearing import Hearing, Hearings
from workers.webim.calls.inbound import Inbound, Taken
from workers.webim.calls.judging import Call
from workers.webim.calls.metrics import CALLS, HANDLER_WITHOUT_CHAT, IGNORED
from workers.webim.calls.words import Ignored
from workers.webim.channel import Channel
from workers.webim.channels import Channels
from workers.webim.chat.chats import Chat, Dialect, chat_key
from workers.webim.translate import event_of, handler_chat, parse

BUS_WAIT_S = 2.5
"""Webim gets its answer within 3 s, whatever the bus does."""
TURN_POLL_S = 0.1
"""While another process holds a v1 call of the same chat."""
OK: Json = {"result": "ok"}
CLOSED_HANDLER = "chat_closed"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Spoken:
    """How Webim speaks to us in this call; ``webim_version`` None: it does not say."""

    dialect: Dialect
    webim_version: str | None = None

    @property
    def nothing(self) -> Json:
        """The answer to what does not concern us."""
        return OK if self.dialect == "2" else NOTHING_TO_SAY


class Calls:
    """Takes the calls of all channels; those of one chat one after another, different chats side by side."""

    def __init__(
        self, connection: Connection, channels: Channels, inbound: Inbound, hearings: Hearings, answers: Answers
    ) -> None:
        self._connection = connection
        self._channels = channels
        self._inbound = inbound
        self._hearings = hearings
        self._answers = answers
        self._locks = Locks()

    async def take(self, channel: Channel, spoken: Spoken, body: Json) -> Json:
        """The endpoint: the body to answer with.

        Raises:
            CallRefusedError: the call is not taken, and nothing was published.
            BusError, TimeoutError: the bus is away.
        """
        at_ms = _now_ms()
        event_of(body)
        active = self._deployed(channel)
        happened = parse(body, separator=channel.settings.combine_separator)
        if isinstance(happened, Ignored):
            IGNORED.labels(happened.reason).inc()
            CALLS.labels("ignored").inc()
            return spoken.nothing
        call = Call(channel, spoken.dialect, happened, active, spoken.webim_version, str(uuid4()), at_ms)
        self._check_connected()
        return await (self._tell(call) if spoken.dialect == "2" else self._ask(call))

    async def handle(self, channel: Channel, handler: str, body: Json) -> Json:
        """A chat event handler: the end of a chat alone means something to us."""
        chat_id = handler_chat(body)
        if chat_id is None:
            HANDLER_WITHOUT_CHAT.inc()
        elif handler == CLOSED_HANDLER:
            self._check_connected()
            async with asyncio.timeout(BUS_WAIT_S):
                await self._inbound.close(channel, str(chat_id), now_ms=_now_ms())
        CALLS.labels("handled").inc()
        return OK

    async def _tell(self, call: Call) -> Json:
        """v2: what Webim waits for is that it is stored."""
        async with asyncio.timeout(BUS_WAIT_S), self._locks.hold(chat_key(call.channel.id, call.conversation_id)):
            taken = await self._inbound.take(call, listen=_nobody_listens)
        CALLS.labels(taken.outcome).inc()
        return OK

    async def _ask(self, call: Call) -> Json:
        """v1: what Webim waits for is the answer."""
        hearing = self._hearings.new()
        try:
            async with self._locks.hold(chat_key(call.channel.id, call.conversation_id)):
                taken = await self._take_in_turn(call, hearing)
                CALLS.labels(taken.outcome).inc()
                if taken.outcome == "set_aside":
                    return NOTHING_TO_SAY
                return await self._answers.answer(call, taken, hearing)
        finally:
            hearing.end()

    async def _take_in_turn(self, call: Call, hearing: Hearing) -> Taken:
        """As soon as no other process waits for the answer to what was said in the chat before."""
        while True:
            async with asyncio.timeout(BUS_WAIT_S):
                taken = await self._inbound.take(call, listen=hearing.begin)
            if taken.outcome != "busy":
                return taken
            await asyncio.sleep(TURN_POLL_S)

    def _deployed(self, channel: Channel) -> Deployment:
        active = self._channels.standing(channel).active
        if active is None:
            raise CallRefusedError(
                "channel_not_deployed", "no version of the channel's program has been deployed yet: try again later"
            )
        return active

    def _check_connected(self) -> None:
        """What is published while the server is away may be stored later, although Webim was told otherwise."""
        if not self._connection.connected:
            raise CallRefusedError("backbone_unavailable", "the backbone is away: try again soon")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _nobody_listens(_chat: Chat, _question: str) -> None:
    """The answer of v2 takes another way."""
