"""What it costs to find who takes an event, with few and with many registrations in one org.

    python tests/bench/matching.py [--events 20000]

Each registration is for the first messages of a chat of its own, five are for all chats, and each event is one chat's.
Cost is processor time, the best of five rounds; the ratio is to the first row. Loading is decoding, checking and
indexing each record.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable
from functools import partial

from broker.codec import decode, encode
from broker.domain.ids import OrgId
from broker.domain.registrations import RegistrationRecord, read_register, to_registration
from broker.domain.registry import Occasion, Registry
from broker.domain.wire import dump, validate

COUNTS = (10, 100, 1_000, 10_000)
FOR_ALL = 5
"""Registrations with a wildcard for the chat: they match every event, however many others there are."""
ROUNDS = 5
ORG = OrgId("0f6c2f58-8f43-5a0e-9b7e-2f1b6a1d7c90")
SESSION = "5b0c7f0e-2a41-4a55-8f7d-6c2f0e8a9d11"
ROOT = f"stubber.systems.notifications.webchat.org.{ORG}.name"


def main() -> None:
    """Print one row for each number of registrations."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=20_000, help="events a round (default 20000)")
    events = parser.parse_args().events
    print(f"{platform.python_implementation()} {platform.python_version()} on {platform.machine()}, {events} events")
    print(
        f"{'registrations':>13} {'us per event':>13} {'ratio':>6} {'one by one, us':>15} {'load, s':>8} {'us each':>8}"
    )
    first_us = 0.0
    for count in COUNTS:
        records = [record_of(number) for number in range(count)]
        registry, load_s = loaded(records)
        subjects = [first_message(number % count) for number in range(0, events * 7, 7)]
        match_us = best_us(partial(match_all, registry, subjects), events)
        few = subjects[: max(1, 200_000 // count)]
        linear_us = best_us(partial(one_by_one, registry, few), len(few))
        first_us = first_us or match_us
        row = f"{count:>13,} {match_us:>13.2f} {match_us / first_us:>6.2f} {linear_us:>15.1f}"
        print(f"{row} {load_s:>8.2f} {load_s / count * 1e6:>7.0f}")


def record_of(number: int) -> bytes:
    """A registration as the bucket keeps it."""
    for_all = number < FOR_ALL
    chat = "#" if for_all else f"draft{number}"
    params = {
        "uuid": f"00000000-0000-0000-0000-{number:012}",
        "events": {"first": {"path": f"{ROOT}.{chat}.webchatmessagetype.firstmessage", "mechanism": "cbh"}},
        "trigger_stubaction": {"action_name": "create_stub", "stubref": "A"},
    }
    checked = read_register(params, org=ORG)
    return encode(dump(RegistrationRecord(org=ORG, stub="bench.A", since=number, params=checked)))


def loaded(records: list[bytes]) -> tuple[Registry, float]:
    """The registry as a linker fills it when it starts, and the seconds that took."""
    registry = Registry()
    began_s = time.process_time()
    for record in records:
        registry.put(to_registration(validate(RegistrationRecord, decode(record), what="registration")))
    return registry, time.process_time() - began_s


def first_message(number: int) -> str:
    """The subject of a first message in one chat."""
    return f"{ROOT}.draft{number}.sessionuuid.{SESSION}.webchatmessagetype.firstmessage"


def match_all(registry: Registry, subjects: list[str]) -> None:
    """As the linker does it."""
    for sequence, subject in enumerate(subjects):
        registry.takers(ORG, subject, Occasion(sequence, 0), lambda _candidates: 0)


def one_by_one(registry: Registry, subjects: list[str]) -> None:
    """What it would cost to try each registration."""
    registrations = registry.of_org(ORG)
    for subject in subjects:
        tokens = tuple(subject.split("."))
        for registration in registrations:
            for wish in registration.wishes:
                any(form.matches(tokens) for form in wish.forms)


def best_us(run: Callable[[], None], count: int) -> float:
    """Microseconds a piece, in the best round."""
    rounds = []
    for _ in range(ROUNDS):
        began_s = time.process_time()
        run()
        rounds.append(time.process_time() - began_s)
    return min(rounds) / count * 1e6


if __name__ == "__main__":
    main()
