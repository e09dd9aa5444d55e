"""The kit behind the real linker: what a service's stubs are given, and what they can do about it."""

from __future__ import annotations

import pytest

from broker import Run, Service
from broker.runtime.embedded import EmbeddedServer
from tests.conftest import poll
from tests.integration.routing.conftest import Chat
from tests.integration.runtime.serving import serving


@pytest.mark.check(28)
async def test_check_28_a_barred_feedback_action_runs_the_default_one_and_then_nobody_else(
    server: EmbeddedServer, chat: Chat
) -> None:
    service, seen = Service("shop"), list[tuple[str, str]]()

    @service.action("answer", states=["open"])
    async def answer(run: Run) -> None:
        seen.append(("answer", run.message))
        run.state = "busy"

    @service.action("_update_from_webchat", states=["busy"])
    async def default(run: Run) -> None:
        seen.append(("default", run.message))
        run.state = "shut"

    async with serving(service, server.url, chat.org) as served:
        stub = await served.stub("one", state="open")
        await chat.register(f"{chat.path.prefix}.*", stub="other.A", action="take", mechanism="cbh")
        conversation = chat.conversation()
        await chat.link_after_open(conversation, str(stub))
        await chat.link(conversation, str(stub), action="answer")
        for text in ("one", "two", "three"):
            await chat.say(conversation, text)

        async def all_ended() -> bool:
            return len(seen) + len(await chat.dead()) == 3

        await poll(all_ended)
        await chat.settled()
    assert seen == [("answer", "one"), ("default", "two")]
    letter = await chat.expect_dead("action_not_in_state")
    assert (letter["stream"], letter["attempts"]) == ("DELIVERIES", 1)
    assert [run[:2] for run in await chat.runs("other")] == [("other.A", "take")]  # the initialize event, unlinked
