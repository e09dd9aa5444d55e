"""v1: the call itself waits for what the program answers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from broker.errors import CallRefusedError
from workers.webim.chats import Chat
from workers.webim.inbound import Taken
from workers.webim.judging import Call
from workers.webim.wire import Json


class Answers:
    """Not there yet."""

    @contextlib.contextmanager
    def listening(self) -> Iterator[Callable[[Chat, str], None]]:
        """Until the end of the block, hear what is said to the question that is named."""
        yield lambda _chat, _question: None

    async def answer(self, call: Call, taken: Taken) -> Json:
        """The body of the answer."""
        raise CallRefusedError("internal", f"no answer in the call for {call.channel.id} {taken.outcome}")
