"""What agents, the website and time do to chats, and what the organization reads of it: specs/giosg.md section 3."""

from __future__ import annotations

import httpx2
import pytest

from tests.integration.standins.giosg.conftest import Visitor
from tests.standins.giosg_control import ORGANIZATION_ID, ROOM_ID, Giosg
from tests.standins.webim_control import NO_TLS

CHAT_FIELDS = """id chat_type created_at updated_at ended_at waiting_started_at room_id room_organization_id room_name
tag_count message_count user_message_count visitor_message_count has_messages has_user_messages has_visitor_messages
present_participant_count present_user_participant_count present_visitor_participant_count member_count
user_member_count visitor_member_count is_private is_real_conversation is_autosuggested is_waiting is_pending is_ended
is_encrypted encrypted_symmetric_key autosuggest_url autosuggest_url_title first_visitor_message_url
first_visitor_message_url_title token legacy_conversation_state legacy_room_id visitor_wait_time duration
active_duration"""
MESSAGE_FIELDS = """id type chat_id room_id created_at sender_type sender_id sender_public_name sender_name
sender_avatar message is_encrypted encrypted_message sensitive_data_purged_at selected_reply_suggestion
selected_reply_suggestion_id attachments attachment_template response_to_message_id response_to_attachment
response_to_attachment_id response_to_action response_to_action_id response_text response_value"""
MEMBER_FIELDS = """member_id member_type member_name member_public_name member_avatar room_id chat_id created_at
updated_at is_participating is_present composing_status message_count room_organization_id member_organization_id
legacy_member_id"""


async def talk(visitor: Visitor) -> str:
    """A chat that waits for an agent."""
    chat_id = await visitor.arrive()
    await visitor.say(chat_id, "Hello")
    return chat_id


async def owned(visitor: Visitor, chat_id: str, rest: str = "") -> dict[str, object]:
    found: dict[str, object] = (await visitor.organization("GET", f"/owned_chats/{chat_id}{rest}")).json()
    return found


async def test_the_organization_reads_whole_objects(giosg: Giosg, visitor: Visitor) -> None:
    chat_id = await talk(visitor)
    await giosg.join(chat_id)
    chat = await owned(visitor, chat_id)
    assert sorted(chat) == sorted(CHAT_FIELDS.split())
    assert (chat["room_id"], chat["room_organization_id"]) == (ROOM_ID, ORGANIZATION_ID)
    messages = (await visitor.organization("GET", f"/owned_chats/{chat_id}/messages")).json()["results"]
    assert [sorted(one) for one in messages] == [sorted(MESSAGE_FIELDS.split())] * 2
    members = (await visitor.organization("GET", f"/owned_chats/{chat_id}/memberships")).json()["results"]
    assert [sorted(one) for one in members] == [sorted(MEMBER_FIELDS.split())] * 2
    assert [(one["member_type"], one["member_id"] == visitor.id) for one in members] == [
        ("visitor", True),
        ("user", False),
    ]


async def test_a_chat_waits_from_the_visitors_first_word_until_an_agent_takes_it(
    giosg: Giosg, visitor: Visitor
) -> None:
    chat_id = await visitor.arrive()
    silent = await owned(visitor, chat_id)
    assert (silent["is_waiting"], silent["is_pending"], silent["waiting_started_at"]) == (False, False, None)
    await visitor.say(chat_id, "Hello")
    waiting = await owned(visitor, chat_id)
    assert (waiting["is_waiting"], waiting["is_pending"], waiting["visitor_message_count"]) == (True, True, 1)
    await giosg.join(chat_id)
    await visitor.say(chat_id, "Again")
    taken = await owned(visitor, chat_id)
    assert (taken["is_waiting"], taken["is_pending"]) == (False, False)
    assert taken["waiting_started_at"] == waiting["waiting_started_at"]
    assert (taken["present_user_participant_count"], taken["user_member_count"]) == (1, 1)


@pytest.mark.parametrize(("flags", "expected"), [("waiting", (True, False)), ("pending", (False, True))])
async def test_waiting_may_be_told_by_one_flag_only(
    giosg: Giosg, visitor: Visitor, flags: str, expected: tuple[bool, bool]
) -> None:
    await giosg.configure(waiting_flags=flags)
    chat = await owned(visitor, await talk(visitor))
    assert (chat["is_waiting"], chat["is_pending"]) == expected


