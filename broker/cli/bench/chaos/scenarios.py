"""The scenarios of a chaos run: what is broken, how often, under which traffic."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

SERVER = "server"
"""As a victim: the nats-server, on a cluster the one that leads the log."""

Size = Literal["long", "short"]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One run. The traffic goes on from before the first kill until after the last one's recovery."""

    name: str
    what: str
    victims: tuple[str, ...] = ()
    kills: int = 0
    twice: bool = False
    garbage_share: float = 0.0
    servers: int = 1
    sessions: int = 200
    rate: float = 500.0
    calm_s: float = 10.0
    """Traffic in quiet running, before the first kill and again after the recovery from the last."""
    unquiet_s: float = 5.0
    """How long nothing counts as late after a killed process is back; longer where leaders are elected first."""
    recover_s: float = 5.0
    """From the last kill's end to the calm after it."""
    gap_s: tuple[float, float] = (0.1, 2.0)
    """From a process being ready again until it is killed again."""
    away_s: float = 0.0
    """How long a killed server stays away."""
    hold_s: float = 4.0
    held_max: int = 16
    demo_link_hours: float = 0.0006
    linkers: int = 2
    expiry_workers: int = 2

    @property
    def kills_in_all(self) -> int:
        """Of every process of every victim."""
        counts = {"linker": self.linkers, "expiry": self.expiry_workers}
        return self.kills * sum(counts.get(victim, 1) for victim in self.victims)


SCENARIOS = (
    Scenario("workers", "each worker killed -9 twenty times", victims=("linker", "expiry", "demo"), kills=20),
    Scenario("server", "nats-server killed -9 five times", victims=(SERVER,), kills=5, gap_s=(3.0, 6.0)),
    Scenario("twice", "everything published twice", twice=True),
    Scenario("garbage", "one message in a hundred is garbage", garbage_share=0.01),
    Scenario(
        "cluster",
        "three servers, the leader of the log killed -9",
        victims=(SERVER,),
        kills=3,
        servers=3,
        gap_s=(4.0, 8.0),
        away_s=5.0,
        unquiet_s=10.0,
        recover_s=10.0,
    ),
)
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}


def short(scenario: Scenario) -> Scenario:
    """The same in some ten seconds, for every run of the tests."""
    kills = {"workers": 2, "server": 2, "cluster": 1}.get(scenario.name, 0)
    return replace(
        scenario,
        kills=kills,
        garbage_share=10 * scenario.garbage_share,
        sessions=40,
        rate=120.0,
        calm_s=1.5,
        recover_s=1.5,
        gap_s=(0.1, 0.6),
        away_s=min(scenario.away_s, 1.0),
        hold_s=2.0,
    )
