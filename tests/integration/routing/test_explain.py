"""`heimdall explain` against the real workers: what it tells is what happened."""

from __future__ import annotations

from typing import Any

import pytest

from broker.domain.subjects import Kind
from broker.transport import evidence
from tests.conftest import poll
from tests.integration.cli.conftest import Cli, cli, untouched_logging  # noqa: F401 - fixtures of the command line
from tests.integration.routing.conftest import Chat
from tests.integration.routing.test_phones import task, writes

A, B = "demo.A-1", "desk.B-2"
SHORT_HOURS = 0.5 / 3600
"""Half a second."""

Told = dict[str, Any]


@pytest.fixture
def explain(cli: Cli) -> Any:  # noqa: F811 - the imported fixture
    """``await explain(sequence)``: the story as a pipe gets it."""

    async def run(event: object, *options: str) -> Told:
        ended = await cli("explain", str(event), *options)
        assert ended.code == 0, ended.err
        (found,) = ended.records
        return found

    return run


def steps(told: Told, what: str) -> list[Told]:
    return [step for step in told["steps"] if step["what"] == what]


async def test_a_message_that_a_link_delivers_names_link_run_and_time(chat: Chat, explain: Any) -> None:
    place = chat.conversation()
    epoch = await chat.link_after_open(place, A)
    sequence = await chat.say(place, "hello")
    await chat.expect_runs(1)
    told = await explain(sequence)
    assert told["decision"] == "delivered"
    assert told["why"].startswith(f"the link of epoch {epoch} to {A} was alive, with 23 h 59 min left")
    assert (told["link"]["epoch"], told["link"]["stub"]) == (epoch, A)
    (run,) = steps(told, "delivered")
    assert (run["stub"], run["action"]) == (A, "_update_from_webchat")
    assert 0 <= run["after_ms"] < 5_000
    assert "no program has ever taken runs of demo" in steps(told, "run")[0]["text"]
    assert steps(told, "missing") == []
    assert told["remarks"] == []


async def test_a_held_message_tells_what_released_it(chat: Chat, explain: Any) -> None:
    place = chat.conversation()
    await chat.register(chat.path.prefix + ".webchatmessagetype.firstmessage", stub=A, action="create", mechanism="cbh")
    first = await chat.say(place, "one")
    second = await chat.say(place, "two")
    await chat.settled()
    waiting = await explain(second)
    assert (waiting["decision"], waiting["link"]) == ("held", None)
    epoch = await chat.link(place, B)
    await chat.expect_runs(2)
    told = await explain(second)
    assert told["decision"] == "delivered"
    assert f"event {epoch} gave the conversation to {B}" in told["why"]
    assert [step["what"] for step in told["steps"]][:4] == ["stored", "held", "released", "delivered"]
    assert steps(await explain(epoch), "released")[0]["sequences"] == [second]
    assert (await explain(first))["decision"] == "delivered"


async def test_a_message_that_nobody_takes_is_a_dead_letter(chat: Chat, explain: Any) -> None:
    sequence = await chat.say(chat.conversation(), "anyone?")
    await chat.expect_dead("unrouted")
    told = await explain(sequence)
    assert told["decision"] == "dead_lettered"
    assert "nobody is linked or registered for firstmessage (as registered now)" in told["why"]
    (letter,) = steps(told, "dead letter")
    assert (letter["reason"], letter["attempts"]) == ("unrouted", 1)
    assert (await explain(letter["letter"], "--of", "letter"))["sequence"] == sequence


async def test_a_registration_made_afterwards_did_not_take_it(chat: Chat, explain: Any) -> None:
    sequence = await chat.say(chat.conversation(), "anyone?")
    await chat.expect_dead("unrouted")
    await chat.register(chat.path.prefix + ".webchatmessagetype.firstmessage", stub=A, action="create")
    assert (await explain(sequence))["decision"] == "dead_lettered"


async def test_registrations_that_took_it_are_named(chat: Chat, explain: Any) -> None:
    path = chat.path.prefix + ".webchatmessagetype"
    made = await chat.register(f"{path}.initialize", stub=A, action="welcome")
    once = await chat.register(f"{path}.firstmessage", stub=B, action="create", mechanism="cbh", keep=False)
    place = chat.conversation()
    opened = await chat.open(place)
    first = await chat.say(place, "hello")
    runs = await chat.expect_runs(2)
    assert len(runs) == 2
    told = await explain(opened)
    assert (told["decision"], steps(told, "matched")[0]["registration"]) == ("delivered", made["uuid"])
    assert [run["stub"] for run in steps(told, "delivered")] == [A]
    used = await explain(first)
    assert steps(used, "matched")[0]["registration"] == once["uuid"]
    assert "used it up" in steps(used, "matched")[0]["text"]
    (run,) = steps(used, "delivered")
    assert (await explain(run["run"], "--of", "run"))["sequence"] == first
    assert steps(used, "missing") == []


