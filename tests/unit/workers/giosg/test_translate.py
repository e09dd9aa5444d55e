"""What giosg tells, and what becomes of it for the visitor: specs/giosg.md section 6.3 as tables."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr

from broker.domain.wire import dump
from workers.giosg.connections.connection import GiosgConnection
from workers.giosg.telling.texts import ENGLISH, FINNISH, SWEDISH, Words, words
from workers.giosg.translate import Telling, deletion_of, edit_of, meaning_of, telling_of, text_of
from workers.giosg.wire import MessageView

CARD = {
    "id": "a1",
    "title": "Shoes",
    "title_link_url": "https://shop.example/shoes",
    "text": "Red, size 42",
    "image_url": "https://shop.example/shoes.png",
    "actions": [
        {"id": "b1", "text": "Buy", "type": "button", "value": "buy"},
        {"id": "b2", "text": "More", "type": "link_button", "value": "https://shop.example/more"},
        {"id": "b3", "text": None, "type": "button"},
    ],
}
CARD_TEXT = (
    "Shoes: https://shop.example/shoes\nRed, size 42\nhttps://shop.example/shoes.png\n[Buy]\n"
    "[More] https://shop.example/more"
)


UUID = "0f6c2f58-8f43-5a0e-9b7e-2f1b6a1d7c90"


def connection(**members: Any) -> GiosgConnection:
    secrets = {"api_token": SecretStr("t"), "webhook_secret": SecretStr("s" * 24)}
    names = {
        "name": "support",
        "org": UUID,
        "organization_id": UUID,
        "room_id": UUID,
        "webhook_public_url": "https://x.fi",
    }
    return GiosgConnection.model_validate({**names, **secrets, **members})


def message(**members: Any) -> MessageView:
    given = {"id": "m1", "type": "msg", "sender_type": "user", "created_at": "2026-11-21T10:00:00.000Z", **members}
    return MessageView.model_validate(given)


def told(found: MessageView, **members: Any) -> Telling:
    telling = telling_of(found, connection(**members), ENGLISH)
    assert telling is not None
    return telling


def test_a_text_goes_out_under_the_public_name_and_never_the_internal_one() -> None:
    internal = {"sender_name": "Anna-Liisa Virtanen"}
    avatar = {"sender_avatar": {"id": "x", "url": "https://a.example/1"}}
    telling = told(message(message="Hello & <b>hi</b>", sender_public_name="Anna", **internal, **avatar))
    assert dump(telling.event) == {
        "type": "agent.message",
        "desk": "giosg.support",
        "id": "m1",
        "at": "2026-11-21T10:00:00.000Z",
        "agent": {"name": "Anna", "avatar_url": "https://a.example/1"},
        "text": "Hello & <b>hi</b>",
    }
    assert telling.text == "Hello & <b>hi</b>"


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        pytest.param({"message": "x"}, "text", id="an agent's text"),
        pytest.param({"message": "x", "sender_type": "visitor"}, "visitor", id="the visitor's own"),
        pytest.param({"message": "x", "sender_type": "rule"}, "automatic", id="a rule's"),
        pytest.param({"message": "x", "type": "autosuggest"}, "automatic", id="a suggestion"),
        pytest.param({"type": "join"}, "joined", id="an agent joins"),
        pytest.param({"type": "leave"}, "left", id="an agent leaves"),
        pytest.param({"type": "leave", "sender_type": "visitor"}, "other", id="the visitor leaves"),
        pytest.param({"type": "tag_created", "sender_type": None}, "other", id="a tag"),
        pytest.param({"type": "of next year", "message": "x"}, "other", id="an unknown type"),
        pytest.param({"is_encrypted": True, "encrypted_message": "aGk="}, "unreadable", id="an encrypted one"),
        pytest.param({"message": "x", "sender_type": "robot"}, "other", id="an unknown sender"),
    ],
)
def test_a_message_means_what_its_type_and_sender_say(members: dict[str, Any], expected: str) -> None:
    assert meaning_of(message(**members)) == expected


@pytest.mark.parametrize(
    ("members", "settings", "kind", "text"),
    [
        pytest.param(
            {"type": "join", "sender_public_name": "Anna"},
            {},
            "agent.joined",
            "Anna has joined the conversation.",
            id="joined, with a name",
        ),
        pytest.param(
            {"type": "leave"}, {}, "agent.left", "An agent has left the conversation.", id="left, without one"
        ),
        pytest.param({"is_encrypted": True}, {}, "agent.message.unreadable", ENGLISH.unreadable, id="encrypted"),
        pytest.param(
            {"message": "Hi", "type": "autosuggest"},
            {"deliver_autosuggest": True},
            "agent.message",
            "Hi",
            id="automatic",
        ),
        pytest.param({"attachments": [CARD]}, {}, "agent.message", CARD_TEXT, id="attachments without a text"),
        pytest.param(
            {"message": "See:", "attachments": [CARD]}, {}, "agent.message", f"See:\n\n{CARD_TEXT}", id="and with one"
        ),
        pytest.param({"message": "half \ud83d"}, {}, "agent.message", "half ?", id="half a character"),
    ],
)
def test_the_visitor_reads(members: dict[str, Any], settings: dict[str, Any], kind: str, text: str) -> None:
    telling = told(message(**members), **settings)
    assert (telling.event.type, telling.text) == (kind, text)


@pytest.mark.parametrize(
    ("members", "settings"),
    [
        pytest.param({"message": "x", "sender_type": "visitor"}, {}, id="what the visitor wrote"),
        pytest.param({"message": "x", "type": "autosuggest"}, {}, id="what nobody wrote, unless wished"),
        pytest.param({"type": "join"}, {"deliver_agent_events": False}, id="who comes, unless wished"),
        pytest.param({"type": "tag_created", "message": "vip"}, {}, id="tags"),
        pytest.param({"message": None}, {}, id="nothing at all"),
        pytest.param({"message": " \n"}, {}, id="blanks"),
        pytest.param({"attachments": []}, {}, id="no attachment either"),
    ],
)
def test_the_visitor_is_not_told(members: dict[str, Any], settings: dict[str, Any]) -> None:
    assert telling_of(message(**members), connection(**settings), ENGLISH) is None


def test_what_nobody_wrote_is_marked() -> None:
    assert told(message(message="x", sender_type="rule"), deliver_autosuggest=True).event.automatic is True
    assert told(message(message="x")).event.automatic is None


def test_attachments_come_along_as_they_are_for_programs() -> None:
    found = told(message(message="See:", attachments=[CARD])).event.attachments
    assert found == [
        {
            "id": "a1",
            "title": "Shoes",
            "title_link_url": "https://shop.example/shoes",
            "text": "Red, size 42",
            "image_url": "https://shop.example/shoes.png",
            "actions": [
                {"id": "b1", "text": "Buy", "type": "button", "value": "buy"},
                {"id": "b2", "text": "More", "type": "link_button", "value": "https://shop.example/more"},
                {"id": "b3", "type": "button"},
            ],
        }
    ]


def test_attachments_beyond_what_an_event_holds_are_left_out_of_the_copy_alone() -> None:
    cards = [{"title": f"card {number}"} for number in range(30)]
    telling = told(message(attachments=cards))
    assert len(telling.event.attachments or []) == 20
    assert telling.text is not None
    assert telling.text.endswith("card 29")


def test_a_long_id_and_a_long_name_fit_the_event() -> None:
    telling = told(message(id="m" * 256, message="x", sender_public_name="A" * 300))
    assert telling.event.agent is not None
    assert (len(telling.event.id or ""), len(telling.event.agent.name or "")) == (128, 128)


def test_an_edit_and_a_deletion_name_their_message() -> None:
    edit = edit_of(message(message="two"), connection(), ENGLISH)
    assert (edit.event.type, edit.event.id, edit.event.text, edit.text) == (
        "agent.message.edited",
        "m1",
        "two",
        "Correction: two",
    )
    deletion = deletion_of("m1", connection())
    assert (deletion.event.type, deletion.event.id, deletion.text) == ("agent.message.deleted", "m1", None)


def test_a_text_is_what_is_read_of_it() -> None:
    assert text_of(message(message="a")) == "a"


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        pytest.param("fi", FINNISH, id="by its code"),
        pytest.param("sv_FI", SWEDISH, id="with a country"),
        pytest.param("FI-fi", FINNISH, id="in capitals"),
        pytest.param("de", ENGLISH, id="one that the desk does not speak"),
        pytest.param(None, ENGLISH, id="none"),
    ],
)
def test_the_desk_speaks_the_language_of_its_room(language: str | None, expected: Words) -> None:
    assert words(language) is expected


def test_an_agents_name_stays_what_it_is() -> None:
    assert ENGLISH.joined_by("{text}") == "{text} has joined the conversation."
    assert FINNISH.left_by(" ") == "Asiakaspalvelija poistui keskustelusta."
