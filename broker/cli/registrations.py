"""`heimdall registrations`: which stub waits for what."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer
from rich.text import Text

from broker.cli.bus import ask
from broker.cli.options import DEMO_ORG, AsJson, NatsUrl, Org, nats_url_of, org_of
from broker.cli.terminal import Terminal, date_and_time, note, one_line
from broker.domain.ids import OrgId, Stub
from broker.domain.wire import Body

NAME = "registrations"


def command(
    org: Org = DEMO_ORG,
    *,
    stub: Annotated[str | None, typer.Option(help="Only those of this stub, as <service>.<stubref>.")] = None,
    as_json: AsJson = False,
    nats_url: NatsUrl = None,
) -> None:
    """List registrations: which stub waits for what.

    Oldest first: the first 'cbh' that matches takes the event.

    Example: heimdall registrations --json
    """
    checked = org_of(org)
    of_stub: Body = {} if stub is None else {"stub": str(Stub.parse(stub))}
    found = asyncio.run(_all(nats_url_of(nats_url), checked, of_stub))
    out = Terminal(as_json=as_json)
    if out.as_json:
        for registration in found:
            out.record(registration)
        return
    if not found and stub is None:
        note(f"org {checked} has no registrations: what nobody is linked to becomes a dead letter 'unrouted'")
    elif not found:
        note(f"stub {one_line(str(stub))} of org {checked} has no registrations")
    for registration in found:
        _show(registration, out)


def _show(registration: Body, out: Terminal) -> None:
    """A row and its pattern for each path, then what else there is to know."""
    stub, action, uuid = (one_line(str(registration.get(name))) for name in ("stub", "action", "uuid"))
    for mechanism, pattern in _wishes(registration):
        out.row(Text.assemble((stub, "bold"), f"  {action}  ", (mechanism, "cyan"), (f"  {uuid}", "dim")))
        out.aside(pattern)
    if isinstance(until_ms := registration.get("until_ms"), int):
        out.aside(f"fires once, waits until {date_and_time(until_ms)}")
    if (shadow := registration.get("shadowed_by")) is not None:
        out.aside(f"stands behind the older 'cbh' {one_line(str(shadow))}")


async def _all(url: str, org: OrgId, wanted: Body) -> list[Body]:
    """Page after page, until there is none."""
    found: list[Body] = []
    after: Body = {}
    while True:
        reply = await ask(url, org, "registrations", {**wanted, **after})
        found += [item for item in reply.get("registrations", []) if isinstance(item, dict)]
        if (place := reply.get("next")) is None:
            return found
        after = {"after": place}


def _wishes(registration: Body) -> list[tuple[str, str]]:
    """Mechanism and pattern (in NATS spelling) of each path; a path that is looked for in two forms shows the first."""
    events: Any = registration.get("events")
    return [(one_line(str(event["mechanism"])), str(event["patterns"][0])) for event in events.values()]
