"""The health server over real HTTP."""

from __future__ import annotations

import asyncio

import pytest

from broker.runtime.embedded import free_port
from broker.runtime.metrics import SETTLED, serve_health


async def ask(port: int, request: str) -> tuple[str, str]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"{request}\r\nHost: x\r\n\r\n".encode())
    answer = (await asyncio.wait_for(reader.read(), 5)).decode()
    writer.close()
    await writer.wait_closed()
    head, _, body = answer.partition("\r\n\r\n")
    return head.split("\r\n")[0], body


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        pytest.param("GET /healthz HTTP/1.1", "HTTP/1.1 200 OK", id="alive"),
        pytest.param("GET /readyz?x=1 HTTP/1.1", "HTTP/1.1 200 OK", id="ready, query ignored"),
        pytest.param("HEAD /healthz HTTP/1.1", "HTTP/1.1 200 OK", id="head"),
        pytest.param("GET / HTTP/1.1", "HTTP/1.1 404 Not Found", id="elsewhere"),
        pytest.param("POST /healthz HTTP/1.1", "HTTP/1.1 405 Method Not Allowed", id="another method"),
    ],
)
async def test_a_probe_is_answered(request_line: str, status: str) -> None:
    async with serve_health(free_port(), lambda: True) as port:
        assert (await ask(port, request_line))[0] == status


async def test_readiness_is_asked_anew_each_time() -> None:
    states = [True, False]
    async with serve_health(free_port(), states.pop) as port:
        assert (await ask(port, "GET /readyz HTTP/1.1"))[0] == "HTTP/1.1 503 Service Unavailable"
        assert (await ask(port, "GET /readyz HTTP/1.1"))[0] == "HTTP/1.1 200 OK"


async def test_metrics_are_in_prometheus_text() -> None:
    SETTLED.labels("TEST", "acknowledged").inc()
    async with serve_health(free_port(), lambda: True) as port:
        _, body = await ask(port, "GET /metrics HTTP/1.1")
    assert 'heimdall_deliveries_settled_total{outcome="acknowledged",stream="TEST"} 1.0' in body


async def test_port_zero_serves_nothing() -> None:
    async with serve_health(0, lambda: True) as port:
        assert port == 0


async def test_a_head_that_never_ends_is_cut_off() -> None:
    async with serve_health(free_port(), lambda: True) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /" + b"x" * 20_000)
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()
