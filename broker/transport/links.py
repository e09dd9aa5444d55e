"""The live links of an org, read from bucket STUBSESSIONS by its index, each checked against its session."""

from __future__ import annotations

from dataclasses import dataclass, replace

from broker.codec import decode
from broker.domain.deliveries import default_feedback_action
from broker.domain.ids import ChannelName, OrgId, SessionId, Stub, session_id
from broker.domain.stubsessions import INDEX, StateRecord, index_prefix, session_key
from broker.domain.wire import validate
from broker.errors import BackboneError
from broker.transport.records import Records


@dataclass(frozen=True, slots=True)
class LiveLink:
    """One live link, as people ask for it; ``feedback_action`` is the one that will run.

    ``mobile_number``: whom the session belongs to, on a channel of numbers; its profile is the chat.
    """

    session: SessionId
    stub: Stub
    channel: ChannelName
    chat_name: str
    feedback_action: str
    timeout_hours: float
    expires_at_ms: int
    epoch: int
    mobile_number: str | None = None

    @property
    def endpoint(self) -> str:
        """Whom the link is with: the number, else the session."""
        return self.mobile_number or self.session

    @property
    def profile(self) -> str | None:
        """The profile that a number's link belongs to; None where the session alone tells."""
        return None if self.mobile_number is None else self.chat_name


async def live_links(records: Records, org: OrgId, stub: Stub | None, *, now_ms: int) -> list[LiveLink]:
    """Soonest to expire first. The index may lag, so a note without its link is passed over, and so is a lapsed one."""
    prefix = f"{INDEX}.{org}" if stub is None else index_prefix(org, stub)
    found = []
    for entry in await records.entries(prefix):
        _, _, service, ref, session = entry.key.split(".")
        link = await live_link(records, org, session_id(session), now_ms=now_ms)
        if link is not None and str(link.stub) == f"{service}.{ref}":
            found.append(replace(link, mobile_number=entry.value.decode() or None))
    return sorted(found, key=lambda link: link.expires_at_ms)


async def live_link(records: Records, org: OrgId, session: SessionId, *, now_ms: int) -> LiveLink | None:
    """The session's link, None if it has none or the time of it is up."""
    value = (await records.read(session_key(org, session))).value
    if value is None:
        return None
    try:
        record = validate(StateRecord, decode(value), what="session state")
    except BackboneError:
        return None  # a newer worker's record; its links are for newer tools
    if record.link is None or record.link.expires_at_ms <= now_ms:
        return None
    link, channel = record.link.to_link(), ChannelName(record.channel)
    return LiveLink(
        session=session,
        stub=link.stub,
        channel=channel,
        chat_name=record.chat_name,
        feedback_action=link.feedback_action or default_feedback_action(channel),
        timeout_hours=link.timeout_hours,
        expires_at_ms=link.expires_at_ms,
        epoch=link.epoch,
    )
