"""`heimdall chats`: the webchats of an org, and new ones."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer
from rich.text import Text

from broker.cli.bus import ask
from broker.cli.options import DEMO_ORG, AsJson, NatsUrl, Org, nats_url_of, org_of
from broker.cli.terminal import Columns, Terminal, note, one_line
from broker.domain.ids import Stub, branch_name, new_chat_name
from broker.domain.wire import Body

app = typer.Typer(help="List the webchats of an org, or create one.", no_args_is_help=True)


@app.command("list")
def list_chats(org: Org = DEMO_ORG, *, as_json: AsJson = False, nats_url: NatsUrl = None) -> None:
    """List the webchats of an org, branch by branch.

    Example: heimdall chats list --org 0f6c2f58-8f43-5a0e-9b7e-2f1b6a1d7c90
    """
    checked = org_of(org)
    found = _listed(asyncio.run(ask(nats_url_of(nats_url), checked, "profiles", {})), "profiles")
    out = Terminal(as_json=as_json)
    if out.as_json:
        for chat in found:
            out.record(chat)
        return
    if not found:
        note(f"org {checked} has no webchats: create one with 'heimdall chats create NAME'")
        return
    table = Columns("chat", "branch", "stub", "title", flexible="title")
    for chat in sorted(found, key=lambda chat: str(chat.get("chat_name"))):
        table.add(
            Text(one_line(str(chat.get("chat_name"))), "bold cyan"),
            str(chat.get("branch")),
            str(chat.get("stub") or "registrations"),
            str(chat.get("title") or ""),
        )
    out.columns(table)


@app.command("create")
def create_chat(  # noqa: PLR0913 - one parameter for each option
    name: Annotated[str, typer.Argument(help="The name without its branch: a-z and 0-9.", show_default=False)],
    *,
    branch: Annotated[str, typer.Option(help="'draft' or 'live'.")] = "draft",
    stub: Annotated[
        str | None, typer.Option(help="<service>.<stubref> that takes what no link takes; else registrations do.")
    ] = None,
    title: Annotated[str | None, typer.Option(help="What the window's head says.")] = None,
    org: Org = DEMO_ORG,
    as_json: AsJson = False,
    nats_url: NatsUrl = None,
) -> None:
    """Create a webchat on one branch; its name is unique per org and branch.

    Example: heimdall chats create shop --branch live --title "Our shop"
    """
    body: Body = {"name": new_chat_name(name), "branch": branch_name(branch)}
    if stub is not None:
        body["stub"] = str(Stub.parse(stub))
    if title is not None:
        body["title"] = title
    created = asyncio.run(ask(nats_url_of(nats_url), org_of(org), "profilecreate", body))
    out = Terminal(as_json=as_json)
    if out.as_json:
        out.record(created)
    else:
        out.row(Text.assemble(("created", "bold green"), f" {one_line(str(created.get('chat_name')))}"))


def _listed(reply: Body, name: str) -> list[dict[str, Any]]:
    """The maps in a reply's list."""
    found = reply.get(name)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
