"""Answers the questions of a shop's chats: run it, or have it deployed from a repository of its own."""

from broker import Dialog, Dialogs, Service, serve

service = Service("shop")
dialogs = Dialogs(service)


@dialogs.on_event("newChatStarted")
async def begin(dialog: Dialog) -> None:
    dialog.session["location"] = dialog.event_data.get("location", {}).get("address")


@dialogs.on_query()
async def answer(dialog: Dialog) -> None:
    match dialog.query:
        case "operator":
            dialog.reply("One moment, a colleague takes over")
            dialog.redirect_to_department("sales")
        case "bye":
            dialog.reply("Goodbye")
            dialog.close_chat()
        case _:
            dialog.reply(f"You wrote {dialog.query!r}, at {dialog.session.get('location') or 'an unknown place'}")
            dialog.buttons("Delivery", "Return")


if __name__ == "__main__":
    serve(service)
