"""`heimdall stubs`: the stubs that services keep, and what one of them knows."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from rich.text import Text
from typer.core import TyperGroup

from broker.cli import stubs_close
from broker.cli.bus import connected
from broker.cli.options import DEMO_ORG, AsJson, NatsUrl, Org, nats_url_of, org_of
from broker.cli.terminal import Columns, Terminal, date_and_time, note, one_line
from broker.codec import decode, to_json
from broker.domain.ids import OrgId, ServiceName, Stub, service_name
from broker.domain.wire import Body, dump, validate
from broker.errors import BackboneError, NotFoundError
from broker.kit.records import StubRecord, stub_key, stubs_bucket
from broker.transport.connection import Connection
from broker.transport.publisher import open_publisher
from broker.transport.records import Records
from broker.transport.topology import stream_of

NAME = "stubs"
SHOW = "show"


class ShowUnlessNamed(TyperGroup):
    """What is no command of the group is for ``show``, so a stub's name alone shows it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # the class that typer means is not public
        """Put ``show`` in front, but for a command of the group and for its help."""
        named = bool(args) and (args[0] in self.commands or args in [[name] for name in ctx.help_option_names])
        return super().parse_args(ctx, args if named else [SHOW, *args])


app = typer.Typer(cls=ShowUnlessNamed, help="List the stubs of an org, show one with its data, or close one.")


@dataclass(frozen=True, slots=True)
class Kept:
    """One stub as its service keeps it."""

    stub: Stub
    record: StubRecord

    def shown(self) -> Body:
        """The stub for a pipe."""
        return {"stub": str(self.stub), **dump(self.record)}


@app.command(SHOW)
def show(
    stub: Annotated[str | None, typer.Argument(help="One stub, <service>.<stubref>; else all of them.")] = None,
    *,
    service: Annotated[str | None, typer.Option(help="Only the stubs of this service.")] = None,
    org: Org = DEMO_ORG,
    as_json: AsJson = False,
    nats_url: NatsUrl = None,
) -> None:
    """List the stubs of an org, or show one with its data; the word 'show' may be left out.

    Example: heimdall stubs --service demo
    Example: heimdall stubs demo.2024-11-11-ABCD
    """
    checked, url, out = org_of(org), nats_url_of(nats_url), Terminal(as_json=as_json)
    if stub is not None:
        _show_one(asyncio.run(_one(url, checked, Stub.parse(stub))), out)
        return
    only = None if service is None else service_name(service)
    _show_all(asyncio.run(_all(url, checked, only)), checked, out)


async def _one(url: str, org: OrgId, stub: Stub) -> Kept:
    async with connected(url) as connection, open_publisher(connection) as publisher:
        if stub.service in await _services(connection):
            found = await Records(connection, publisher, stubs_bucket(stub.service)).read(stub_key(org, stub.ref))
            if found.value is not None:
                return Kept(stub, validate(StubRecord, decode(found.value), what="stub record"))
    raise NotFoundError(f"stub {stub} of org {org}")


async def _all(url: str, org: OrgId, only: ServiceName | None) -> list[Kept]:
    """Newest first."""
    found: list[Kept] = []
    async with connected(url) as connection, open_publisher(connection) as publisher:
        for service in await _services(connection):
            if only not in (None, service):
                continue
            for entry in await Records(connection, publisher, stubs_bucket(service)).entries(org):
                stub = Stub.parse(f"{service}.{entry.key.removeprefix(f'{org}.')}")
                if (record := _record(entry.value)) is not None:
                    found.append(Kept(stub, record))
    return sorted(found, key=lambda kept: kept.record.created_at_ms, reverse=True)


async def _services(connection: Connection) -> list[ServiceName]:
    """The services that keep stubs, by their buckets."""
    prefix = stream_of(stubs_bucket(ServiceName("")))
    names: list[str] = []
    while True:
        answer = await connection.ask("STREAM.NAMES", {"offset": len(names)})
        page = answer.get("streams") or []
        names += page
        if not page or len(names) >= answer["total"]:
            return [ServiceName(name.removeprefix(prefix)) for name in sorted(names) if name.startswith(prefix)]


def _record(value: bytes) -> StubRecord | None:
    """None for what a newer kit wrote in a form that this one cannot read."""
    try:
        return validate(StubRecord, decode(value), what="stub record")
    except BackboneError:
        return None


def _show_one(kept: Kept, out: Terminal) -> None:
    if out.as_json:
        out.record(kept.shown())
        return
    record = kept.record
    facts = one_line(f"{record.context}, {record.branch}, state {record.state}")
    out.row(Text.assemble((str(kept.stub), "bold"), f"  {facts}"))
    out.row(Text(f"created {date_and_time(record.created_at_ms)}, last run {record.last_sequence or 'none'}", "dim"))
    out.json(record.data)


def _show_all(found: list[Kept], org: OrgId, out: Terminal) -> None:
    if out.as_json:
        for kept in found:
            out.record(kept.shown())
        return
    if not found:
        note(f"the services of org {org} keep no stubs yet")
        return
    table = Columns("stub", "context", "branch", "state", "created", "data", flexible="data")
    for kept in found:
        record = kept.record
        table.add(
            Text(str(kept.stub), "bold"),
            record.context,
            record.branch,
            record.state,
            Text(date_and_time(record.created_at_ms), "dim"),
            to_json(record.data),
        )
    out.columns(table)


app.command("close")(stubs_close.command)
