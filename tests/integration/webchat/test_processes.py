"""Two webchat processes in front of one log: a visitor may come back to either, at any moment."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from broker.codec import encode
from broker.domain.ids import SessionId
from broker.domain.profiles import Profile, profile_key
from broker.domain.subjects import Kind
from broker.domain.wire import dump
from broker.runtime.backbone import open_backbone
from broker.runtime.embedded import EmbeddedServer
from broker.transport.topology import PROFILES
from tests.integration.webchat.conftest import CHAT, Frame, Webchat
from tests.processes import free_port, wait_ready, worker_process
from workers.webchat.settings import WebchatSettings

STREAMED = 400
STREAM_BATCH = 20
VISITS = 6
LONG_MESSAGES = 40
LONG_CHARACTERS = 60_000
REPLAYED_MAX = 2_000
"""What the worker shows again of a conversation at most."""
PROCESSES = 2

Resume = Callable[..., dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two processes that serve the same chat."""

    one: Webchat
    two: Webchat


@pytest.fixture(scope="module")
def ports(server: EmbeddedServer) -> Iterator[list[int]]:
    """Where the two processes listen."""
    chosen = [free_port() for _ in range(PROCESSES)]
    with contextlib.ExitStack() as processes:
        for port in chosen:
            settings = {"HEIMDALL_WEBCHAT_PORT": str(port), "HEIMDALL_WEBCHAT_SESSIONS_PER_MINUTE_MAX": "10000"}
            worker = processes.enter_context(worker_process("webchat", server.url, **settings))
            wait_ready(f"http://127.0.0.1:{port}/readyz", worker)
        yield chosen


@pytest_asyncio.fixture
async def pair(server: EmbeddedServer, ports: list[int], org: str) -> AsyncIterator[Pair]:
    """Both processes, with one chat of the test's own org."""
    async with open_backbone(WebchatSettings(nats_url=server.url), name="test") as backbone:
        one, two = (Webchat(backbone, org, port) for port in ports)
        profile = Profile(org=org, branch="draft", name="shop", chat_name=CHAT, profile_uuid=str(uuid4()))
        await backbone.records(PROFILES).write(profile_key(one.path.org, CHAT), encode(dump(profile)), revision=None)
        await _both_know_the_chat(one, two)
        yield Pair(one, two)


async def test_coming_back_to_the_other_process_shows_what_was_missed(pair: Pair, resume: Resume) -> None:
    async with pair.one.browser() as browser:
        welcome, frames = await browser.hello()
        began = frames[-1]["through"]
        await browser.say("hei")
    missed = [(await _text(pair.one, welcome["sessionuuid"], f"missed {number}")) for number in range(3)]
    async with pair.two.browser() as browser:
        back, frames = await browser.hello(resume(welcome, replay_after=began))
        assert (back["sessionuuid"], back["resumed"], back["token"]) == (welcome["sessionuuid"], True, None)
        assert [frame["sequence"] for frame in frames[:-1]][1:] == missed
        assert (frames[0]["direction"], frames[0]["text"]) == ("from_visitor", "hei")
        live = await _text(pair.one, welcome["sessionuuid"], "live")
        assert (await browser.next("message"))["sequence"] == live
    kinds = [kind for kind, _ in await pair.one.log(welcome["sessionuuid"])]
    assert kinds.count("firstmessage") == 1


async def test_the_second_process_knows_that_a_message_was_said_at_the_first(pair: Pair, resume: Resume) -> None:
    client_id = str(uuid4())
    async with pair.one.browser() as browser:
        welcome, _ = await browser.hello()
        first = await browser.say("one", client_id)
    async with pair.two.browser() as browser:
        await browser.hello(resume(welcome))
        assert await browser.say("one", client_id) == first
        await browser.say("two")
    assert [kind for kind, _ in await pair.two.log(welcome["sessionuuid"])] == ["firstmessage", "message"]


async def test_the_same_message_sent_to_both_processes_at_once_is_stored_once(pair: Pair, resume: Resume) -> None:
    client_id = str(uuid4())
    async with pair.one.browser() as one, pair.two.browser() as two:
        welcome, _ = await one.hello()
        await two.hello(resume(welcome))
        answers = await asyncio.gather(one.say("hei", client_id), two.say("hei", client_id))
    assert answers[0] == answers[1]
    assert answers[0]["frame"] == "stored"
    assert len(await pair.one.log(welcome["sessionuuid"])) == 1


