"""The streams and buckets in subjects.md, from the one table that also creates them."""

from __future__ import annotations

from collections.abc import Iterator

from broker.contract.sections import table
from broker.transport.topology import (
    BUCKETS,
    DAY_S,
    PARTITIONS,
    SERVICE_PARTITIONS,
    STREAMS,
    WEBHOOK_PARTITIONS,
    StreamSpec,
)

MINUTES_SHOWN_MAX = 120

STREAM_NOTES = {
    "CONVERSATIONS": "the log: every event of every conversation",
    "DELIVERIES": "runs for stubs",
    "TIMERS": "one schedule per conversation and kind, and what has fired",
    "DEADLETTERS": "what nobody could take",
    "WEBHOOKS": "the calls of outside systems, as they were answered",
}

BUCKET_NOTES = {
    "SESSIONS": ("`<session>`", "whose a session is and how its visitor may come back"),
    "STUBSESSIONS": (
        "`session.<org>.<session>`, `index.<org>.<service>.<stubref>.<session>`, `closed.<org>.<service>.<stubref>`",
        "the state of each session with its link; an index by stub, which may lag; which stubs are closed",
    ),
    "REGISTRATIONS": ("`<org>.<uuid>`", "what stubs wait for"),
    "LEASES": (
        "`member.<group>.<member>`, `partition.<group>.<consumer>`",
        "which process works on which consumer; a member's key expires when it is not renewed",
    ),
    "CHANNELS": ("`<org>.<channel>`", "an org's channels with their settings and secrets: for the adapter alone"),
    "PROGRAMS": (
        "`<org>.deployment.<channel id>.<id>`, `<org>.follow.<channel id>`, `<org>.version.<service>`, `<org>.project`",
        "which version of its answering program a channel asks for, and what became of that",
    ),
    "PROFILES": ("`<org>.<chat>`", "which chats exist, how they look, which stub takes what no link takes"),
}


def stream_lines() -> Iterator[str]:
    """The streams, and how a stored subject differs from the published one."""
    yield from ("", "## Streams and buckets", "")
    yield from table(
        ("stream", "keeps", "subjects", "kept for", "stored once within"),
        [(spec.name, STREAM_NOTES[spec.name], f"`{spec.subject}`", _age(spec), _window(spec)) for spec in STREAMS],
    )
    partitioned = ", ".join(spec.name for spec in STREAMS if spec.partitioned is not None)
    yield from (
        "",
        f"{partitioned} put `p.<partition>.` in front of the subjects they *store*",
        f"(FNV-1a over the session, {PARTITIONS} partitions unless set otherwise; or over org, service and stubref,",
        f"{SERVICE_PARTITIONS} partitions; or over org, channel and connection, {WEBHOOK_PARTITIONS} partitions).",
        "Whoever publishes, or subscribes live, uses the public subject and never sees that. Only a JetStream consumer",
        "of your own filters by stored subjects: write `p.*.` in front of the subject, and take `p.<partition>.` off",
        "what you get. `initialize` has no session in its subject and is stored as it is.",
    )


def bucket_lines() -> Iterator[str]:
    """The key-value buckets: for reading, the workers alone write them."""
    yield from ("", "Key-value buckets; read them as you like, only the workers write them.", "")
    rows = [(bucket, *BUCKET_NOTES[bucket]) for bucket in BUCKETS]
    keys = "`chat.<channel id>.<chat>`, `transfer.<channel id>.<chat>`, `sweep.<channel id>`"
    what = "an adapter's own: what it remembers of each chat; whose dialogs it collects, and how far it has read"
    rows.append(("CHATS_`<channel>`", keys, what))
    rows.append(("STUBS_`<service>`", "`<org>.<stubref>`", "a service's own: the data and state of its stubs"))
    yield from table(("bucket", "key", "value"), rows)


def _age(spec: StreamSpec) -> str:
    return f"{spec.max_age_s // DAY_S} days" if spec.max_age_s else "until it fires"


def _window(spec: StreamSpec) -> str:
    minutes = spec.duplicate_window_s // 60
    return f"{minutes} min" if minutes < MINUTES_SHOWN_MAX else f"{minutes // 60} h"
