"""The form of a channel: defaults, and a code and a sentence for everything that may be wrong with it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.domain.channel_forms import ChannelForm
from broker.errors import InvalidChannelError
from workers.webim.administration.fields import FIELDS
from workers.webim.administration.form import ACCESS_TOKEN, DEFAULT_NAME, TYPE, UNKNOWN_TOLD_MAX, read_change, read_new
from workers.webim.channel import ChannelSettings

DOMAIN = {"domain": "examplecom"}
LOGIN = {"email": "admin@example.com", "password": "secret"}


def wrong(form: dict[str, Any], names: tuple[str, ...] = ()) -> dict[str, list[str]]:
    with pytest.raises(InvalidChannelError) as refused:
        read_new({**DOMAIN, **form}, names=names)
    assert all(hints and all(hints) for hints in refused.value.hints.values())
    return refused.value.fields


def changed(form: dict[str, Any], before: dict[str, Any] | None = None) -> ChannelSettings:
    settings = read_new({**DOMAIN, **(before or {})}, names=())
    return read_change(form, settings, access_token="T" * 43, names=("Other",))


def test_an_account_alone_makes_a_channel_with_all_defaults() -> None:
    assert read_new(DOMAIN, names=()) == ChannelSettings(name=DEFAULT_NAME, domain="examplecom")


def test_the_defaults_that_the_contract_tells_are_those_of_the_form() -> None:
    told = {name: field.default for name, field in ChannelForm.model_fields.items()}
    kept = read_new(DOMAIN, names=()).model_dump(exclude={"name", "domain"})
    assert {name: told[name] for name in kept} == kept
    assert set(told) == {*FIELDS, ACCESS_TOKEN, TYPE}
    assert set(FIELDS) == set(ChannelSettings.model_fields)


def test_a_default_name_that_is_taken_gets_the_next_free_number() -> None:
    taken = (DEFAULT_NAME.upper(), f"{DEFAULT_NAME} 2")
    assert read_new({**DOMAIN, "name": "  "}, names=taken).name == f"{DEFAULT_NAME} 3"


def test_what_surrounds_a_value_is_trimmed_but_never_in_a_password() -> None:
    form = {"name": " Shop ", "email": " a@b.example ", "password": "  ", "branch": " dev ", "domain": " ExampleCom "}
    found = read_new(form, names=())
    assert (found.name, found.email, found.password, found.branch, found.domain) == (
        "Shop",
        "a@b.example",
        "  ",
        "dev",
        "examplecom",
    )


@pytest.mark.parametrize("empty", ["", "   "])
def test_empty_fields_are_as_absent_ones(empty: str) -> None:
    form = {**DOMAIN, "access_token": empty, "email": empty, "branch": empty, "bot_api_token": empty, "type": "webim"}
    assert read_new(form, names=()) == read_new(DOMAIN, names=())


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        pytest.param({"name": "x" * 101}, {"name": ["too_long"]}, id="a long name"),
        pytest.param({"name": "a\tb"}, {"name": ["control_characters"]}, id="a tab in a name"),
        pytest.param({"name": "SHOP"}, {"name": ["taken"]}, id="a name in other letters"),
        pytest.param({"name": 7}, {"name": ["wrong_type"]}, id="a number for a name"),
        pytest.param({"name": None}, {"name": ["wrong_type"]}, id="null for a name"),
        pytest.param({"access_token": "abc"}, {"access_token": ["must_be_empty"]}, id="a token of one's own"),
        pytest.param({"access_token": 0}, {"access_token": ["must_be_empty"]}, id="a token that is a number"),
        pytest.param({"email": "a@b@c.example", "password": "x"}, {"email": ["invalid_email"]}, id="two @"),
        pytest.param({"email": "a@host", "password": "x"}, {"email": ["invalid_email"]}, id="no dot in the host"),
        pytest.param({"email": "a b@c.example", "password": "x"}, {"email": ["invalid_email"]}, id="a blank"),
        pytest.param(
            {"email": f"{'a' * 250}@b.example", "password": "x"}, {"email": ["invalid_email"]}, id="long mail"
        ),
        pytest.param({"email": "a@b.example"}, {"password": ["required_with_email"]}, id="mail alone"),
        pytest.param({"email": "a@b.example", "password": ""}, {"password": ["required_with_email"]}, id="no password"),
        pytest.param({"password": "x"}, {"email": ["required_with_password"]}, id="password alone"),
        pytest.param({**LOGIN, "password": "x" * 257}, {"password": ["too_long"]}, id="a long password"),
        pytest.param({**LOGIN, "password": 5}, {"password": ["wrong_type"]}, id="a number for a password"),
        pytest.param({"domain": None}, {"domain": ["required"]}, id="no account"),
        pytest.param({"domain": " "}, {"domain": ["required"]}, id="a blank account"),
        pytest.param({"domain": 1}, {"domain": ["wrong_type"]}, id="a number for an account"),
        pytest.param({"domain": "a_b"}, {"domain": ["not_a_label"]}, id="an underscore"),
        pytest.param({"domain": "-a"}, {"domain": ["not_a_label"]}, id="a hyphen first"),
        pytest.param({"domain": "a" * 64}, {"domain": ["not_a_label"]}, id="a long label"),
        pytest.param({"domain": "\u212aelvin"}, {"domain": ["not_a_label"]}, id="a letter that only looks like one"),
        pytest.param({"branch": "a..b"}, {"branch": ["invalid_ref"]}, id="no reference"),
        pytest.param({"branch": None}, {"branch": ["wrong_type"]}, id="null for a branch"),
        pytest.param({"deployment": "Automatic"}, {"deployment": ["not_allowed"]}, id="a capital"),
        pytest.param({"deployment": True}, {"deployment": ["wrong_type"]}, id="a flag for a word"),
        pytest.param({"depoyment": "manual"}, {"depoyment": ["unknown_field"]}, id="a typo"),
        pytest.param(
            {"webim_base_url_template": "http://10.0.0.1"},
            {"webim_base_url_template": ["unknown_field"]},
            id="what is set on the server alone",
        ),
        pytest.param({"type": "webchat"}, {"type": ["not_allowed"]}, id="another type"),
        pytest.param({"v1_timeout_ms": 499}, {"v1_timeout_ms": ["out_of_range"]}, id="too short a wait"),
        pytest.param({"v1_timeout_ms": 25_001}, {"v1_timeout_ms": ["out_of_range"]}, id="too long a wait"),
        pytest.param({"v1_timeout_ms": "5000"}, {"v1_timeout_ms": ["wrong_type"]}, id="a text for a number"),
        pytest.param({"v1_timeout_ms": True}, {"v1_timeout_ms": ["wrong_type"]}, id="a flag for a number"),
        pytest.param({"max_text_len": 100.0}, {"max_text_len": ["wrong_type"]}, id="a fraction for a number"),
        pytest.param({"session_idle_ttl_s": 59}, {"session_idle_ttl_s": ["out_of_range"]}, id="a short session"),
        pytest.param({"log_poll_interval_s": 9}, {"log_poll_interval_s": ["out_of_range"]}, id="too busy a collector"),
        pytest.param({"deliver_init_replies": 1}, {"deliver_init_replies": ["wrong_type"]}, id="a number for a flag"),
        pytest.param({"combine_separator": ""}, {"combine_separator": ["too_short"]}, id="no separator"),
        pytest.param({"combine_separator": "x" * 9}, {"combine_separator": ["too_long"]}, id="a long separator"),
        pytest.param({"api_version": 2}, {"api_version": ["wrong_type"]}, id="a number for a version"),
        pytest.param({"api_version": "3"}, {"api_version": ["not_allowed"]}, id="no such version"),
        pytest.param({"v1_actions": "drop"}, {"v1_actions": ["not_allowed"]}, id="no such way"),
        pytest.param({"bot_api_token": "a b"}, {"bot_api_token": ["invalid_token"]}, id="a blank in a token"),
        pytest.param({"bot_api_token": "x" * 513}, {"bot_api_token": ["too_long"]}, id="a long token"),
        pytest.param(
            {"inbound_basic_user": "u"},
            {"inbound_basic_password": ["required_with_inbound_basic_user"]},
            id="a user of Basic alone",
        ),
        pytest.param(
            {"inbound_basic_password": "p"},
            {"inbound_basic_user": ["required_with_inbound_basic_password"]},
            id="a password of Basic alone",
        ),
        pytest.param(
            {"inbound_basic_user": "u:v", "inbound_basic_password": "p"},
            {"inbound_basic_user": ["not_allowed"]},
            id="a colon in the user of Basic",
        ),
    ],
)
def test_a_wrong_value_has_its_code(form: dict[str, Any], expected: dict[str, list[str]]) -> None:
    assert wrong(form, ("Shop",)) == expected


def test_every_mistake_is_told_at_once() -> None:
    form = {"name": "x" * 101, "access_token": "abc", "email": "a", "branch": "a..b", "deployment": "never", "x": 1}
    with pytest.raises(InvalidChannelError) as refused:
        read_new(form, names=())
    assert refused.value.fields == {
        "name": ["too_long"],
        "access_token": ["must_be_empty"],
        "email": ["invalid_email"],
        "password": ["required_with_email"],
        "domain": ["required"],
        "branch": ["invalid_ref"],
        "deployment": ["not_allowed"],
        "x": ["unknown_field"],
    }


@pytest.mark.parametrize(
    "text",
    [
        "https://examplecom.webim.ru",
        "examplecom.webim.ru",
        "HTTP://ExampleCom.webim.ru:443/path?x#y",
        "a@examplecom.ru",
    ],
)
def test_whoever_gives_an_address_is_told_the_label(text: str) -> None:
    with pytest.raises(InvalidChannelError, match="enter `examplecom`"):
        read_new({"domain": text}, names=())


def test_a_typo_is_told_what_was_meant() -> None:
    with pytest.raises(InvalidChannelError, match="write 'deployment'"):
        read_new({**DOMAIN, "depoyment": "manual"}, names=())


def test_any_number_of_unknown_fields_makes_a_short_answer() -> None:
    found = wrong({f"{number}{'x' * 200}": 1 for number in range(1_000)})
    assert len(found) == UNKNOWN_TOLD_MAX
    assert max(map(len, found)) <= 80


@given(
    st.dictionaries(st.sampled_from([*FIELDS, "x"]), st.none() | st.booleans() | st.integers() | st.text(), max_size=6)
)
def test_any_form_is_read_or_refused_with_words_that_hold_no_secret(form: dict[str, Any]) -> None:
    planted = "planted-secret-value \x00"
    with pytest.raises(InvalidChannelError) as refused:
        read_new({**form, "password": planted, "bot_api_token": planted}, names=())
    assert "planted" not in str(refused.value)


# Changes.


def test_a_change_keeps_what_it_does_not_name() -> None:
    before = {"name": "Shop", "branch": "dev", **LOGIN, "v1_timeout_ms": 700}
    assert changed({}, before) == read_new({**DOMAIN, **before}, names=())
    assert changed({"branch": "main"}, before).model_dump() == {**changed({}, before).model_dump(), "branch": "main"}


def test_a_secret_is_removed_by_null() -> None:
    assert changed({"bot_api_token": None}, {"bot_api_token": "t"}).bot_api_token is None
    found = changed({"email": None, "password": None}, LOGIN)
    assert (found.email, found.password) == (None, None)


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        pytest.param({"email": None}, {"email": ["required_with_password"]}, id="the mail alone removed"),
        pytest.param({"password": None}, {"password": ["required_with_email"]}, id="the password alone removed"),
        pytest.param({"access_token": "abc"}, {"access_token": ["read_only"]}, id="another token"),
        pytest.param({"access_token": None}, {"access_token": ["read_only"]}, id="no token"),
        pytest.param({"domain": ""}, {"domain": ["required"]}, id="no account"),
        pytest.param({"name": "other"}, {"name": ["taken"]}, id="another channel's name"),
    ],
)
def test_a_change_that_is_wrong_has_its_code(form: dict[str, Any], expected: dict[str, list[str]]) -> None:
    with pytest.raises(InvalidChannelError) as refused:
        changed(form, LOGIN)
    assert refused.value.fields == expected


def test_the_token_may_be_sent_back_as_it_is() -> None:
    assert changed({"access_token": "T" * 43}) == changed({})


def test_a_name_that_is_emptied_becomes_the_default_one() -> None:
    assert changed({"name": ""}, {"name": "Shop"}).name == DEFAULT_NAME