async def test_a_replay_while_messages_stream_in_has_no_gap_and_no_double(pair: Pair, resume: Resume) -> None:
    async with pair.one.browser() as browser:
        welcome, frames = await browser.hello()
    kept = resume(welcome, replay_after=frames[-1]["through"])
    streaming = asyncio.create_task(_stream(pair.one, welcome["sessionuuid"], STREAMED))
    seen: list[int] = []
    for visit in range(VISITS):
        process = pair.two if visit % 2 else pair.one
        async with process.browser() as browser:
            _, frames = await browser.hello(kept)
            seen += [frame["sequence"] for frame in frames[:-1]]
            # A few that come live, so that each visit ends in the middle of the stream.
            while len(seen) < STREAMED * (visit + 1) // VISITS:
                seen.append((await browser.next("message"))["sequence"])
        kept |= {"replay_after": seen[-1], "seen": seen[-1]}
    assert seen == await streaming


async def test_two_tabs_at_two_processes_see_each_answer_once_and_in_the_same_order(pair: Pair, resume: Resume) -> None:
    async with pair.one.browser() as one, pair.two.browser() as two:
        welcome, _ = await one.hello()
        await two.hello(resume(welcome))
        sent = await _stream(pair.one, welcome["sessionuuid"], STREAM_BATCH)
        for browser in (one, two):
            assert [(await browser.next("message"))["sequence"] for _ in sent] == sent


async def test_a_conversation_that_is_too_long_to_show_again_says_that_some_is_missing(
    pair: Pair, resume: Resume
) -> None:
    async with pair.one.browser() as browser:
        welcome, frames = await browser.hello()
        began = frames[-1]["through"]
    sent = await _stream(pair.one, welcome["sessionuuid"], REPLAYED_MAX + STREAM_BATCH)
    async with pair.two.browser() as browser:
        _, frames = await browser.hello(resume(welcome, replay_after=began))
    *messages, replayed = frames
    assert [frame["sequence"] for frame in messages] == sent[-REPLAYED_MAX:]
    assert (replayed["through"], replayed["gap"]) == (sent[-1], True)


async def _both_know_the_chat(*processes: Webchat) -> None:
    """A process learns of a new chat from its bucket, a moment later."""
    for process in processes:
        welcome: Frame = {"frame": "refused"}
        while welcome["frame"] != "welcome":
            async with process.browser() as browser:
                welcome, _ = await browser.hello()


async def _text(webchat: Webchat, session: str, text: str) -> int:
    return (await webchat.notify(session, message={"type": "text", "value": text})).sequence


async def _stream(webchat: Webchat, session: str, count: int) -> list[int]:
    """So many notifications, as fast as they are stored; their sequences."""
    publisher = webchat.backbone.publisher
    subject = webchat.path.conversation(SessionId(session)).subject(Kind.NOTIFICATION)
    sequences: list[int] = []
    for first in range(0, count, STREAM_BATCH):
        bodies = [
            {"platforms": {"webchat": {"sessionuuid": session, "webchat_message": {"type": "text", "value": str(n)}}}}
            for n in range(first, first + STREAM_BATCH)
        ]
        acks = [await publisher.submit(subject, encode(body)) for body in bodies]
        sequences += [stored.sequence for stored in await asyncio.gather(*acks)]
    return sequences


async def test_a_history_of_very_long_messages_is_shown_again_whole(pair: Pair, resume: Resume) -> None:
    async with pair.one.browser() as browser:
        welcome, frames = await browser.hello()
        began = frames[-1]["through"]
    session = welcome["sessionuuid"]
    sent = [await _text(pair.one, session, f"{number} " + "x" * LONG_CHARACTERS) for number in range(LONG_MESSAGES)]
    async with pair.two.browser() as browser:
        _, frames = await browser.hello(resume(welcome, replay_after=began))
    assert [frame["sequence"] for frame in frames[:-1]] == sent
