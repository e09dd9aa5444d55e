"""Who may call what, what a path finds, and the collections: specs/giosg.md sections 3.1 and 10."""

from __future__ import annotations

import asyncio

import httpx2
import pytest

from tests.integration.standins.giosg.conftest import ORGANIZATION, PUBLIC, ROOM, Visitor
from tests.standins.giosg_control import API_TOKEN, ORGANIZATION_ID, ROOM_ID, Giosg
from tests.standins.webim_control import NO_TLS

OTHER = "99999999-9999-4999-8999-999999999999"


async def test_visitors_calls_need_a_bearer_token(visitor: Visitor) -> None:
    await visitor.authenticate()
    token, visitor.token = visitor.token, ""
    statuses = [
        (await visitor.call("GET", ROOM, headers={"Authorization": header} if header else {})).status_code
        for header in ("", "Bearer wrong", f"Token {token}", f"Token {API_TOKEN}", f"Bearer {API_TOKEN}")
    ]
    assert statuses == [401] * 5
    assert (await visitor.call("GET", ROOM, headers={"Authorization": f"Bearer {token}"})).status_code == 200


async def test_the_organizations_calls_need_the_api_token(giosg: Giosg, visitor: Visitor) -> None:
    await visitor.authenticate()
    path = f"{ORGANIZATION}/rooms/{ROOM_ID}"
    headers = ["Token wrong", f"Bearer {API_TOKEN}", f"Bearer {visitor.token}", f"Token {visitor.token}"]
    assert [(await visitor.call("GET", path, headers={"Authorization": one})).status_code for one in headers] == [
        401
    ] * 4
    assert (await visitor.organization("GET", f"/rooms/{ROOM_ID}")).status_code == 200
    await giosg.configure(off=["scheme"])
    assert (await visitor.call("GET", path, headers={"Authorization": f"Bearer {API_TOKEN}"})).status_code == 200
    await giosg.configure(off=["authorization"])
    assert (await visitor.call("GET", path, headers={"Authorization": "Nothing"})).status_code == 200


@pytest.mark.parametrize("status", [401, 403])
async def test_a_revoked_api_token_is_worth_nothing_and_another_may_be(
    giosg: Giosg, visitor: Visitor, status: int
) -> None:
    await giosg.configure(revoked_token_status=status)
    await giosg.api_tokens()
    assert (await visitor.organization("GET", f"/rooms/{ROOM_ID}")).status_code == status
    await giosg.api_tokens(API_TOKEN)
    assert (await visitor.organization("GET", f"/rooms/{ROOM_ID}")).status_code == 200


async def test_another_organization_is_forbidden(giosg: Giosg, visitor: Visitor) -> None:
    await visitor.authenticate()
    assert (await visitor.call("GET", ROOM.replace(ORGANIZATION_ID, OTHER))).status_code == 403
    assert (await visitor.call("POST", f"{PUBLIC}/auth".replace(ORGANIZATION_ID, OTHER), {})).status_code == 403
    await giosg.configure(off=["organization"])
    assert (await visitor.call("GET", ROOM.replace(ORGANIZATION_ID, OTHER))).status_code == 200


async def test_a_visitors_token_ends_by_giosgs_clock(giosg: Giosg, visitor: Visitor) -> None:
    await visitor.authenticate()
    await giosg.clock(frozen=True, advance_ms=1_799_000)
    assert (await visitor.call("GET", ROOM)).status_code == 200
    await giosg.clock(advance_ms=1_001)
    assert (await visitor.call("GET", ROOM)).status_code == 401
    await giosg.configure(off=["token_expiry"])
    assert (await visitor.call("GET", ROOM)).status_code == 200


async def test_a_test_ends_the_tokens_of_one_visitor_or_of_all(giosg: Giosg, visitor: Visitor) -> None:
    await visitor.authenticate()
    first = visitor.id, visitor.token, visitor.secret
    await visitor.authenticate()
    await giosg.expire_visitor_tokens(first[0])
    assert (await visitor.call("GET", ROOM)).status_code == 200
    assert (await visitor.call("GET", ROOM, headers={"Authorization": f"Bearer {first[1]}"})).status_code == 401
    await giosg.expire_visitor_tokens()
    assert (await visitor.call("GET", ROOM)).status_code == 401
    await visitor.authenticate(first[2])
    assert (await visitor.call("GET", ROOM)).status_code == 200


