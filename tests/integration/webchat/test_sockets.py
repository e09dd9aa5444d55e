"""What a browser and the log see of each other through the webchat worker."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from broker.domain.subjects import Kind
from broker.runtime.embedded import nats_server
from tests.conftest import Eventually
from tests.integration.webchat.conftest import Webchat, running_webchat

Resume = Callable[..., dict[str, Any]]
MESSAGES = {"firstmessage", "message"}
PASSED = "{'a':'b'}"
FACT = {"stub": "demo.x", "stubref": "x", "epoch": 1, "expires_at_ms": 1, "reason": "timeout"}


@pytest.mark.check(9)
async def test_check_9_opening_a_window_announces_the_session(webchat: Webchat) -> None:
    async with webchat.browser() as browser:
        welcome, _ = await browser.hello()
    assert [event["sessionuuid"] for event in await webchat.initialized()] == [welcome["sessionuuid"]]
    assert "webchat_message" not in (await webchat.initialized())[0]
    assert welcome["title"] == "The shop"


@pytest.mark.check(10)
async def test_check_10_coming_back_announces_nothing_and_keeps_the_session(webchat: Webchat, resume: Resume) -> None:
    async with webchat.browser() as browser:
        welcome, _ = await browser.hello()
    for _ in range(3):
        async with webchat.browser() as browser:
            again, _ = await browser.hello(resume(welcome))
            assert (again["sessionuuid"], again["resumed"], again["token"]) == (welcome["sessionuuid"], True, None)
    assert len(await webchat.initialized()) == 1


@pytest.mark.check(11)
async def test_check_11_the_first_message_and_the_second_have_their_own_kinds(webchat: Webchat) -> None:
    async with webchat.browser() as browser:
        welcome, _ = await browser.hello()
        await browser.say("one")
        await browser.say("two")
    assert [kind for kind, _ in await webchat.log(welcome["sessionuuid"])] == ["firstmessage", "message"]


@pytest.mark.check(12)
async def test_check_12_pass_through_data_reach_the_log_byte_for_byte(webchat: Webchat) -> None:
    async with webchat.browser() as browser:
        welcome, _ = await browser.hello(pass_through_data=PASSED)
        await browser.say("hei")
    (_, body), *_ = await webchat.log(welcome["sessionuuid"])
    events = [body["heimdall"]["webchat"], *await webchat.initialized()]
    assert [event["webchat_configuration"]["passthroughData"] for event in events] == [PASSED] * 2


@pytest.mark.check(13)
async def test_check_13_a_clients_claim_of_a_first_message_is_not_believed(webchat: Webchat) -> None:
    async with webchat.browser() as browser:
        welcome, _ = await browser.hello()
        await browser.say("one")
        await browser.say("two", FIRST_MESSAGE=True)
    assert [kind for kind, _ in await webchat.log(welcome["sessionuuid"])] == ["firstmessage", "message"]


@pytest.mark.check(14)
async def test_check_14_a_platform_switch_is_a_configuration_event(webchat: Webchat) -> None:
    switch = {"platform_name": "whatsapp", "type": "mobile", "value": "+18005550100"}
    async with webchat.browser() as browser:
        welcome, _ = await browser.hello()
        await browser.send("configure", id=str(uuid4()), platform_switch=switch)
        await browser.next("stored")
    ((kind, body),) = await webchat.log(welcome["sessionuuid"])
    assert kind == "configuration"
    assert body["heimdall"]["webchat"]["webchat_client_configuration"] == {"platform_switch": switch}


@pytest.mark.check(24)
@pytest.mark.parametrize("came_back", [False, True], ids=["in an open window", "after coming back"])
async def test_check_24_after_a_link_has_ended_the_next_message_is_a_first_one(
    webchat: Webchat,
    resume: Resume,
    came_back: bool,  # noqa: FBT001
    eventually: Eventually,
) -> None:
    async with webchat.browser() as browser:
        welcome, _ = await browser.hello()
        session = welcome["sessionuuid"]
        await browser.say("one")
        await webchat.tell(session, Kind.EXPIRED, FACT)
        # What comes later on the same way was heard later: so the fact was heard as well.
        await webchat.notify(session, message={"type": "text", "value": "mark"})
        await browser.next("message")
        if not came_back:
            await browser.say("two")
    if came_back:
        async with webchat.browser() as browser:
            await browser.hello(resume(welcome))
            await browser.say("two")

    async def kinds() -> bool:
        return [kind for kind, _ in await webchat.log(session) if kind in MESSAGES] == ["firstmessage"] * 2

    await eventually(kinds)


@pytest.mark.check(37)
async def test_check_37_a_control_event_reaches_the_page_and_shows_nothing(webchat: Webchat) -> None:
    async with webchat.browser() as browser:
        welcome, _ = await browser.hello()
        await webchat.notify(welcome["sessionuuid"], control_event={"page": "tvs"})
        frame = await browser.next("message")
    assert (frame["control"], frame["type"], frame["html"]) == ({"page": "tvs"}, None, None)


@pytest.mark.check(40)
async def test_check_40_what_was_missed_comes_in_order_and_once(webchat: Webchat, resume: Resume) -> None:
    async with webchat.browser() as browser:
        welcome, frames = await browser.hello()
        session, began = welcome["sessionuuid"], frames[-1]["through"]
        await browser.say("one")
    sequences = [(await webchat.notify(session, message={"type": "text", "value": str(n)})).sequence for n in range(5)]
    async with webchat.browser() as browser:
        _, frames = await browser.hello(resume(welcome, replay_after=began))
    *messages, replayed = frames
    assert [(frame["direction"], frame["text"] or frame["html"]) for frame in messages] == [
        ("from_visitor", "one"),
        *(("to_visitor", str(n)) for n in range(5)),
    ]
    assert (replayed["through"], replayed["gap"]) == (sequences[-1], False)
    async with webchat.browser() as browser:
        _, frames = await browser.hello(resume(welcome, replay_after=sequences[2]))
    assert [frame["sequence"] for frame in frames[:-1]] == sequences[3:]


async def test_a_log_that_no_longer_reaches_back_is_told_of(webchat: Webchat, resume: Resume) -> None:
    async with webchat.browser() as browser:
        welcome, frames = await browser.hello()
    gone = frames[-1]["through"] + 1_000_000  # A sequence that the log does not hold.
    async with webchat.browser() as browser:
        _, frames = await browser.hello(resume(welcome, replay_after=gone))
    assert frames[-1]["gap"] is True


@pytest.mark.check(41)
async def test_check_41_a_message_sent_twice_is_stored_once(webchat: Webchat, resume: Resume) -> None:
    client_id = str(uuid4())
    async with webchat.browser() as browser:
        welcome, _ = await browser.hello()
        first = await browser.say("hei", client_id)
        assert await browser.say("hei", client_id) == first
    async with webchat.browser() as browser:
        await browser.hello(resume(welcome))
        assert await browser.say("hei", client_id) == first
    assert len(await webchat.log(welcome["sessionuuid"])) == 1


async def test_each_notification_has_one_receipt_however_often_it_is_confirmed(
    webchat: Webchat, resume: Resume, eventually: Eventually
) -> None:
    async with webchat.browser() as browser:
        welcome, _ = await browser.hello()
        session = welcome["sessionuuid"]
        sent = await webchat.notify(session, message={"type": "text", "value": "hei"})
        await browser.next("message")
        for _ in range(2):
            await browser.send("seen", sequence=sent.sequence)
        await browser.say("after")
    async with webchat.browser() as browser:
        await browser.hello(resume(welcome))
        await browser.send("seen", sequence=sent.sequence)
        await browser.say("once more")

    async def receipts() -> list[dict[str, Any]]:
        return [body for kind, body in await webchat.log(session) if kind == "receipt"]

    await eventually(receipts)
    assert await receipts() == [{"notification": sent.sequence, "status": "delivered"}]


async def test_one_bad_message_is_refused_and_the_next_is_taken(webchat: Webchat) -> None:
    async with webchat.browser() as browser:
        await browser.hello()
        bad = str(uuid4())
        assert (await browser.say("x" * 70_000, bad))["id"] == bad
        assert (await browser.say(" ", bad))["code"] == "blank"
        assert (await browser.say("hei"))["frame"] == "stored"


async def test_a_stop_tells_browsers_to_come_back(webchat: Webchat) -> None:
    async with webchat.browser() as browser:
        await browser.hello()
        webchat.stop.set()
        assert await browser.close_code() == 1012


async def test_what_is_said_while_the_server_is_away_is_stored_when_it_returns(
    tmp_path: Path, org: str, eventually: Eventually
) -> None:
    async with (
        nats_server(tmp_path) as server,
        running_webchat(server.url, org) as webchat,
        webchat.browser() as browser,
    ):
        welcome, _ = await browser.hello()
        await server.kill()
        await eventually(lambda: not webchat.backbone.connection.connected)
        await browser.send("say", id=str(uuid4()), text="are you there?")
        await server.start()
        assert (await browser.next("stored"))["sequence"] > 0
        await eventually(lambda: webchat.backbone.connection.connected)
        sent = await webchat.notify(welcome["sessionuuid"], message={"type": "text", "value": "yes"})
        assert (await browser.next("message"))["sequence"] == sent.sequence
