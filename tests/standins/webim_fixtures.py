"""Fixtures of the stand-in Webim; a conftest.py takes them by ``from … import webim, webim_url`` and ``__all__``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.standins.webim_control import Webim, webim_at, webim_process


@pytest.fixture(scope="session")
def webim_url() -> Iterator[str]:
    """One process for the whole session."""
    with webim_process() as url:
        yield url


@pytest_asyncio.fixture
async def webim(webim_url: str) -> AsyncIterator[Webim]:
    """That process, reset for this test."""
    async with webim_at(webim_url) as opened:
        await opened.reset()
        yield opened
