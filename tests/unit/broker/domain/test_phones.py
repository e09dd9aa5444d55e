"""Channels of phone numbers: the bodies, and the session that a number has."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.domain.ids import ChannelName, ChatName, OrgId, session_id
from broker.domain.phones import (
    PhoneAddress,
    check_profile,
    phone_model,
    phone_session,
    read_phone_notification,
    read_phone_visit,
    session_at,
)
from broker.domain.subjects import ChatPath
from broker.domain.wire import validate
from broker.errors import InvalidBodyError

WHATSAPP = ChannelName("whatsapp")
ORG = OrgId("0f6c2f58-8f43-5a0e-9b7e-2f1b6a1d7c90")
PATH = ChatPath(WHATSAPP, ORG, ChatName("stubber_public"))
NUMBER = "27820000000"
OTHER = "6c1d8f1f-3b52-4b66-9a8e-7d3a1f9bae22"


def address(**members: object) -> PhoneAddress:
    found: PhoneAddress = validate(phone_model(PhoneAddress, WHATSAPP), members, what="address")
    return found


def visit(**members: object) -> dict[str, Any]:
    return {"heimdall": {"whatsapp": {"from": NUMBER, "message": "hi", **members}}}


def test_the_session_of_a_number_is_the_same_for_ever() -> None:
    """It stands in subjects and keys that are stored: it may never change."""
    assert phone_session(PATH, NUMBER) == "8902fe89-7cd6-5f9d-bfbc-2ebaca1b5e2c"


@given(st.integers(100, 10**14), st.integers(100, 10**14))
def test_two_numbers_never_share_a_session_and_each_is_a_session_uuid(one: int, other: int) -> None:
    sessions = {phone_session(PATH, str(number)) for number in (one, other)}
    assert len(sessions) == len({one, other})
    assert all(session_id(session) == session for session in sessions)


def test_each_part_of_the_key_makes_another_session() -> None:
    paths = [
        PATH,
        ChatPath(ChannelName("sms"), ORG, PATH.chat),
        ChatPath(WHATSAPP, OrgId(OTHER), PATH.chat),
        ChatPath(WHATSAPP, ORG, ChatName("another")),
    ]
    assert len({phone_session(path, NUMBER) for path in paths}) == len(paths)


@pytest.mark.parametrize("given", ["+27820000000", "27820000000", 27820000000, "+27 82 000-0000", "(27) 82.000/0000"])
def test_every_spelling_of_a_number_is_its_digits(given: str | int) -> None:
    assert address(mobile_number=given).mobile_number == NUMBER


@pytest.mark.parametrize("given", ["0820000000", "", "+", "12", "1234567890123456", "call me", True, 1.5, None, "++27"])
def test_what_is_no_number_with_its_country_is_refused_or_absent(given: object) -> None:
    if given is None:
        assert address(mobile_number=None).mobile_number is None
        return
    with pytest.raises(InvalidBodyError) as refused:
        address(mobile_number=given)
    assert "mobile_number" in str(refused.value)


def test_a_visit_is_read_with_the_documented_names_and_kept_as_it_came() -> None:
    body = visit(
        from_name="Ann", to=27110000000, whatsapp_profile_name="stubber_public", whatsapp_body={"id": "1"}, x=1
    )
    content, payload = read_phone_visit(WHATSAPP, body)
    assert (content.sender, content.text, content.profile_name, content.body) == (
        NUMBER,
        "hi",
        "stubber_public",
        {"id": "1"},
    )
    assert payload == body["heimdall"]["whatsapp"]


def test_a_visit_without_its_sender_is_refused() -> None:
    with pytest.raises(InvalidBodyError, match="from"):
        read_phone_visit(WHATSAPP, {"heimdall": {"whatsapp": {"message": "hi"}}})


@pytest.mark.parametrize("platform", ["whatsapp", "meta_whatsapp"])
def test_a_notification_is_read_under_the_older_and_the_newer_name(platform: str) -> None:
    content = {"mobile_number": NUMBER, "message_type": "template", "stubsession": {}}
    found = read_phone_notification(WHATSAPP, {"platforms": {platform: content}})
    assert found.mobile_number == NUMBER
    assert found.stubsession is not None
    assert found.stubsession.set_new_with_timeout_hours == 24


def test_a_notification_for_no_platform_is_refused() -> None:
    with pytest.raises(InvalidBodyError, match=r"platforms\.whatsapp"):
        read_phone_notification(WHATSAPP, {"platforms": {"webchat": {}}})


def test_a_number_names_its_session_and_so_does_the_session_itself() -> None:
    session = phone_session(PATH, NUMBER)
    assert session_at(PATH, address(mobile_number=NUMBER), what="task") == session
    assert session_at(PATH, address(mobile_number=NUMBER, sessionuuid=session), what="task") == session
    assert session_at(PATH, address(sessionuuid=OTHER), what="task") == OTHER
    assert session_at(PATH, address(), what="task") is None


def test_a_session_that_is_not_the_numbers_is_refused() -> None:
    with pytest.raises(InvalidBodyError, match="not the one of this number"):
        session_at(PATH, address(mobile_number=NUMBER, sessionuuid=OTHER), what="task")


def test_another_profile_than_the_subjects_is_refused() -> None:
    check_profile(PATH, None, what="event")
    check_profile(PATH, "stubber_public", what="event")
    with pytest.raises(InvalidBodyError, match="whatsapp_profile_name"):
        check_profile(PATH, "another", what="event")
