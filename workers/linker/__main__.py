"""Wires the session linker: ``python -m workers.linker``, or ``heimdall worker linker``."""

from __future__ import annotations

import asyncio

from pydantic import Field

from broker.domain.session import Limits
from broker.runtime.backbone import Backbone
from broker.runtime.loop import Work, token_after
from broker.runtime.main import run_worker
from broker.runtime.settings import Settings
from broker.transport.commands import serve_commands
from broker.transport.topology import CONVERSATIONS, PROFILES, REGISTRATIONS, SESSIONS, STUBSESSIONS, linker_consumers
from workers.linker.chats import Chats
from workers.linker.commands import Commands
from workers.linker.directory import Directory
from workers.linker.effects import Effects
from workers.linker.emitting import Emitting
from workers.linker.handle import LinkAndRoute
from workers.linker.lapsing import Lapsing
from workers.linker.linking import Linking
from workers.linker.queries import Queries
from workers.linker.reading import not_folded
from workers.linker.registering import Registering
from workers.linker.states import States
from workers.linker.stubs import StubNotes

LANES_AT_ONCE_MAX = 128
"""More make nothing faster, but a lease that is to be renewed wait longer."""


class LinkerSettings(Settings):
    """What the linker reads beside the common settings."""

    link_hours_max: float = Field(720.0, gt=0, le=8_784, description="Longer links are cut to this many hours.")
    held_max: int = Field(128, ge=1, le=1000, description="Messages of a session that wait for a first answer.")
    hold_s: float = Field(60.0, gt=0, description="How long they wait, in seconds; then they are dead letters.")
    registrations_max: int = Field(20_000, ge=1, le=1_000_000, description="Registrations that one org may have.")


async def work(settings: LinkerSettings, backbone: Backbone, stop: asyncio.Event) -> None:
    """Fold the log, and answer the commands, until ``stop`` is set."""
    states = backbone.records(STUBSESSIONS)
    registrations, profiles = backbone.records(REGISTRATIONS), backbone.records(PROFILES)
    directory = Directory(
        backbone.connection, registrations=registrations, profiles=profiles, sessions=backbone.records(SESSIONS)
    )
    effects, stubs = Effects(backbone, directory), StubNotes(states, directory.sessions)
    limits = Limits(settings.link_hours_max, settings.held_max, round(settings.hold_s * 1000))
    remembered = States(states)
    handle = LinkAndRoute(directory, remembered, stubs, effects, limits)
    queries = Queries(backbone.connection, directory, states, settings.partitions)
    registering = Registering(directory, registrations, stubs, registrations_max=settings.registrations_max)
    lapsing = Lapsing(directory, registrations, backbone.dead_letters)
    commands = Commands(
        registering,
        Linking(directory.sessions, backbone.publisher, stubs, registering, limits),
        Emitting(directory, backbone.publisher),
        Chats(directory, profiles),
        queries,
    )
    consumers = tuple(spec.name for spec in linker_consumers(settings.partitions))
    async with directory, lapsing.looking(), serve_commands(backbone.connection, commands, name="heimdall-linker"):
        lane_of = token_after("sessionuuid")
        events = Work(
            CONVERSATIONS,
            consumers,
            handle,
            lane_of,
            skip=not_folded,
            retaken=remembered.forget_all,
            lease_s=settings.lease_s,
            together=handle.together,
            at_once_max=LANES_AT_ONCE_MAX,
        )
        await backbone.consume(events, stop)


if __name__ == "__main__":
    run_worker("linker", LinkerSettings, work)
