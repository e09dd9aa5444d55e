"""FastStream at its best in-order setting: the same job as the bare loop, written as its documentation shows it.

    python -m broker.cli.bench.contestants.faststream_router <url> <org> <consumers> push|pull|batch|single

In order it runs one message of a subscriber at a time, for it has no lanes: with 16 partitions 16 at a time.
``push``: a push consumer per partition, its callback one message after another. ``pull``: batches of one. ``batch``:
batches handed over whole, worked through one by one, acknowledged together; now and then nats-py's fetch() drops what
comes at the end of its wait, and the server hands that out again half a minute later, out of order. ``single``: one
push consumer for all partitions, what order costs without them. Types, logs and telemetry are off.
"""

from __future__ import annotations

import asyncio

from faststream import AckPolicy, FastStream
from faststream.nats import ConsumerConfig, JStream, NatsBroker, PullSub
from faststream.nats.message import NatsBatchMessage, NatsMessage
from nats.aio.msg import Msg
from nats.js.kv import KeyValue

from broker.cli.bench.contestants.peer import Link, Told, link_key, session_of
from broker.runtime.main import event_loop
from broker.transport.topology import CONVERSATIONS, DELIVERIES, STUBSESSIONS

BATCH = 100
BATCH_WAIT_S = 1.0


class Router:
    """What its handler does with one message."""

    def __init__(self, broker: NatsBroker, org: str) -> None:
        self._broker = broker
        self._org = org
        self._links: dict[str, tuple[Link, int]] = {}
        self._bucket: KeyValue | None = None

    async def open(self) -> None:
        """Bind the bucket; it exists."""
        self._bucket = await self._broker.key_value(STUBSESSIONS, declare=False)

    async def one(self, message: NatsMessage) -> None:
        """Handle a single message; FastStream acknowledges it afterwards."""
        await self.route(message.raw_message)

    async def many(self, batch: NatsBatchMessage) -> None:
        """Handle a batch in its order; FastStream acknowledges all of it afterwards."""
        for message in batch.raw_message:
            await self.route(message)

    async def route(self, message: Msg) -> None:
        """Publish with an id, then write the link by compare-and-set."""
        assert self._bucket is not None  # noqa: S101 - opened before the start
        session = session_of(message.subject)
        key = link_key(self._org, session)
        if (known := self._links.get(session)) is None:
            entry = await self._bucket.get(key)
            assert entry.value is not None  # noqa: S101 - every session is linked
            known = Link.load(entry.value), int(entry.revision or 0)
        link, revision = known
        sequence, stored_at_ms = message.metadata.sequence.stream, message.metadata.timestamp.timestamp() * 1000
        if sequence > link.last_sequence and stored_at_ms < link.expires_at_ms:
            headers = {"Nats-Msg-Id": f"{session}-{sequence}"}
            await self._broker.publish(message.data, link.target, headers=headers, stream=DELIVERIES)
            link = link._replace(last_sequence=sequence)
            self._links[session] = link, await self._bucket.update(key, link.dump(), last=revision)


async def whole(message: NatsMessage) -> NatsMessage:
    """Decode nothing: the body is forwarded as it is."""
    return message


def _subscribe(broker: NatsBroker, router: Router, setting: str, subject: str, consumer: str) -> None:
    """One subscriber."""
    stream = JStream(CONVERSATIONS, declare=False)
    policy = AckPolicy.NACK_ON_ERROR
    if setting in {"push", "single"}:
        config = ConsumerConfig(max_ack_pending=1_000, ack_wait=30)
        durable = f"push-{consumer}"
        broker.subscriber(subject, stream=stream, durable=durable, config=config, ack_policy=policy)(router.one)
    elif setting == "pull":
        one = PullSub(1)
        broker.subscriber(subject, stream=stream, durable=consumer, pull_sub=one, ack_policy=policy)(router.one)
    else:
        some = PullSub(BATCH, BATCH_WAIT_S, batch=True)
        broker.subscriber(subject, stream=stream, durable=consumer, pull_sub=some, ack_policy=policy)(router.many)


async def main() -> None:
    """Route until the process is ended."""
    told = Told.read()
    setting = told.more[0]
    broker = NatsBroker(told.url, apply_types=False, logger=None, decoder=whole, pending_size=8 << 20)
    router = Router(broker, told.org)
    subjects = ["p.*.>"] if setting == "single" else [f"p.{number}.>" for number in range(len(told.consumers))]
    for subject, consumer in zip(subjects, told.consumers, strict=False):
        _subscribe(broker, router, setting, subject, consumer)
    app = FastStream(broker, logger=None, on_startup=[broker.connect, router.open])
    await app.run()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=event_loop) as runner:
        runner.run(main())
