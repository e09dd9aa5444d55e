"""`heimdall stubs close`: a stub answers no more; its links and registrations go."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer
from rich.text import Text

from broker.cli.bus import connected
from broker.cli.options import DEMO_ORG, AsJson, NatsUrl, Org, nats_url_of, org_of
from broker.cli.terminal import Terminal
from broker.codec import encode
from broker.domain.ids import OrgId, Stub
from broker.domain.subjects import CommandSubject
from broker.domain.wire import Body
from broker.transport.commands import request_command

CLOSE_WAIT_S = 60.0
"""The linker looks twice, and a stub may have thousands of links."""


def command(
    stub: Annotated[str, typer.Argument(help="The stub, <service>.<stubref>.", show_default=False)],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    org: Org = DEMO_ORG,
    as_json: AsJson = False,
    nats_url: NatsUrl = None,
) -> None:
    """Close a stub: its links end, its registrations are forgotten, and it gets no new ones. Asks first.

    What its visitors write from then on goes the unlinked way. The data that its service keeps stay.

    Example: heimdall stubs close demo.2024-11-11-ABCD --yes
    """
    chosen, checked = Stub.parse(stub), org_of(org)
    if not yes:
        if not sys.stdin.isatty():
            raise typer.BadParameter("a closed stub takes no conversations: say --yes where nobody can be asked")
        typer.confirm(f"Close stub {chosen} for good?", abort=True, err=True)
    closed = asyncio.run(_close(nats_url_of(nats_url), checked, chosen))
    out = Terminal(as_json=as_json)
    if out.as_json:
        out.record(closed)
        return
    facts = f"  {closed['links']} links ended, {closed['registrations']} registrations forgotten"
    out.row(Text.assemble(("closed", "bold green"), f" {chosen}", (facts, "dim")))


async def _close(url: str, org: OrgId, stub: Stub) -> Body:
    async with connected(url) as connection:
        subject = CommandSubject(org, "stubclose")
        return await request_command(connection, subject, encode({"stub": str(stub)}), wait_s=CLOSE_WAIT_S)
