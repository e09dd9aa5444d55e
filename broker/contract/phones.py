"""The channels of phone numbers in subjects.md: whose session a number has, and the bodies that differ."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from broker.codec import to_json
from broker.contract.row import ORG, STUB
from broker.contract.sections import example_lines, field_table
from broker.domain.ids import ChannelName, ChatName
from broker.domain.managing import ManagePhoneLink
from broker.domain.phones import PhoneContent, PhoneNotification, phone_model, phone_session
from broker.domain.subjects import ChatPath, CommandSubject, Conversation, Kind
from broker.domain.wire import Body, Wire

WHATSAPP = ChannelName("whatsapp")
NUMBER = "27820000000"
_PATH = ChatPath(WHATSAPP, ORG, ChatName("stubber_public"))
SAID: type[Wire] = phone_model(PhoneContent, WHATSAPP)
TASK: type[Wire] = phone_model(ManagePhoneLink, WHATSAPP)
NOTIFIED: type[Wire] = phone_model(PhoneNotification, WHATSAPP)
CONVERSATION = Conversation(_PATH, phone_session(_PATH, NUMBER))

SAYS: Body = {
    "heimdall": {
        WHATSAPP: {
            "message": "hello",
            "from": NUMBER,
            "from_name": "Ada",
            "to": "27110000000",
            "whatsapp_profile_name": _PATH.chat,
            "whatsapp_body": {"from": NUMBER, "id": "wamid.1", "type": "text", "text": {"body": "hello"}},
        }
    }
}
LINKS: Body = {
    "stub": str(STUB),
    "tasktype": "manage_stubsession",
    "params": {
        "platform": WHATSAPP,
        WHATSAPP: {
            "operation": "set",
            "mobile_number": f"+{NUMBER}",
            "whatsapp_profile_name": _PATH.chat,
            "set_new_with_timeout_hours": 24,
        },
    },
}


def phone_lines() -> Iterator[str]:
    """What differs on `whatsapp` and `sms`; all else is as on any channel."""
    yield from (
        "",
        "## Channels of phone numbers",
        "",
        "On `whatsapp` and `sms` a conversation is a mobile number at a profile, whose name stands at `<chat>`.",
        "The session uuid is derived from channel, org, profile and digits (uuid5), so nobody has to look it up, and a",
        "stub may link a number that never wrote. A number is text or a number, digits with the country code; a `+` in",
        "front, blanks and dashes are dropped. The answer of `linkset` tells the `sessionuuid`.",
        "",
        "What somebody writes, inside `heimdall.<channel>`; a stub finds it as it came, as `_incoming_<channel>_data`:",
        "",
        *field_table(SAID),
        *example_lines(SAYS),
        "",
        "`manage_stubsession`, inside `params.<channel>`. `sessionuuid` will do, or `mobile_number`; a command needs",
        "the profile's name beside the number, since no subject tells it:",
        "",
        *field_table(TASK),
        *example_lines(LINKS),
        "",
        "A notification, inside `platforms.<channel>` or `platforms.meta_<channel>`; the adapter reads the rest:",
        "",
        *field_table(NOTIFIED),
        "",
        "```sh",
        f"heimdall publish {CommandSubject(ORG, 'linkset')} {shlex.quote(to_json(LINKS))}",
        f"heimdall publish {CONVERSATION.subject(Kind.MESSAGE)} {shlex.quote(to_json(SAYS))}",
        "```",
    )
