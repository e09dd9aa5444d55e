"""Pure: how a connection to giosg is, and why.

Source: specs/giosg.md section 7.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from pydantic import Field

from broker.domain.events import Text
from broker.domain.wire import Wire

Status = Literal["ok", "degraded", "unhealthy"]
ProblemCode = Literal["token_refused", "no_webhooks", "encrypted_room", "wrong_room", "giosg_away"]

STATUS_OF: Mapping[ProblemCode, Status] = {
    "token_refused": "degraded",
    "no_webhooks": "degraded",
    "encrypted_room": "degraded",
    "wrong_room": "unhealthy",
    "giosg_away": "unhealthy",
}
ADVICE: Mapping[ProblemCode, str] = {
    "token_refused": "giosg does not take the API token: visitors' texts still go out, names, ends and reconciliation "
    "do not work; make a new token in giosg and set it for this connection",
    "no_webhooks": "giosg took a message and no webhook came: install the App, and paste the expected addresses, with "
    "the connection's webhook secret, into its webhooks; answers come by reconciliation meanwhile, only later",
    "encrypted_room": "the room's messages are encrypted and cannot be read here: switch encryption off for this room",
    "wrong_room": "giosg does not know the room: no chat is opened until room_id is right",
    "giosg_away": "giosg does not answer: texts wait in order and go out when it is back",
}
RANKS: tuple[Status, ...] = ("ok", "degraded", "unhealthy")


class Reason(Wire):
    """One thing that is wrong. ``detail`` holds no secret and nothing that people wrote."""

    code: ProblemCode
    since_ms: int
    detail: Text = ""


class Standing(Wire):
    """Value in bucket CHATS_giosg, key ``health.<connection>``: what all processes know of the connection.

    ``webhook_at_ms``: when one came last, some seconds less exactly than that.
    """

    reasons: list[Reason] = Field(default_factory=list)
    webhook_at_ms: int = 0

    @property
    def status(self) -> Status:
        """The worst of the reasons'."""
        return worst(STATUS_OF[reason.code] for reason in self.reasons)

    def has(self, code: ProblemCode) -> bool:
        """Whether that is one of the reasons."""
        return any(reason.code == code for reason in self.reasons)


def worst(statuses: Iterable[Status]) -> Status:
    """The worst of them, ``ok`` of none."""
    return max(statuses, key=RANKS.index, default="ok")


def with_problem(standing: Standing, code: ProblemCode, detail: str, *, now_ms: int) -> Standing:
    """The standing with that reason; one that is there already keeps its moment, and gets the newer detail."""
    kept = [reason for reason in standing.reasons if reason.code != code]
    since_ms = next((reason.since_ms for reason in standing.reasons if reason.code == code), now_ms)
    reasons = sorted((*kept, Reason(code=code, since_ms=since_ms, detail=detail)), key=lambda reason: reason.code)
    return standing.model_copy(update={"reasons": reasons})


def without_problem(standing: Standing, code: ProblemCode) -> Standing:
    """The standing without that reason."""
    return standing.model_copy(update={"reasons": [reason for reason in standing.reasons if reason.code != code]})
