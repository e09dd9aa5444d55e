"""Streams, buckets and consumers as one table of data, and what makes a server agree with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from broker.domain.subjects import DEADLETTERS, NOTIFICATIONS, STUBS, TIMERS, WEBHOOKS, DueSubject

SECOND_NS = 1_000_000_000
DAY_S = 86_400

PARTITIONS = 16
ADAPTER_CONSUMERS = 4
"""Of an adapter that sends its channel's notifications: each over a group of the log's partitions."""
SERVICE_PARTITIONS = 4
"""Of DELIVERIES, and so the consumers of one service: more would cost the server something on every message."""
WEBHOOK_PARTITIONS = 4
"""Of what outside systems call, and so the consumers of one adapter on it."""
EXPIRY_PARTITIONS = 4
"""Of what has fired, and so the expiry consumers."""

ACK_WAIT_S = 30
ACK_PENDING_MAX = 1_000
SLOW_ACK_PENDING_MAX = 50_000
"""What may wait behind slow stubs, or chats of a channel that is away, before their neighbours wait as well."""
MESSAGE_BYTES_MAX = 1 << 20
CONSUMERS_MAX = 500
"""Per stream; the server's own default of 1,000 is silent, and readers of a reconnect storm count as well."""
MARKER_S = 60
"""How long the server's note of an expired key stays."""

CONVERSATIONS = "CONVERSATIONS"
DELIVERIES = "DELIVERIES"
TIMER_STREAM = "TIMERS"
DEADLETTER_STREAM = "DEADLETTERS"
WEBHOOK_STREAM = "WEBHOOKS"

SESSIONS = "SESSIONS"
STUBSESSIONS = "STUBSESSIONS"
REGISTRATIONS = "REGISTRATIONS"
PROFILES = "PROFILES"
LEASES = "LEASES"
CHANNELS = "CHANNELS"
PROGRAMS = "PROGRAMS"
BUCKETS = (SESSIONS, STUBSESSIONS, REGISTRATIONS, PROFILES, LEASES, CHANNELS, PROGRAMS)

LINKER_REST_CONSUMER = "linker-rest"
RETIRED_CONSUMERS: Mapping[str, tuple[str, ...]] = {TIMER_STREAM: ("expiry",)}
"""What earlier versions had, by stream: removed, so that the server keeps nothing for them."""


@dataclass(frozen=True, slots=True)
class Partitioned:
    """A stored subject gets ``p.<n>.`` in front, n from the tokens that the numbers name.

    ``source`` must end with ``.>``; the numbers count its single wildcards, from 1. ``count`` None: as many as the
    setting says.
    """

    source: str
    tokens: tuple[int, ...]
    count: int | None = None

    def transform(self, partitions: int) -> dict[str, str]:
        """The server's form: the same subject again, behind its partition."""
        number, out = 0, []
        for token in self.source.split("."):
            number += token == "*"
            out.append(f"{{{{wildcard({number})}}}}" if token == "*" else token)
        chosen = ",".join(map(str, (self.count or partitions, *self.tokens)))
        return {"src": self.source, "dest": f"p.{{{{partition({chosen})}}}}.{'.'.join(out)}"}


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """One stream; ages in seconds, 0 for no limit."""

    name: str
    subject: str
    max_age_s: int
    duplicate_window_s: int
    partitioned: Partitioned | None = None
    schedules: bool = False
    refuses_when_full: bool = False
    """Instead of throwing away what is oldest; a stream with schedules cannot."""

    def configuration(self, replicas: int, partitions: int, bytes_max: int = 0) -> dict[str, object]:
        """The server's form of it; ``bytes_max`` (0: none) holds for a stream that refuses when it is full."""
        found: dict[str, object] = {
            **_stream_defaults(self.name, self.subject, replicas),
            "discard": "new" if self.refuses_when_full else "old",
            "max_bytes": bytes_max if self.refuses_when_full and bytes_max else -1,
            "max_age": self.max_age_s * SECOND_NS,
            "duplicate_window": self.duplicate_window_s * SECOND_NS,
        }
        if self.partitioned is not None:
            found["subject_transform"] = self.partitioned.transform(partitions)
        if self.schedules:
            found["allow_msg_schedules"] = True
        return found


