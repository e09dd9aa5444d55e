"""What is counted of what giosg tells, for Prometheus."""

from __future__ import annotations

from prometheus_client import Counter

HEARD = Counter("heimdall_giosg_heard", "What giosg told of chats, by what became of it", ["connection", "outcome"])
LOOKUPS = Counter("heimdall_giosg_lookups", "Chats that giosg was asked about: whose they are", ["outcome"])
