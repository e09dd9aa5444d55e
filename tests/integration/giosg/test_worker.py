"""The worker as operators start and stop it."""

from __future__ import annotations

import httpx2

from tests.integration.giosg.conftest import Desk
from tests.standins.webim_control import NO_TLS


async def test_it_is_ready_and_ends_when_told(desk: Desk) -> None:
    async with httpx2.AsyncClient(trust_env=False, verify=NO_TLS) as client:
        answer = await client.get(f"http://127.0.0.1:{desk.port}/readyz")
    assert answer.status_code == 200
