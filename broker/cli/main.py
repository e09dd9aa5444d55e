"""The entry point of `heimdall`: the commands, and one clear line for whatever goes wrong."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from typer.exceptions import TyperException

from broker.cli import (
    chats,
    deadletters,
    dev,
    explain,
    giosg,
    links,
    partitions,
    publish,
    registrations,
    stubs,
    subjects,
    tap,
    timers,
    webhooks,
    worker,
)
from broker.cli.bench import commands as bench
from broker.cli.channels import commands as channels
from broker.cli.demo import commands as demo
from broker.cli.reporting import quiet_logs
from broker.cli.terminal import note
from broker.errors import BackboneError

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130

app = typer.Typer(
    name="heimdall",
    help="A routing backbone for conversations: run it, watch it, talk to it.",
    no_args_is_help=False,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def begin(
    context: typer.Context,
    *,
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> None:
    """A routing backbone for conversations: run it, watch it, talk to it."""
    if version:
        from importlib.metadata import version as version_of

        typer.echo(f"heimdall {version_of('heimdall')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit


for _command in (dev, worker, tap, explain, publish, links, timers, partitions, registrations):
    app.command(_command.NAME)(_command.command)
app.add_typer(bench.app, name="bench")
app.add_typer(channels.app, name="channels")
app.add_typer(chats.app, name="chats")
app.add_typer(demo.app, name="demo")
app.add_typer(deadletters.app, name="deadletters")
app.add_typer(giosg.app, name=giosg.NAME)
app.add_typer(stubs.app, name=stubs.NAME)
app.add_typer(subjects.app, name="subjects")
app.add_typer(webhooks.app, name="webhooks")


def main(arguments: list[str]) -> int:
    """Run one command; its exit code: 0, 1 for what failed, 2 for what was typed wrong, 130 for Ctrl-C."""
    quiet_logs()
    try:
        return int(app(arguments, prog_name="heimdall", standalone_mode=False) or 0)
    except BackboneError as error:
        note(str(error))
        return EXIT_FAILED
    except TyperException as error:
        problem = error.format_message().replace("Value error, ", "").removesuffix(".")  # pydantic's words
        if problem:  # without any argument a group has shown its help already
            note(f"{problem} (see 'heimdall {_command_in(arguments)}--help')")
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        return EXIT_INTERRUPTED


def run() -> None:
    """Run the command line and exit."""
    sys.exit(main(sys.argv[1:]))


def _command_in(arguments: list[str]) -> str:
    """The command that was typed, as far as it is one: its own help page is the one to read."""
    groups = {group.name: group.typer_instance for group in app.registered_groups}
    known = {*groups, *(command.name for command in app.registered_commands)}
    typed = arguments[:1] if arguments and arguments[0] in known else []
    group = groups.get(typed[0]) if typed else None
    if group is not None and arguments[1:] and arguments[1] in {command.name for command in group.registered_commands}:
        typed = arguments[:2]
    return "".join(f"{word} " for word in typed)
