"""What an operator may set for the giosg worker, beside what every worker reads."""

from __future__ import annotations

from pydantic import Field

from broker.runtime.settings import Settings, child_environment
from workers.giosg.connections.connection import Connections
from workers.giosg.connections.file import load_connections


class GiosgSettings(Settings):
    """Variables ``HEIMDALL_GIOSG_<FIELD>``; what belongs to one room of giosg's is in the connections' file."""

    connections: str = Field("", description="Path of the file with the giosg connections; empty: there are none.")
    host: str = Field("127.0.0.1", description="Address that giosg's webhooks reach; 0.0.0.0 in a container.")
    port: int = Field(8082, ge=0, le=65535, description="Port for webhooks, probes and metrics; 0: any.")
    order_wait_s: float = Field(
        1.0, ge=0, le=10, description="Seconds that what giosg tells of a chat may wait for what belongs before it."
    )
    patience_s: float = Field(
        600.0, gt=0, description="Seconds that a visitor's message is tried while giosg is away; then: dead letter."
    )
    hold_look_s: float = Field(
        15.0, gt=0, description="Seconds between two looks at a closed room that held messages wait for."
    )
    echo_wait_s: float = Field(
        30.0,
        gt=0,
        description="Seconds in which giosg's webhook of a message it took must have come; then health says degraded.",
    )
    self_test: bool = Field(
        False,
        description="Whether each connection's room is looked at when the worker starts; the log says what is found.",
    )


def connections_of(settings: GiosgSettings) -> Connections:
    """The connections that the settings lead to.

    Raises:
        SettingsError: every problem of the file at once.
    """
    return load_connections(settings.connections, child_environment({})) if settings.connections else Connections(())
