"""Pure: what Webim's own log tells of a step that it may have taken without saying so.

Source: specs/webim.md sections 3.2.1 and 3.3.
"""

from __future__ import annotations

from broker.domain.wire import dump
from workers.webim.collecting.dialog import BOT_KINDS, Dialog, DialogMessage, signature
from workers.webim.sending.messages import Action, Message


def bot_messages_before(dialog: Dialog, message: Message, *, known: int) -> tuple[int, bool]:
    """How many of the bot's messages Webim had before this one, and whether it has this one too.

    ``known``: how many we know of. The number alone would not do: with one that was counted too low, a message would
    pass for shown that never was. So the last one must be this one as well.
    """
    ours = [found for found in dialog.messages if is_bots(found, dialog)]
    is_there = len(ours) > known and (ours[-1].kind, ours[-1].text) == signature(dump(message))
    return len(ours) - is_there, is_there


def is_bots(message: DialogMessage, dialog: Dialog) -> bool:
    """Whether the bot wrote it, in a chat that the bot has; see bot_messages_in()."""
    return message.kind in BOT_KINDS and message.operator_id in (None, dialog.operator_id)


def has_acted(dialog: Dialog, action: Action) -> bool:
    """Whether Webim surely did what the action asks for; where its log does not tell, it is asked again.

    Asked again, a redirect that was taken is refused, and the program hears of a failure. The other way round a
    visitor would write into a chat that nobody reads.
    """
    if action.type == "close_chat":
        return dialog.is_closed
    return action.operator_id is not None and dialog.operator_id == str(int(action.operator_id))
