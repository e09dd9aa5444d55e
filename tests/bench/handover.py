"""How long routing stands still when linkers join, leave, die or hang, and when the server restarts.

    python tests/bench/handover.py [--rounds 5] [--sessions 150] [--rate 300] [--lease 2]

Real linkers on a server of their own, under steady traffic. "longest wait" is that of one message, from the log to its
stub: how long routing stood still for the partitions that moved. "longest silence" is without any delivery at all, a
server's absence included. Both by the server's clock. A round with anything lost, doubled or reordered has no figure.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import logging
import os
import signal
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import structlog

from broker.runtime.embedded import EmbeddedServer, nats_server
from broker.transport.connection import connect
from broker.transport.ensure import ensure
from broker.transport.publisher import open_publisher
from tests.integration.routing.conftest import Chat
from tests.integration.routing.traffic import Routed, Traffic
from tests.processes import free_port, worker_process

BEFORE_MS = 100
"""What was said just before the event may be held up by it as well."""
WATCH_S = 4.0
"""After each event; longer than any figure that may come out."""
STILL_S = 1.0


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to the linkers, and the span in which its effects fall."""

    name: str
    moved: int
    at_ms: int
    until_ms: int


@dataclass(frozen=True, slots=True)
class Figures:
    """What one event cost."""

    moved: int
    waited_ms: int
    silent_ms: int


class Round:
    """One server, its linkers and its traffic, from the first linker to the check at the end."""

    def __init__(self, server: EmbeddedServer, traffic: Traffic, linkers: ExitStack, *, lease_s: int) -> None:
        self.events: list[Event] = []
        self._server = server
        self._traffic = traffic
        self._linkers = linkers
        self._lease_s = lease_s

    async def run(self) -> list[Event]:
        """All the events, one after another."""
        first = await self._start()
        await self._traffic.link_all()
        async with self._traffic.talking():
            await asyncio.sleep(STILL_S)
            await self._watch("a second linker joins", self._start)
            await self._watch("a third linker joins", self._start)
            await self._watch("SIGTERM to one of three", lambda: self._signal(first, signal.SIGTERM))
            fourth = await self._start()
            await asyncio.sleep(STILL_S)
            await self._watch("kill -9 of one of three", lambda: self._signal(fourth, signal.SIGKILL))
            fifth = await self._start()
            await asyncio.sleep(STILL_S)
            await self._watch("SIGSTOP of one of three", lambda: self._signal(fifth, signal.SIGSTOP))
            await self._watch("SIGCONT of the same", lambda: self._signal(fifth, signal.SIGCONT))
            await self._watch("server kill -9 and start", self._restart)
        await self._traffic.expect_everything_once_in_order()
        return self.events

    async def _watch(self, name: str, act: Callable[[], Awaitable[object]]) -> None:
        before = await self._traffic.owners()
        at_ms = time.time_ns() // 1_000_000
        await act()
        await asyncio.sleep(WATCH_S)
        after = await self._traffic.owners()
        moved = sum(before.get(partition) != owner for partition, owner in after.items())
        self.events.append(Event(name, moved, at_ms, time.time_ns() // 1_000_000))

    async def _start(self) -> int:
        linker = worker_process(
            "linker", self._server.url, HEIMDALL_LOG_LEVEL="error", HEIMDALL_LEASE_S=str(self._lease_s)
        )
        return (await asyncio.to_thread(self._linkers.enter_context, linker)).pid

    async def _signal(self, pid: int, number: signal.Signals) -> None:
        os.kill(pid, number)

    async def _restart(self) -> None:
        await self._server.kill()
        await self._server.start()


def main() -> None:
    """Run the rounds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="how often everything happens (default 5)")
    parser.add_argument("--sessions", type=int, default=150, help="linked sessions that talk (default 150)")
    parser.add_argument("--rate", type=float, default=300, help="messages a second, all together (default 300)")
    parser.add_argument("--lease", type=int, default=2, help="HEIMDALL_LEASE_S of the linkers (default 2)")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))  # the table speaks
    found: dict[str, list[Figures]] = defaultdict(list)
    for number in range(arguments.rounds):
        for name, figures in asyncio.run(one_round(arguments)).items():
            found[name].append(figures)
        print(f"round {number + 1} of {arguments.rounds}: nothing lost, doubled or reordered", flush=True)
    print_table(found)


async def one_round(arguments: argparse.Namespace) -> dict[str, Figures]:
    """Figures by event."""
    with tempfile.TemporaryDirectory() as folder:
        async with (
            nats_server(Path(folder), port=free_port()) as server,
            connect(server.url, name="bench") as connection,
            open_publisher(connection, timeout_s=1) as publisher,
        ):
            await ensure(connection)
            chat = Chat(connection, publisher, str(uuid4()))
            traffic = Traffic(chat, sessions=arguments.sessions, rate_per_s=arguments.rate)
            with ExitStack() as linkers:
                events = await Round(server, traffic, linkers, lease_s=arguments.lease).run()
            routed = await traffic.routed()
    return {event.name: figures_of(event, routed) for event in events}


def figures_of(event: Event, routed: list[Routed]) -> Figures:
    """What the messages around the event say."""
    until_ms = event.until_ms - STILL_S * 1000
    around = [one for one in routed if event.at_ms - BEFORE_MS <= one.said_at_ms <= until_ms]
    moments = sorted(one.delivered_at_ms for one in around)
    return Figures(
        event.moved,
        max(one.delivered_at_ms - one.said_at_ms for one in around),
        max(later - earlier for earlier, later in itertools.pairwise(moments)),
    )


def print_table(found: dict[str, list[Figures]]) -> None:
    """One row an event."""
    print(f"\n{'event':28}{'partitions moved':>18}{'longest wait, ms':>22}{'longest silence, ms':>22}")
    print(f"{'':28}{'median':>18}{'median':>14}{'max':>8}{'median':>14}{'max':>8}")
    for name, rounds in found.items():
        moved = statistics.median(one.moved for one in rounds)
        waited, silent = [one.waited_ms for one in rounds], [one.silent_ms for one in rounds]
        print(
            f"{name:28}{moved:>18.0f}{statistics.median(waited):>14.0f}{max(waited):>8}"
            f"{statistics.median(silent):>14.0f}{max(silent):>8}"
        )


if __name__ == "__main__":
    main()
