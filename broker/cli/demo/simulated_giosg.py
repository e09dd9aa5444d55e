"""The simulated giosg, and what the demo asks of it: the organization's set-up, and what an agent does."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from broker.cli.demo.standin import ControlPlane, Record, control_plane, standin_process

MODULE = "tests.standins.giosg"
CHANNEL = "/api/v5/orgs/{organization_id}/owned_chats"


class SimulatedGiosg:
    """One organization of a giosg that is not there; its console is a page for an agent."""

    def __init__(self, url: str, control_url: str, control: ControlPlane) -> None:
        self.url = url
        self.console_url = f"{control_url}/console/"
        self._control = control

    async def set_up(self, *, api_token: str, webhooks_url: str, secret: str) -> None:
        """What an administrator does: an API token, and the two webhooks of the tutorial."""
        await self._control.post("/api-tokens", {"tokens": [api_token]})
        subscriptions = [
            {"channel": channel, "url": f"{webhooks_url}/{name}?secret={secret}"}
            for name, channel in (("chats", CHANNEL), ("messages", f"{CHANNEL}/*/messages"))
        ]
        await self._control.post("/config", {"webhooks": {"subscriptions": subscriptions}})

    async def organization_id(self) -> str:
        """The organization's uuid."""
        return str((await self._control.get("/config"))["organization_id"])

    async def room_id(self) -> str:
        """The uuid of its room."""
        return str((await self._control.get("/rooms"))["rooms"][0]["id"])

    async def chats(self) -> list[Record]:
        """All chats with their messages, the oldest first."""
        found: list[Record] = (await self._control.get("/chats"))["chats"]
        return found

    async def act(self, chat_id: str, what: str, **order: object) -> None:
        """The agent does something: ``join``, ``say``, ``leave``, ``end``."""
        await self._control.post(f"/chats/{chat_id}/{what}", order)


@contextlib.asynccontextmanager
async def simulated_giosg(root: Path) -> AsyncIterator[SimulatedGiosg]:
    """Run it until the end of the block.

    Raises:
        StandInFailedError: it does not start.
    """
    async with standin_process(root, MODULE) as ports:
        url, control_url = (f"http://127.0.0.1:{ports[name]}" for name in ("port", "control_port"))
        async with control_plane(control_url) as control:
            yield SimulatedGiosg(url, control_url, control)
