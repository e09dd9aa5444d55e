"""The rows of the commands: asked by request and reply, answered by any linker."""

from __future__ import annotations

from dataclasses import dataclass, field

from broker.contract.command_examples import (
    CLOSED_STUB,
    EMIT,
    LINK,
    PROFILE,
    RECORD,
    REGISTER,
    REGISTRATION,
    SHOWN,
    STORED,
)
from broker.contract.row import ORG, SAMPLE, SESSION, STUB, Row
from broker.domain.commands import (
    CloseStub,
    CreateProfile,
    Deregister,
    ListLinks,
    ListProfiles,
    ListRegistrations,
    ReadTranscript,
    ShowSession,
)
from broker.domain.emitting import EmitParams
from broker.domain.events import notification_model
from broker.domain.managing import ManageLink
from broker.domain.profiles import Profile
from broker.domain.registrations import RegisterParams
from broker.domain.replies import (
    DeregisterReply,
    EmitReply,
    LinkSetReply,
    LinksReply,
    ProfilesReply,
    RegisterReply,
    RegistrationsReply,
    SessionReply,
    StoredReply,
    StubCloseReply,
    TranscriptReply,
)
from broker.domain.subjects import COMMANDS, CommandSubject, Kind, Verb
from broker.domain.wire import Body, Wire

SENDER = "The sender is the header `Heimdall-Stub`, or the top-level member `stub`."


@dataclass(frozen=True, slots=True)
class _Asks:
    """What differs between the verbs."""

    verb: Verb
    meaning: str
    model: type[Wire]
    example: Body = field(hash=False)
    reply_model: type[Wire]
    reply: Body = field(hash=False)
    inside: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def _manage(operation: str, members: Body) -> Body:
    content: Body = {"operation": operation, "sessionuuid": SESSION, **members}
    return {
        "stub": str(STUB),
        "tasktype": "manage_stubsession",
        "params": {"platform": "webchat", "webchat": content},
    }


