"""What a version's process gets to see of the worker's environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from workers.programs.checks import program_environment

GIVEN = {
    "HEIMDALL_NATS_URL": "nats://127.0.0.1:4222",
    "HEIMDALL_SHOP_RUN_LIMIT_S": "5",
    "HEIMDALL_WEBIM_ADMIN_TOKENS": "planted-admin-token",
    "HEIMDALL_PROGRAMS_REPOSITORY": "https://user:planted-password@git.example.com/shop.git",
    "GIT_CONFIG_VALUE_0": "Authorization: planted",
    "SSH_AUTH_SOCK": "/run/agent",
    "SHOP_PAYMENT_KEY": "of the program's own",
}


@pytest.mark.parametrize(
    ("service", "seen"),
    [
        pytest.param("shop", {"HEIMDALL_NATS_URL", "HEIMDALL_SHOP_RUN_LIMIT_S"}, id="a version sees its own settings"),
        pytest.param("webim", {"HEIMDALL_NATS_URL"}, id="one that is called like a worker sees none of the worker's"),
        pytest.param(None, set[str](), id="tests see no settings"),
    ],
)
def test_a_program_gets_what_it_needs_and_nobody_elses_secrets(
    monkeypatch: pytest.MonkeyPatch, service: str | None, seen: set[str]
) -> None:
    for name, value in GIVEN.items():
        monkeypatch.setenv(name, value)
    found = program_environment(Path("/checkout"), {}, service=service)
    assert GIVEN.keys() & found.keys() == {*seen, "SHOP_PAYMENT_KEY"}
