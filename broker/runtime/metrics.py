"""What every worker counts, and the tiny HTTP server that shows it: /healthz, /readyz, /metrics."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import structlog
from prometheus_client import Counter, Gauge, Histogram, generate_latest

SETTLED = Counter("heimdall_deliveries_settled", "Deliveries at their end, by outcome.", ["stream", "outcome"])
RETRIED = Counter("heimdall_deliveries_retried", "Attempts that failed and were tried again.", ["stream"])
IN_HAND = Gauge("heimdall_deliveries_in_hand", "Deliveries queued or running.", ["stream"])
HELD = Gauge("heimdall_partitions_held", "Consumers that this process works on.", ["group"])
TOOK = Histogram(
    "heimdall_delivery_seconds",
    "From the first attempt to the end of a delivery.",
    ["stream"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30),
)

REQUEST_BYTES_MAX = 8_192
REQUEST_WAIT_S = 2.0
READY_ANSWER_WAIT_S = 1.0
TEXT = "text/plain; charset=utf-8"
METRICS_TEXT = "text/plain; version=0.0.4; charset=utf-8"

log = structlog.get_logger()


@contextlib.asynccontextmanager
async def serve_health(port: int, ready: Callable[[], bool], *, host: str = "127.0.0.1") -> AsyncIterator[int]:
    """Answer probes until the end of the block; yields the port. Port 0: no server at all.

    ``/healthz`` says that the process runs, ``/readyz`` that ``ready()`` holds: restart for the one, wait for the
    other.
    """
    if port == 0:
        yield 0
        return

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(REQUEST_WAIT_S):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(respond(head, ready))
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, host, port, limit=REQUEST_BYTES_MAX)
    bound = int(server.sockets[0].getsockname()[1])
    log.info("health_served", port=bound)
    async with server:
        yield bound


def respond(head: bytes, ready: Callable[[], bool]) -> bytes:
    """The whole HTTP response to a request's head."""
    method, _, rest = head.partition(b" ")
    path = rest.split(b" ", 1)[0].split(b"?", 1)[0]
    if method not in {b"GET", b"HEAD"}:
        status, kind, body = "405 Method Not Allowed", TEXT, b"only GET\n"
    elif path == b"/healthz":
        status, kind, body = "200 OK", TEXT, b"ok\n"
    elif path == b"/readyz":
        good = ready()
        status, kind = "200 OK" if good else "503 Service Unavailable", TEXT
        body = b"ready\n" if good else b"not ready\n"
    elif path == b"/metrics":
        status, kind, body = "200 OK", METRICS_TEXT, generate_latest()
    else:
        status, kind, body = "404 Not Found", TEXT, b"try /healthz, /readyz or /metrics\n"
    lines = (f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", "Connection: close")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (b"" if method == b"HEAD" else body)


async def is_ready(port: int) -> bool:
    """Whether /readyz on loopback answers 200."""
    if not port:
        return False
    try:
        async with asyncio.timeout(READY_ANSWER_WAIT_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
                return b" 200 " in await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
