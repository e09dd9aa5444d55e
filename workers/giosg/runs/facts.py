"""Link facts that concern a desk become runs of it, so all that calls giosg for a session stands in one lane."""

from __future__ import annotations

from broker import codec
from broker.domain import headers as names
from broker.domain.events import Linked, Unlinked
from broker.domain.grammar import parse_conversation
from broker.domain.ids import ActionName, Stub
from broker.domain.subjects import Conversation, DeliverySubject, Kind
from broker.domain.wire import Body, dump, validate
from broker.runtime.deadletters import Original
from broker.runtime.loop import Work, token_after
from broker.transport.publisher import Publisher
from broker.transport.pull import Delivery
from broker.transport.topology import CONVERSATIONS, desk_facts_consumers
from workers.giosg.runs.run import RELEASED, TAKEN
from workers.giosg.telling.visitor import SERVICE

FACT_KEY = "link"
"""The member of a run's data that holds the fact."""
KINDS = (f".{Kind.LINKED}", f".{Kind.CANCELLED}", f".{Kind.EXPIRED}")


class HandleFact:
    """One fact, one or two runs, with ids of the fact's own place in the log."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    async def __call__(self, original: Original) -> None:
        """Tell the desks that a fact names.

        Raises:
            BackboneError: not now, or it is no fact of the linker's.
        """
        subject = parse_conversation(original.subject)
        conversation = subject.conversation
        assert conversation is not None  # noqa: S101 - only initialize has none, and is skipped
        if subject.kind is Kind.LINKED:
            linked = validate(Linked, codec.decode(original.data), what="link fact")
            if linked.replaces is not None:
                await self._run(conversation, linked.replaces, RELEASED, dump(linked), original)
            await self._run(conversation, linked.stub, TAKEN, dump(linked), original)
        else:
            unlinked = validate(Unlinked, codec.decode(original.data), what="link fact")
            await self._run(conversation, unlinked.stub, RELEASED, dump(unlinked), original)

    async def _run(
        self, conversation: Conversation, name: str, action: ActionName, fact: Body, original: Original
    ) -> None:
        stub = Stub.parse(name)
        if stub.service != SERVICE:
            return
        headers = {
            names.MESSAGE_ID: f"{conversation.session}-{original.sequence}{action}",
            names.CONTENT_TYPE: codec.MSGPACK,
            names.CONVERSATION: conversation.prefix,
            names.EVENT: str(original.sequence),
            names.KIND: original.subject.rpartition(".")[2],
        }
        run = codec.encode({"stubpost": {"message": "", "data": {FACT_KEY: fact}}})
        await self._publisher.store(str(DeliverySubject(conversation.path.org, stub, action)), run, headers)


def facts_work(publisher: Publisher, *, partitions: int, lease_s: int) -> Work:
    """What the worker consumes to hear of its links; the consumers must be there."""
    consumers = tuple(spec.name for spec in desk_facts_consumers(SERVICE, partitions))
    handle = HandleFact(publisher)
    return Work(CONVERSATIONS, consumers, handle, token_after("sessionuuid"), skip=_is_no_fact, lease_s=lease_s)


def _is_no_fact(delivery: Delivery) -> bool:
    return not delivery.subject.endswith(KINDS)
