"""What the worker consumes of visitors: runs of the desk, a lane for each session."""

from __future__ import annotations

from broker.domain import headers as names
from broker.runtime.loop import Work
from broker.transport.pull import Delivery
from broker.transport.topology import DELIVERIES, desk_consumers
from workers.giosg.runs.facts import facts_work
from workers.giosg.runs.handle import HandleRun
from workers.giosg.telling.visitor import SERVICE

__all__ = ["facts_work", "runs_work"]


def runs_work(handle: HandleRun, *, lease_s: int) -> Work:
    """All conversations of a connection have one stub, so the lane is the conversation; the consumers must be there."""
    consumers = tuple(spec.name for spec in desk_consumers(SERVICE))
    return Work(DELIVERIES, consumers, handle, _lane_of, lease_s=lease_s, parks=True)


def _lane_of(delivery: Delivery) -> str:
    return delivery.headers.get(names.CONVERSATION) or delivery.subject