async def test_a_visitors_token_is_for_that_visitor_and_its_chats(giosg: Giosg, visitor: Visitor) -> None:
    theirs = await visitor.arrive()
    they = visitor.id
    mine = await visitor.arrive()
    assert (await visitor.say(theirs, "Hello")).status_code == 404
    path = f"/api/v5/public/visitors/{they}/chats/{theirs}/messages"
    body = {"type": "msg", "message": "Hello"}
    assert (await visitor.call("POST", path, body)).status_code == 403
    await giosg.configure(foreign_visitor_status=404)
    assert (await visitor.call("POST", path, body)).status_code == 404
    await giosg.configure(off=["token_binding"])
    assert (await visitor.call("POST", path, body)).status_code == 201
    await giosg.configure(off=["chat_owner"])
    assert (await visitor.say(theirs, "Hello")).status_code == 201
    assert (await visitor.say(mine, "Hello")).status_code == 201


async def test_without_the_rule_a_visitor_needs_no_token(giosg: Giosg, visitor: Visitor) -> None:
    await visitor.authenticate()
    visitor.token = ""
    await giosg.configure(off=["authorization"])
    assert (await visitor.enter()).status_code == 201
    chat_id = (await visitor.create_chat()).json()["id"]
    assert (await visitor.say(chat_id, "Hello")).status_code == 201


async def test_without_the_rule_bodies_may_lack_what_is_required(giosg: Giosg, visitor: Visitor) -> None:
    await visitor.authenticate()
    await giosg.configure(off=["fields"])
    assert (await visitor.call("POST", f"{ROOM}/visitors", {})).status_code == 201
    assert (await visitor.call("PUT", f"{ROOM}/visitors/{visitor.id}", {})).status_code == 200
    chat = await visitor.call("POST", f"{ROOM}/visitors/{visitor.id}/chats", {"chat_type": "other"})
    chat_id = chat.json()["id"]
    body = {"type": "other", "message": "Hello"}
    assert (await visitor.call("POST", visitor.mine(chat_id, "/messages"), body)).status_code == 201
    path = f"/api/v5/public/visitors/{visitor.id}/chat_memberships/{chat_id}"
    assert (await visitor.call("PUT", path, {"is_participating": True})).json()["composing_status"] == "idle"
    variables = f"/rooms/{ROOM_ID}/visitors/{visitor.id}/variables"
    assert (await visitor.organization("POST", variables, {"key": "mood"})).status_code == 201


async def test_a_removed_chat_is_not_found(giosg: Giosg, visitor: Visitor) -> None:
    chat_id = await visitor.arrive()
    await giosg.remove(chat_id)
    assert (await visitor.say(chat_id, "Hello")).status_code == 404
    assert (await visitor.call("GET", visitor.mine(chat_id))).status_code == 404
    for rest in ("", "/messages", "/memberships"):
        assert (await visitor.organization("GET", f"/owned_chats/{chat_id}{rest}")).status_code == 404


@pytest.mark.parametrize("path", ["/", "/api/v5/orgs", f"{PUBLIC}/unknown", "/chats", "/reset", "/console/"])
async def test_an_unknown_path_is_not_found_in_json(visitor: Visitor, path: str) -> None:
    answer = await visitor.call("GET", path)
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})


async def test_a_wrong_method_is_told_the_right_ones(visitor: Visitor) -> None:
    answer = await visitor.call("GET", f"{PUBLIC}/auth")
    assert (answer.status_code, answer.headers["allow"], "detail" in answer.json()) == (405, "POST", True)


