"""What is counted of the calls to Webim, for Prometheus."""

from __future__ import annotations

from prometheus_client import Counter

CALLS = Counter(
    "heimdall_webim_bot_api_calls", "Calls to Webim's Bot API; outcome: ok, or an error's code", ["method", "outcome"]
)
RETRIES = Counter("heimdall_webim_bot_api_retries", "Calls that were tried again at once", ["method"])
DROPPED = Counter("heimdall_webim_dropped", "Parts of answers that cannot be shown, by code", ["code"])
