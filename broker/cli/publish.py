"""`heimdall publish`: say one thing on one subject, checked before it is sent."""

from __future__ import annotations

import asyncio
from typing import Annotated
from uuid import uuid4

import typer
from rich.text import Text

from broker.cli.bus import connected
from broker.cli.options import AsJson, NatsUrl, nats_url_of
from broker.cli.publish_checks import check_body, decoded, read_body, refuse_reserved
from broker.cli.terminal import Terminal, one_line, printable
from broker.codec import content_type, to_json
from broker.domain import headers as names
from broker.domain.grammar import parse_subject
from broker.domain.ids import Stub, message_id
from broker.domain.subjects import AnySubject, ChannelCommandSubject, CommandSubject, SignalSubject
from broker.domain.wire import Body
from broker.transport.commands import request_command
from broker.transport.publisher import open_publisher

NAME = "publish"

Headers = dict[str, str]


def command(
    subject: Annotated[str, typer.Argument(help="Where to: any subject that 'heimdall subjects' lists.")],
    body: Annotated[str, typer.Argument(help="The body as JSON; '-' reads standard input, '@file' a file.")] = "{}",
    *,
    stub: Annotated[
        str | None, typer.Option(help="Who speaks, as <service>.<stubref>; becomes the header Heimdall-Stub.")
    ] = None,
    event_id: Annotated[
        str | None, typer.Option("--id", help="The event's id; the same id again is stored once. Default: a new uuid.")
    ] = None,
    as_json: AsJson = False,
    nats_url: NatsUrl = None,
) -> None:
    """Publish one message, or ask one command.

    Subject and body are checked before anything is sent.

    Example, an answer that links the conversation to its sender for a day (O, S: uuids of org and session):
    heimdall publish stubber.systems.notifications.webchat.org.O.name.draftmywebchat.sessionuuid.S.notification
    '{"platforms":{"webchat":{"sessionuuid":"S","webchat_message":{"type":"text","value":"Hello"},
    "stubsession":{"set_new_with_timeout_hours":24}}}}' --stub demo.2024-11-11-ABCD
    """
    parsed = parse_subject(subject)
    refuse_reserved(subject, parsed)
    sender = None if stub is None else Stub.parse(stub)
    data = read_body(body)
    check_body(parsed, decoded(data), sender)
    headers = {names.MESSAGE_ID: message_id(event_id or str(uuid4())), names.CONTENT_TYPE: content_type(data)}
    if sender is not None:
        headers[names.STUB] = str(sender)
    result = asyncio.run(_send(nats_url_of(nats_url), parsed, subject, data, headers))
    _show(result, Terminal(as_json=as_json))


async def _send(url: str, parsed: AnySubject, subject: str, data: bytes, headers: Headers) -> Body:
    """What came of it: a reply, or where it was stored."""
    async with connected(url) as connection:
        match parsed:
            case CommandSubject() | ChannelCommandSubject():
                return {"reply": await request_command(connection, parsed, data, headers=headers)}
            case SignalSubject():
                await connection.publish(subject, data, headers=headers)
                return {"subject": subject, "stored": False}
            case _:
                async with open_publisher(connection) as publisher:
                    stored = await publisher.store(subject, data, headers)
                return {
                    "subject": subject,
                    "sequence": stored.sequence,
                    "duplicate": stored.duplicate,
                    "id": headers[names.MESSAGE_ID],
                }


def _show(result: Body, out: Terminal) -> None:
    if "reply" in result:
        if out.as_json:
            out.record(result["reply"])
        else:
            out.text(printable(to_json(result["reply"])))
        return
    if out.as_json:
        out.record(result)
        return
    if "sequence" not in result:
        out.row(Text.assemble(("sent", "bold green"), ", signals are not stored"))
        return
    what = "stored already, as" if result["duplicate"] else "stored as"
    out.row(Text.assemble((what, "bold green"), f" {result['sequence']}", (f"  id {one_line(result['id'])}", "dim")))
