"""The visitors as a process of their own: ``python -m broker.cli.bench.visitors <url> <org> <sessions> ...``."""

from __future__ import annotations

import asyncio
import sys

from broker.cli.bench.crowd import Crowd, plan, say
from broker.domain.ids import OrgId
from broker.runtime.main import event_loop
from broker.transport.connection import connect
from broker.transport.publisher import open_publisher


async def main(url: str, org: str, *numbers: str) -> None:
    """Publish as many messages as the numbers tell (sessions, messages, seed, size), then end."""
    sessions, count, seed, size = map(int, numbers)
    async with connect(url, name="visitors") as connection, open_publisher(connection, timeout_s=30.0) as publisher:
        await say(publisher, Crowd(OrgId(org), sessions), plan(range(sessions), count, seed), size, seed=seed)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=event_loop) as runner:
        runner.run(main(*sys.argv[1:]))
