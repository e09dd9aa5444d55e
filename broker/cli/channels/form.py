"""A channel's form from a command line: plain fields as options; secrets from files or prompts, never as arguments."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from broker.domain.channel_forms import ChannelForm
from broker.domain.wire import Body

STANDARD_INPUT = Path("-")
SECRETS: Mapping[str, str] = {
    "password": "--password-file",
    "bot_api_token": "--bot-token-file",
    "inbound_basic_password": "--basic-password-file",
}
"""What an argument would show to whoever lists the processes; the option that reads each."""

_FROM = "'-': asked for, or standard input in a pipe."
Name = Annotated[str | None, typer.Option(help="What people call it; else a default name.")]
Domain = Annotated[str | None, typer.Option(help="The account's label: 'examplecom' of https://examplecom.webim.ru.")]
Email = Annotated[str | None, typer.Option(help="Login of Webim's administrator, to collect operators' dialogs.")]
Branch = Annotated[str | None, typer.Option(help="Branch, tag or commit of the program; else master.")]
Deployment = Annotated[str | None, typer.Option(help="'automatic' (whenever the branch moves) or 'manual'.")]
PasswordFile = Annotated[Path | None, typer.Option(help=f"File with the password of --email. {_FROM}")]
BotTokenFile = Annotated[Path | None, typer.Option(help=f"File with the bot's token: answers by version 2. {_FROM}")]
BasicPasswordFile = Annotated[
    Path | None, typer.Option(help=f"File with the password that goes with inbound_basic_user. {_FROM}")
]
Advanced = Annotated[
    list[str] | None, typer.Option("--set", help="An advanced field, as in --set v1_timeout_ms=8000; repeatable.")
]


def plain(**given: str | None) -> Body:
    """The fields that were given."""
    return {field: value for field, value in given.items() if value is not None}


def advanced_fields(settings: Sequence[str] | None) -> Body:
    """``field=value`` as what the form wants there: a number, a flag or a text; unknown fields go on, to be refused.

    Raises:
        typer.BadParameter: it is not of that form, or would show a secret.
    """
    found: Body = {}
    for setting in settings or ():
        field, equals, text = setting.partition("=")
        if field in SECRETS:
            raise typer.BadParameter(f"{field} is a secret: give it by {SECRETS[field]}", param_hint="--set")
        if not equals:
            raise typer.BadParameter(f"{setting!r} is not FIELD=VALUE, as in v1_timeout_ms=8000", param_hint="--set")
        found[field] = _typed(field, text)
    return found


def secrets(password: Path | None, bot_token: Path | None, basic_password: Path | None) -> Body:
    """What the files hold.

    Raises:
        typer.BadParameter: one cannot be read.
    """
    files = zip(SECRETS, (password, bot_token, basic_password), strict=True)
    return {field: _read(path, field) for field, path in files if path is not None}


def _typed(field: str, text: str) -> str | int | bool:
    annotation = ChannelForm.model_fields[field].annotation if field in ChannelForm.model_fields else str
    if annotation is bool:
        return {"true": True, "false": False}.get(text.lower(), text)
    if annotation is int and text.isascii() and text.removeprefix("-").isdecimal():
        return int(text)
    return text


def _read(path: Path, field: str) -> str:
    """The content without the line end that editors put there; blanks may be part of it."""
    if path == STANDARD_INPUT and sys.stdin.isatty():
        answer: str = typer.prompt(field, hide_input=True, err=True)
        return answer
    try:
        text = (sys.stdin.buffer.read() if path == STANDARD_INPUT else path.read_bytes()).decode()
    except OSError as error:
        raise typer.BadParameter(f"{path}: {error.strerror}", param_hint=SECRETS[field]) from error
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"{path} holds no text", param_hint=SECRETS[field]) from error
    return text.removesuffix("\n").removesuffix("\r")
