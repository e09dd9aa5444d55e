"""Who works on which consumer, and how far behind it is: read from the leases and the server, disturbing nobody."""

from __future__ import annotations

from dataclasses import dataclass

from broker.transport.connection import Connection
from broker.transport.ensure import consumers_of
from broker.transport.leases import Holder, read_holder
from broker.transport.publisher import Publisher
from broker.transport.records import Records
from broker.transport.topology import CONVERSATIONS, DELIVERIES, LEASES, TIMER_STREAM, WEBHOOK_STREAM, group_of

STREAMS_SHARED_OUT = (CONVERSATIONS, TIMER_STREAM, DELIVERIES, WEBHOOK_STREAM)


@dataclass(frozen=True, slots=True)
class Partition:
    """One durable consumer; ``owner`` None: nobody works on it. ``lag`` counts what was not handed out yet."""

    group: str
    name: str
    stream: str
    owner: Holder | None
    lag: int
    unacknowledged: int


async def partitions(connection: Connection, publisher: Publisher) -> list[Partition]:
    """Every consumer that is shared out, by stream and group, in the order of their numbers."""
    owners = await _owners(Records(connection, publisher, LEASES))
    found = [
        Partition(
            group=group_of(name),
            name=name,
            stream=stream,
            owner=owners.get((group_of(name), name)),
            lag=int(info["num_pending"]),
            unacknowledged=int(info["num_ack_pending"]),
        )
        for stream in STREAMS_SHARED_OUT
        for name, info in (await consumers_of(connection, stream)).items()
        if info["config"].get("durable_name")  # the others are somebody's reader
    ]
    return sorted(found, key=lambda one: (STREAMS_SHARED_OUT.index(one.stream), one.group, _number(one)))


async def _owners(records: Records) -> dict[tuple[str, str], Holder]:
    """By group and consumer; a lease whose holder is not there any more counts as none."""
    present: set[tuple[str, str]] = set()
    leases: dict[tuple[str, str], Holder] = {}
    for entry in await records.entries():
        kind, group, name = entry.key.split(".", 2)
        if (holder := read_holder(entry.value)) is None:
            continue
        if kind == "member":
            present.add((group, name))
        else:
            leases[group, name] = holder
    return {place: holder for place, holder in leases.items() if (place[0], holder.member) in present}


def _number(partition: Partition) -> tuple[int, str]:
    part = partition.name.rpartition("-")[2]
    return (int(part), "") if part.isdecimal() else (1 << 32, part)
