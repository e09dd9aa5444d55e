"""The guide's program: welcomes each visitor, and gives each conversation a stub of its own."""

from broker import Run, Service, text

service = Service("demo")


@service.at_start("create")
async def register_for_initial_chat_messages(run: Run) -> None:
    chat = await run.ensure_chat("mywebchat", title="My webchat")
    await run.register(f"{chat}.webchatmessagetype.initialize", action="welcome")
    await run.register(f"{chat}.webchatmessagetype.firstmessage", action="create_stub", mechanism="cbh")


@service.action("welcome", context="create")
async def welcome(run: Run) -> None:
    await run.notify(text("Welcome! Write something, and a stub of your own will answer."))


@service.action("create_stub", context="create")
async def create_stub(run: Run) -> None:
    await run.create_stub("default", data=run.data)


@service.action("_create")
async def create(run: Run) -> None:
    await run.notify(text("This is a message from create action"), link_hours=service.link_hours)


@service.action("_update_from_webchat")
async def update_from_webchat(run: Run) -> None:
    await run.notify(text("This is a message from update_from_webchat action"), link_hours=service.link_hours)