@dataclass(frozen=True, slots=True)
class ConsumerSpec:
    """One durable pull consumer; its filter speaks of stored subjects, partition first.

    One filter where many messages pass: with two or more the server searches the stream message by message, and a
    consumer that has fallen behind gets some 4,000 messages a second instead of 50,000 (measured on 2.15.1; live there
    is no difference). An adapter, whose channel is slower than that anyway, has one per partition of its group. What a
    worker need not handle it skips by itself.
    """

    name: str
    filters: tuple[str, ...]
    ack_pending_max: int = ACK_PENDING_MAX

    def configuration(self) -> dict[str, object]:
        """The server's form of it."""
        return {
            "name": self.name,
            "durable_name": self.name,
            "deliver_policy": "all",
            "ack_policy": "explicit",
            "ack_wait": ACK_WAIT_S * SECOND_NS,
            "max_deliver": -1,
            "max_ack_pending": self.ack_pending_max,
            "filter_subjects": list(self.filters),
        }


STREAMS = (
    StreamSpec(
        CONVERSATIONS,
        f"{NOTIFICATIONS}.>",
        max_age_s=7 * DAY_S,
        duplicate_window_s=600,
        partitioned=Partitioned(f"{NOTIFICATIONS}.*.org.*.name.*.sessionuuid.*.>", (4,)),
        refuses_when_full=True,
    ),
    StreamSpec(
        DELIVERIES,
        f"{STUBS}.>",
        max_age_s=7 * DAY_S,
        duplicate_window_s=600,
        partitioned=Partitioned(f"{STUBS}.org.*.service.*.stubref.*.>", (1, 2, 3), SERVICE_PARTITIONS),
    ),
    # No age limit: a schedule may lie years ahead. A firing carries its own time to live.
    StreamSpec(TIMER_STREAM, f"{TIMERS}.>", max_age_s=0, duplicate_window_s=120, schedules=True),
    StreamSpec(DEADLETTER_STREAM, f"{DEADLETTERS}.>", max_age_s=30 * DAY_S, duplicate_window_s=600),
    # A system that calls again does so hours later: within the window that is one call.
    StreamSpec(
        WEBHOOK_STREAM,
        f"{WEBHOOKS}.>",
        max_age_s=7 * DAY_S,
        duplicate_window_s=DAY_S,
        partitioned=Partitioned(f"{WEBHOOKS}.org.*.channel.*.connection.*.>", (1, 2, 3), WEBHOOK_PARTITIONS),
    ),
)


def bucket_configuration(bucket: str, replicas: int) -> dict[str, object]:
    """A key-value bucket as the stream it is: one value per key, with time to live per key."""
    return {
        **_stream_defaults(stream_of(bucket), f"$KV.{bucket}.>", replicas),
        "discard": "new",
        "max_age": 0,
        "duplicate_window": 120 * SECOND_NS,
        "max_msgs_per_subject": 1,
        "deny_delete": True,
        "allow_rollup_hdrs": True,
        "subject_delete_marker_ttl": MARKER_S * SECOND_NS,
    }


def stream_of(bucket: str) -> str:
    """The stream behind a bucket."""
    return f"KV_{bucket}"


def linker_consumers(partitions: int = PARTITIONS) -> tuple[ConsumerSpec, ...]:
    """One per partition, and one for what is stored without: initialize, and what is outside the grammar."""
    numbered = tuple(ConsumerSpec(linker_consumer(number), (f"p.{number}.>",)) for number in range(partitions))
    return (*numbered, ConsumerSpec(LINKER_REST_CONSUMER, (f"{NOTIFICATIONS}.>",)))


