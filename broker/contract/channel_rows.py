"""The rows of the commands about channels: answered by the adapter of the channel that the subject names."""

from __future__ import annotations

from dataclasses import dataclass, field

from broker.contract.row import ORG, Row
from broker.domain.channel_forms import (
    ChangeChannel,
    ChannelForm,
    ChannelNamed,
    ChannelRemovedReply,
    ChannelShown,
    ChannelsReply,
    DeploymentNamed,
    DeploymentShown,
    DeploymentsReply,
    DeployReply,
    ListChannels,
)
from broker.domain.desks import AskAvailability, AvailabilityReply
from broker.domain.ids import ChannelName, OrgId
from broker.domain.subjects import ChannelCommandSubject, ChannelVerb
from broker.domain.wire import Body, Wire

WEBIM = ChannelName("webim")
GIOSG = ChannelName("giosg")
_CHANNEL_ID = "ch4k2v9x0qm7ta"
_DEPLOYMENT_ID = "dp81c0a2f39b5e"
_COMMIT = "3f786850e387550fdab836ed7e6dc881de23001b"
_TOKEN = "q3v1" + 39 * "x"
_FACTS: Body = {
    "id": _CHANNEL_ID,
    "type": "webim",
    "name": "Shop chat",
    "domain": "examplecom",
    "branch": "master",
    "deployment": "automatic",
    "log_collection": "full",
    "status": "ready",
    "deployment_id": _DEPLOYMENT_ID,
    "last_deployment": "succeeded",
    "active": {"ref": "master", "kind": "branch", "commit": _COMMIT, "service": "shop-3f786850e387"},
    "alarm": None,
}
_SHOWN: Body = {
    **_FACTS,
    "access_token": _TOKEN,
    "endpoint_url": f"https://heimdall.example.org/chatapi/webim/{_TOKEN}",
    "email": "admin@example.com",
    "password_set": True,
    "bot_api_token_set": True,
    "api_version": "auto",
    "v1_actions": "emit",
    "v1_timeout_ms": 5_000,
    "deliver_init_replies": False,
    "combine_separator": "\n",
    "max_text_len": 4_000,
    "session_idle_ttl_s": 86_400,
    "inbound_basic_user": None,
    "inbound_basic_password_set": False,
    "log_poll_interval_s": 60,
    "created_at_ms": 1_735_725_600_000,
}
_CREATED: Body = {**_SHOWN, "status": "deploying", "last_deployment": "pending", "active": None}
_DEPLOYMENT: Body = {
    "id": _DEPLOYMENT_ID,
    "status": "succeeded",
    "ref": "master",
    "kind": "branch",
    "commit": _COMMIT,
    "error": None,
    "asked_at_ms": 1_735_725_600_000,
    "ended_at_ms": 1_735_725_612_000,
}


@dataclass(frozen=True, slots=True)
class _Asks:
    """What differs between the verbs."""

    verb: ChannelVerb
    meaning: str
    model: type[Wire]
    example: Body = field(hash=False)
    reply_model: type[Wire]
    reply: Body = field(hash=False)
    remarks: tuple[str, ...] = ()
    channel: ChannelName = WEBIM


_ASKS = (
    _Asks(
        "create",
        "Makes a channel, generates the token of its endpoint, and asks for its first deployment.",
        ChannelForm,
        {
            "name": "Shop chat",
            "domain": "examplecom",
            "email": "admin@example.com",
            "password": "secret",
            "branch": "master",
            "deployment": "automatic",
            "bot_api_token": "token-that-webim-shows",
        },
        ChannelShown,
        _CREATED,
        remarks=(
            "`endpoint_url` is what goes into Webim's settings; whoever has it can write as the channel's visitors.",
            "Unknown fields are refused, so that a slip of the pen is not ignored.",
            (
                "Codes in `fields`: `required`, `required_with_<field>`, `wrong_type`, `unknown_field`, `not_allowed`, "
                "`out_of_range`, `too_short`, `too_long`, `control_characters`, `taken`, `must_be_empty`, `read_only`, "
                "`invalid_email`, `invalid_ref`, `invalid_token`, `not_a_label`."
            ),
            "The deployment's end is told by `deployment`; until one has succeeded Webim is told to come again.",
        ),
    ),
    _Asks(
        "list",
        "The org's channels, oldest first, without anything that opens something.",
        ListChannels,
        {},
        ChannelsReply,
        {"channels": [{**_FACTS, "access_token_begins": _TOKEN[:4]}]},
    ),
    _Asks(
        "show",
        "One channel with the address of its endpoint; passwords and Webim's own token are never shown.",
        ChannelNamed,
        {"id": _CHANNEL_ID},
        ChannelShown,
        _SHOWN,
    ),
    _Asks(
        "change",
        "Changes some fields of a channel; what is not named stays, null removes what may be absent.",
        ChangeChannel,
        {"id": _CHANNEL_ID, "changes": {"branch": "v1.4.0"}},
        ChannelShown,
        {**_CREATED, "branch": "v1.4.0"},
        remarks=(
            "An automatic channel is deployed anew when its branch changes. Open conversations keep their version.",
            "The same again changes nothing, and asks for a deployment that is missing.",
        ),
    ),
    _Asks(
        "deploy",
        "Asks for a deployment of the channel's branch as it is now; refused while another one has not ended.",
        ChannelNamed,
        {"id": _CHANNEL_ID},
        DeployReply,
        {"deployment_id": _DEPLOYMENT_ID},
    ),
    _Asks(
        "deployment",
        "One deployment, with its log.",
        DeploymentNamed,
        {"id": _CHANNEL_ID, "deployment_id": _DEPLOYMENT_ID},
        DeploymentShown,
        {**_DEPLOYMENT, "log": "fetched master: 3f786850e387\nchecked: 14 files\ntests: 31 passed\n"},
    ),
    _Asks(
        "deployments",
        "A channel's deployments, newest first.",
        ChannelNamed,
        {"id": _CHANNEL_ID},
        DeploymentsReply,
        {"deployments": [_DEPLOYMENT]},
    ),
    _Asks(
        "remove",
        "Removes a channel and its deployments: its endpoint is unknown from then on.",
        ChannelNamed,
        {"id": _CHANNEL_ID},
        ChannelRemovedReply,
        {"id": _CHANNEL_ID, "removed": True},
        remarks=("One that was half done, since a process was killed, is finished by asking again.",),
    ),
    _Asks(
        "availability",
        "Whether agents of a desk are there: a conversation that is handed over now finds somebody.",
        AskAvailability,
        {"connection": "support"},
        AvailabilityReply,
        {"available": True, "humans": True, "checked_at": "2025-01-01T10:00:00.000Z"},
        remarks=(
            "Answered by desks, such as giosg; the connection is the stubref of the desk's stub: `giosg.support`.",
            "Asked of the outside system once within some seconds, whoever asks how often.",
        ),
        channel=GIOSG,
    ),
)


def _row(asks: _Asks) -> Row:
    return Row(
        name=f"channel.{asks.verb}",
        area="channels",
        template=str(ChannelCommandSubject(OrgId("<org>"), ChannelName("<channel>"), asks.verb)),
        sample=str(ChannelCommandSubject(ORG, asks.channel, asks.verb)),
        publishers=("service", "developer"),
        consumers=("adapter",),
        stream="request and reply",
        meaning=asks.meaning,
        model=asks.model,
        example=asks.example,
        reply=asks.reply,
        reply_model=asks.reply_model,
        by_hand=True,
        remarks=asks.remarks,
    )


CHANNEL_ROWS: tuple[Row, ...] = tuple(_row(asks) for asks in _ASKS)
