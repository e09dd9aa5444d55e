"""Puts the parts together that carry what visitors do to giosg."""

from __future__ import annotations

from dataclasses import dataclass

from broker.runtime.backbone import Backbone
from broker.runtime.loop import Work
from broker.transport.ensure import ensure_consumers
from broker.transport.topology import CONVERSATIONS, DELIVERIES, desk_consumers, desk_facts_consumers
from workers.giosg.calls.client import Apis
from workers.giosg.cases.endings import Endings
from workers.giosg.cases.store import CaseStore
from workers.giosg.connections.connection import Connections
from workers.giosg.hearing.messages import Messages
from workers.giosg.runs.closing import Closing
from workers.giosg.runs.conversing import ChatSteps, Conversing
from workers.giosg.runs.handle import HandleRun
from workers.giosg.runs.history import History
from workers.giosg.runs.introducing import Introducing
from workers.giosg.runs.opening import Opening
from workers.giosg.runs.refusing import Refusing
from workers.giosg.runs.sending import TextSender
from workers.giosg.runs.standing import Standings
from workers.giosg.runs.talks import Talks
from workers.giosg.runs.work import facts_work, runs_work
from workers.giosg.settings import GiosgSettings
from workers.giosg.telling.languages import Languages
from workers.giosg.telling.links import Links
from workers.giosg.telling.stages import Stages
from workers.giosg.telling.visitor import SERVICE, Visitors
from workers.giosg.watching.availability import Availability


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the runs share with the rest of the worker."""

    connections: Connections
    apis: Apis
    cases: CaseStore
    visitors: Visitors
    links: Links
    languages: Languages
    endings: Endings
    stages: Stages
    messages: Messages
    availability: Availability


async def runs_works(settings: GiosgSettings, backbone: Backbone, around: Surroundings) -> tuple[Work, Work]:
    """The runs of the desk, and the facts that some of them are made of; their consumers are there afterwards."""
    connection = backbone.connection
    await ensure_consumers(connection, DELIVERIES, desk_consumers(SERVICE))
    await ensure_consumers(connection, CONVERSATIONS, desk_facts_consumers(SERVICE, settings.partitions))
    handle = _handle(settings, backbone, around)
    facts = facts_work(backbone.publisher, partitions=settings.partitions, lease_s=settings.lease_s)
    return runs_work(handle, lease_s=settings.lease_s), facts


def _handle(settings: GiosgSettings, backbone: Backbone, around: Surroundings) -> HandleRun:
    history = History(backbone.connection, partitions=settings.partitions)
    standings = Standings(around.links, history)
    refusing = Refusing(
        around.visitors,
        around.links,
        standings,
        backbone.dead_letters,
        around.languages,
        hold_look_s=settings.hold_look_s,
    )
    introducing = Introducing(history)
    opening = Opening(around.availability, introducing, standings)
    steps = ChatSteps(opening, TextSender(), around.endings, around.messages)
    conversing = Conversing(history, standings, steps, introducing, refusing)
    talks = Talks(around.connections, around.apis, around.cases, around.stages, history, standings)
    return HandleRun(talks, conversing, Closing(around.endings, opening), refusing, patience_s=settings.patience_s)