_ASKS = (
    _Asks(
        "register",
        "A stub's standing wish: run this action when an event comes on that path and no link takes it.",
        RegisterParams,
        REGISTER,
        RegisterReply,
        {"uuid": REGISTRATION, "shadowed_by": None},
        inside=("params",),
        remarks=(
            "The same uuid again replaces the registration; it keeps its place in the order.",
            "Paths are in heimdall's spelling of wildcards, and a registration names its channel and its org.",
            (
                "`mechanism`: every `evt` that matches runs. Of the `cbh` the first registered runs, of the `rra` one "
                "after the other, of the `rnd` any one. `evb` is as `evt`, and each result goes back to whoever "
                "emitted the event, see `Heimdall-Reply`. `*`: as `evt`, and as any one that an event is emitted under."
            ),
            "A `cbh` on a path that an older one takes too, wildcards counted, is told so by `shadowed_by`.",
            (
                "`remove`: the first event that matches uses it up. None within `timeout_seconds`: it is dropped, and "
                "kept as a dead letter `registration_timed_out`."
            ),
            "A path that ends in a session's event without a `sessionuuid` pair means any session.",
            "`trigger_stubaction.stubref` without its service is one of the sender's service (`Heimdall-Stub`).",
        ),
    ),
    _Asks(
        "deregister",
        "Forgets a registration; one that is not there is no error.",
        Deregister,
        {"uuid": REGISTRATION},
        DeregisterReply,
        {"removed": True},
    ),
    _Asks(
        "registrations",
        "The org's registrations, or those of one stub, oldest first.",
        ListRegistrations,
        {"limit": 200},
        RegistrationsReply,
        {"registrations": [SHOWN], "next": None},
        remarks=(
            "A page at most: ask again with `after` = `next` until that is null.",
            "`shadowed_by` is the older `cbh` that takes events before this one; `until_ms` the end of a wait.",
        ),
    ),
    _Asks(
        "emit",
        "Says what a visitor did, on a path that the asker names: stored as any event of a conversation.",
        EmitParams,
        EMIT,
        EmitReply,
        {
            "emitted": [
                {"path": SAMPLE.subject(Kind.NOTICE), "mechanism": "evt", "sequence": 1213, "duplicate": False},
            ]
        },
        inside=("params",),
        remarks=(
            "`data` is what lies in `heimdall` of the event; it is checked as an adapter's event is.",
            "A path with a wildcard is refused, and so is one of another org, or where no visitor's event goes.",
            "As with any event of a visitor, registrations hear of it only while nobody is linked.",
            (
                "With `evb` the header `Heimdall-Reply` of the request names the inbox that waits for the results, see "
                "the runs for a stub."
            ),
            "Several paths are stored in their order; all are checked before the first is stored.",
        ),
    ),
    _Asks(
        "notify",
        "Publishes a notification to a session whose channel and chat the asker need not know.",
        notification_model(SAMPLE.path.channel),
        {
            "stub": str(STUB),
            "platforms": {
                "webchat": {"sessionuuid": SESSION, "webchat_message": {"type": "text", "value": "Still there?"}}
            },
        },
        StoredReply,
        STORED,
        inside=("platforms", "webchat"),
        remarks=(
            SENDER,
            f"It is stored as the conversation's `{Kind.NOTIFICATION}`; `sequence` is its place there.",
        ),
    ),
    _Asks(
        "linkset",
        "Publishes `stubsession.set` to a session whose channel and chat the asker need not know.",
        ManageLink,
        _manage("set", {"set_new_with_timeout_hours": 24}),
        LinkSetReply,
        {
            **STORED,
            "sessionuuid": SESSION,
            "stub": str(STUB),
            "feedback_action": "_update_from_webchat",
            "timeout_hours": 24.0,
            "clamped": False,
        },
        inside=("params", "webchat"),
        remarks=(
            SENDER,
            "The reply tells the link that the log will set: its epoch is `sequence`, its hours are cut to the most.",
            "On a channel of phone numbers `mobile_number` and `<channel>_profile_name` name it, known or not yet.",
        ),
    ),
    _Asks(
        "linkdelete",
        "Publishes `stubsession.delete` to a session whose channel and chat the asker need not know.",
        ManageLink,
        _manage("delete", {}),
        StoredReply,
        STORED,
        inside=("params", "webchat"),
        remarks=("It succeeds whether there is a link or not.",),
    ),
    _Asks(
        "stubclose",
        "A stub answers no more: its links end (`cancelled`, reason `closed`), its registrations are forgotten.",
        CloseStub,
        {"stub": CLOSED_STUB},
        StubCloseReply,
        {"stub": CLOSED_STUB, "links": 1, "registrations": 0},
        remarks=(
            "What is written to those sessions from then on goes the unlinked way.",
            (
                "It takes no links any more: `linkset` refuses one, and one that is set by an event all the same ends "
                "in the same instant."
            ),
        ),
    ),
    _Asks(
        "links",
        "Live links, of the org or of one stub; what has expired is not among them.",
        ListLinks,
        {"stub": str(STUB)},
        LinksReply,
        {"links": [LINK]},
    ),
    _Asks(
        "session",
        "One session: whose it is, and its live link.",
        ShowSession,
        {"sessionuuid": SESSION},
        SessionReply,
        {"session": RECORD, "link": LINK},
        remarks=("`link` is null where none is alive.",),
    ),
    _Asks(
        "transcript",
        "What happened in a session after a sequence, in order.",
        ReadTranscript,
        {"sessionuuid": SESSION, "after": 0, "limit": 200},
        TranscriptReply,
        {
            "events": [
                {
                    "sequence": 1205,
                    "stored_at_ms": 1_735_725_600_000,
                    "what": "webchatmessagetype.firstmessage",
                    "body": {"heimdall": {"webchat": {"sessionuuid": SESSION}}},
                }
            ]
        },
        remarks=(
            "`what` is the subject after the conversation's prefix; `body` is null where it cannot be read or sent.",
            "Ask again with `after` = the last `sequence` until a page is empty: one ends early at 1 MB.",
        ),
    ),
    _Asks(
        "profilecreate",
        "Creates a webchat on one branch; its name is unique per org and branch.",
        CreateProfile,
        {"name": "shop", "branch": "draft", "title": "Help"},
        Profile,
        PROFILE,
        remarks=(
            (
                "A name is 1 to 63 of `a-z0-9` and does not begin with `draft` or `live`: the branch is put in "
                "front, so `mywebchat` is `draftmywebchat` in subjects."
            ),
            "With a `stub`, what no live link takes goes to that stub, and registrations do not run.",
            "`routes` does so for each route of a channel that has several; its entry `__catch_all` takes the rest.",
        ),
    ),
    _Asks("profiles", "The org's webchats.", ListProfiles, {}, ProfilesReply, {"profiles": [PROFILE]}),
)


def _row(asks: _Asks) -> Row:
    return Row(
        name=asks.verb,
        area="commands",
        template=f"{COMMANDS}.org.<org>.{asks.verb}",
        sample=str(CommandSubject(ORG, asks.verb)),
        publishers=("service", "adapter", "developer"),
        consumers=("linker",),
        stream="request and reply",
        meaning=asks.meaning,
        model=asks.model,
        inside=asks.inside,
        example=asks.example,
        reply=asks.reply,
        reply_model=asks.reply_model,
        by_hand=True,
        remarks=asks.remarks,
    )


COMMAND_ROWS: tuple[Row, ...] = tuple(_row(asks) for asks in _ASKS)
