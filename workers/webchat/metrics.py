"""What this worker counts, for Prometheus."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

SOCKETS = Gauge("heimdall_webchat_sockets", "Sockets that are open now")
SESSIONS = Counter("heimdall_webchat_sessions", "Sessions begun")
EVENTS_STORED = Counter("heimdall_webchat_events_stored", "What visitors sent and the log took")
EVENTS_SHOWN = Counter("heimdall_webchat_events_shown", "Events of the log sent to browsers, replays included")
