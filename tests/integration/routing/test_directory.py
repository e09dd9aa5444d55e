"""What the linker knows of an org, where its live copy lags behind the bucket."""

from __future__ import annotations

from uuid import uuid4

import pytest

from broker.codec import encode
from broker.domain.ids import OrgId
from broker.domain.registrations import Registration, RegistrationRecord, read_register, to_registration
from broker.domain.subjects import NOTIFICATIONS
from broker.domain.wire import dump
from broker.errors import ConflictError
from broker.transport.connection import Connection
from broker.transport.publisher import Publisher
from broker.transport.records import Records
from broker.transport.topology import PROFILES, REGISTRATIONS, SESSIONS
from workers.linker.directory import Directory


def _record(org: str) -> RegistrationRecord:
    params = {
        "uuid": str(uuid4()),
        "on_trigger_method": "remove",
        "events": {"it": {"path": f"{NOTIFICATIONS}.webchat.org.{org}.*", "mechanism": "cbh"}},
        "trigger_stubaction": {"action_name": "go", "stubref": "svc.A"},
    }
    return RegistrationRecord(org=org, stub="svc.A", since=1, params=read_register(params, org=OrgId(org)), used_by=1)


async def test_a_registration_used_meanwhile_is_a_conflict_however_long_the_news_takes(
    connection: Connection, publisher: Publisher, org: str
) -> None:
    """Anything but a retryable error would make a dead letter of the visitor's message."""
    buckets = [Records(connection, publisher, bucket) for bucket in (REGISTRATIONS, PROFILES, SESSIONS)]
    directory = Directory(connection, registrations=buckets[0], profiles=buckets[1], sessions=buckets[2])
    record = _record(org)
    stale: Registration = to_registration(record.model_copy(update={"used_by": None}))
    await buckets[0].write(f"{org}.{stale.id}", encode(dump(record)), revision=None)
    with pytest.raises(ConflictError):
        await directory.use_up(stale, sequence=2)
