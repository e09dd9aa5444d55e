"""`heimdall demo webim` tells a whole conversation, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.conftest import TIME_FACTOR, poll
from tests.e2e.demo import ROOT, Told, demo, missing_in_order, processes_naming

END_WAIT_S = 15.0

CONVERSATION: list[Told] = [
    ("heimdall", "ready", ""),
    ("heimdall", "created", "Webim (Custom Channel API)"),
    ("heimdall", "deployed", "service shop-"),
    ("visitor", "opened", "says nothing yet"),
    ("log", "notice", "newChatStarted"),
    ("visitor", "wrote", "Hello"),
    ("log", "firstmessage", "Hello"),
    ("program", "answered", "You wrote 'Hello', at the shop's front page"),
    ("program", "answered", "[Delivery] [Return]"),
    ("visitor", "pressed", "[Delivery]"),
    ("log", "message", "Delivery"),
    ("program", "answered", "You wrote 'Delivery', at the shop's front page"),
    ("visitor", "wrote", "operator"),
    ("log", "notice", "livechatStarted"),
    ("log", "cancelled", "shop-"),
    ("program", "answered", "One moment, a colleague takes over"),
    ("webim", "moved", "sales"),
    ("operator", "wrote", "what can I do for you?"),
    ("visitor", "wrote", "Where is my parcel?"),
    ("webim", "kept", "the program is not told"),
    ("operator", "wrote", "It comes tomorrow."),
    ("operator", "closed", ""),
]
COLLECTED = ["what can I do for you?", "Where is my parcel?", "It comes tomorrow."]


async def test_the_demo_tells_a_whole_conversation_and_ends(tmp_path: Path) -> None:
    async with demo("webim", "--data-dir", str(tmp_path / "data")) as running:
        assert await running.ended() == 0, running.said
        assert missing_in_order(running.records, CONVERSATION) == []
        log = [one["text"] for one in running.records if one["who"] == "log" and one["did"] == "notice"]
        collected = [text for text in log if "operatorDialog" in text]
        for text in COLLECTED:
            assert sum(text in one for one in collected) == 1, collected
        finished = ("log", "notice", "livechatFinished")
        assert missing_in_order(running.records, [("operator", "closed", ""), finished, ("log", "ended", "")]) == []
        assert running.tells("heimdall", "ended", "--keep")
        assert all(one["status"] == 200 for one in running.records if one["did"] == "called")
        assert processes_naming(str(tmp_path)) == []


async def test_with_keep_each_line_that_is_typed_is_the_visitors(tmp_path: Path) -> None:
    async with demo("webim", "--keep", "--data-dir", str(tmp_path / "data")) as running:
        await running.until("heimdall", "kept")
        hints = [one["text"] for one in running.records if one["did"] == "hinted"]
        assert any("export HEIMDALL_NATS_URL=nats://" in hint for hint in hints)
        await running.type("Is anybody there?")
        await running.until("visitor", "opened", "Is anybody there?")
        await running.until("program", "answered", "You wrote 'Is anybody there?', at the shop's front page")
        await running.type("/press return")
        await running.until("program", "answered", "You wrote 'Return'")
        await running.type("/press nothing")
        await running.until("heimdall", "refused", "[Delivery] [Return]")
        await running.type("/opertor hello")
        await running.until("heimdall", "refused", "there is no /opertor: /press TEXT")
        await running.type("bye")
        await running.until("program", "answered", "Goodbye")
        await running.until("log", "ended")
        await running.type("/close")
        await running.until("heimdall", "refused", "no chat is open")
        running.process.send_signal(signal.SIGINT)
        async with asyncio.timeout(END_WAIT_S * TIME_FACTOR):
            assert await running.ended() == 0
        await poll(lambda: processes_naming(str(tmp_path)) == [], within_s=END_WAIT_S)


def test_without_the_source_tree_there_is_one_clear_sentence(tmp_path: Path) -> None:
    for package in ("broker", "workers"):
        (tmp_path / package).symlink_to(ROOT / package)
    done = subprocess.run(
        [sys.executable, "-m", "broker.cli", "demo", "webim"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("heimdall: the simulated outside system (tests.standins.webim) is part of the source")
    assert done.stderr.count("\n") == 1
