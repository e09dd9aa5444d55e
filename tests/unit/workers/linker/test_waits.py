"""The ends of waits: each is told once, when its time has come, and what is over costs no memory."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

from broker.domain.ids import ActionName, OrgId, Stub
from broker.domain.patterns import Pattern
from broker.domain.registrations import Registration, Wish
from workers.linker.waits import SPARE_MAX, Waits

ORG = OrgId(str(uuid4()))


def waiting(number: int, until_ms: int) -> Registration:
    wish = Wish("it", "cbh", (Pattern(("a",)),), until_ms=until_ms)
    return Registration(
        id=f"r{number}",
        org=ORG,
        stub=Stub.parse("svc.desk"),
        action=ActionName("go"),
        message="",
        data={},
        wishes=(wish,),
        keep=False,
        since=number,
    )


def test_an_end_is_told_once_when_its_time_has_come() -> None:
    waits = Waits()
    waits.put(waiting(1, 100))
    assert waits.take(99) is None
    assert waits.take(100) == (ORG, "r1")
    assert waits.take(100) is None


def test_a_registration_that_is_made_again_is_told_at_its_later_end_alone() -> None:
    waits = Waits()
    waits.put(waiting(1, 100))
    waits.put(waiting(1, 200))
    assert waits.take(199) is None
    assert waits.take(200) == (ORG, "r1")


def test_what_was_used_or_removed_is_not_told() -> None:
    waits = Waits()
    for number in (1, 2):
        waits.put(waiting(number, 100))
    waits.put(replace(waiting(1, 100), used_by=7))
    waits.forget(ORG, "r2")
    assert waits.take(100) is None


def test_what_is_over_does_not_stay_until_its_time() -> None:
    waits = Waits()
    for number in range(10 * SPARE_MAX):
        waits.put(waiting(number, 10**12))
        waits.forget(ORG, f"r{number}")
    waits.put(waiting(1, 5))
    assert waits.size <= 2 * SPARE_MAX
    assert waits.take(5) == (ORG, "r1")
