"""What a test can let go wrong in the calls of an adapter: specs/giosg.md section 10."""

from __future__ import annotations

import json
import time

import httpx2
import pytest

from tests.integration.standins.giosg.conftest import ROOM, Visitor
from tests.standins.giosg_control import ROOM_ID, Giosg


@pytest.fixture
async def chat_id(visitor: Visitor) -> str:
    """A chat in which nothing was said."""
    return await visitor.arrive()


async def test_a_status_comes_as_often_as_asked_and_the_call_has_no_effect(
    giosg: Giosg, visitor: Visitor, chat_id: str
) -> None:
    await giosg.fault(method="POST", path="/messages", status=503, count=2)
    assert [(await visitor.say(chat_id, "Hi")).status_code for _ in range(3)] == [503, 503, 201]
    assert (await giosg.chat(chat_id)).texts() == ["Hi"]
    assert [call.processed for call in await giosg.calls("/messages")] == [False, False, True]


async def test_a_fault_is_for_one_method_and_one_pattern_and_may_come_later(
    giosg: Giosg, visitor: Visitor, chat_id: str
) -> None:
    await giosg.fault(method="GET", path="/chats/*/messages", skip=1, status=500)
    path = visitor.mine(chat_id, "/messages")
    assert (await visitor.say(chat_id, "Hi")).status_code == 201
    assert (await visitor.call("GET", ROOM)).status_code == 200
    assert [(await visitor.call("GET", path)).status_code for _ in range(3)] == [200, 500, 200]


@pytest.mark.parametrize(
    ("path", "failed"),
    [("/auth", "auth"), ("/visitors", "visitors"), ("/rooms/*/chats", "chats"), ("/messages", "messages")],
)
async def test_a_fault_hits_the_call_whose_path_ends_so_and_no_other(
    giosg: Giosg, visitor: Visitor, chat_id: str, path: str, failed: str
) -> None:
    await giosg.fault(method="POST", path=path, status=500, count=None)
    kept = visitor.secret
    answers = {
        "auth": await visitor.authenticate(kept),
        "visitors": await visitor.enter(),
        "chats": await visitor.create_chat(),
        "messages": await visitor.say(chat_id, "Hi"),
    }
    assert [name for name, answer in answers.items() if answer.status_code == 500] == [failed]


async def test_a_fault_has_its_own_body_and_headers(giosg: Giosg, visitor: Visitor, chat_id: str) -> None:
    await giosg.fault(path="/messages", status=429, headers={"Retry-After": "2"}, body='{"detail": "slow down"}')
    answer = await visitor.say(chat_id, "Hi")
    assert (answer.status_code, answer.headers["retry-after"], answer.json()) == (429, "2", {"detail": "slow down"})
    await giosg.fault(path="/messages", body="<html>", headers={"Content-Type": "text/html"}, processed=True)
    answer = await visitor.say(chat_id, "Hi")
    assert (answer.status_code, answer.headers["content-type"], answer.text) == (201, "text/html", "<html>")


@pytest.mark.parametrize("processed", [False, True])
async def test_a_connection_breaks_before_or_after_the_call_was_processed(
    giosg: Giosg, visitor: Visitor, chat_id: str, *, processed: bool
) -> None:
    await giosg.fault(path="/messages", drop=True, processed=processed)
    with pytest.raises(httpx2.TransportError):
        await visitor.say(chat_id, "Hi")
    assert (await giosg.chat(chat_id)).texts() == (["Hi"] if processed else [])
    call = (await giosg.calls("/messages"))[0]
    assert (call.status, call.processed) == (None, processed)


async def test_an_answer_is_cut_off_or_holds_half_of_its_json(giosg: Giosg, visitor: Visitor, chat_id: str) -> None:
    await giosg.fault(path="/messages", cut=True, processed=True)
    with pytest.raises(httpx2.RemoteProtocolError):
        await visitor.say(chat_id, "Hi")
    await giosg.fault(path="/messages", truncate=True, processed=True)
    answer = await visitor.say(chat_id, "Hi")
    assert answer.status_code == 201
    with pytest.raises(json.JSONDecodeError):
        answer.json()


async def test_a_delay_alone_spoils_nothing(giosg: Giosg, visitor: Visitor, chat_id: str) -> None:
    await giosg.fault(path="/messages", delay_ms=300)
    began_s = time.monotonic()
    assert (await visitor.say(chat_id, "Hi")).status_code == 201
    assert time.monotonic() - began_s >= 0.3


@pytest.mark.parametrize("processed", [False, True])
async def test_a_caller_that_does_not_wait_leaves_a_call_that_was_processed_or_was_not(
    giosg: Giosg, visitor: Visitor, chat_id: str, *, processed: bool
) -> None:
    await giosg.fault(path="/messages", delay_ms=700, processed=processed)
    with pytest.raises(httpx2.TimeoutException):
        await visitor.say(chat_id, "Hi", timeout=0.2)
    assert (await visitor.say(chat_id, "Later")).status_code == 201
    assert (await giosg.chat(chat_id)).texts() == (["Hi", "Later"] if processed else ["Later"])


async def test_giosg_is_away_until_the_test_brings_it_back(giosg: Giosg, visitor: Visitor, chat_id: str) -> None:
    await giosg.fault(drop=True, count=None)
    for _ in range(3):
        with pytest.raises(httpx2.TransportError):
            await visitor.say(chat_id, "Hi")
    assert len((await giosg.state())["faults"]) == 1
    await giosg.clear_faults()
    assert (await visitor.say(chat_id, "Hi")).status_code == 201


async def test_a_room_may_be_said_to_be_online_and_refuse_the_chat(giosg: Giosg, visitor: Visitor) -> None:
    await visitor.arrive()
    await giosg.room("offline")
    path = f"/rooms/{ROOM_ID}"
    lie = {**(await visitor.organization("GET", path)).json(), "is_online": True, "is_humans_online": True}
    await giosg.fault(method="GET", path=f"/orgs/*{path}", body=json.dumps(lie))
    assert (await visitor.organization("GET", path)).json()["is_online"] is True
    assert (await visitor.create_chat()).status_code == 403
    assert (await visitor.organization("GET", path)).json()["is_online"] is False
