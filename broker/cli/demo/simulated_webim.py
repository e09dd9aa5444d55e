"""The simulated Webim, and what the demo asks of it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from broker.cli.demo.standin import ControlPlane, Record, control_plane, standin_process

MODULE = "tests.standins.webim"


class SimulatedWebim:
    """One account of a Webim that is not there; the names of the orders are those of specs/webim.md section 9.3."""

    def __init__(self, url: str, control: ControlPlane) -> None:
        self.url = url
        self._control = control

    async def configure(self, **changes: object) -> None:
        """Set the account up."""
        await self._control.post("/config", changes)

    async def open_chat(self, **order: object) -> Record:
        """A visitor comes; the chat's id and the deliveries."""
        return await self._control.post("/chats", order)

    async def act(self, chat_id: object, what: str, **order: object) -> Record:
        """The visitor or an operator does something: ``visitor``, ``operator``, ``close``, ``return-to-bot``."""
        return await self._control.post(f"/chats/{chat_id}/{what}", order)

    async def chat(self, chat_id: object) -> Record:
        """The chat with its owner and its messages."""
        return await self._control.get(f"/chats/{chat_id}")


@contextlib.asynccontextmanager
async def simulated_webim(root: Path) -> AsyncIterator[SimulatedWebim]:
    """Run it until the end of the block.

    Raises:
        StandInFailedError: it does not start.
    """
    async with standin_process(root, MODULE) as ports:
        url = f"http://127.0.0.1:{ports['port']}"
        async with control_plane(url, "/_sim") as control:
            yield SimulatedWebim(url, control)
