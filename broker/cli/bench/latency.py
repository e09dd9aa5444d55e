"""`heimdall bench latency`: from a visitor's message to the answer in front of the visitor, and the bare hops."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from uuid import uuid4

from broker.cli.bench import crowd as load
from broker.cli.bench.checker import check
from broker.cli.bench.contests import BARE, OURS, link, running_contestant
from broker.cli.bench.crowd import CHANNEL, SERVICE, Crowd, Message, lanes, marked
from broker.cli.bench.process import running
from broker.cli.bench.progress import Show
from broker.cli.bench.report import Bar, Report
from broker.cli.bench.spread import Spread, percentile
from broker.cli.bench.stage import SETTLE_S, Stage, open_stage
from broker.codec import MSGPACK
from broker.domain import headers as names
from broker.domain.ids import OrgId
from broker.domain.subjects import NOTIFICATIONS, Kind
from broker.transport.ensure import ensure_consumers
from broker.transport.reader import LogReader, StoredMessage
from broker.transport.topology import CONVERSATIONS, DELIVERIES, service_consumers

BAR_P99_MS = 10.0
BAR_OF_BARE = 2.0
ANSWER_WAIT_S = 10.0
POLL_S = 0.05
FEED_KINDS = (Kind.NOTIFICATION, Kind.LINKED, Kind.EXPIRED, Kind.CANCELLED)
FEED = tuple(f"p.*.{NOTIFICATIONS}.{CHANNEL}.org.*.name.*.sessionuuid.*.{kind}" for kind in FEED_KINDS)
"""What the webchat worker's feed reads."""
HEADINGS = ("contestant", "p50 ms", "p90 ms", "p99 ms", "least", "greatest", "max ms", "turns")
SHARES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}


@dataclass(frozen=True, slots=True)
class LatencySettings:
    """What is measured; answers to the first ``warmup_s`` of a turn do not count."""

    rate: int
    seconds: float
    size: int
    sessions: int
    repeat: int
    warmup_s: float

    @property
    def msgs(self) -> int:
        """Messages in a turn, warm-up included."""
        return round((self.seconds + self.warmup_s) * self.rate)

    def record(self) -> dict[str, object]:
        """For the report."""
        return {
            "rate": f"{self.rate}/s",
            "seconds": self.seconds,
            "size": f"{self.size} B",
            "sessions": self.sessions,
            "repeat": self.repeat,
            "warm-up": f"{self.warmup_s} s",
        }


@dataclass(slots=True)
class Watch:
    """When each message was said, and when its answer was seen; by this process's clock."""

    said_s: dict[Message, float] = field(default_factory=dict)
    took_s: dict[Message, float] = field(default_factory=dict)

    async def complete(self, wanted: int) -> None:
        """Return when so many answers were seen."""
        while len(self.took_s) < wanted:  # noqa: ASYNC110 - each answer is noted as it comes
            await asyncio.sleep(POLL_S)

    async def accept(self, event: StoredMessage) -> None:
        """One event of the feed."""
        now_s = time.perf_counter()
        answer = marked(event.data)
        if answer is not None and answer in self.said_s:
            self.took_s.setdefault(answer, now_s - self.said_s[answer])


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of one contestant, in milliseconds."""

    shares: dict[str, float]
    late_ms: float
    violations: list[str]


async def measure(settings: LatencySettings, show: Show) -> Report:
    """The linker and the bare loop in turn, and again."""
    async with open_stage(show) as stage:
        report = Report("latency", stage.machine(), settings.record(), headings=HEADINGS)
        turns: dict[str, list[Turn]] = {OURS: [], BARE: []}
        for repetition in range(settings.repeat):
            for name, done in turns.items():
                done.append(await _turn(stage, name, settings, repetition))
                report.violations += done[-1].violations
                if report.violations:
                    return report
    _fill(report, turns)
    return report


async def _turn(stage: Stage, name: str, settings: LatencySettings, repetition: int) -> Turn:
    await stage.clear()
    crowd = Crowd(OrgId(str(uuid4())), settings.sessions)
    await link(stage, name, crowd)
    messages = load.plan(range(settings.sessions), settings.msgs, seed=repetition)
    after, watch = await stage.last_sequence(CONVERSATIONS), Watch()
    reader = LogReader(stage.connection, CONVERSATIONS, watch.accept, filters=FEED, after=after)
    async with running_contestant(stage, name, crowd), _stub(stage, crowd), reader:
        late_s = await _talk(stage, crowd, messages, settings, watch, f"{name}: talking, turn {repetition + 1}")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_WAIT_S):
                await watch.complete(len(messages))
        await asyncio.sleep(SETTLE_S)
    what = f"{name}, turn {repetition + 1}"
    violations = await _violations(stage, crowd, messages, after, what)
    counted = messages[round(settings.warmup_s * settings.rate) :]
    took_ms = sorted(watch.took_s.get(message, 0.0) * 1000 for message in counted)
    return Turn({name: percentile(took_ms, share) for name, share in SHARES.items()}, late_s * 1000, violations)


@contextlib.asynccontextmanager
async def _stub(stage: Stage, crowd: Crowd) -> AsyncIterator[None]:
    """The stub's process, with the consumers of its service."""
    consumers = service_consumers(crowd.org, SERVICE)
    await ensure_consumers(stage.connection, DELIVERIES, consumers)
    arguments = [stage.url, crowd.org, ",".join(spec.name for spec in consumers)]
    async with running("stub", "broker.cli.bench.contestants.stub", stage.folder, arguments=arguments):
        yield
    for spec in consumers:
        await stage.connection.ask(f"CONSUMER.DELETE.{DELIVERIES}.{spec.name}")


