"""The program of the chaos run: numbers the messages of each session, so that each answer is its own proof."""

from __future__ import annotations

from broker import Dialog, Dialogs, Service, serve

ASKING = "operator "
OPERATOR = 240001
service = Service("echo")
dialogs = Dialogs(service)


@dialogs.on_query()
async def answer(dialog: Dialog) -> None:
    """Two replies, in this order; whoever asks for an operator is given to one."""
    number = dialog.session["number"] = dialog.session.get("number", 0) + 1
    dialog.reply(f"{number}a {dialog.query}")
    dialog.reply(f"{number}b {dialog.query}")
    if str(dialog.query).startswith(ASKING):
        dialog.redirect_to_operator(OPERATOR)


if __name__ == "__main__":
    serve(service)
