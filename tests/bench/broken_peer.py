"""A bare loop that breaks promises on purpose, so that a test sees the checker find them; never a contestant.

Of each session it loses message 3, sends message 5 twice, and sends message 8 after 9.
"""

from __future__ import annotations

import asyncio

from nats.aio.client import Client
from nats.aio.msg import Msg

from broker.cli.bench.contestants.bare import Bare
from broker.cli.bench.contestants.bus import PullLoop
from broker.cli.bench.contestants.peer import Told
from broker.cli.bench.crowd import marked
from broker.transport.topology import CONVERSATIONS


class Broken(Bare):
    """Routes what it is given, but not all that it is given, and some of it twice."""

    def __init__(self, client: Client, org: str) -> None:
        super().__init__(client, org)
        self._kept: dict[str, Msg] = {}

    async def _route(self, session: str, message: Msg) -> None:
        found = marked(message.data)
        number = -1 if found is None else found.number
        if number == 3:
            return
        if number == 8:
            self._kept[session] = message
            return
        await super()._route(session, message)
        again = message if number == 5 else self._kept.pop(session, None) if number == 9 else None
        if again is not None:
            link, _ = self._links[session]
            await self._window.store(link.target, again.data, {})


async def main() -> None:
    """Route, after a fashion, until the process is ended."""
    told = Told.read()
    client = Client()
    await client.connect(told.url, name="broken")
    broken = Broken(client, told.org)
    await broken.open()
    await asyncio.gather(*(PullLoop(client, CONVERSATIONS, name, broken.accept).start() for name in told.consumers))
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
