"""`heimdall bench expiry`: how late the end of a link is announced while a hundred thousand links are armed."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

from broker.cli.bench import crowd as load
from broker.cli.bench.crowd import LINK_HOURS, Crowd
from broker.cli.bench.process import Process
from broker.cli.bench.progress import Show
from broker.cli.bench.report import Bar, Report
from broker.cli.bench.spread import Spread, percentile
from broker.cli.bench.stage import Stage, open_stage
from broker.cli.bench.turns import rate_of
from broker.codec import decode
from broker.domain.events import Unlinked
from broker.domain.ids import OrgId
from broker.domain.session import MS_PER_HOUR
from broker.domain.subjects import Kind
from broker.domain.wire import validate
from broker.transport.reader import StoredMessage
from broker.transport.timers import Timers
from broker.transport.topology import CONVERSATIONS, SESSIONS, TIMER_STREAM

BAR_P99_S = 0.5
BAR_ARMING = 10_000
LEAD_S = 5.0
"""The first deadline is at least so far ahead when the last link is set."""
BURST_AFTER_S = 2.0
AHEAD_MAX = 5_000
"""Links that are asked for and not set yet; a chat site does not ask for a hundred thousand in one moment either."""
TWICE_WAIT_S = 2.0
"""What is announced twice is announced soon, or never."""
HEADINGS = ("what", "announced", "p50 ms late", "p99", "max")


@dataclass(frozen=True, slots=True)
class ExpirySettings:
    """``links`` are armed; ``per_s`` of them come due each second for ``seconds``, then ``burst`` at one moment."""

    links: int
    per_s: int
    seconds: float
    burst: int
    workers: int
    repeat: int

    @property
    def spread(self) -> int:
        """Links that come due one after another; the first numbers of the crowd."""
        return round(self.per_s * self.seconds)

    @property
    def near(self) -> int:
        """Links that come due at all; the others live for a day."""
        return self.spread + self.burst

    def record(self) -> dict[str, object]:
        """For the report."""
        return {
            "links": self.links,
            "due": f"{self.per_s}/s for {self.seconds:g} s, then {self.burst} at once",
            "expiry workers": self.workers,
            "repeat of the arming": self.repeat,
        }


async def measure(settings: ExpirySettings, show: Show) -> Report:
    """Arm by hand for the rate; then set every link through the real linker, and watch them end."""
    async with open_stage(show) as stage:
        report = Report("expiry", stage.machine(), settings.record(), headings=HEADINGS)
        arming = [await _arm(stage, settings.links) for _ in range(settings.repeat)]
        await stage.clear()
        crowd = Crowd(OrgId(str(uuid4())), settings.links)
        with show.doing(f"making {settings.links} sessions known"):
            await load.make_known(stage.records(SESSIONS), crowd, range(settings.links))
        setting = await _set_and_watch(stage, crowd, settings)
        ended = await _read(stage, crowd, Kind.EXPIRED)
    late_ms, report.violations = judge(ended, crowd, settings)
    if not report.violations:
        _fill(report, late_ms, Spread.of(arming), setting)
    return report


async def _arm(stage: Stage, count: int) -> float:
    """Timers armed a second, by the transport that the linker uses, from the first call to the last acknowledgement."""
    crowd = Crowd(OrgId(str(uuid4())), count)
    conversations = [crowd.conversation(number) for number in range(count)]
    timers, at_ms = Timers(stage.publisher), _now_ms() + round(LINK_HOURS * MS_PER_HOUR)
    with stage.show.doing(f"arming {count} timers"):
        begun_s = time.perf_counter()
        acks = [await timers.arm(conversation, "link", at_ms=at_ms, epoch=1) for conversation in conversations]
        await asyncio.gather(*acks)
        took_s = time.perf_counter() - begun_s
    await stage.connection.ask(f"STREAM.PURGE.{TIMER_STREAM}")
    return count / took_s


async def _set_and_watch(stage: Stage, crowd: Crowd, settings: ExpirySettings) -> float:
    """Links set a second by the linker; returns when all that are due have ended."""
    async with contextlib.AsyncExitStack() as processes:
        linker = await processes.enter_async_context(stage.worker("linker"))
        for _ in range(settings.workers):
            await processes.enter_async_context(stage.worker("expiry"))
        await _set_far(stage, crowd, settings, linker)
        rate = rate_of(await _read(stage, crowd, Kind.LINKED), 0)
        await _let_end(stage, crowd, settings, linker, lead_s=LEAD_S + 2 * settings.near / rate)
    return rate


async def _set_far(stage: Stage, crowd: Crowd, settings: ExpirySettings, linker: Process) -> None:
    """Set the links of a day; the linker always has some thousands still before it, and never all of them."""
    asked, far = 0, settings.links - settings.near
    while asked < far:
        count = min(AHEAD_MAX, far - asked)
        first = settings.near + asked
        await load.ask_for_links(stage.publisher, crowd, range(first, first + count))
        asked += count
        # Each is two events by then: the stub's, and the fact. The last round leaves nothing to do.
        left = 0 if asked == far else AHEAD_MAX
        what = f"{far} links of a day set by the linker"
        await stage.wait_for_all(CONVERSATIONS, 2 * asked - left, linker, what)


async def _let_end(stage: Stage, crowd: Crowd, settings: ExpirySettings, linker: Process, *, lead_s: float) -> None:
    """Set the links that come due, and wait until they have."""
    first_ms = _now_ms() + round(lead_s * 1000)
    burst_ms = first_ms + round((settings.seconds + BURST_AFTER_S) * 1000)

    async def ask(number: int) -> None:
        due_ms = first_ms + number * 1000 // settings.per_s if number < settings.spread else burst_ms
        await load.ask_for_links(stage.publisher, crowd, (number,), (due_ms - _now_ms()) / MS_PER_HOUR)

    await load.in_chunks(ask(number) for number in range(settings.near))
    await stage.wait_for_all(CONVERSATIONS, 2 * settings.links, linker, "links that come due set by the linker")
    while (wait_s := (first_ms - _now_ms()) / 1000) > 0:  # noqa: ASYNC110 - a moment is no event
        await asyncio.sleep(wait_s)
    # Each end is two events: the expiry worker's word, and the fact.
    await stage.wait_for(CONVERSATIONS, 2 * (settings.links + settings.near), linker, "links that end")
    await asyncio.sleep(TWICE_WAIT_S)


async def _read(stage: Stage, crowd: Crowd, kind: Kind) -> list[StoredMessage]:
    return await stage.read(CONVERSATIONS, filters=(f"p.*.{crowd.path.prefix}.sessionuuid.*.{kind}",))


def judge(
    ended: Sequence[StoredMessage], crowd: Crowd, settings: ExpirySettings
) -> tuple[tuple[list[float], list[float]], list[str]]:
    """How late each end was announced (one after another, and at once), sorted, in ms; and what was violated."""
    numbers = {str(crowd.session(number)): number for number in range(settings.links)}
    late_ms: dict[int, float] = {}
    counts: Counter[int] = Counter()
    for event in ended:
        number = numbers[event.public_subject.split(".")[9]]
        counts[number] += 1
        fact = validate(Unlinked, decode(event.data), what="expired")
        late_ms.setdefault(number, event.stored_at_ms - fact.expires_at_ms)
    found = {
        "never announced": settings.near - sum(number in counts for number in range(settings.near)),
        "announced twice": sum(count > 1 for count in counts.values()),
        "announced early": sum(number >= settings.near or late < 0 for number, late in late_ms.items()),
    }
    spread = sorted(late for number, late in late_ms.items() if number < settings.spread)
    burst = sorted(late for number, late in late_ms.items() if settings.spread <= number < settings.near)
    return (spread, burst), [f"expiry: {count} {words}" for words, count in found.items() if count]


def _fill(report: Report, late_ms: tuple[list[float], list[float]], arming: Spread, setting: float) -> None:
    for words, key, late in zip(("one after another", "at one moment"), ("spread", "burst"), late_ms, strict=True):
        if late:
            shares = [percentile(late, share) for share in (0.5, 0.99, 1.0)]
            report.rows.append((words, f"{len(late):,}", *(f"{share:,.0f}" for share in shares)))
            report.figures[key] = dict(zip(("p50_ms", "p99_ms", "max_ms"), shares, strict=True))
    p99_s = percentile(late_ms[0], 0.99) / 1000
    report.figures["armed_per_s"], report.figures["linked_per_s"] = arming.record(), round(setting)
    report.bars += [
        Bar("p99 late, one after another", f"< {BAR_P99_S:g} s", f"{p99_s:.3f} s", p99_s < BAR_P99_S),
        Bar("timers armed", f">= {BAR_ARMING:,}/s", f"{arming.median:,.0f}/s", arming.median >= BAR_ARMING),
    ]
    report.notes.append(f"links set by the linker, each with its timer: {setting:,.0f}/s; none ended early, none twice")


def _now_ms() -> int:
    return int(time.time() * 1000)