async def test_a_registration_that_is_gone_still_shows_by_its_run(chat: Chat, explain: Any) -> None:
    made = await chat.register(chat.path.prefix + ".webchatmessagetype.firstmessage", stub=A, action="create")
    sequence = await chat.say(chat.conversation(), "hello")
    await chat.expect_runs(1)
    await chat.command("deregister", {"uuid": made["uuid"]})
    told = await explain(sequence)
    assert told["decision"] == "delivered"
    assert [run["stub"] for run in steps(told, "delivered")] == [A]
    assert any("registrations" in remark for remark in told["remarks"])


async def test_a_notification_that_sets_a_link_tells_of_link_and_receipt(chat: Chat, explain: Any) -> None:
    place = chat.conversation()
    epoch = await chat.link_after_open(place, A, hours=2)
    body = {"notification": epoch, "status": "delivered"}
    await chat.publish(place.subject(Kind.RECEIPT), body)
    told = await explain(epoch)
    assert told["decision"] == "link_set"
    assert told["why"] == f"the notification asks for a link to {A} for 2 h"
    assert steps(told, "linked")[0]["epoch"] == epoch
    assert steps(told, "receipt")[0]["status"] == "delivered"
    assert told["sender"] == A
    plain = await chat.notify(place, A, webchat_message={"type": "text", "value": "hi"})
    await chat.settled()
    told = await explain(plain)
    assert (told["decision"], told["link"]["epoch"]) == ("unchanged", epoch)
    assert "none yet" in steps(told, "receipt")[0]["text"]


async def test_a_timeout_tells_deadline_and_lateness(chat: Chat, explain: Any) -> None:
    place = chat.conversation()
    epoch = await chat.link_after_open(place, A, hours=SHORT_HOURS)

    async def expired() -> bool:
        return bool(await chat.facts(place, Kind.EXPIRED))

    await poll(expired, 10)
    events = (await chat.command("transcript", {"sessionuuid": place.session}))["events"]
    timeout = next(event for event in events if event["what"] == Kind.TIMEOUT)
    told = await explain(timeout["sequence"])
    assert (told["decision"], told["link"]["epoch"]) == ("link_expired", epoch)
    assert steps(told, "deadline")[0]["late_ms"] >= 0
    assert steps(told, "deadline")[0]["after_ms"] == -steps(told, "deadline")[0]["late_ms"]
    assert steps(told, "expired")
    assert steps(await explain(epoch), "expired")
    fact = next(event for event in events if event["what"] == Kind.LINKED)
    about = await explain(fact["sequence"])
    assert (about["decision"], f"heimdall explain {epoch}" in about["why"]) == ("not_folded", True)


async def test_a_message_after_a_lapsed_link_says_that_it_ran_out(chat: Chat, explain: Any) -> None:
    place = chat.conversation()
    await chat.link_after_open(place, A, hours=SHORT_HOURS)

    async def lapsed() -> bool:
        return bool(await chat.facts(place, Kind.EXPIRED))

    await poll(lapsed, 10)
    sequence = await chat.say(place, "still there?")
    await chat.expect_dead("unrouted")
    assert (await explain(sequence))["decision"] == "dead_lettered"


async def test_a_body_that_cannot_be_read_tells_the_reason(chat: Chat, explain: Any) -> None:
    place = chat.conversation()
    await chat.open(place)
    sequence = await chat.publish(place.subject(Kind.MESSAGE), b"\xc1 garbage")
    await chat.expect_dead("undecodable")
    told = await explain(sequence, "--text")
    assert (told["decision"], told["text"]) == ("refused", None)
    assert told["why"].startswith("undecodable: ")
    assert steps(told, "dead letter")[0]["reason"] == "undecodable"


async def test_a_stub_that_speaks_to_an_unknown_session_was_refused(chat: Chat, explain: Any) -> None:
    sequence = await chat.notify(chat.conversation(), A, stubsession={"set_new_with_timeout_hours": 1})
    await chat.expect_dead("unknown_session")
    told = await explain(sequence)
    assert told["decision"] == "refused"
    assert told["why"].startswith("unknown_session: ")


async def test_a_subject_outside_the_grammar_is_told_as_it_is(chat: Chat, explain: Any) -> None:
    sequence = await chat.publish(f"{chat.path.prefix}.nonsense", {"a": 1})
    await chat.expect_dead("bad_subject")
    told = await explain(sequence)
    assert (told["decision"], told["kind"]) == ("refused", None)