async def test_agents_see_no_chat_whose_visitor_has_not_written(giosg: Giosg, visitor: Visitor) -> None:
    chat_id = await visitor.arrive()
    async with httpx2.AsyncClient(base_url=giosg.control_url, trust_env=False, verify=NO_TLS) as client:
        assert (await client.post(f"/chats/{chat_id}/join")).status_code == 409
    await giosg.configure(off=["silent_chats"])
    assert len((await giosg.join(chat_id)).memberships) == 2


async def test_an_agent_comes_writes_and_goes(giosg: Giosg, visitor: Visitor) -> None:
    chat_id = await talk(visitor)
    said = await giosg.say(chat_id, "Hi")
    assert (said["sender_public_name"], said["sender_name"]) == ("Aino", "Aino Agent-Internal")
    assert said["sender_avatar"].keys() == {"id", "url"}
    left = await giosg.leave(chat_id)
    assert left.types() == ["msg", "join", "msg", "leave"]
    assert left.record["present_user_participant_count"] == 0
    assert (await giosg.join(chat_id)).types()[-1] == "join"


async def test_an_agent_may_be_named_and_may_write_without_joining(giosg: Giosg, visitor: Visitor) -> None:
    chat_id = await talk(visitor)
    agent = await giosg.add_agent("Liisa", "Liisa Internal")
    said = await giosg.say(chat_id, "Hi", agent_id=agent["id"], join=False)
    assert said["sender_public_name"] == "Liisa"
    assert (await giosg.chat(chat_id)).types() == ["msg", "msg"]
    assert "Liisa" in [one["public_name"] for one in await giosg.agents()]


async def test_an_agent_sends_attachments_and_no_text(giosg: Giosg, visitor: Visitor) -> None:
    chat_id = await talk(visitor)
    attachment = {"title": "Shoes", "actions": [{"text": "Buy", "value": "buy"}]}
    said = await giosg.say(chat_id, None, attachments=[attachment])
    assert said["message"] is None
    assert (said["attachments"][0]["title"], said["attachments"][0]["image_url"]) == ("Shoes", None)
    assert said["attachments"][0]["actions"][0]["type"] == "button"


async def test_an_encrypted_message_has_no_text(giosg: Giosg, visitor: Visitor) -> None:
    chat_id = await talk(visitor)
    said = await giosg.say(chat_id, "secret", encrypted=True)
    assert (said["message"], said["is_encrypted"], said["encrypted_message"]) == (None, True, "c2VjcmV0")
    assert (await owned(visitor, chat_id))["encrypted_symmetric_key"] is not None


async def test_giosg_itself_writes(giosg: Giosg, visitor: Visitor) -> None:
    chat_id = await talk(visitor)
    said = await giosg.say(chat_id, "Can I help?", type="autosuggest", sender_type="rule", extra={"new_field": 1})
    assert (said["type"], said["sender_type"], said["sender_id"], said["new_field"]) == ("autosuggest", "rule", None, 1)


async def test_an_end_is_for_good_and_its_tag_and_leave_come_after_it(giosg: Giosg, visitor: Visitor) -> None:
    chat_id = await talk(visitor)
    await giosg.say(chat_id, "Bye")
    ended = await giosg.end(chat_id, tag="sold", leave=True)
    assert (ended.is_ended, ended.is_waiting, ended.ended_by, ended.tags) == (True, False, "user", ("sold",))
    assert ended.types()[-2:] == ["tag_created", "leave"]
    assert all(one["created_at"] > ended.record["ended_at"] for one in ended.messages[-2:])
    assert (await owned(visitor, chat_id))["legacy_conversation_state"] == "closed"
    async with httpx2.AsyncClient(base_url=giosg.control_url, trust_env=False, verify=NO_TLS) as client:
        assert (await client.post(f"/chats/{chat_id}/say", json={"text": "Late"})).status_code == 409


async def test_a_message_is_read_by_itself_edited_and_removed(giosg: Giosg, visitor: Visitor) -> None:
    chat_id = await talk(visitor)
    message_id = (await giosg.say(chat_id, "Helo"))["id"]
    path = f"/owned_chats/{chat_id}/messages/{message_id}"
    await giosg.edit_message(chat_id, message_id, "Hello")
    assert (await visitor.organization("GET", path)).json()["message"] == "Hello"
    await giosg.configure(single_message_status=405)
    assert (await visitor.organization("GET", path)).status_code == 405
    await giosg.configure(single_message_status=None)
    await giosg.remove_message(chat_id, message_id)
    assert (await visitor.organization("GET", path)).status_code == 404
    assert (await giosg.chat(chat_id)).types() == ["msg", "join"]


