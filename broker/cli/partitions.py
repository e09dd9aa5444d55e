"""`heimdall partitions`: which process works on what, and how far behind each is."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from typing import Annotated

import typer
from rich.text import Text

from broker.cli.bus import connected
from broker.cli.options import AsJson, NatsUrl, nats_url_of
from broker.cli.terminal import Columns, Terminal, date_and_time, note, one_line
from broker.domain.wire import dump
from broker.transport.partitions import Partition, partitions
from broker.transport.publisher import open_publisher

NAME = "partitions"
_UUID = re.compile(r"\b([0-9a-f]{8})(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
"""A service's partitions hold its org; eight characters tell orgs apart, the JSON has all."""


def command(
    *,
    group: Annotated[str | None, typer.Option(help="Only this group's, such as 'linker'.")] = None,
    as_json: AsJson = False,
    nats_url: NatsUrl = None,
) -> None:
    """Show who works on what: partitions, owners, lag.

    Each partition has one owner among the processes of its group. Lag counts messages that wait for it, in hand
    those that it has and has not acknowledged yet.

    Example: heimdall partitions --group linker
    """
    found = asyncio.run(_read(nats_url_of(nats_url)))
    chosen = [partition for partition in found if group in {None, partition.group}]
    out = Terminal(as_json=as_json)
    if out.as_json:
        for partition in chosen:
            out.record(_record(partition))
        return
    if chosen:
        out.columns(_table(chosen))
    else:
        known = ", ".join(sorted({partition.group for partition in found}))
        note(f"no partitions of group {group}; there are: {known}" if found else "no partitions: start a worker once")
    for orphaned, count in Counter(partition.group for partition in chosen if partition.owner is None).items():
        total = sum(partition.group == orphaned for partition in chosen)
        note(f"nobody works on {count} of {total} partitions of {orphaned}: what waits there is not lost, only late")


async def _read(url: str) -> list[Partition]:
    async with connected(url) as connection, open_publisher(connection) as publisher:
        return await partitions(connection, publisher)


def _record(partition: Partition) -> dict[str, object]:
    return {
        "group": partition.group,
        "partition": partition.name,
        "stream": partition.stream,
        "owner": None if partition.owner is None else dump(partition.owner),
        "lag": partition.lag,
        "unacknowledged": partition.unacknowledged,
    }


def _table(found: list[Partition]) -> Columns:
    table = Columns("partition", "worker", "host", "pid", "since", "lag", "in hand", flexible="partition")
    for partition in found:
        owner = partition.owner
        whose = (
            (Text("nobody", "bold red"), "", "", "")
            if owner is None
            else (
                Text(one_line(owner.worker), "bold"),
                owner.host,
                str(owner.pid),
                Text(date_and_time(owner.since_ms), "dim"),
            )
        )
        lag = Text(str(partition.lag), "yellow" if partition.lag else "green")
        table.add(_UUID.sub(r"\1", partition.name), *whose, lag, str(partition.unacknowledged))
    return table
