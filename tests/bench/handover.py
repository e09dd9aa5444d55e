"""How long routing stands still when linkers join, leave, die or hang, and when the server restarts.

    python tests/bench/handover.py [--rounds 5] [--sessions 150] [--rate 300]

Real linkers on a server of their own, under steady traffic. "routing again" is from the event until the last message
that was held up by it (for more than 100 ms) is with its stub; "longest wait" is that of one message, from the log
to its stub. Both by the server's clock. A round in which anything was lost, doubled or reordered has no figure.
"""

from __future__ import annotations

import argparse
import asyncio
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

HELD_UP_MS = 100
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
    again_ms: int
    longest_ms: int


class Round:
    """One server, its linkers and its traffic, from the first linker to the check at the end."""

    def __init__(self, server: EmbeddedServer, traffic: Traffic, linkers: ExitStack) -> None:
        self.events: list[Event] = []
        self._server = server
        self._traffic = traffic
        self._linkers = linkers

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
        linker = worker_process("linker", self._server.url, HEIMDALL_LOG_LEVEL="error")
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
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))  # the table speaks
    found: dict[str, list[Figures]] = defaultdict(list)
    for number in range(arguments.rounds):
        for name, figures in asyncio.run(one_round(arguments.sessions, arguments.rate)).items():
            found[name].append(figures)
        print(f"round {number + 1} of {arguments.rounds}: nothing lost, doubled or reordered", flush=True)
    print_table(found)


async def one_round(sessions: int, rate_per_s: float) -> dict[str, Figures]:
    """Figures by event."""
    with tempfile.TemporaryDirectory() as folder:
        async with (
            nats_server(Path(folder), port=free_port()) as server,
            connect(server.url, name="bench") as connection,
            open_publisher(connection, timeout_s=1) as publisher,
        ):
            await ensure(connection)
            traffic = Traffic(Chat(connection, publisher, str(uuid4())), sessions=sessions, rate_per_s=rate_per_s)
            with ExitStack() as linkers:
                events = await Round(server, traffic, linkers).run()
            routed = await traffic.routed()
    return {event.name: figures_of(event, routed) for event in events}


def figures_of(event: Event, routed: list[Routed]) -> Figures:
    """What the messages around the event say."""
    around = [one for one in routed if event.at_ms - HELD_UP_MS <= one.said_at_ms <= event.until_ms - STILL_S * 1000]
    waits = [one.delivered_at_ms - one.said_at_ms for one in around]
    held_up = [one.delivered_at_ms for one in around if one.delivered_at_ms - one.said_at_ms > HELD_UP_MS]
    return Figures(event.moved, max(0, max(held_up, default=event.at_ms) - event.at_ms), max(waits))


def print_table(found: dict[str, list[Figures]]) -> None:
    """One row an event."""
    print(f"\n{'event':28}{'partitions moved':>18}{'routing again, ms':>22}{'longest wait, ms':>22}")
    print(f"{'':28}{'median':>18}{'median':>14}{'max':>8}{'median':>14}{'max':>8}")
    for name, rounds in found.items():
        moved = statistics.median(one.moved for one in rounds)
        again, longest = [one.again_ms for one in rounds], [one.longest_ms for one in rounds]
        print(
            f"{name:28}{moved:>18.0f}{statistics.median(again):>14.0f}{max(again):>8}"
            f"{statistics.median(longest):>14.0f}{max(longest):>8}"
        )


if __name__ == "__main__":
    main()
