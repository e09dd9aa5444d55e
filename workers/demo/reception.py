"""Answers by itself, and hands over to human agents in giosg when the visitor asks for one."""

from broker import Run, Service, serve, text

service = Service("reception")
AGENTS = "giosg.support"


async def say(run: Run, words: str) -> None:
    await run.notify(text(words), more={"agent": {"name": "Bot"}})


@service.at_start("create")
async def register(run: Run) -> None:
    chat = await run.ensure_chat("support", title="Support")
    await run.register(f"{chat}.webchatmessagetype.initialize", action="welcome")
    await run.register(f"{chat}.webchatmessagetype.firstmessage", action="begin", mechanism="cbh")


@service.action("welcome", context="create")
async def welcome(run: Run) -> None:
    await say(run, "Welcome! I am a bot. Write 'agent' to talk to a human.")


@service.action("begin", context="create")
async def begin(run: Run) -> None:
    await run.create_stub("default", data=run.data)


@service.action("_create")
async def take(run: Run) -> None:
    await run.notify(link_hours=service.link_hours)
    await answer(run)


@service.action("_update_from_webchat")
async def answer(run: Run) -> None:
    if run.visitor_text.strip().lower() in ("agent", "human"):
        await say(run, "One moment, I am asking my colleagues.")
        await run.hand_over(AGENTS)
    else:
        await say(run, f"You wrote {run.visitor_text!r}. Write 'agent' to talk to a human.")


@service.action("_update_from_giosg")
async def welcome_back(run: Run) -> None:
    nobody_came = run.data["_incoming_giosg_data"]["type"] == "unavailable"
    found = "none of my colleagues is there now" if nobody_came else "you are talking to the bot again"
    await say(run, f"Hello again, {found}. What can I do for you?")


if __name__ == "__main__":
    serve(service)
