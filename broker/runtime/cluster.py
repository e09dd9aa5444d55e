"""Three real nats-servers as one JetStream cluster on loopback, for the tests of what a single one cannot show."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from broker.errors import BackboneError, ServerFailedError
from broker.runtime.embedded import LOOPBACK, EmbeddedServer, configuration, free_ports
from broker.transport.connection import connect

SERVERS = 3
LEADER_WAIT_S = 30.0
POLL_S = 0.1


class Cluster:
    """Servers that keep their ports and data over any number of starts; ``url`` names all of them."""

    def __init__(self, data_dir: Path, count: int = SERVERS) -> None:
        ports = free_ports(2 * count)
        clients, routes = ports[:count], ports[count:]
        known = ", ".join(f'"nats-route://{LOOPBACK}:{port}"' for port in routes)
        self.servers = [
            EmbeddedServer(
                place := data_dir / f"server-{number}",
                client,
                configuration(place, client, jetstream=True)
                + f'cluster {{ name: "heimdall", listen: "{LOOPBACK}:{route}", routes: [{known}] }}\n',
            )
            for number, (client, route) in enumerate(zip(clients, routes, strict=True))
        ]
        self.url = ",".join(server.url for server in self.servers)

    async def start(self) -> None:
        """Return when the cluster has a leader and takes streams.

        Raises:
            ServerFailedError: one of them ended, or there is no leader in time.
        """
        await asyncio.gather(*(server.start() for server in self.servers))
        await self.wait_led()

    async def stop(self) -> None:
        """End all of them."""
        await asyncio.gather(*(server.stop() for server in self.servers))

    async def wait_led(self) -> None:
        """Return when the JetStream API answers: then the cluster has elected its leader.

        Raises:
            ServerFailedError: it has not within half a minute.
        """
        await self._answered("STREAM.NAMES", lambda _: True)

    async def leader_of(self, stream: str) -> EmbeddedServer:
        """The server that leads a stream, as soon as one does.

        Raises:
            ServerFailedError: none does within half a minute.
        """
        by_name = {server.name: server for server in self.servers}
        return by_name[_leader(await self._answered(f"STREAM.INFO.{stream}", lambda found: _leader(found) in by_name))]

    async def _answered(self, question: str, enough: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The answer of the JetStream API, asked again and again: without a leader it is silent, or refuses."""
        deadline_s = asyncio.get_running_loop().time() + LEADER_WAIT_S
        while asyncio.get_running_loop().time() < deadline_s:
            with contextlib.suppress(BackboneError):
                async with connect(self.url, name="cluster") as connection:
                    if enough(found := await connection.ask(question, wait_s=1.0)):
                        return found
            await asyncio.sleep(POLL_S)
        raise ServerFailedError(f"the cluster has no leader that answers {question} for {LEADER_WAIT_S:.0f} s")

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


def _leader(info: dict[str, Any]) -> str:
    return str((info.get("cluster") or {}).get("leader", ""))
