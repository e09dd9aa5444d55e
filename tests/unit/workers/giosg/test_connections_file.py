"""The connections' file: what is in it, and everything that is wrong with it at once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from broker.errors import SettingsError
from workers.giosg.connections.connection import GiosgConnection, webhook_urls
from workers.giosg.connections.file import load_connections, read_connections

UUID = "0a6a1b1c-5a1c-4b6e-9d53-6f0f5f6d2a01"
OTHER_UUID = "1b7b2c2d-6b2d-4c7f-8e64-7a1a6a7e3b02"
SECRET = "s3cret-s3cret-s3cret-s3cret"
ENVIRONMENT = {"API": "planted-token", "HOOK": SECRET, "SHORT": "planted-short", "ANGLE": "<your token>", "BLANK": " "}


def table(**changes: Any) -> dict[str, Any]:
    return {
        "org": UUID,
        "organization_id": UUID,
        "room_id": OTHER_UUID,
        "api_token": {"env": "API"},
        "webhook_secret": {"env": "HOOK"},
        "webhook_public_url": "https://chat.example.org",
        **changes,
    }


def loaded(**changes: Any) -> GiosgConnection:
    found = read_connections({"connections": {"support": table(**changes)}}, ENVIRONMENT).get("support")
    assert found is not None
    return found


def problems(whole: dict[str, Any]) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        read_connections(whole, ENVIRONMENT)
    assert "planted" not in str(caught.value)
    assert SECRET not in str(caught.value)
    return caught.value.problems


def problem(**changes: Any) -> str:
    (found,) = problems({"connections": {"support": table(**changes)}})
    return found


def test_a_file_becomes_connections_with_the_secrets_it_points_to(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("  planted-token\n")
    file = tmp_path / "giosg.toml"
    file.write_text(
        f"""
        [defaults]
        org = "{UUID}"
        organization_id = "{UUID.upper()}"
        webhook_secret = {{ env = "HOOK" }}
        webhook_public_url = "https://chat.example.org/in/"

        [connections.support]
        room_id = "{OTHER_UUID}"
        api_token = {{ file = "token" }}
        offline_policy = "hold"
        hold_max_seconds = 60
        http_timeout_seconds = 3

        [connections.sales]
        room_id = "{UUID}"
        api_token = {{ env = "API" }}
        visitor_variables = {{ plan = "gold" }}
        """
    )
    found = load_connections(file, ENVIRONMENT)
    assert [one.name for one in found.all()] == ["support", "sales"]
    support = found.get("support")
    assert support is not None
    assert support.organization_id == UUID
    assert support.api_token.get_secret_value() == "planted-token"
    assert str(support.stub) == "giosg.support"
    assert found.of_stub(UUID, "giosg.support") is found.of_stub(UUID, "support") is support
    assert found.of_stub(OTHER_UUID, "giosg.support") is None
    assert found.get("nobody") is None


def test_the_addresses_to_paste_have_the_secret_only_where_it_is_asked_for() -> None:
    connection = loaded(webhook_public_url="https://chat.example.org/in/", typing_from_giosg=True)
    assert [one.url for one in webhook_urls(connection, with_secret=True)] == [
        f"https://chat.example.org/in/giosg/support/{kind}?secret={SECRET}"
        for kind in ("chats", "messages", "memberships")
    ]
    assert SECRET not in repr(webhook_urls(connection))
    assert [one.channel for one in webhook_urls(loaded())] == [
        "/api/v5/orgs/{organization_id}/owned_chats",
        "/api/v5/orgs/{organization_id}/owned_chats/*/messages",
    ]


def test_no_secret_is_in_what_a_connection_shows_of_itself() -> None:
    assert SECRET not in repr(loaded())
    assert "planted" not in repr(loaded())


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"organization_id": UUID.replace("-", "")}, "organization_id: expected a uuid", id="no dashes"),
        pytest.param({"room_id": "<room id>"}, "room_id: this is the placeholder", id="placeholder"),
        pytest.param({"room_id": ""}, "room_id: it is empty", id="empty"),
        pytest.param({"org": "demo"}, "org: expected a uuid", id="our org"),
        pytest.param(
            {"api_token": "planted-token"},
            r'a secret is never written into this file: write { env = "NAME"',
            id="inline",
        ),
        pytest.param({"api_token": {"env": "NONE"}}, "environment variable NONE is not set", id="no variable"),
        pytest.param({"api_token": {"env": "BLANK"}}, "environment variable BLANK is not set, or is empty", id="blank"),
        pytest.param(
            {"api_token": {"env": "ANGLE"}}, "api_token: this is the placeholder", id="placeholder of a secret"
        ),
        pytest.param({"api_token": {"file": "/none/such"}}, "'/none/such' cannot be read: No such file", id="no file"),
        pytest.param({"api_token": {"vault": "x"}}, "'vault' is no place for a secret", id="another place"),
        pytest.param({"api_token": {"env": "API", "file": "x"}}, "expected one reference to a secret", id="two places"),
        pytest.param({"webhook_secret": {"env": "SHORT"}}, "webhook_secret: expected at least 24", id="short secret"),
        pytest.param(
            {"webhook_secret_previous": {"env": "SHORT"}}, "webhook_secret_previous: expected", id="short old one"
        ),
        pytest.param({"base_url": "http://giosg.example.org"}, "base_url: expected https", id="plain http"),
        pytest.param({"base_url": "https://service.giosg.com/"}, "base_url: expected an address without", id="slash"),
        pytest.param({"base_url": "https://service.giosg.com/api"}, "base_url: expected an address without", id="path"),
        pytest.param(
            {"base_url": "https://me@service.giosg.com"}, "base_url: expected an address with nothing", id="user"
        ),
        pytest.param(
            {"base_url": "https://service.giosg.com?x=1"}, "base_url: expected an address with nothing", id="query"
        ),
        pytest.param({"base_url": "service.giosg.com"}, "base_url: expected an address such as", id="no scheme"),
        pytest.param(
            {"base_url": "https://service.giosg.com:99999"}, "base_url: expected an address such as", id="port"
        ),
        pytest.param({"base_url": "https://[::1"}, "base_url: expected an address such as", id="half an address"),
        pytest.param(
            {"webhook_public_url": "http://chat.example.org"}, "webhook_public_url: expected https", id="public http"
        ),
        pytest.param({"language": "Finnish"}, "language: expected a language's code", id="language"),
        pytest.param({"chat_type": "task"}, "expected 'visitor' or 'external', found 'task'", id="chat type"),
        pytest.param({"visitor_name_template": "{name}"}, "it may hold {display_name} and no other", id="field"),
        pytest.param({"visitor_name_template": "{display_name"}, "visitor_name_template: it may hold", id="brace"),
        pytest.param({"visitor_variables": {"": "x"}}, "visitor_variables: a key is empty", id="no key"),
        pytest.param({"visitor_variables": {"username": "x"}}, "set visitor_name_template instead", id="reserved key"),
        pytest.param({"presence_seconds": 29}, "presence_seconds: expected 30 to 3600", id="presence"),
        pytest.param({"reconcile_seconds": 14}, "reconcile_seconds: expected 15 to 3600", id="reconcile"),
        pytest.param(
            {"hold_max_seconds": 60}, "hold_max_seconds has a meaning with offline_policy = 'hold' only", id="hold"
        ),
        pytest.param(
            {"max_message_chars": 2001},
            "expected less than or equal to 2000, found 2001",
            id="chars",
        ),
        pytest.param({"max_retries": "4"}, "max_retries: expected a valid integer, found '4'", id="text for a number"),
        pytest.param({"max_webhook_bytes": 4095}, "max_webhook_bytes: expected greater", id="webhook bytes"),
        pytest.param({"availability_cache_seconds": 301}, "availability_cache_seconds: expected less", id="cache"),
        pytest.param({"api_tokn": "x"}, "api_tokn is no setting of a connection: is api_token meant?", id="slip"),
        pytest.param({"colour": "x"}, "colour is no setting of a connection: leave it out", id="unknown key"),
        pytest.param({"org": "x"}, "it is the org of ours", id="our org"),
        pytest.param({"room_id": "x"}, "copy it from giosg", id="room"),
        pytest.param({"name": "x"}, "name: the table's own name is the connection's", id="a name of its own"),
    ],
)
def test_a_wrong_value_is_told_with_what_it_must_be(changes: dict[str, Any], expected: str) -> None:
    found = problem(**changes)
    assert found.startswith("connections.support")
    assert expected in found


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"base_url": "http://127.0.0.1:8000"}, id="loopback"),
        pytest.param({"base_url": "http://localhost"}, id="its name"),
        pytest.param({"base_url": "http://[::1]:80"}, id="v6"),
        pytest.param({"webhook_public_url": "http://localhost:8082"}, id="webhooks on loopback"),
        pytest.param({"presence_seconds": 0, "reconcile_seconds": 0}, id="off"),
        pytest.param({"offline_policy": "hold", "hold_max_seconds": 86_400}, id="hold"),
    ],
)
def test_a_value_at_its_bound_is_taken(changes: dict[str, Any]) -> None:
    assert loaded(**changes).name == "support"


def test_an_upper_case_uuid_is_folded() -> None:
    assert loaded(organization_id=UUID.upper(), room_id=OTHER_UUID.upper()).room_id == OTHER_UUID


@pytest.mark.parametrize("name", ["Support", "a.b", "a>", "", "-a", "x" * 64])
def test_a_name_that_no_stub_can_have_is_refused(name: str) -> None:
    (found,) = problems({"connections": {name: table()}})
    assert "expected 1 to 63 of a-z" in found


def test_two_connections_to_one_room_are_refused() -> None:
    found = problems({"connections": {"one": table(), "two": table()}})
    assert found == ("connections.two: connection one has the same organization and room already",)


def test_every_problem_of_every_connection_is_told_at_once() -> None:
    found = problems(
        {
            "connection": {},
            "connections": {
                "one": {},
                "two": table(organization_id="x", colour="red", webhook_secret={"env": "SHORT"}),
                "three": 3,
            },
        }
    )
    places = [re.split(r"[: ]", one)[0] for one in found]  # "connections.one.room_id is missing"
    assert places[0] == "[connection]"
    missing = ["api_token", "organization_id", "org", "room_id", "webhook_public_url", "webhook_secret"]
    assert sorted(places[1:7]) == sorted(f"connections.one.{key}" for key in missing)
    assert sorted(places[7:10]) == [f"connections.two.{key}" for key in ("colour", "organization_id", "webhook_secret")]
    assert places[10:] == ["connections.three"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param("[connections.support", "is no TOML", id="not TOML"),
        pytest.param("", "there is no [connections.<name>] table", id="empty"),
        pytest.param("connections = 1", "to be tables", id="no table"),
    ],
)
def test_a_file_that_is_none_is_told(tmp_path: Path, content: str, expected: str) -> None:
    file = tmp_path / "giosg.toml"
    file.write_text(content)
    with pytest.raises(SettingsError, match=re.escape(expected)):
        load_connections(file, {})


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        load_connections(tmp_path / "none.toml", {})