@pytest.mark.parametrize("newest_first", [True, False])
async def test_the_organization_reads_messages_in_the_order_that_a_test_says(
    giosg: Giosg, visitor: Visitor, *, newest_first: bool
) -> None:
    await giosg.configure(organization_messages_newest_first=newest_first)
    chat_id = await talk(visitor)
    await visitor.say(chat_id, "Again")
    messages = (await visitor.organization("GET", f"/owned_chats/{chat_id}/messages")).json()["results"]
    assert [one["message"] for one in messages] == (["Again", "Hello"] if newest_first else ["Hello", "Again"])


async def test_a_name_is_what_the_console_shows(giosg: Giosg, visitor: Visitor) -> None:
    chat_id = await talk(visitor)
    path = f"/rooms/{ROOM_ID}/visitors/{visitor.id}/variables"
    assert (await giosg.chat(chat_id)).visitor_name == "Visitor"
    for name in ("Alice", "Alice B"):
        assert (await visitor.organization("POST", path, {"key": "username", "value": name})).status_code == 201
    assert (await giosg.chat(chat_id)).visitor_name == "Alice B"
    assert (await visitor.organization("POST", path, {"key": "username"})).status_code == 400
    assert [one["value"] for one in (await giosg.visitors())[0]["variables"]] == ["Alice B"]
    await giosg.configure(repeated_variable="append")
    await visitor.organization("POST", path, {"key": "username", "value": "Alice C"})
    assert len((await giosg.visitors())[0]["variables"]) == 2


async def test_a_foreign_chat_is_the_websites_and_no_platforms(giosg: Giosg, visitor: Visitor) -> None:
    foreign = await giosg.foreign_chat(visitor_name="Bob")
    assert (foreign.origin, foreign.visitor_name, foreign.texts()) == ("website", "Bob", ["Hello from the website"])
    await giosg.visitor_says(foreign.id, "Anyone?")
    assert (await owned(visitor, foreign.id))["visitor_message_count"] == 2
    assert (await giosg.foreign_chat(text=None)).types() == []


async def test_bots_keep_a_room_online_and_humans_are_counted_apart(giosg: Giosg, visitor: Visitor) -> None:
    path = f"/rooms/{ROOM_ID}"
    await giosg.room(humans=False, bots=True)
    room = (await visitor.organization("GET", path)).json()
    assert (room["is_online"], room["is_humans_online"]) == (True, False)
    await giosg.room("online", bots=False)
    assert (await visitor.organization("GET", path)).json()["is_humans_online"] is True
    await giosg.room(has_router=False)
    assert (await visitor.organization("GET", path)).json()["is_online"] is False


async def test_a_second_room_is_made_by_naming_it(giosg: Giosg, visitor: Visitor) -> None:
    other = "00000000-0000-4000-8000-000000000002"
    assert (await visitor.organization("GET", f"/rooms/{other}")).status_code == 404
    await giosg.room("online", room_id=other, name="Other")
    assert (await visitor.organization("GET", f"/rooms/{other}")).json()["display_name"] == "Other"


async def test_chats_end_by_themselves_only_where_a_test_says_so(giosg: Giosg, visitor: Visitor) -> None:
    chat_id = await talk(visitor)
    await giosg.clock(advance_ms=3_600_000)
    assert not (await giosg.chat(chat_id)).is_ended
    await giosg.configure(idle_close_s=600)
    await giosg.clock(advance_ms=1)
    assert (await giosg.chat(chat_id)).ended_by == "giosg"


async def test_moments_differ_unless_a_test_lets_them_tie(giosg: Giosg, visitor: Visitor) -> None:
    await giosg.clock(frozen=True)
    chat_id = await talk(visitor)
    await visitor.say(chat_id, "Again")
    assert len({one["created_at"] for one in (await giosg.chat(chat_id)).messages}) == 2
    await giosg.configure(stamps_tie=True)
    await giosg.clock(advance_ms=1000)
    for text in ("a", "b"):
        await visitor.say(chat_id, text)
    assert len({one["created_at"] for one in (await giosg.chat(chat_id)).messages[2:]}) == 1


async def test_a_clock_that_goes_on_goes_on_from_where_it_stood(giosg: Giosg) -> None:
    stood_ms = await giosg.clock(frozen=True, advance_ms=5_000)
    assert await giosg.clock() == stood_ms
    went_on_ms = await giosg.clock(frozen=False)
    assert stood_ms <= went_on_ms < stood_ms + 4_000
