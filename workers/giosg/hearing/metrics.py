"""What is counted of what giosg tells, for Prometheus; every label is one of a few words."""

from __future__ import annotations

from prometheus_client import Counter

HEARD = Counter("heimdall_giosg_heard", "What giosg told of chats, by what became of it", ["connection", "outcome"])
LOOKUPS = Counter("heimdall_giosg_lookups", "Chats that giosg was asked about: whose they are", ["outcome"])
WEBHOOKS = Counter(
    "heimdall_giosg_webhooks",
    "Webhooks of giosg's, by connection (empty: none of ours), by outcome and by the reason of it",
    ["connection", "outcome", "reason"],
)
