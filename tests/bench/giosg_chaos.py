"""Whether a giosg desk holds under fire: what is lost, doubled or reordered while everything around it breaks.

    python -m tests.bench.giosg_chaos [--seconds 60] [--at-once 16] [--messages 6] [--outage 10] [--seed 4711]

Real processes: a nats-server, a linker, an expiry worker, two giosg workers on two connections, a bot that hands over,
and a simulated giosg. Meanwhile each of them but giosg is killed -9 again and again, and is away for a while; giosg
drops calls before and after it has done them, answers late, in pieces, with 503, 500 and 429, is away, forgets its
visitors' tokens, and sends its webhooks late, thrice, in another order or not at all. At the end a checker holds what
visitors wrote against giosg's chats, and what agents wrote against the visitors' logs. Exit code 1 if anything was
found.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import tempfile
from pathlib import Path

import structlog

from tests.bench.giosg_fire.play import Plan, Played, play


def run(plan: Plan, folder: Path | None) -> Played:
    """One run in a folder of its own."""
    if folder is not None:
        folder.mkdir(parents=True)  # a new one: what an earlier run left would be judged too
        return asyncio.run(play(plan, folder))
    with tempfile.TemporaryDirectory(prefix="heimdall-chaos-", ignore_cleanup_errors=True) as path:
        return asyncio.run(play(plan, Path(path)))


def show(played: Played) -> None:
    """The figures of one run."""
    verdict = played.verdict
    print(
        f"seed {played.plan.seed}: {played.conversations} conversations, {played.chats} giosg chats, "
        f"{played.written} visitors' texts, {played.answers} agents' texts; "
        f"{played.webhooks} webhooks, {played.calls} calls to giosg; "
        f"{played.kills} kills, {played.troubles} troubles in all; settled after {played.settled_s:.1f} s"
    )
    print("  " + ", ".join(f"{name} {count}" for name, count in played.broken.items()))
    print(
        f"  agents' texts of which no webhook came {verdict.unannounced}, after later ones {verdict.late}, "
        f"when the visitor had gone {verdict.unheard}"
    )
    print("  " + ", ".join(f"{kind} {count}" for kind, count in verdict.faults.items()))
    for example in verdict.examples:
        print(f"    {example}")


def main() -> int:
    """Play so many runs, each with the next seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--at-once", type=int, default=16)
    parser.add_argument("--messages", type=int, default=6)
    parser.add_argument("--outage", type=float, default=10.0, help="seconds that giosg, or our side, is away at most")
    parser.add_argument("--seed", type=int, default=4711)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=None, help="keep data and logs there")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    clean = True
    for seed in range(options.seed, options.seed + options.runs):
        plan = Plan(options.at_once, options.messages, options.seconds, seed, options.outage)
        played = run(plan, options.folder and options.folder / str(seed))
        show(played)
        clean = clean and played.verdict.clean
    return 0 if clean else 1


if __name__ == "__main__":
    raise SystemExit(main())