def linker_consumer(partition: int) -> str:
    """The name of one partition's consumer."""
    return f"linker-{partition}"


def service_consumers(org: str, service: str) -> tuple[ConsumerSpec, ...]:
    """The consumers of one service on DELIVERIES: one per partition of that stream."""
    return tuple(
        ConsumerSpec(
            f"service-{org}-{service}-{number}",
            (f"p.{number}.{STUBS}.org.{org}.service.{service}.>",),
            SLOW_ACK_PENDING_MAX,
        )
        for number in range(SERVICE_PARTITIONS)
    )


def adapter_consumers(channel: str, partitions: int = PARTITIONS) -> tuple[ConsumerSpec, ...]:
    """What an adapter reads its channel's events by: the log's partitions in a few groups."""
    return tuple(
        ConsumerSpec(
            f"{channel}-{number}",
            tuple(f"p.{each}.{NOTIFICATIONS}.{channel}.>" for each in range(number, partitions, ADAPTER_CONSUMERS)),
            SLOW_ACK_PENDING_MAX,
        )
        for number in range(min(ADAPTER_CONSUMERS, partitions))
    )


def webhook_consumers(channel: str) -> tuple[ConsumerSpec, ...]:
    """What an adapter reads the calls by that it has to work on, of every org: one per partition of the stream."""
    return tuple(
        ConsumerSpec(
            f"{channel}-webhooks-{number}",
            (f"p.{number}.{WEBHOOKS}.org.*.channel.{channel}.connection.*.taken",),
            SLOW_ACK_PENDING_MAX,
        )
        for number in range(WEBHOOK_PARTITIONS)
    )


def desk_consumers(service: str) -> tuple[ConsumerSpec, ...]:
    """What a desk reads its runs by, those of every org: one per partition of DELIVERIES."""
    return tuple(
        ConsumerSpec(f"{service}-{number}", (f"p.{number}.{STUBS}.org.*.service.{service}.>",), SLOW_ACK_PENDING_MAX)
        for number in range(SERVICE_PARTITIONS)
    )


def desk_facts_consumers(service: str, partitions: int = PARTITIONS) -> tuple[ConsumerSpec, ...]:
    """What a desk hears of links by, on every channel: tasks stand on the same level, and are skipped."""
    told = f"{NOTIFICATIONS}.*.org.*.name.*.sessionuuid.*.stubsession.*"
    return tuple(
        ConsumerSpec(
            f"{service}-facts-{number}",
            tuple(f"p.{each}.{told}" for each in range(number, partitions, ADAPTER_CONSUMERS)),
        )
        for number in range(min(ADAPTER_CONSUMERS, partitions))
    )


def expiry_consumers() -> tuple[ConsumerSpec, ...]:
    """One per partition of what has fired."""
    return tuple(ConsumerSpec(f"expiry-{number}", (str(DueSubject(number)),)) for number in range(EXPIRY_PARTITIONS))


def consumers(partitions: int = PARTITIONS) -> Mapping[str, tuple[ConsumerSpec, ...]]:
    """Every consumer that exists from the start, by stream."""
    return {
        CONVERSATIONS: linker_consumers(partitions),
        TIMER_STREAM: expiry_consumers(),
    }


def group_of(consumer: str) -> str:
    """Whose members share a consumer out with its siblings: its name without the part, as in ``linker-7``."""
    return consumer.rpartition("-")[0] or consumer


def _stream_defaults(name: str, subject: str, replicas: int) -> dict[str, object]:
    return {
        "name": name,
        "subjects": [subject],
        "retention": "limits",
        "storage": "file",
        "num_replicas": replicas,
        "max_consumers": CONSUMERS_MAX,
        "max_msgs": -1,
        "max_bytes": -1,
        "max_msg_size": MESSAGE_BYTES_MAX,
        "allow_direct": True,
        "allow_msg_ttl": True,
    }
