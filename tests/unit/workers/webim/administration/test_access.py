"""Who may manage channels by HTTP."""

from __future__ import annotations

import pytest

from broker.errors import SettingsError
from broker.runtime.settings import read
from workers.webim.administration.access import AdminTokens
from workers.webim.settings import WebimSettings

A, B = "0f6c2f58-8f43-5a0e-9b7e-2f1b6a1d7c90", "0f6c2f58-8f43-5a0e-9b7e-000000000000"
TOKEN = "planted-secret-of-an-org"
TOKENS = AdminTokens.parse(f"{A}={TOKEN}, {B.upper()}={TOKEN}==, {A}={TOKEN}2")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        pytest.param(f"Bearer {TOKEN}", A, id="a token"),
        pytest.param(f"bearer   {TOKEN}2 ", A, id="an org's other token, spelled loosely"),
        pytest.param(f"Bearer {TOKEN}==", B, id="a token with signs of equality"),
        pytest.param(f"Basic {TOKEN}", None, id="another scheme"),
        pytest.param(TOKEN, None, id="no scheme"),
        pytest.param("Bearer x", None, id="no such token"),
        pytest.param("Bearer \udcff", None, id="no text"),
        pytest.param("", None, id="nothing"),
        pytest.param(None, None, id="no header"),
    ],
)
def test_a_header_speaks_for_an_org_or_for_nobody(header: str | None, expected: str | None) -> None:
    assert TOKENS.org_of(header) == expected


def test_where_no_tokens_are_set_nobody_may() -> None:
    assert AdminTokens.parse("  ").org_of("Bearer ") is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param(TOKEN, "entry 1 is not <org>=<token>", id="no org"),
        pytest.param(f"{A}={TOKEN},", "entry 2 is not <org>=<token>", id="a comma too many"),
        pytest.param(f"{TOKEN}={A}", "entry 1 does not begin with an org's uuid", id="the wrong way round"),
        pytest.param(f"{A}=short", "entry 1 has no token of at least 16 visible", id="a short token"),
        pytest.param(f"{A}={TOKEN} x", "entry 1 has no token of at least 16 visible", id="a blank inside"),
        pytest.param(f"{A}={TOKEN},{B}={TOKEN}", "entry 2 has the token of another org", id="one token for two"),
    ],
)
def test_what_cannot_be_read_is_told_without_the_secret(text: str, problem: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read(WebimSettings, {"HEIMDALL_WEBIM_ADMIN_TOKENS": text}, worker="webim")
    assert problem in str(refused.value)
    assert "HEIMDALL_WEBIM_ADMIN_TOKENS" in str(refused.value)
    assert "planted" not in str(refused.value)
    assert "planted" not in repr(TOKENS)
