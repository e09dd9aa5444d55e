"""Fixtures of the stand-in giosg; a conftest.py takes them by ``from … import giosg, giosg_urls`` and ``__all__``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.standins.giosg_control import Giosg, giosg_at, giosg_process


@pytest.fixture(scope="session")
def giosg_urls() -> Iterator[tuple[str, str]]:
    """One process for the whole session."""
    with giosg_process() as urls:
        yield urls


@pytest_asyncio.fixture
async def giosg(giosg_urls: tuple[str, str]) -> AsyncIterator[Giosg]:
    """That process, reset for this test."""
    async with giosg_at(*giosg_urls) as opened:
        await opened.reset()
        yield opened
