"""What `heimdall giosg verify` prints: lines for people on a terminal, JSON lines in a pipe."""

from __future__ import annotations

from rich.text import Text

from broker.cli.terminal import Terminal, one_line
from workers.giosg.checking.check import Check, State
from workers.giosg.connections.connection import GiosgConnection, webhook_urls

STYLES: dict[State, tuple[str, str]] = {
    "ok": ("ok", "green"),
    "warning": ("wait", "yellow"),
    "failed": ("FAIL", "bold red"),
    "skipped": ("-", "dim"),
}
NAME_WIDTH = 30
STATE_WIDTH = 6


class Page:
    """One run of the command; ``with_secrets``: the addresses are shown as they are to be pasted."""

    def __init__(self, out: Terminal, *, with_secrets: bool) -> None:
        self._out = out
        self._with_secrets = with_secrets

    def begin(self, connection: GiosgConnection) -> None:
        """Whose checks follow."""
        if not self._out.as_json:
            self._out.text(Text.assemble(("connection ", "dim"), (connection.name, "bold cyan")))
            self._out.text(Text(f"  stub {connection.stub} of org {connection.org}", "dim"))

    def check(self, check: Check, connection: str | None = None) -> None:
        """One check."""
        if self._out.as_json:
            record = {"connection": connection, "check": check.name, "state": check.state, "found": check.found}
            self._out.record(record | {"mend": check.mend or None})
            return
        word, style = STYLES[check.state]
        lead = Text.assemble("  ", (f"{word:<{STATE_WIDTH}}", style))
        if connection is not None:  # without one there are many sentences about one file
            lead.append(f"{check.name:<{NAME_WIDTH}} ")
        self._out.hanging(lead, Text(one_line(check.found), "dim" if check.state == "skipped" else ""))
        if check.mend:
            self._out.hanging(Text(" " * (2 + STATE_WIDTH) + "→ ", style), Text(one_line(check.mend)))

    def webhooks(self, connection: GiosgConnection) -> None:
        """What to enter in giosg."""
        webhooks = webhook_urls(connection, with_secret=self._with_secrets)
        if self._out.as_json:
            for one in webhooks:
                record = {"connection": connection.name, "webhook": one.kind, "channel": one.channel}
                self._out.record(record | {"events": list(one.events), "url": one.url})
            return
        self._out.text(Text("\n  webhooks to enter in the giosg App; then install the App", "bold"))
        for one in webhooks:
            self._out.text(Text(f"  {one.kind}", "cyan"))
            self._out.text(Text(f"    channel  {one.channel}"))
            self._out.text(Text(f"    events   {', '.join(one.events)}"))
            self._out.text(Text(f"    address  {one.url}"))
        if not self._with_secrets:
            self._out.text(Text("  the secret is left out: --show-secrets shows the addresses whole", "dim"))
        self._out.text("")

    def end(self, failed: int) -> None:
        """The result in a line."""
        if not self._out.as_json:
            told = ("all is well", "bold green") if not failed else (f"{failed} failed", "bold red")
            self._out.text(Text.assemble(told))
