"""Which names are let into a subject."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.domain.ids import (
    BRANCHES,
    ActionName,
    ChatName,
    Stub,
    action_name,
    branch_name,
    branch_of,
    channel_name,
    chat_name,
    effective_chat_name,
    message_id,
    new_chat_name,
    new_session_id,
    org_id,
    registration_id,
    service_name,
    session_id,
    stubref,
)
from broker.domain.profiles import profile_key
from broker.errors import InvalidNameError

ORG = org_id("0f6c2f58-8f43-5a0e-9b7e-2f1b6a1d7c90")
OTHER_ORG = org_id("11111111-2222-3333-4444-555555555555")
READERS: tuple[Callable[[str], str], ...] = (
    org_id,
    session_id,
    registration_id,
    channel_name,
    chat_name,
    new_chat_name,
    branch_name,
    service_name,
    stubref,
    action_name,
    message_id,
)


@pytest.mark.parametrize(
    ("read", "text"),
    [
        pytest.param(org_id, ORG, id="an org uuid"),
        pytest.param(session_id, ORG, id="a session uuid"),
        pytest.param(registration_id, ORG, id="a registration uuid"),
        pytest.param(channel_name, "webchat", id="a channel"),
        pytest.param(channel_name, "a" * 32, id="the longest channel"),
        pytest.param(chat_name, "draftmywebchat", id="a chat name"),
        pytest.param(chat_name, "draft_my-chat", id="underscore and dash in a matched chat name"),
        pytest.param(chat_name, "draft" + "a" * 63, id="the longest chat name"),
        pytest.param(new_chat_name, "shop", id="a new chat's name"),
        pytest.param(new_chat_name, "aliveshop", id="a branch inside a new name"),
        pytest.param(branch_name, "draft", id="the draft branch"),
        pytest.param(branch_name, "live", id="the live branch"),
        pytest.param(service_name, "demo_desk-2", id="a service"),
        pytest.param(stubref, "2024-11-11-ABCD", id="a stubref"),
        pytest.param(action_name, "_update_from_webchat", id="an action"),
        pytest.param(message_id, "a.b/c:1", id="a message id"),
    ],
)
def test_a_name_inside_its_rule_comes_back_as_it_was(read: Callable[[str], str], text: str) -> None:
    assert read(text) == text


@pytest.mark.parametrize(
    ("read", "text"),
    [
        pytest.param(org_id, ORG.upper(), id="upper case in a uuid"),
        pytest.param(org_id, ORG.replace("-", ""), id="a uuid without dashes"),
        pytest.param(session_id, ORG + "\n", id="a line end after a uuid"),
        pytest.param(channel_name, "1chat", id="a channel beginning with a digit"),
        pytest.param(channel_name, "a" * 33, id="a channel too long"),
        pytest.param(chat_name, "Shop", id="upper case in a chat name is refused, never folded"),
        pytest.param(chat_name, "a" * 69, id="a chat name too long"),
        pytest.param(new_chat_name, "my_shop", id="an underscore in a new name"),
        pytest.param(new_chat_name, "liveshop", id="a new name beginning with a branch"),
        pytest.param(new_chat_name, "a" * 64, id="a new name too long"),
        pytest.param(branch_name, "main", id="a branch that is none"),
        pytest.param(service_name, "-demo", id="a service beginning with a dash"),
        pytest.param(stubref, "a.b", id="a dot in a stubref"),
        pytest.param(stubref, "~~stub.stubref", id="an unfilled substitution"),
        pytest.param(action_name, "1st", id="an action beginning with a digit"),
        pytest.param(message_id, "a b", id="a blank in a message id"),
        pytest.param(message_id, "", id="an empty message id"),
    ],
)
def test_a_name_outside_its_rule_is_refused(read: Callable[[str], str], text: str) -> None:
    with pytest.raises(InvalidNameError, match="expected"):
        read(text)


@given(st.sampled_from(READERS), st.text(max_size=40))
def test_what_is_let_in_never_adds_a_token_to_a_subject(read: Callable[[str], str], text: str) -> None:
    try:
        name = read(text)
    except InvalidNameError:
        return
    if read is not message_id:
        assert not set(name) & set(".*># \t\r\n")


@pytest.mark.check(2)
def test_check_02_the_effective_name_is_the_branch_directly_followed_by_the_name() -> None:
    assert effective_chat_name("draft", "shop") == "draftshop"
    assert effective_chat_name("live", "shop") == "liveshop"
    assert effective_chat_name("live", "shop", live_prefix="") == "shop"
    assert effective_chat_name("draft", "shop", live_prefix="") == "draftshop"


@pytest.mark.check(3)
@pytest.mark.parametrize("name", ["Shop", "my shop", "shop!", "a.b", "", "draftshop"])
def test_check_03_a_bad_name_for_a_new_webchat_is_refused_with_a_reason(name: str) -> None:
    with pytest.raises(InvalidNameError, match=r"bad chat name .* expected 1 to 63 of a-z and 0-9, not beginning with"):
        effective_chat_name("draft", name)


@pytest.mark.check(4)
def test_check_04_a_name_is_taken_per_branch_and_org() -> None:
    taken = {profile_key(ORG, effective_chat_name("draft", "shop"))}
    assert profile_key(ORG, effective_chat_name("draft", "shop")) in taken
    assert profile_key(ORG, effective_chat_name("live", "shop")) not in taken
    assert profile_key(OTHER_ORG, effective_chat_name("draft", "shop")) not in taken


@given(st.from_regex(r"[a-z0-9]{1,63}", fullmatch=True), st.from_regex(r"[a-z0-9]{1,63}", fullmatch=True))
def test_two_different_chats_never_share_an_effective_name(name: str, other: str) -> None:
    made: dict[ChatName, tuple[str, str]] = {}
    for chat in {name, other}:
        for branch in BRANCHES:
            try:
                effective = effective_chat_name(branch, chat, live_prefix="")
            except InvalidNameError:
                continue
            assert made.setdefault(effective, (branch, chat)) == (branch, chat)
            assert branch_of(effective) == branch


def test_a_bare_name_is_an_alias_of_live() -> None:
    assert branch_of(ChatName("shop")) == "live"
    assert branch_of(ChatName("liveshop")) == "live"
    assert branch_of(ChatName("draftshop")) == "draft"


def test_a_new_session_has_the_uuid_that_was_drawn() -> None:
    drawn = UUID("5b0c7f0e-2a41-4a55-8f7d-6c2f0e8a9d11")
    assert session_id(new_session_id(drawn)) == str(drawn)


def test_a_stub_is_read_from_its_full_address() -> None:
    stub = Stub.parse("demo.2024-11-11-ABCD")
    assert (stub.service, stub.ref) == ("demo", "2024-11-11-ABCD")
    assert str(stub) == "demo.2024-11-11-ABCD"


def test_a_stubref_alone_belongs_to_the_service_of_the_sender() -> None:
    assert str(Stub.parse("ABCD", default_service=service_name("desk"))) == "desk.ABCD"
    assert str(Stub.parse("demo.ABCD", default_service=service_name("desk"))) == "demo.ABCD"


@pytest.mark.parametrize("text", ["ABCD", "", ".", "demo.", ".ABCD", "a.b.c", "Demo.ABCD", "demo.A B"])
def test_an_address_that_names_no_stub_is_refused(text: str) -> None:
    with pytest.raises(InvalidNameError):
        Stub.parse(text)


def test_a_reason_code_is_a_legal_action_name() -> None:
    assert action_name("unrouted") == ActionName("unrouted")
