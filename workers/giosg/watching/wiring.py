"""Puts together what watches over the connections."""

from __future__ import annotations

from broker.runtime.backbone import Backbone
from workers.giosg.calls.client import Apis
from workers.giosg.cases.store import CASES, CaseStore
from workers.giosg.connections.connection import Connections
from workers.giosg.hearing.wiring import HearingParts
from workers.giosg.telling.visitor import Visitors
from workers.giosg.watching.availability import Availability
from workers.giosg.watching.health import Health
from workers.giosg.watching.presence import Presence
from workers.giosg.watching.reconcile import Reconciling
from workers.giosg.watching.silence import Silence
from workers.giosg.watching.turns import Turns
from workers.giosg.watching.typing_to import TypingToGiosg
from workers.giosg.watching.watching import Watching


def make_watching(  # noqa: PLR0913 - what is watched, and by what
    backbone: Backbone,
    connections: Connections,
    apis: Apis,
    visitors: Visitors,
    heard: HearingParts,
    *,
    health: Health,
    availability: Availability,
) -> Watching:
    """All of it, with nothing begun."""
    records = backbone.records(CASES)
    cases, turns = CaseStore(records), Turns(records)
    return Watching(
        connection=backbone.connection,
        connections=connections,
        cases=cases,
        turns=turns,
        health=health,
        availability=availability,
        reconciling=Reconciling(apis, cases, heard.hearing, health),
        presence=Presence(apis),
        silence=Silence(apis, cases, visitors, heard.languages, heard.endings),
        typing=TypingToGiosg(apis, cases, turns, connections),
    )
