"""Requests that wait for their answer, and what the JetStream API's answers mean."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from nats.aio.msg import Msg

from broker.errors import BusError, JetStreamMissingError, NoAnswerError, PermissionRefusedError, RequestRefusedError

NO_JETSTREAM_CODES = frozenset((10039, 10076))
"""Not enabled for this account; not enabled on this server."""


class Answers:
    """Futures by token: the last part of the subject that an answer comes to."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[str, asyncio.Future[Msg]]] = {}
        self._number = 0

    def expect(self, subject: str) -> tuple[str, asyncio.Future[Msg]]:
        """A token for a request to ``subject``; forget() it in the end, whatever came."""
        self._number += 1
        token = str(self._number)
        answer: asyncio.Future[Msg] = asyncio.get_running_loop().create_future()
        self._open[token] = subject, answer
        return token, answer

    def forget(self, token: str) -> None:
        """Nobody waits for that one any more."""
        del self._open[token]

    async def arrived(self, message: Msg) -> None:
        """End the request that this message answers; one that gave up is not there any more."""
        _, answer = self._open.get(message.subject.rsplit(".", 1)[1], ("", None))
        if answer is not None and not answer.done():
            answer.set_result(message)

    def refuse_publish(self, subject: str) -> None:
        """End what asks ``subject``, which nats-py tells in lower case."""
        for asked, answer in list(self._open.values()):
            if asked.lower() == subject:
                _fail(answer, PermissionRefusedError(f"it may not publish to {asked}"))

    def refuse_subscription(self, subject: str) -> None:
        """End everything: if it is our inbox that is refused, no answer can come."""
        for _, answer in list(self._open.values()):
            _fail(answer, PermissionRefusedError(f"it may not subscribe to {subject}"))

    def break_off(self) -> None:
        """End everything: the connection that the answers were to come on is gone."""
        for subject, answer in list(self._open.values()):
            _fail(answer, NoAnswerError(subject, problem="the connection broke"))


def api_answer(message: Msg, subject: str, url: str) -> dict[str, Any]:
    """The answer of a JetStream API call; its errors as ours."""
    answer: dict[str, Any] = json.loads(message.data)
    if (problem := answer.get("error")) is None:
        return answer
    err_code = problem.get("err_code", 0)
    if err_code in NO_JETSTREAM_CODES:
        raise JetStreamMissingError(url)
    raise RequestRefusedError(subject, problem.get("code", 500), err_code, problem.get("description", ""))


def _fail(answer: asyncio.Future[Msg], error: BusError) -> None:
    if not answer.done():
        answer.set_exception(error)
