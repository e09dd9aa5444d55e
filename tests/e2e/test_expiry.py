"""Step 5: a link runs out while the window stays open."""

from __future__ import annotations

import pytest

from tests.e2e.chat_page import CREATED, UPDATED, WELCOME, talk
from tests.e2e.conftest import SHORT_LINK_HOURS, NewVisitor
from tests.e2e.stack import Stack
from tests.e2e.tap import tapping

pytestmark = pytest.mark.asyncio(loop_scope="session")

LATE_MS_MAX = 2_000
MS_PER_HOUR = 3_600_000


@pytest.mark.check(24)
async def test_check_24_step_5_after_the_link_ran_out_the_next_message_is_a_firstmessage_with_a_new_stub(
    short_stack: Stack, new_visitor: NewVisitor
) -> None:
    async with tapping(short_stack) as tap:
        visitor = await new_visitor(short_stack)
        await visitor.say("one")
        await visitor.expect_last(CREATED, count=3)
        await visitor.say("two")
        await visitor.expect_last(UPDATED, count=5)
        session = await visitor.session()
        expired = await tap.expect(session, "expired")
        assert await short_stack.links(session) == []
        await visitor.say("three")
        await visitor.expect_messages(*talk(WELCOME, "one", CREATED, "two", UPDATED, "three", CREATED))
        third = await tap.expect(session, "linked", lambda event: event["sequence"] > expired["sequence"])
    facts = tap.of(session, "linked", "timeout", "expired")
    kinds = [fact["kind"] for fact in facts]
    assert kinds[:5] == ["linked", "linked", "timeout", "expired", "linked"], kinds
    first, second, timeout = facts[:3]
    assert first["body"]["stub"] == second["body"]["stub"] == expired["body"]["stub"] != third["body"]["stub"]
    assert timeout["body"]["epoch"] == second["body"]["epoch"] == expired["body"]["epoch"]
    assert second["body"]["expires_at_ms"] <= timeout["at_ms"] <= second["body"]["expires_at_ms"] + LATE_MS_MAX
    assert second["body"]["expires_at_ms"] - second["at_ms"] <= SHORT_LINK_HOURS * MS_PER_HOUR
    said = [event["subject"].rsplit(".", 1)[1] for event in tap.of(session, "firstmessage", "message")]
    assert said == ["firstmessage", "message", "firstmessage"]
    assert len(tap.of(session, "initialize")) == 1
