"""What `heimdall giosg verify` shows to people."""

from __future__ import annotations

from io import StringIO

from pydantic import SecretStr
from rich.console import Console

from broker.cli.terminal import Terminal
from workers.giosg.checking.check import failed, ok, skipped
from workers.giosg.checking.page import Page
from workers.giosg.connections.connection import GiosgConnection

UUID = "0a6a1b1c-5a1c-4b6e-9d53-6f0f5f6d2a01"
SECRET = "planted-webhook-secret-0123456789"
WIDTH = 80
CONNECTION = GiosgConnection(
    name="support",
    org=UUID,
    organization_id=UUID,
    room_id=UUID,
    api_token=SecretStr("planted-token"),
    webhook_secret=SecretStr(SECRET),
    webhook_public_url="https://chat.example.org",
)


def shown(*, with_secrets: bool = False, colours: bool = False, problem: str = "") -> str:
    """A run in which one thing failed, on a terminal."""
    out, written = Terminal(), StringIO()
    out.console = Console(
        file=written, width=WIDTH, force_terminal=True, color_system="standard" if colours else None, highlight=False
    )
    out.as_json = False
    page = Page(out, with_secrets=with_secrets)
    if problem:
        page.check(failed("settings", problem, ""))
    page.begin(CONNECTION)
    for check in (ok("giosg", "it answers"), failed("room", "no such \x1b[2J room", "mend " * 30), *skipped("agents")):
        page.check(check, "support")
    page.webhooks(CONNECTION)
    page.end(1)
    return written.getvalue()


def test_each_check_has_its_line_and_a_failed_one_says_how_to_mend_it() -> None:
    lines = [line.rstrip() for line in shown().splitlines()]
    assert lines[0] == "connection support"
    assert lines[2].split() == ["ok", "giosg", "it", "answers"]
    assert lines[3].split()[:2] == ["FAIL", "room"]
    assert lines[4].strip().startswith("→ mend mend")
    assert lines[-1] == "1 failed"


def test_no_line_but_an_address_is_wider_than_a_terminal_and_nothing_steers_it() -> None:
    whole = shown()
    assert [line for line in whole.splitlines() if len(line) > WIDTH and "address" not in line] == []
    assert "\x1b" not in whole


def test_a_problem_of_the_file_has_the_whole_line() -> None:
    sentence = "connections.support.visitor_name_template: it may hold {display_name} and no other braces"
    lines = shown(problem=sentence).splitlines()
    first = next(line for line in lines if "visitor_name_template" in line)
    assert first.startswith("  FAIL  connections.support.visitor_name_template: it may")


def test_a_failed_check_is_red_and_an_ok_one_is_not() -> None:
    fail, fine = (next(line for line in shown(colours=True).splitlines() if word in line) for word in ("FAIL", "ok "))
    assert "\x1b[1;31m" in fail
    assert "31m" not in fine


def test_the_secret_is_shown_only_if_asked_for() -> None:
    assert SECRET not in shown()
    assert f"https://chat.example.org/giosg/support/chats?secret={SECRET}" in shown(with_secrets=True).replace("\n", "")
    assert "planted-token" not in shown(with_secrets=True)
