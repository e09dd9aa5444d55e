"""A conversation that the desk has, with a chat in the stand-in giosg in which the visitor has written."""

from __future__ import annotations

from dataclasses import dataclass

from broker.domain.subjects import Conversation
from broker.transport.topology import WEBHOOK_STREAM, webhook_consumers
from tests.conftest import poll
from tests.integration.giosg.conftest import Desk
from tests.standins.giosg_control import Call, Delivery
from workers.giosg.cases.case import Case
from workers.giosg.telling.visitor import SERVICE


@dataclass(frozen=True)
class Talk:
    """One conversation and its chat."""

    desk: Desk
    conversation: Conversation
    chat_id: str

    async def case(self) -> Case:
        """What is remembered of it."""
        case = await self.desk.case(self.conversation)
        assert case is not None
        return case

    async def until_heard(self, *texts: str) -> None:
        """Wait until the visitor has exactly these texts of agents."""
        await poll(lambda: self._has_heard(list(texts)), within_s=10)

    async def _has_heard(self, texts: list[str]) -> bool:
        return await self.desk.heard(self.conversation) == texts

    async def until_told(self, kind: str, count: int = 1) -> None:
        """Wait until the visitor's side was told so often that this happened."""
        await poll(lambda: self._has_told(kind, count), within_s=10)

    async def _has_told(self, kind: str, count: int) -> bool:
        return (await self.desk.types(self.conversation)).count(kind) >= count

    async def told_times(self, kind: str) -> int:
        """How often that happened, as far as was told."""
        return (await self.desk.types(self.conversation)).count(kind)

    async def until_worked_off(self) -> None:
        """Wait until the worker has acknowledged every webhook that it has taken."""
        await self.desk.giosg.settle()
        await poll(lambda: is_worked_off(self.desk), within_s=15)

    async def calls(self, ending: str, method: str = "GET") -> list[Call]:
        """The calls of the organization's to an address of the chat."""
        found = await self.desk.giosg.calls(f"/owned_chats/{self.chat_id}{ending}", method=method)
        return [one for one in found if one.path.rstrip("/").endswith(f"{self.chat_id}{ending}")]

    async def deliveries(self, action: str) -> list[Delivery]:
        """The webhooks of one action, of the chat or of something in it."""
        found = await self.desk.giosg.deliveries()
        return [
            one for one in found if one.action == action and self.chat_id in (one.resource_id, *one.channel.split("/"))
        ]


async def is_worked_off(desk: Desk) -> bool:
    """Whether no webhook is left in the stream that the worker has not acknowledged."""
    count = 0
    for spec in webhook_consumers(SERVICE):
        info = await desk.backbone.connection.ask(f"CONSUMER.INFO.{WEBHOOK_STREAM}.{spec.name}")
        count += int(info["num_ack_pending"]) + int(info["num_pending"])
    return count == 0


async def begin(desk: Desk, text: str = "Hello") -> Talk:
    """A visitor whom the bot has handed over, and whose first text giosg has taken."""
    conversation = await desk.open()
    await desk.hand_over(conversation)
    await desk.say(conversation, text)
    talk = Talk(desk, conversation, await desk.chat_id(conversation))

    async def is_sent() -> bool:
        case = await talk.case()
        return bool(case.sent) and case.sending is None

    await poll(is_sent, within_s=15)
    return talk
