"""`heimdall registrations`: which stub waits for what."""

from __future__ import annotations

import asyncio
from typing import Any

from rich.text import Text

from broker.cli.bus import ask
from broker.cli.options import DEMO_ORG, AsJson, NatsUrl, Org, nats_url_of, org_of
from broker.cli.terminal import Terminal, note, one_line
from broker.domain.ids import OrgId
from broker.domain.wire import Body

NAME = "registrations"


def command(org: Org = DEMO_ORG, *, as_json: AsJson = False, nats_url: NatsUrl = None) -> None:
    """List registrations: which stub waits for what.

    Oldest first: the first 'cbh' that matches takes the event.

    Example: heimdall registrations --json
    """
    checked = org_of(org)
    found = asyncio.run(_all(nats_url_of(nats_url), checked))
    out = Terminal(as_json=as_json)
    if out.as_json:
        for registration in found:
            out.record(registration)
        return
    if not found:
        note(f"org {checked} has no registrations: what nobody is linked to becomes a dead letter 'unrouted'")
        return
    for registration in found:
        stub, action, uuid = (one_line(str(registration.get(name))) for name in ("stub", "action", "uuid"))
        for mechanism, pattern in _wishes(registration):
            out.row(Text.assemble((stub, "bold"), f"  {action}  ", (mechanism, "cyan"), (f"  {uuid}", "dim")))
            out.aside(pattern)
        if (shadow := registration.get("shadowed_by")) is not None:
            out.aside(f"stands behind the older 'cbh' {one_line(str(shadow))}")


async def _all(url: str, org: OrgId) -> list[Body]:
    """Page after page, until there is none."""
    found: list[Body] = []
    wanted: Body = {}
    while True:
        reply = await ask(url, org, "registrations", wanted)
        found += [item for item in reply.get("registrations", []) if isinstance(item, dict)]
        if (after := reply.get("next")) is None:
            return found
        wanted = {"after": after}


def _wishes(registration: Body) -> list[tuple[str, str]]:
    """Mechanism and pattern (in NATS spelling) of each path; a path that is looked for in two forms shows the first."""
    events: Any = registration.get("events")
    return [(one_line(str(event["mechanism"])), str(event["patterns"][0])) for event in events.values()]
