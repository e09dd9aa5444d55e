"""Puts together what hears giosg."""

from __future__ import annotations

from dataclasses import dataclass

from workers.giosg.calls.client import Apis
from workers.giosg.cases.endings import Endings
from workers.giosg.cases.store import CaseStore
from workers.giosg.connections.connection import Connections
from workers.giosg.hearing.hearing import Hearing
from workers.giosg.hearing.messages import Messages
from workers.giosg.hearing.ownership import Ownership
from workers.giosg.hearing.sequencer import WAIT_S, Sequencer
from workers.giosg.hearing.typing import Typing
from workers.giosg.hearing.work import Webhooks
from workers.giosg.telling.languages import Languages
from workers.giosg.telling.links import Links
from workers.giosg.telling.stages import Stages
from workers.giosg.telling.visitor import Visitors
from workers.giosg.watching.health import Health


@dataclass(frozen=True, slots=True)
class HearingParts:
    """What others need of it: ``ownership`` knows foreign chats, ``webhooks`` handles what was stored."""

    ownership: Ownership
    hearing: Hearing
    webhooks: Webhooks
    languages: Languages
    stages: Stages
    endings: Endings
    messages: Messages


def make_hearing(  # noqa: PLR0913 - the parts that it is made of
    connections: Connections,
    cases: CaseStore,
    apis: Apis,
    *,
    visitors: Visitors,
    links: Links,
    health: Health,
    order_wait_s: float = WAIT_S,
) -> HearingParts:
    """All of it, with nothing begun."""
    languages, stages = Languages(apis), Stages(cases, visitors)
    endings = Endings(cases, visitors, links, connections, languages)
    ownership = Ownership(cases, apis, stages)
    messages = Messages(cases, apis, visitors, links=links, languages=languages, stages=stages, health=health)
    sequencer = Sequencer(wait_s=order_wait_s)
    hearing = Hearing(cases, apis, stages, endings, messages, ownership=ownership, sequencer=sequencer)
    webhooks = Webhooks(connections, hearing, Typing(cases, ownership, visitors))
    return HearingParts(ownership, hearing, webhooks, languages, stages, endings, messages)
