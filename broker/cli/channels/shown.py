"""Channels and deployments for people: rows for lists, lines for one of them."""

from __future__ import annotations

from typing import Any

from rich.text import Text

from broker.cli.terminal import Columns, Terminal, date_and_time, one_line

COMMIT_SHOWN = 12
MS_PER_S = 1000
_STYLES = {
    "ready": "green",
    "succeeded": "green",
    "deploying": "yellow",
    "pending": "yellow",
    "running": "yellow",
    "failed": "bold red",
}
_LINES = (
    ("id", "id"),
    ("endpoint", "endpoint_url"),
    ("account", "domain"),
    ("bot's token", "bot_api_token_set"),
    ("administrator", "email"),
    ("operators' dialogs", "log_collection"),
    ("branch", "branch"),
    ("deployment", "deployment"),
    ("status", "status"),
    ("last deployment", "last_deployment"),
    ("answers now", "active"),
    ("alarm", "alarm"),
)
_TOKEN = {True: "set: version 2 is spoken", False: "none: version 1 is spoken"}
_NEEDS_LOOKING_AT = frozenset(("alarm",))
"""Shown in red where it says anything."""

Facts = dict[str, Any]


def channel_lines(channel: Facts, out: Terminal) -> None:
    """One channel; on a terminal what an administrator copies, first of all its endpoint, is never cut."""
    out.row(Text(one_line(str(channel.get("name"))), "bold cyan"))
    width = max(len(heading) for heading, _ in _LINES)
    for heading, member in _LINES:
        value = channel.get(member)
        if value is None:
            continue
        shown = _TOKEN[value] if isinstance(value, bool) else _words(value)
        style = "bold red" if member in _NEEDS_LOOKING_AT else _STYLES.get(shown, "")
        out.text(Text.assemble((f"  {heading:<{width}}  ", "dim"), (shown, style)))


def _words(value: object) -> str:
    return version_of(value) if isinstance(value, dict) else one_line(str(value))


def channel_table(channels: list[Facts]) -> Columns:
    """An org's channels."""
    table = Columns("channel", "id", "branch", "status", "answers now", "deployment", "account", flexible="channel")
    for channel in channels:
        status = str(channel.get("status"))
        shown = f"{status}, last failed" if status == "ready" and channel.get("last_deployment") == "failed" else status
        alarm = channel.get("alarm")
        style = _STYLES.get(status, "") if alarm is None else "bold red"
        table.add(
            Text(one_line(str(channel.get("name"))), "bold cyan"),
            str(channel.get("id")),
            str(channel.get("branch")),
            Text(one_line(shown if alarm is None else str(alarm)), style),
            version_of(channel.get("active")),
            str(channel.get("deployment")),
            str(channel.get("domain")),
        )
    return table


def deployment_table(deployments: list[Facts]) -> Columns:
    """A channel's deployments."""
    table = Columns("deployment", "status", "error", "asked for", "commit", "took", "asked at", flexible="asked for")
    for one in deployments:
        status, asked_ms, ended_ms = str(one.get("status")), int(one.get("asked_at_ms") or 0), one.get("ended_at_ms")
        table.add(
            Text(one_line(str(one.get("id"))), "bold"),
            Text(one_line(status), _STYLES.get(status, "")),
            str(one.get("error") or ""),
            str(one.get("ref")),
            str(one.get("commit") or "")[:COMMIT_SHOWN],
            f"{(ended_ms - asked_ms) / MS_PER_S:.1f} s" if isinstance(ended_ms, int) else "",
            Text(date_and_time(asked_ms), "dim"),
        )
    return table


def version_of(active: object) -> str:
    """Which version answers: the reference and its commit, or that none does yet."""
    if not isinstance(active, dict):
        return "nothing yet"
    commit = str(active.get("commit") or "")[:COMMIT_SHOWN]
    return one_line(f"{active.get('ref')} {commit}".strip())
