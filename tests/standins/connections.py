"""A stand-in's HTTP server: it leaves signals alone, and can drop a caller's connection in the middle of a call."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

_OPEN: dict[tuple[str, int], asyncio.Transport] = {}


class Server(uvicorn.Server):
    """uvicorn without its own signal handlers, which would end the process by the signal."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield


class TrackedProtocol(H11Protocol):
    """uvicorn's own, and it is remembered which connection is whose: ASGI has no way to break one off."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Remember it."""
        super().connection_made(transport)
        if self.client is not None:
            _OPEN[self.client] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        if self.client is not None:
            _OPEN.pop(self.client, None)
        super().connection_lost(exc)


def drop(client: tuple[str, int]) -> None:
    """Break a caller's connection off, with nothing said."""
    transport = _OPEN.get(client)
    if transport is not None:
        transport.abort()