async def _talk(
    stage: Stage, crowd: Crowd, messages: list[Message], settings: LatencySettings, watch: Watch, what: str
) -> float:
    """Say each message when its time has come; how late the latest was, in seconds."""
    begun_s, late_s = time.perf_counter(), 0.0
    acks = []
    with stage.show.doing(what, still=True):
        for number, message in enumerate(messages):
            conversation = crowd.conversation(message.session)
            body = load.visitor_body(conversation, message.mark, settings.size)
            headers = {names.MESSAGE_ID: f"{conversation.session}-v{message.number}", names.CONTENT_TYPE: MSGPACK}
            due_s = begun_s + number / settings.rate
            while (wait_s := due_s - time.perf_counter()) > 0:  # noqa: ASYNC110 - a moment is no event
                await asyncio.sleep(wait_s)
            watch.said_s[message] = time.perf_counter()
            late_s = max(late_s, watch.said_s[message] - due_s)
            acks.append(await stage.publisher.submit(conversation.subject(Kind.MESSAGE), body, headers))
    await asyncio.gather(*acks)
    return late_s


async def _violations(stage: Stage, crowd: Crowd, messages: list[Message], after: int, what: str) -> list[str]:
    """Every message once and in order to the stub, and every answer once and in order in the log."""
    runs = [marked(run.data) or Message(-1, -1) for run in await stage.read(DELIVERIES)]
    place = f"p.*.{crowd.path.prefix}.sessionuuid.*.{Kind.NOTIFICATION}"
    events = await stage.read(CONVERSATIONS, after=after, filters=(place,))
    answers = [marked(event.data) or Message(-1, -1) for event in events]
    sent = lanes(messages)
    found = check(sent, ((run.session, run.number) for run in runs)).violations(f"{what}, runs")
    return found + check(sent, ((one.session, one.number) for one in answers)).violations(f"{what}, answers")


def _fill(report: Report, turns: dict[str, list[Turn]]) -> None:
    p99 = {}
    for name, done in turns.items():
        spreads = {share: Spread.of([turn.shares[share] for turn in done]) for share in SHARES}
        p99[name] = spreads["p99"].median
        middle = [f"{spreads[share].median:.2f}" for share in ("p50", "p90")]
        outer = f"{spreads['max'].greatest:.1f}"
        report.rows.append((name, *middle, *spreads["p99"].cells(2), outer, str(len(done))))
        report.figures[name] = {f"{share}_ms": spread.record() for share, spread in spreads.items()}
    ratio = p99[OURS] / p99[BARE]
    report.figures["p99_ours_to_bare"] = round(ratio, 3)
    report.bars += [
        Bar("p99, visitor to stub and back", f"<= {BAR_P99_MS:g} ms", f"{p99[OURS]:.2f} ms", p99[OURS] <= BAR_P99_MS),
        Bar("p99, ours / bare hops", f"<= {BAR_OF_BARE:g}", f"{ratio:.2f}", ratio <= BAR_OF_BARE),
    ]
    late_ms = max(turn.late_ms for done in turns.values() for turn in done)
    report.notes.append(
        f"the latest message was said {late_ms:.1f} ms after its time; the clock runs from when it is said"
    )
