"""Waits for a deployment's end, and tells meanwhile how far it has got: its log, line by line, beside the result."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Annotated, Any

import typer

from broker.cli.channels.asking import Adapter
from broker.cli.terminal import note, one_line
from broker.domain.wire import Body
from broker.errors import NoAnswerError, NoWorkerError

LOOK_EVERY_S = 0.5
UNTOUCHED_S = 10.0
"""Nobody has begun it by then: the worker that would is probably not there."""
WAIT_S = 900.0
OPEN = frozenset(("pending", "running"))
FAILED = 1

NoWait = Annotated[bool, typer.Option("--no-wait", help="Do not wait for the deployment's end.")]


async def ended(adapter: Adapter, channel_id: str, deployment_id: str) -> dict[str, Any]:
    """The deployment when it has ended, or as it is when this has taken too long.

    The worker that is asked may be started again meanwhile; the deployment goes on without it.
    """
    progress = _Progress()
    asked: Body = {"id": channel_id, "deployment_id": deployment_id}
    found: dict[str, Any] = {"id": deployment_id, "status": "pending"}
    while time.monotonic() < progress.began_s + WAIT_S:
        with contextlib.suppress(NoWorkerError, NoAnswerError):
            found = await adapter.ask("deployment", asked)
            progress.tell(found)
            if found.get("status") not in OPEN:
                return found
        await asyncio.sleep(LOOK_EVERY_S)
    note(f"{deployment_id} has not ended after {WAIT_S:.0f} s: see 'heimdall channels deployments {channel_id}'")
    return found


def exit_unless_succeeded(deployment: dict[str, Any], channel_id: str) -> None:
    """End with 1 where it failed, with the way on."""
    if deployment.get("status") == "succeeded":
        return
    if deployment.get("status") == "failed":
        error = one_line(str(deployment.get("error")))
        note(
            f"deployment {deployment.get('id')} failed with {error}: mend what its log says, then "
            f"'heimdall channels deploy {channel_id}'"
        )
    raise typer.Exit(FAILED)


class _Progress:
    """What was told already."""

    def __init__(self) -> None:
        self.began_s = time.monotonic()
        self._status = ""
        self._lines = 0
        self._warned = False

    def tell(self, deployment: dict[str, Any]) -> None:
        """What is new: the status, and whole lines of the log."""
        status = str(deployment.get("status"))
        if status != self._status:
            self._status = status
            note(f"deployment {deployment.get('id')} of {one_line(str(deployment.get('ref')))}: {status}")
        log = str(deployment.get("log") or "")
        lines = (log if status not in OPEN else log[: log.rfind("\n") + 1]).splitlines()
        for line in lines[self._lines :]:
            note(f"  {one_line(line)}")
        self._lines = max(self._lines, len(lines))
        if status == "pending" and not self._warned and time.monotonic() > self.began_s + UNTOUCHED_S:
            self._warned = True
            note("nobody has begun it yet: is a worker 'programs' there? 'heimdall worker programs' starts one")
