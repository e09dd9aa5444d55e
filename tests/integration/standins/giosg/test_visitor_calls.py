"""The calls of a visitor's client: specs/giosg.md section 3, C1 to C3, C5 to C7, C9, C12, C13."""

from __future__ import annotations

import re

import pytest

from tests.integration.standins.giosg.conftest import PUBLIC, ROOM, Visitor
from tests.standins.giosg_control import ROOM_ID, Giosg

PUBLIC_CHAT = {
    *("id", "token", "created_at", "updated_at", "is_waiting", "waiting_started_at", "is_ended", "ended_at"),
    *("room_id", "chat_type", "is_autosuggested"),
}


async def test_a_new_visitor_gets_ids_of_giosgs_shape_and_a_token(visitor: Visitor) -> None:
    found = (await visitor.authenticate()).json()
    assert re.fullmatch("[0-9a-f]{32}", found["visitor_id"])
    assert re.fullmatch("[0-9a-f]{50}", found["visitor_secret_id"])
    assert found["access_token"].count(".") == 2
    assert found["expires_in"] == 1800
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found["expires_at"])


async def test_an_empty_object_makes_a_visitor_too_and_each_call_another(visitor: Visitor) -> None:
    ids = {(await visitor.call("POST", f"{PUBLIC}/auth", {})).json()["visitor_id"] for _ in range(2)}
    assert len(ids) == 2


async def test_a_known_secret_returns_the_visitor_with_a_fresh_token(visitor: Visitor) -> None:
    await visitor.authenticate()
    known, token = visitor.id, visitor.token
    await visitor.authenticate(visitor.secret)
    assert visitor.id == known
    assert visitor.token != token


@pytest.mark.parametrize("by", ["never known", "forgotten", "too old"])
async def test_an_unknown_visitor_is_refused_or_makes_a_new_visitor(giosg: Giosg, visitor: Visitor, by: str) -> None:
    if by == "too old":
        await giosg.configure(secret_lifetime_s=60)
    await visitor.authenticate()
    known, secret = visitor.id, visitor.secret if by != "never known" else "0" * 50
    if by == "forgotten":
        await giosg.forget_secret(known)
    await giosg.clock(advance_ms=61_000)
    assert (await visitor.authenticate(secret)).status_code == 400
    await giosg.configure(unknown_visitor="new")
    assert (await visitor.authenticate(secret)).status_code == 200
    assert visitor.id != known


async def test_the_visitor_enters_the_room_once(visitor: Visitor) -> None:
    await visitor.authenticate()
    assert (await visitor.enter(presence_expires_in=120)).status_code == 201
    again = await visitor.enter()
    assert (again.status_code, again.json()["room_id"]) == (200, ROOM_ID)


@pytest.mark.parametrize("body", [{}, {"id": "somebody"}, {"id": 7}, {"presence_expires_in": "long"}])
async def test_entering_with_a_bad_body_is_refused(visitor: Visitor, body: dict[str, object]) -> None:
    await visitor.authenticate()
    whole = {"id": visitor.id, **body} if "presence_expires_in" in body else body
    assert (await visitor.call("POST", f"{ROOM}/visitors", whole)).status_code == 400


async def test_an_unknown_room_is_not_found(giosg: Giosg, visitor: Visitor) -> None:
    await visitor.authenticate()
    path = f"{PUBLIC}/rooms/00000000-0000-4000-8000-000000000000"
    assert (await visitor.call("POST", f"{path}/visitors", {"id": visitor.id})).status_code == 404
    await giosg.configure(off=["room"])
    assert (await visitor.call("POST", f"{path}/visitors", {"id": visitor.id})).status_code == 201


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_presence_is_kept_up(visitor: Visitor, method: str) -> None:
    await visitor.authenticate()
    path = f"{ROOM}/visitors/{visitor.id}"
    assert (await visitor.call(method, path, {"presence_expires_in": 60})).status_code == 404
    await visitor.enter()
    assert (await visitor.call(method, path, {})).status_code == 400
    assert (await visitor.call(method, path, {"presence_expires_in": 60})).json()["presence_expires_in"] == 60


async def test_the_visitor_sees_whether_anyone_is_there(giosg: Giosg, visitor: Visitor) -> None:
    await visitor.authenticate()
    assert (await visitor.call("GET", ROOM)).json()["is_online"] is True
    users = (await visitor.call("GET", f"{ROOM}/online_users")).json()
    assert [user["public_name"] for user in users["results"]] == ["Aino"]
    await giosg.room("offline")
    assert (await visitor.call("GET", ROOM)).json()["is_online"] is False


