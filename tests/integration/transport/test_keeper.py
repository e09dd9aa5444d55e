"""What keeps a reader alive never gives up, however long taking fails."""

from __future__ import annotations

import asyncio

import pytest

from broker.errors import NoAnswerError
from broker.transport.client import Message
from broker.transport.connection import Connection
from broker.transport.keeper import Keeper
from broker.transport.requests import Position, PullRequests

FAILURES = 1_200


async def test_a_keeper_that_failed_for_hours_takes_again(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.transport.keeper.AGAIN_WAIT_S_MAX", 0.0)
    taken: list[PullRequests] = []
    failed = 0
    again = asyncio.Event()

    async def ignore(_message: Message, _position: Position) -> None:
        return

    async def take() -> PullRequests:
        nonlocal failed
        if taken and failed < FAILURES:
            failed += 1
            raise NoAnswerError("$JS.API", problem="the cluster has no leader")
        if taken:
            again.set()
        taken.append(PullRequests(connection, "NOWHERE", "nobody", ignore, batch=1))
        return taken[-1]

    keeper = Keeper(connection, "test", take)
    await keeper.start()
    try:
        taken[0].lost.set()
        await asyncio.wait_for(again.wait(), 10)
    finally:
        await keeper.stop()
