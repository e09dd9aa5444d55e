"""Settings from an environment: names, precedence, every problem at once, no secret shown."""

from __future__ import annotations

import pytest
from pydantic import Field, SecretStr

from broker.errors import SettingsError
from broker.runtime.settings import Settings, load, read, variables


class ShopSettings(Settings):
    """A worker's own, for the tests."""

    port: int = Field(8080, ge=1, le=65535, description="Port of the shop.")
    key: SecretStr = Field(SecretStr(""), min_length=8, description="Signs things.")


class StrictSettings(Settings):
    """One that must be set."""

    org: str = Field(description="The org it serves.")


def test_without_any_variable_the_defaults_hold() -> None:
    assert read(ShopSettings, {}, worker="shop") == ShopSettings()


@pytest.mark.parametrize(
    ("environment", "port", "level"),
    [
        pytest.param({"HEIMDALL_SHOP_PORT": "9"}, 9, "info", id="an own field carries the worker's name"),
        pytest.param({"HEIMDALL_PORT": "9"}, 8080, "info", id="an own field without it belongs to nobody"),
        pytest.param({"HEIMDALL_LOG_LEVEL": "debug"}, 8080, "debug", id="a shared field goes without"),
        pytest.param(
            {"HEIMDALL_LOG_LEVEL": "debug", "HEIMDALL_SHOP_LOG_LEVEL": "error"}, 8080, "error", id="its own form wins"
        ),
        pytest.param({"HEIMDALL_SHOP_PORT": ""}, 8080, "info", id="empty counts as not set"),
        pytest.param({"HEIMDALL_WEBCHAT_PORT": "x"}, 8080, "info", id="another worker's are left alone"),
    ],
)
def test_a_variable_sets_its_field(environment: dict[str, str], port: int, level: str) -> None:
    settings = read(ShopSettings, environment, worker="shop")
    assert (settings.port, settings.log_level) == (port, level)


def test_every_problem_is_told_at_once_by_the_name_of_its_variable() -> None:
    environment = {"HEIMDALL_SHOP_PORT": "many", "HEIMDALL_PARTITIONS": "0", "HEIMDALL_SHOP_PROT": "1"}
    with pytest.raises(SettingsError) as caught:
        read(ShopSettings, environment, worker="shop")
    told = str(caught.value)
    assert len(caught.value.problems) == 3
    assert "HEIMDALL_SHOP_PORT='many'" in told
    assert "HEIMDALL_PARTITIONS='0'" in told
    assert "HEIMDALL_SHOP_PROT is no setting of worker shop" in told


def test_a_setting_that_must_be_there_is_asked_for_with_its_meaning() -> None:
    with pytest.raises(SettingsError, match="HEIMDALL_SHOP_ORG must be set: The org it serves"):
        read(StrictSettings, {}, worker="shop")


def test_a_bad_secret_is_named_and_not_shown() -> None:
    with pytest.raises(SettingsError) as caught:
        read(ShopSettings, {"HEIMDALL_SHOP_KEY": "hunter2"}, worker="shop")
    assert "HEIMDALL_SHOP_KEY" in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_load_reads_the_environment_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEIMDALL_NATS_URL", "nats://127.0.0.1:9")
    assert load(Settings).nats_url == "nats://127.0.0.1:9"


def test_settings_cannot_be_changed_later() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().partitions = 4  # type: ignore[misc] # that is the point


def test_every_variable_is_listed_with_its_default_and_a_description() -> None:
    rows = {row.name: row for row in variables(ShopSettings, worker="shop")}
    assert rows["HEIMDALL_SHOP_PORT"].default == "8080"
    assert rows["HEIMDALL_NATS_URL"].default == "nats://127.0.0.1:4222"
    assert all(row.description.endswith(".") for row in rows.values())
    assert variables(StrictSettings, worker="shop")[-1].default is None
