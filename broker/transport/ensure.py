"""Makes a server agree with topology.py: creates what is missing, updates what differs, touches nothing else."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

import structlog

from broker.errors import RequestRefusedError, TopologyError
from broker.transport.connection import Connection
from broker.transport.topology import (
    BUCKETS,
    PARTITIONS,
    RETIRED_CONSUMERS,
    STREAMS,
    ConsumerSpec,
    bucket_configuration,
    consumers,
)

NOT_FOUND_STATUS = 404

log = structlog.get_logger(__name__)

Configuration = Mapping[str, object]


async def ensure(
    connection: Connection, *, replicas: int = 1, partitions: int = PARTITIONS, log_bytes_max: int = 0
) -> None:
    """Create every stream, bucket and consumer of the backbone, or bring it up to date. Any number may run at once.

    ``log_bytes_max`` bounds the log, 0 for no bound but the disk: above it publishers are refused.

    Raises:
        TopologyError: the stream has another number of partitions: changing it would tear sessions apart.
        PermissionRefusedError: this user may not create streams.
        RequestRefusedError: the server will not have it, such as three replicas on one server.
    """
    for spec in STREAMS:
        await _ensure_stream(connection, spec.configuration(replicas, partitions, log_bytes_max))
    for bucket in BUCKETS:
        await ensure_bucket(connection, bucket, replicas=replicas)
    for stream, specs in consumers(partitions).items():
        await ensure_consumers(connection, stream, specs, retired=RETIRED_CONSUMERS.get(stream, ()))


async def ensure_bucket(connection: Connection, bucket: str, *, replicas: int = 1) -> None:
    """Create one key-value bucket, or bring it up to date."""
    await _ensure_stream(connection, bucket_configuration(bucket, replicas))


async def ensure_consumers(
    connection: Connection, stream: str, specs: Iterable[ConsumerSpec], *, retired: Iterable[str] = ()
) -> None:
    """Create these consumers, or bring them up to date; a consumer keeps its place. Retired ones are removed."""
    existing = {name: info["config"] for name, info in (await consumers_of(connection, stream)).items()}
    for name in existing.keys() & set(retired):
        with contextlib.suppress(RequestRefusedError):  # somebody else has just removed it
            await connection.ask(f"CONSUMER.DELETE.{stream}.{name}")
        log.info("consumer_retired", stream=stream, consumer=name)
    for spec in specs:
        wanted = spec.configuration()
        found = existing.get(spec.name)
        if found is not None and not _differing(found, wanted):
            continue
        body = {"stream_name": stream, "config": {**(found or {}), **wanted}}
        await connection.ask(f"CONSUMER.CREATE.{stream}.{spec.name}", body)
        log.debug("consumer_ensured", stream=stream, consumer=spec.name, created=found is None)


async def _ensure_stream(connection: Connection, wanted: Configuration) -> None:
    name = str(wanted["name"])
    found = await _stream_configuration(connection, name)
    if found is None:
        # Two workers that start at once both create it: the server takes the second as the same again.
        await connection.ask(f"STREAM.CREATE.{name}", wanted)
        log.debug("stream_ensured", stream=name, created=True)
        return
    _check_partitions(name, found, wanted)
    if changed := _differing(found, wanted):
        # The server's own fields go back as they came: a newer server may hold some that we do not know.
        await connection.ask(f"STREAM.UPDATE.{name}", {**found, **wanted})
        log.debug("stream_ensured", stream=name, created=False, changed=sorted(changed))


async def _stream_configuration(connection: Connection, name: str) -> dict[str, Any] | None:
    try:
        answer = await connection.ask(f"STREAM.INFO.{name}")
    except RequestRefusedError as error:
        if error.status == NOT_FOUND_STATUS:
            return None
        raise
    config: dict[str, Any] = answer["config"]
    return config


async def consumers_of(connection: Connection, stream: str) -> dict[str, dict[str, Any]]:
    """The server's information by name; readers come and go in between, so a page may repeat or miss one of theirs."""
    found: dict[str, dict[str, Any]] = {}
    offset = 0
    while True:
        page = await connection.ask(f"CONSUMER.LIST.{stream}", {"offset": offset})
        entries = page.get("consumers") or []
        found.update((entry["name"], entry) for entry in entries)
        offset += len(entries)
        if not entries or offset >= page["total"]:
            return found


def _differing(found: Configuration, wanted: Configuration) -> set[str]:
    return {key for key, value in wanted.items() if _normal(key, found.get(key)) != _normal(key, value)}


def _normal(key: str, value: object) -> object:
    """The server leaves out what is false, and may order a list by itself."""
    if key == "filter_subjects" and isinstance(value, list):
        return sorted(value)
    return value or None


def _check_partitions(name: str, found: Configuration, wanted: Configuration) -> None:
    before, after = _partitions(found), _partitions(wanted)
    if before != after:
        raise TopologyError(
            f"stream {name}", found=f"{before or 'no'} partitions", expected=f"{after or 'none'}; keep the number"
        )


def _partitions(configuration: Configuration) -> int:
    transform = configuration.get("subject_transform")
    found = re.search(r"partition\((\d+)", str(transform.get("dest")) if isinstance(transform, dict) else "")
    return int(found[1]) if found else 0
