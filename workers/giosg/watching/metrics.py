"""What this worker shows of its connections, for Prometheus; every label is a connection's name or one of few words."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

HEALTH = Gauge("heimdall_giosg_health", "How a connection is: 0 ok, 1 degraded, 2 unhealthy", ["connection"])
PROBLEMS = Counter(
    "heimdall_giosg_problems", "Problems that connections came to have, by their code", ["connection", "code"]
)
RECONCILED = Counter("heimdall_giosg_reconciled", "Cases looked at by the clock, by what that led to", ["outcome"])
PRESENCE = Counter("heimdall_giosg_presence", "Presence calls for visitors, by outcome", ["outcome"])
