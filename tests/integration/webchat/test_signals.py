"""What is shown of a visitor in this moment, and never stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from broker.codec import decode
from broker.domain.subjects import SIGNALS
from broker.transport.signals import hearing
from tests.conftest import poll
from tests.integration.webchat.conftest import Webchat


async def test_presence_is_told_when_the_first_window_opens_and_the_last_one_closes(
    webchat: Webchat, resume: Callable[..., dict[str, Any]]
) -> None:
    seen: list[bool] = []
    pattern = f"{SIGNALS}.webchat.org.{webchat.org}.name.*.sessionuuid.*.presence"
    async with hearing(webchat.backbone.connection, [pattern], lambda _, data: seen.append(decode(data)["present"])):
        async with webchat.browser() as first:
            welcome, _ = await first.hello()
            async with webchat.browser() as second:
                await second.hello(resume(welcome))
            await first.say("still here")
            assert seen == [True]
        await poll(lambda: seen == [True, False])
        async with webchat.browser() as again:
            await again.hello(resume(welcome))
        await poll(lambda: seen == [True, False, True, False])