async def test_an_event_is_found_by_its_id(chat: Chat, explain: Any, cli: Cli) -> None:  # noqa: F811 - as above
    place = chat.conversation()
    sequence = await chat.publish(
        place.subject(Kind.MESSAGE),
        chat.visitor_body(place, webchat_message={"type": "text", "value": "hei"}),
        message_id=f"m-{place.session}",
    )
    told = await explain(f"m-{place.session}", "--text")
    assert (told["sequence"], told["event_id"], told["text"]) == (sequence, f"m-{place.session}", "hei")
    assert "text" not in await explain(sequence)
    derived = await chat.publish(place.subject(Kind.MESSAGE), b"{}", message_id=f"{place.session}-run-7-1")
    assert (await explain(f"{place.session}-run-7-1"))["sequence"] == derived
    refusal = (await cli("explain", "nobody-sent-this", "--since", "1m")).refusal
    assert "no event with id 'nobody-sent-this' among the newest" in refusal


async def test_what_is_not_in_the_log_is_one_sentence(cli: Cli) -> None:  # noqa: F811 - as above
    assert "it has not come yet: the log ends at" in (await cli("explain", "999999999")).refusal
    assert "sequences begin at 1" in (await cli("explain", "0")).refusal
    assert "no event 0: " in (await cli("explain", "0")).refusal
    assert "run 999999999, which is gone or never was," in (await cli("explain", "999999999", "--of", "run")).refusal
    assert "is no number" in (await cli("explain", "abc", "--of", "run")).refusal


async def test_no_text_of_a_message_shows_unless_it_is_asked_for(chat: Chat, cli: Cli) -> None:  # noqa: F811 - as above
    place = chat.conversation()
    sequence = await chat.say(place, "my-secret-words")
    await chat.expect_dead("unrouted")
    assert "my-secret-words" not in (await cli("explain", str(sequence))).out
    assert "my-secret-words" in (await cli("explain", str(sequence), "--text")).out


async def test_a_conversation_that_is_too_long_to_replay_says_what_the_story_rests_on(
    chat: Chat, explain: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = chat.conversation()
    epoch = await chat.link_after_open(place, A)
    for number in range(3):
        last = await chat.say(place, f"hello {number}")
    await chat.expect_runs(3)
    monkeypatch.setattr(evidence, "BEFORE_MAX", 2)
    told = await explain(last)
    assert (told["decision"], told["link"]["epoch"], told["session"]) == ("delivered", epoch, place.session)
    assert any("came before this one" in remark for remark in told["remarks"])


async def test_a_stub_that_closes_shows_in_its_links_and_in_what_it_says_later(chat: Chat, explain: Any) -> None:
    place = chat.conversation()
    epoch = await chat.link_after_open(place, A)
    await chat.command("stubclose", {"stub": A})

    async def cancelled() -> bool:
        return bool(await chat.facts(place, Kind.CANCELLED))

    await poll(cancelled)
    events = (await chat.command("transcript", {"sessionuuid": place.session}))["events"]
    delete = next(event["sequence"] for event in events if event["what"] == Kind.DELETE)
    told = await explain(delete)
    assert (told["decision"], told["link"]["epoch"]) == ("link_deleted", epoch)
    assert told["why"].endswith("which is closed")
    late = await chat.link(place, A)
    await chat.settled()
    told = await explain(late)
    assert (told["decision"], "that stub is closed" in told["why"]) == ("link_deleted", True)
    assert [step["what"] for step in told["steps"]][:3] == ["stored", "linked", "cancelled"]
    assert told["remarks"] == []


async def test_an_event_that_was_redriven_is_told_on_both_sides(chat: Chat, explain: Any, cli: Cli) -> None:  # noqa: F811 - as above
    place = chat.conversation()
    sequence = await chat.say(place, "one")
    await chat.expect_dead("unrouted")
    await chat.link(place, A)
    assert (await cli("deadletters", "redrive", "--all", "--org", chat.org)).code == 0
    await chat.expect_runs(1)
    told = await explain(sequence)
    assert told["decision"] == "dead_lettered"
    (again,) = steps(told, "redriven")
    redriven = await explain(again["event"])
    assert redriven["decision"] == "delivered"
    assert f"first as {sequence}" in steps(redriven, "stored")[0]["text"]


async def test_a_conversation_with_a_phone_number_has_stories_too(chat: Chat, explain: Any) -> None:
    linked = await chat.command("linkset", task("set"), stub=B)
    await writes(chat, "hello")
    await chat.expect_runs(1)
    told = await explain(linked["sequence"])
    assert (told["decision"], told["why"]) == ("link_set", f"the manage_stubsession asks for a link to {B} for 24 h")
    events = (await chat.command("transcript", {"sessionuuid": linked["sessionuuid"]}))["events"]
    said = next(event["sequence"] for event in events if event["what"].endswith("messagetype.message"))
    told = await explain(said, "--text")
    assert (told["decision"], told["link"]["epoch"], told["text"]) == ("delivered", linked["sequence"], "hello")
    assert steps(told, "delivered")[0]["action"] == "_update_from_whatsapp"
