"""The bodies of runs: what a stub finds in its ``stubpost``.

Source: specs/stubber-webchat.md sections 2.3, 2.4 and 5.3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from broker.domain import headers as names
from broker.domain.events import VisitorContent
from broker.domain.ids import ActionName, ChannelName, branch_of
from broker.domain.registry import Taker
from broker.domain.subjects import ChatPath
from broker.domain.wire import Body

INBOX = re.compile(r"_INBOX[A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)+")
"""Where a reply may go: nobody shall have the results of runs published on a subject that means something."""
INBOX_CHARACTERS_MAX = 200


def default_feedback_action(channel: ChannelName) -> ActionName:
    """The action that every stub has for a channel: ``_update_from_<channel>``."""
    return ActionName(f"_update_from_{channel}")


def owner_run(path: ChatPath, content: VisitorContent, payload: Body, *, profile_uuid: str | None = None) -> Body:
    """A run of the feedback action: the text, and the event as ``_incoming_<channel>_data``.

    The configuration has other members here than on the bus: ``branch``, ``pass_through_data``, ``profile_uuid``.
    ``profile_uuid`` is the chat's, for an event that names none.
    ``payload`` is the event as it came, so members that we do not know reach the stub too.
    """
    given = content.configuration
    configuration: Body = {"branch": branch_of(path.chat)}
    if given is not None and given.pass_through is not None:
        configuration["pass_through_data"] = given.pass_through
    if (named := profile_uuid if given is None else given.profile_uuid or profile_uuid) is not None:
        configuration["profile_uuid"] = named
    incoming = {**payload, f"{path.channel}_configuration": configuration}
    return {"stubpost": {"message": content.text, "data": {f"_incoming_{path.channel}_data": incoming}}}


def taker_run(channel: ChannelName, taker: Taker, payload: Body) -> Body:
    """A run of a registration's action: its own message and data, the event laid over them as ``heimdall``."""
    registration = taker.registration
    data = {**registration.data, "heimdall": {channel: payload}, "heimdall_event": taker.event}
    return {"stubpost": {"message": registration.message, "data": data}}


def taker_headers(taker: Taker, event: Mapping[str, str]) -> dict[str, str]:
    """What a registration's run says beside its body: how long it may take, and where its result is waited for.

    ``event`` is the event's own headers; a reply address that is no inbox is left out.
    """
    said: dict[str, str] = {}
    if taker.run_s is not None:
        said[names.TIME_LIMIT] = f"{taker.run_s:g}"
    if taker.mechanism == "evb" and (inbox := event.get(names.REPLY)) is not None and is_inbox(inbox):
        said[names.REPLY] = inbox
    return said


def is_inbox(subject: str) -> bool:
    """Whether a result may be published there."""
    return len(subject) <= INBOX_CHARACTERS_MAX and INBOX.fullmatch(subject) is not None
