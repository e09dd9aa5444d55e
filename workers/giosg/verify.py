"""`python -m workers.giosg.verify`, or `heimdall giosg verify`: does a connection work, and if not, what is to be done.

It makes no visitor and no chat: it looks at the room, and calls the webhook addresses with what the worker drops.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import Mapping, Sequence

import structlog

from broker.cli.terminal import Terminal
from broker.errors import SettingsError
from broker.runtime.outbound_http import OutboundHttp
from broker.runtime.settings import child_environment
from workers.giosg.calls.exchange import Exchange
from workers.giosg.checking.check import Check, failed, ok
from workers.giosg.checking.page import Page
from workers.giosg.checking.room import check_room
from workers.giosg.checking.webhooks import check_webhooks
from workers.giosg.connections.connection import Connections, GiosgConnection
from workers.giosg.connections.file import load_connections

VARIABLE = "HEIMDALL_GIOSG_CONNECTIONS"
SETTINGS = "settings"
RETRIES = 1
EXIT_FAILED = 1


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Check one connection, or all; the exit code, 1 if anything failed."""
    asked = _arguments(arguments, environment)
    page = Page(Terminal(as_json=asked.as_json), with_secrets=asked.show_secrets)
    try:
        chosen = _chosen(asked.file, asked.connection, environment)
    except SettingsError as error:
        for problem in error.problems:
            page.check(failed(SETTINGS, problem, ""))
        page.end(len(error.problems))
        return EXIT_FAILED
    failures = asyncio.run(_check_all(chosen, page))
    page.end(failures)
    return EXIT_FAILED if failures else 0


def _arguments(arguments: Sequence[str], environment: Mapping[str, str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="heimdall giosg verify")
    parser.add_argument("connection", nargs="?")
    parser.add_argument("--file", default=environment.get(VARIABLE, ""))
    parser.add_argument("--show-secrets", action="store_true")
    parser.add_argument("--json", action="store_true", dest="as_json")
    return parser.parse_args(arguments)


def _chosen(file: str, name: str | None, environment: Mapping[str, str]) -> tuple[GiosgConnection, ...]:
    if not file:
        raise SettingsError((f"name the file of connections: --file giosg.toml, or {VARIABLE}",))
    connections: Connections = load_connections(file, environment)
    if name is None:
        return connections.all()
    if (found := connections.get(name)) is None:
        known = ", ".join(one.name for one in connections.all())
        raise SettingsError((f"the file has no connection {name!r}: it has {known}",))
    return (found,)


async def _check_all(connections: Sequence[GiosgConnection], page: Page) -> int:
    """How many checks failed."""
    failures = 0
    async with OutboundHttp() as outside, OutboundHttp(private_addresses=True) as anywhere:
        for connection in connections:
            page.begin(connection)
            tried = connection.model_copy(update={"max_retries": min(RETRIES, connection.max_retries)})
            exchange = Exchange(tried, anywhere if connection.is_local else outside)
            told = [ok(SETTINGS, "complete"), *await check_room(exchange)]
            told += await check_webhooks(connection, anywhere)
            failures += _tell(told, connection, page)
            page.webhooks(connection)
    return failures


def _tell(checks: Sequence[Check], connection: GiosgConnection, page: Page) -> int:
    for check in checks:
        page.check(check, connection.name)
    return sum(check.is_failed for check in checks)


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))  # the page says it all
    sys.exit(main(sys.argv[1:], child_environment({})))
