"""A redriven event through the real linker: routed as if it had just come, in the order of its conversation."""

from __future__ import annotations

from broker.domain import headers as names
from broker.domain.subjects import STUBS, Kind
from broker.runtime.deadletters import DeadLetters, Original
from broker.transport.letters import Selection, letters
from broker.transport.reader import read_range
from broker.transport.redrive import Redrive, candidate_of
from broker.transport.topology import DELIVERIES
from tests.integration.routing.conftest import Chat


async def redrive(chat: Chat) -> int:
    candidates = [candidate_of(letter) async for letter in letters(chat.connection, Selection(org=chat.org))]
    return len([redriven async for redriven in Redrive(chat.connection, chat.publisher).run(candidates)])


async def test_what_nobody_took_reaches_the_stub_that_owns_the_conversation_now(
    chat: Chat,
) -> None:
    conversation = chat.conversation()
    await chat.open(conversation)
    await chat.settled()
    for text in ("one", "two", "three"):
        await chat.say(conversation, text)
        await chat.settled()
    before = [letter["body"] for letter in await chat.dead()]
    assert before  # nobody was registered
    await chat.link(conversation, "demo.A-1")
    assert await redrive(chat) == len(before)
    runs = await chat.expect_runs(len(before))
    assert [run[2]["message"] for run in runs] == ["one", "two", "three"][: len(before)]
    assert await chat.dead() == []


async def test_a_redriven_event_that_nobody_takes_is_a_new_letter_in_its_first_place(chat: Chat) -> None:
    conversation = chat.conversation()
    first = await chat.say(conversation, "one", Kind.FIRSTMESSAGE)
    letter = await chat.expect_dead("unrouted")
    assert letter["sequence"] == first
    await redrive(chat)
    await chat.settled()
    again = await chat.expect_dead("unrouted")
    assert again["sequence"] > first
    assert again["headers"][names.REDRIVEN] == str(first)


async def test_a_run_stays_behind_the_event_before_it(chat: Chat) -> None:
    conversation = chat.conversation()
    await chat.say(conversation, "one", Kind.FIRSTMESSAGE)
    await chat.expect_dead("unrouted")
    await chat.link(conversation, "demo.A-1")
    await chat.say(conversation, "two")
    await chat.expect_runs(1)
    pattern = f"p.*.{STUBS}.org.{chat.org}.>"
    (run,) = await read_range(chat.connection, DELIVERIES, (pattern,), after=0, limit=10)
    original = Original(run.public_subject, DELIVERIES, run.sequence, run.data, run.headers, run.stored_at_ms)
    await DeadLetters(chat.publisher).keep(original, code="worker_fault", detail="its stub failed")
    assert await redrive(chat) == 2
    runs = await chat.expect_runs(3)
    assert [run[2]["message"] for run in runs] == ["two", "one", "two"]
