"""The bot of the chaos run: takes each new conversation, and hands it over to the desk whatever is written."""

from __future__ import annotations

from broker import Run, Service, serve, text

DESK = "giosg.support"
LINK_HOURS = 24.0
CHAT = "firebot"
service = Service(CHAT)


@service.at_start("create")
async def register(run: Run) -> None:
    """Take the first messages of the bot's own chat."""
    chat = await run.ensure_chat(CHAT, title="Under fire")
    await run.register(f"{chat}.webchatmessagetype.firstmessage", action="begin", mechanism="cbh")


@service.action("begin", context="create")
async def begin(run: Run) -> None:
    """A stub for the conversation."""
    await run.create_stub("default", data=run.data)


@service.action("_create")
async def take(run: Run) -> None:
    """The desk gives back to whoever had the link, so there has to be one."""
    await run.notify(text("One moment"), link_hours=LINK_HOURS)
    await run.hand_over(DESK, hours=LINK_HOURS)


@service.action("_update_from_webchat")
async def hand_over(run: Run) -> None:
    """Whoever writes after an end wants agents again."""
    await run.hand_over(DESK, hours=LINK_HOURS)


@service.action("_update_from_giosg")
async def welcome_back(run: Run) -> None:
    """The conversation has come back."""
    await run.notify(text("You are talking to the bot again"))


if __name__ == "__main__":
    serve(service)