async def test_a_chat_has_the_public_fields_and_each_call_makes_another(visitor: Visitor) -> None:
    await visitor.authenticate()
    await visitor.enter()
    answers = [await visitor.create_chat(headers={"Content-Type": "application/json"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert set(answers[0].json()) >= PUBLIC_CHAT
    assert answers[0].json()["is_waiting"] is False
    listed = (await visitor.call("GET", f"/api/v5/public/visitors/{visitor.id}/chats")).json()["results"]
    assert [chat["id"] for chat in listed] == [answer.json()["id"] for answer in answers]


async def test_a_chat_type_is_taken_and_an_unknown_one_refused(visitor: Visitor) -> None:
    await visitor.arrive()
    path = f"{ROOM}/visitors/{visitor.id}/chats"
    assert (await visitor.call("POST", path, {"chat_type": "external"})).json()["chat_type"] == "external"
    assert (await visitor.call("POST", path, {"chat_type": "other"})).status_code == 400


async def test_no_chat_before_the_visit_unless_that_is_allowed(giosg: Giosg, visitor: Visitor) -> None:
    await visitor.authenticate()
    assert (await visitor.create_chat()).status_code == 404
    await giosg.configure(off=["visit"])
    assert (await visitor.create_chat()).status_code == 201


@pytest.mark.parametrize("state", ["offline", "closed"])
@pytest.mark.parametrize("status", [403, 409])
async def test_no_chat_in_a_room_that_is_offline_unless_chats_may_wait(
    giosg: Giosg, visitor: Visitor, state: str, status: int
) -> None:
    await visitor.authenticate()
    await visitor.enter()
    await giosg.room(state)  # type: ignore[arg-type]  # the table has its words
    await giosg.configure(offline_status=status)
    answer = await visitor.create_chat()
    assert (answer.status_code, "detail" in answer.json()) == (status, True)
    await giosg.configure(off=["offline"])
    assert (await visitor.create_chat()).status_code == 201


async def test_auto_resume_works_only_where_a_test_says_so(giosg: Giosg, visitor: Visitor) -> None:
    first = await visitor.arrive()
    assert (await visitor.create_chat(params={"auto_resume": "true"})).status_code == 201
    await giosg.configure(auto_resume=True)
    second = (await visitor.create_chat(params={"auto_resume": "true"})).json()
    again = await visitor.create_chat(params={"auto_resume": "true"})
    assert (again.status_code, again.json()["id"], first != second["id"]) == (200, second["id"], True)


async def test_a_message_comes_back_with_its_id_and_its_sender(giosg: Giosg, visitor: Visitor) -> None:
    chat_id = await visitor.arrive()
    answer = await visitor.say(chat_id, "Hello")
    sent = answer.json()
    assert answer.status_code == 201
    assert (sent["message"], sent["sender_type"], sent["sender_id"]) == ("Hello", "visitor", visitor.id)
    await giosg.configure(message_status=200)
    assert (await visitor.say(chat_id, "Again")).status_code == 200


@pytest.mark.parametrize("text", ["", "  \n", "x" * 2001, None, 7])
async def test_a_message_without_text_or_with_too_much_is_refused(visitor: Visitor, text: object) -> None:
    chat_id = await visitor.arrive()
    answer = await visitor.say(chat_id, text)
    assert answer.status_code == 400
    assert isinstance(answer.json()["message"], list)


async def test_a_message_may_have_2000_characters_and_more_if_the_rule_is_off(giosg: Giosg, visitor: Visitor) -> None:
    chat_id = await visitor.arrive()
    assert (await visitor.say(chat_id, "ä" * 2000)).status_code == 201
    await giosg.configure(off=["text"])
    assert (await visitor.say(chat_id, "ä" * 2001)).status_code == 201


@pytest.mark.parametrize("status", [403, 404, 409])
async def test_nothing_is_written_into_an_ended_chat(giosg: Giosg, visitor: Visitor, status: int) -> None:
    chat_id = await visitor.arrive()
    await visitor.say(chat_id, "Hello")
    await giosg.end(chat_id)
    await giosg.configure(ended_status=status)
    assert (await visitor.say(chat_id, "Late")).status_code == status
    await giosg.configure(off=["ended"])
    assert (await visitor.say(chat_id, "Later")).status_code == 201
    assert (await giosg.chat(chat_id)).texts() == ["Hello", "Later"]


async def test_a_visitor_types_and_leaves(giosg: Giosg, visitor: Visitor) -> None:
    chat_id = await visitor.arrive()
    path = f"/api/v5/public/visitors/{visitor.id}/chat_memberships/{chat_id}"
    typing = {"is_participating": True, "composing_status": "composing"}
    assert (await visitor.call("PUT", path, typing)).json()["composing_status"] == "composing"
    assert (await visitor.call("PUT", path, {"is_participating": True})).status_code == 400
    assert (await visitor.call("PUT", path, {**typing, "composing_status": "typing"})).status_code == 400
    await giosg.configure(typing_words="2019")
    assert (await visitor.call("PUT", path, {**typing, "composing_status": "typing"})).status_code == 200
    left = await visitor.call("PUT", path, {"is_participating": False, "composing_status": "idle"})
    assert left.json()["is_participating"] is False
    assert (await giosg.chat(chat_id)).types() == ["leave"]
    await giosg.configure(typing_status=405)
    assert (await visitor.call("PUT", path, typing)).status_code == 405


async def test_a_visitor_ends_the_chat_for_good(giosg: Giosg, visitor: Visitor) -> None:
    chat_id = await visitor.arrive()
    for _ in range(2):
        answer = await visitor.call("PATCH", visitor.mine(chat_id), {"is_ended": True})
        assert (answer.status_code, answer.json()["is_ended"]) == (200, True)
    assert (await visitor.call("PATCH", visitor.mine(chat_id), {"is_ended": False})).status_code == 400
    assert (await giosg.chat(chat_id)).ended_by == "visitor"
    assert (await visitor.call("GET", visitor.mine(chat_id))).json()["is_ended"] is True


@pytest.mark.parametrize("status", [403, 404, 405])
async def test_giosg_may_not_let_visitors_end_chats(giosg: Giosg, visitor: Visitor, status: int) -> None:
    chat_id = await visitor.arrive()
    await giosg.configure(end_status=status)
    assert (await visitor.call("PATCH", visitor.mine(chat_id), {"is_ended": True})).status_code == status
    assert not (await giosg.chat(chat_id)).is_ended
