"""A bare stub: pulls the runs of service ``bench``, and answers each with a notification that carries its mark.

    python -m broker.cli.bench.contestants.stub <url> <org> <consumers>

No kit: what is measured is the way of a message, not what a program does with it. The run is acknowledged once the
answer is stored, and the answer's id derives from the run's.
"""

from __future__ import annotations

import asyncio
import re

from nats.aio.client import Client
from nats.aio.msg import Msg

from broker.cli.bench.contestants.bus import PullLoop, Window
from broker.cli.bench.contestants.peer import Told
from broker.cli.bench.crowd import CHANNEL, SERVICE, Crowd, marked
from broker.codec import MSGPACK, encode
from broker.domain import headers as names
from broker.domain.ids import OrgId, SessionId
from broker.domain.subjects import Kind
from broker.runtime.main import event_loop
from broker.transport.topology import DELIVERIES

SESSION = re.compile(rb"sessionuuid[^0-9a-f]{1,2}([0-9a-f-]{36})")
"""In msgpack the value follows its name; both the linker's run and a forwarded body have it."""
STUBREF_TOKEN = 9
"""Where the stubref stands in a stored run's subject."""


class Stub:
    """Answers runs in the order in which they come."""

    def __init__(self, client: Client, org: str) -> None:
        self._client = client
        self._path = Crowd(OrgId(org), 0).path
        self._window = Window(client)
        self._runs: asyncio.Queue[Msg] = asyncio.Queue()

    async def open(self) -> None:
        """Be ready for runs."""
        await self._window.open()

    def accept(self, message: Msg) -> None:
        """Queue one run."""
        self._runs.put_nowait(message)

    async def answer_for_ever(self) -> None:
        """Publish the answers one after another; each is acknowledged in its own time."""
        while True:
            await self._answer(await self._runs.get())

    async def _answer(self, run: Msg) -> None:
        found, mark = SESSION.search(run.data), marked(run.data)
        assert found is not None, "every run is about a session"  # noqa: S101
        assert mark is not None, "every run carries a mark"  # noqa: S101
        session = SessionId(found[1].decode())
        message = {"type": "text", "value": mark.mark}
        body = encode({"platforms": {CHANNEL: {"sessionuuid": session, "webchat_message": message}}})
        headers = {
            names.MESSAGE_ID: f"{session}-a{mark.number}",
            names.CONTENT_TYPE: MSGPACK,
            names.STUB: f"{SERVICE}.{run.subject.split('.')[STUBREF_TOKEN]}",
        }
        subject = self._path.conversation(session).subject(Kind.NOTIFICATION)
        ack = await self._window.submit(subject, body, headers)
        ack.add_done_callback(lambda _: asyncio.ensure_future(self._client.publish(run.reply, b"")))


async def main() -> None:
    """Answer until the process is ended."""
    told = Told.read()
    client = Client()
    await client.connect(told.url, name="stub", pending_size=8 << 20)
    stub = Stub(client, told.org)
    await stub.open()
    await asyncio.gather(*(PullLoop(client, DELIVERIES, name, stub.accept).start() for name in told.consumers))
    await stub.answer_for_ever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=event_loop) as runner:
        runner.run(main())
