"""What is counted of the calls to giosg, for Prometheus."""

from __future__ import annotations

from prometheus_client import Counter

CALLS = Counter(
    "heimdall_giosg_calls",
    "Calls to giosg, their retries counted as one; outcome: ok, or an error's code",
    ["connection", "call", "outcome"],
)
RETRIES = Counter("heimdall_giosg_call_retries", "Calls that were tried again at once", ["connection", "call"])
THROTTLED = Counter("heimdall_giosg_throttled", "How often giosg asked to be left alone", ["connection"])
