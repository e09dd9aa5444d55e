"""Profiles: which chats exist, and who takes what no link takes."""

from __future__ import annotations

import pytest

from broker.domain.ids import ChatName, OrgId, Stub
from broker.domain.profiles import Profile, profile_key, profile_name
from broker.domain.wire import dump, validate
from broker.errors import InvalidNameError

ORG = OrgId("0f6c2f58-8f43-5a0e-9b7e-2f1b6a1d7c90")
DRAFT = Profile(
    org=ORG,
    branch="draft",
    name="shop",
    chat_name="draftshop",
    profile_uuid="c2a9d0a4-6b1e-5f7c-8d2a-91e0b3c4d5e6",
    stub="demo.A",
)


@pytest.mark.check(26)
def test_check_26_the_draft_branchs_stub_is_not_the_live_branchs() -> None:
    profiles = {profile_key(ORG, profile_name("draft", "shop")): DRAFT}
    live = profiles.get(profile_key(ORG, profile_name("live", "shop")))
    assert live is None
    assert DRAFT.fallback() == Stub.parse("demo.A")


@pytest.mark.check(3)
def test_check_03_a_profile_takes_no_bad_name() -> None:
    with pytest.raises(InvalidNameError):
        profile_name("draft", "my shop")


def test_a_chat_without_a_stub_leaves_its_visitors_to_the_registrations() -> None:
    assert DRAFT.model_copy(update={"stub": None}).fallback() is None


def test_each_route_has_its_stub_and_the_catch_all_takes_the_rest() -> None:
    routes = {"sales": "demo.B", "__catch_all": "demo.C"}
    profile = DRAFT.model_copy(update={"routes": routes})
    found = [profile.fallback(route) for route in ("sales", "support", None)]
    assert found == [Stub.parse("demo.B"), Stub.parse("demo.C"), Stub.parse("demo.C")]


def test_a_route_without_an_entry_is_for_the_profiles_single_stub() -> None:
    profile = DRAFT.model_copy(update={"routes": {"sales": "demo.B"}})
    assert profile.fallback("support") == Stub.parse("demo.A")


def test_a_profile_is_read_back_as_it_was_written() -> None:
    assert validate(Profile, dump(DRAFT), what="profile") == DRAFT


def test_a_bare_live_name_is_for_those_who_set_it_so() -> None:
    assert profile_name("live", "shop", live_prefix="") == "shop"
    assert profile_key(ORG, ChatName("shop")) == f"{ORG}.shop"
