"""Answers the questions of a shop's chats: run it, or have it deployed from a repository of its own."""

from broker import Dialog, Dialogs, Service, serve

service = Service("shop")
dialogs = Dialogs(service)


def remember_location(dialog: Dialog) -> None:
    location = (dialog.raw_request or {}).get("location")
    dialog.session["location"] = location.get("address") if isinstance(location, dict) else None


@dialogs.on_event("newChatStarted")
async def begin(dialog: Dialog) -> None:
    remember_location(dialog)


@dialogs.on_query()
async def answer(dialog: Dialog) -> None:
    if dialog.new_session:  # whoever writes at once raises no newChatStarted
        remember_location(dialog)
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
