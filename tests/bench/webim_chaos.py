"""Whether a Webim channel holds under fire: what is lost, doubled or reordered while everything around it breaks.

    python tests/bench/webim_chaos.py [--seconds 60] [--at-once 20] [--messages 8] [--seed 4711] [--runs 1]

Real processes: a nats-server, a linker, two webim workers that take each other's calls, the program, and a simulated
Webim that tries each event until it is taken. Meanwhile each of them is killed -9 again and again, Webim answers with
errors, late, in pieces or not at all, forgets that it answered, is away, and sends events twice. At the end a checker
holds what the visitors wrote against the log and against what they were shown. Exit code 1 if anything was found.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import tempfile
from pathlib import Path

import structlog

from tests.bench.webim_fire.play import Plan, Played, play


def run(plan: Plan, folder: Path | None) -> Played:
    """One run in a folder of its own."""
    if folder is not None:
        folder.mkdir(parents=True)  # a new one: what an earlier run left would be judged too
        return asyncio.run(play(plan, folder))
    with tempfile.TemporaryDirectory(prefix="heimdall-chaos-", ignore_cleanup_errors=True) as path:
        return asyncio.run(play(plan, Path(path)))


def show(played: Played) -> None:
    """The figures of one run."""
    faults = played.verdict.faults
    print(
        f"seed {played.plan.seed}: {played.chats} chats, {played.messages} messages, {played.answers} answers, "
        f"{played.operators} chats given to an operator, {played.late_repeats} late repeats; "
        f"{played.deliveries} deliveries, {played.calls} calls to Webim; {played.kills} kills; "
        f"settled after {played.settled_s:.1f} s"
    )
    print("  " + ", ".join(f"{name} {count}" for name, count in played.broken.items()))
    print("  " + ", ".join(f"{kind} {count}" for kind, count in faults.items()))
    for example in played.verdict.examples:
        print(f"    {example}")


def main() -> int:
    """Play so many runs, each with the next seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--at-once", type=int, default=20)
    parser.add_argument("--messages", type=int, default=8)
    parser.add_argument("--seed", type=int, default=4711)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=None, help="keep data and logs there")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    clean = True
    for seed in range(options.seed, options.seed + options.runs):
        plan = Plan(options.at_once, options.messages, options.seconds, seed)
        played = run(plan, options.folder and options.folder / str(seed))
        show(played)
        clean = clean and played.verdict.clean
    return 0 if clean else 1


if __name__ == "__main__":
    raise SystemExit(main())
