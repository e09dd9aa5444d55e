"""The desk's link to a conversation: taken, looked at, given back to the stub that had it before."""

from __future__ import annotations

from broker import codec
from broker.domain import headers as names
from broker.domain.deliveries import default_feedback_action
from broker.domain.desks import DeskEvent
from broker.domain.ids import ChannelName, OrgId, SessionId, Stub
from broker.domain.subjects import DeliverySubject, Kind
from broker.domain.wire import Body, dump
from broker.transport.links import LiveLink, live_link
from broker.transport.publisher import Publisher
from broker.transport.records import Records
from workers.giosg.cases.case import Case
from workers.giosg.telling.visitor import SERVICE, conversation_of, stub_name

FEEDBACK_ACTION = default_feedback_action(ChannelName(SERVICE))
"""What runs on the stub that handed over, to tell it what became of the conversation: ``_update_from_giosg``."""
DATA_KEY = "_incoming_giosg_data"


class Links:
    """Sets and ends links as any stub does; ids make the same wish, said again, one wish."""

    def __init__(self, publisher: Publisher, stubsessions: Records) -> None:
        self._publisher = publisher
        self._stubsessions = stubsessions

    async def live(self, case: Case, *, now_ms: int) -> LiveLink | None:
        """The conversation's live link, whoever has it."""
        return await live_link(self._stubsessions, OrgId(case.org), SessionId(case.session), now_ms=now_ms)

    async def is_ours(self, case: Case, *, now_ms: int) -> bool:
        """Whether the desk has the conversation now, by a link that the case knows of.

        A newer one is another hand-over: it is not to be ended with the chat before.
        """
        link = await self.live(case, now_ms=now_ms)
        return link is not None and str(link.stub) == stub_name(case.connection) and link.epoch <= case.epoch

    async def take(self, case: Case, *, hours: float, event_id: str) -> int:
        """Have the conversation for so long from now on; the epoch of that link."""
        return await self._set(case, stub_name(case.connection), hours=hours, event_id=event_id)

    async def give_back(self, case: Case, *, hours: float, event_id: str) -> int:
        """Let the stub that handed over have it again; the epoch of its link."""
        assert case.giver is not None  # noqa: S101 - asked by whoever calls
        return await self._set(case, case.giver, hours=hours, event_id=event_id)

    async def release(self, case: Case, *, event_id: str) -> None:
        """End the desk's own link, and nobody else's."""
        task: Body = {"operation": "delete", "sessionuuid": case.session, "only_of": stub_name(case.connection)}
        await self._task(case, Kind.DELETE, task, event_id)

    async def tell_giver(self, case: Case, event: DeskEvent, *, event_id: str, text: str = "") -> None:
        """Run ``_update_from_giosg`` on the stub that handed over.

        ``text``: what the visitor wrote meanwhile and nobody took.
        """
        assert case.giver is not None  # noqa: S101 - asked by whoever calls
        data: Body = {**dump(event), "sessionuuid": case.session, "connection": case.connection}
        run = {"stubpost": {"message": text, "data": {DATA_KEY: data}}}
        subject = DeliverySubject(OrgId(case.org), Stub.parse(case.giver), FEEDBACK_ACTION)
        headers = self._headers(case, event_id) | {names.CONVERSATION: conversation_of(case).prefix}
        await self._publisher.store(str(subject), codec.encode(run), headers)

    async def _set(self, case: Case, stub: str, *, hours: float, event_id: str) -> int:
        task: Body = {"operation": "set", "sessionuuid": case.session, "stubref": stub}
        task["set_new_with_timeout_hours"] = hours
        return await self._task(case, Kind.SET, task, event_id)

    async def _task(self, case: Case, kind: Kind, task: Body, event_id: str) -> int:
        """Where it stands in the log; for one that stood there before, the place of that."""
        conversation = conversation_of(case)
        channel = conversation.path.channel
        body = codec.encode({"params": {"platform": channel, channel: task}})
        stored = await self._publisher.store(conversation.subject(kind), body, self._headers(case, event_id))
        return stored.sequence

    def _headers(self, case: Case, event_id: str) -> dict[str, str]:
        return {
            names.MESSAGE_ID: f"{case.session}-giosg-{event_id}",
            names.CONTENT_TYPE: codec.MSGPACK,
            names.STUB: stub_name(case.connection),
        }