async def test_check_44_a_trailing_slash_is_answered_the_same(giosg: Giosg, visitor: Visitor) -> None:
    chat_id = await visitor.arrive()
    await visitor.say(chat_id, "Hello")
    paths = [ROOM, f"{ROOM}/online_users", visitor.mine(chat_id), visitor.mine(chat_id, "/messages")]
    for path in paths:
        plain, slashed = await visitor.call("GET", path), await visitor.call("GET", f"{path}/")
        assert (slashed.status_code, slashed.json()) == (200, plain.json())
    for rest in ("", "/messages", "/memberships"):
        path = f"/owned_chats/{chat_id}{rest}"
        plain, slashed = await visitor.organization("GET", path), await visitor.organization("GET", f"{path}/")
        assert (slashed.status_code, slashed.json()) == (200, plain.json())
    assert (await visitor.call("POST", f"{ROOM}/visitors/", {"id": visitor.id})).status_code == 200
    assert (await visitor.call("POST", f"{ROOM}/visitors/{visitor.id}/chats/")).status_code == 201
    assert (await visitor.call("POST", visitor.mine(chat_id, "/messages/"), {"message": "Again"})).status_code == 201
    assert (await giosg.calls("/messages/"))[-1].path.endswith("/messages/")


async def test_only_json_comes_in_and_goes_out(giosg: Giosg, visitor: Visitor) -> None:
    await visitor.authenticate()
    html = {"Accept": "text/html"}
    assert (await visitor.call("GET", ROOM, headers=html)).status_code == 406
    assert (await visitor.call("GET", ROOM, headers=html, params={"format": "json"})).status_code == 200
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await visitor.call("POST", f"{PUBLIC}/auth", {}, headers=form)).status_code == 415
    await giosg.configure(off=["media_type"])
    assert (await visitor.call("POST", f"{PUBLIC}/auth", {}, headers=form)).status_code == 200


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff", b"7"])
async def test_a_body_that_is_no_json_object_is_refused(giosg: Giosg, content: bytes) -> None:
    answer = await giosg.raw(f"{giosg.url}{PUBLIC}/auth", content)
    assert answer["status"] == 400


async def test_collections_come_in_pages_with_addresses_on_the_same_host(giosg: Giosg, visitor: Visitor) -> None:
    await giosg.configure(page_size=2)
    chat_id = await visitor.arrive()
    for number in range(5):
        await visitor.say(chat_id, str(number))
    url: str | None = f"{giosg.url}{visitor.mine(chat_id, '/messages')}"
    seen, previous = [], []
    while url is not None:
        page = (await visitor.call("GET", url)).json()
        seen.append([one["message"] for one in page["results"]])
        previous.append(page["previous"] is not None)
        url = page["next"]
        assert url is None or url.startswith(giosg.url)
    assert (seen, previous) == ([["0", "1"], ["2", "3"], ["4"]], [False, True, True])
    assert (await visitor.call("GET", visitor.mine(chat_id, "/messages?page=9"))).status_code == 404


async def test_the_next_page_may_be_said_to_be_elsewhere(giosg: Giosg, visitor: Visitor) -> None:
    await giosg.configure(page_size=1, next_origin="http://elsewhere.example")
    chat_id = await visitor.arrive()
    for text in ("a", "b"):
        await visitor.say(chat_id, text)
    page = (await visitor.call("GET", visitor.mine(chat_id, "/messages"))).json()
    assert page["next"].startswith("http://elsewhere.example/api/v5/public/")


async def test_too_many_calls_are_throttled_only_where_a_test_says_so(giosg: Giosg, visitor: Visitor) -> None:
    await visitor.authenticate()
    await giosg.configure(rate_limit=2, rate_window_ms=60_000)
    answers = [await visitor.call("GET", ROOM) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]  # C1 was the first
    assert answers[1].headers["retry-after"] == "60"


async def test_sixteen_calls_at_once_are_answered(giosg: Giosg) -> None:
    async with httpx2.AsyncClient(base_url=giosg.url, trust_env=False, verify=NO_TLS) as client:
        visitors = [Visitor(client) for _ in range(16)]
        await asyncio.gather(*(one.arrive() for one in visitors))
    assert len({one.id for one in visitors}) == 16
    assert len(await giosg.chats()) == 16
