"""The conversation that the demo plays, and the visitor's own lines after it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator

from broker.cli.demo.chat import BOT, CLOSED, LOOK_S, DemoChat
from broker.cli.demo.simulated_webim import SimulatedWebim
from broker.cli.demo.telling import Story

PLACE = "the shop's front page"
LINE_BYTES_MAX = 4_096
ORDERS = ("/press", "/operator", "/close", "/new")
ORDERS_TOLD = (
    "/press TEXT presses a button, /operator TEXT lets the operator write, /close closes the chat, /new begins another"
)
HELP = f"Your turn: each line is written by a visitor. {ORDERS_TOLD}; Ctrl-C ends it all."


async def play(webim: SimulatedWebim, story: Story) -> None:
    """From the first contact to the end of the talk with an operator.

    Raises:
        DemoStuckError: a step did not lead to the next one.
    """
    chat = await DemoChat.opened(webim, story, place=PLACE)
    await story.logged("notice", "newChatStarted")
    await story.logged("receipt", "skipped")  # what it is answered is not shown
    await chat.writes("Hello")
    await story.logged("receipt", "delivered")
    await chat.answered(2)
    await chat.presses("Delivery")
    await story.logged("receipt", "delivered")
    await chat.answered(2)
    await chat.writes("operator")
    await story.logged("notice", "livechatStarted")
    await story.logged("cancelled")  # the link: an operator has the chat
    await chat.answered(1)
    story.tell("webim", "moved", "the chat is in the queue of department 'sales' now", owner=await chat.owner())
    await chat.operator_writes("Good day, what can I do for you?")
    await chat.writes("Where is my parcel?")
    await chat.operator_writes("It comes tomorrow.")
    await chat.closes()
    await story.logged("notice", "livechatFinished")
    await story.logged("ended")
    await story.logged("cancelled")


async def keep_playing(webim: SimulatedWebim, story: Story, lines: AsyncIterator[str]) -> None:
    """Write what the person at the terminal types, and tell what comes back, until there are no more lines."""
    chat: DemoChat | None = None
    watching: asyncio.Task[None] | None = None
    try:
        async for line in lines:
            began = chat
            chat = await _obey(webim, story, chat, line)
            if chat is not began:
                if watching is not None:
                    watching.cancel()
                watching = None if chat is None else asyncio.create_task(_watch(chat))
    finally:
        if watching is not None:
            watching.cancel()


async def _obey(webim: SimulatedWebim, story: Story, chat: DemoChat | None, line: str) -> DemoChat | None:
    """Do what one line says; the chat that is open afterwards."""
    order, _, text = line.partition(" ")
    if chat is not None and await chat.owner() == CLOSED:
        chat = None
    if (problem := _problem(order, text, chat)) is not None:
        story.tell("heimdall", "refused", problem)
    elif order == "/new":
        return await DemoChat.opened(webim, story, text=text or None, place=PLACE)
    elif chat is None:
        return await DemoChat.opened(webim, story, text=line, place=PLACE)
    elif order == "/press":
        await chat.presses(text)
    elif order == "/operator":
        await chat.operator_writes(text)
    elif order == "/close":
        await chat.closes()
    else:
        await chat.writes(line)
    return chat


def _problem(order: str, text: str, chat: DemoChat | None) -> str | None:
    """Why this cannot be done; None: it can."""
    if not order.startswith("/") or order == "/new":
        return None
    if order not in ORDERS:
        return f"there is no {order}: {ORDERS_TOLD}"
    if chat is None:
        return "no chat is open: write something, or /new"
    if order == "/operator" and not text:
        return "what does the operator write? /operator TEXT"
    return None


async def _watch(chat: DemoChat) -> None:
    while True:
        await chat.answers()
        await asyncio.sleep(LOOK_S if await chat.owner() == BOT else 10 * LOOK_S)


async def typed_lines() -> AsyncIterator[str]:
    """What is typed, line by line, blank ones left out; ends with the input, or at once where there is none."""
    loop, descriptor = asyncio.get_running_loop(), sys.stdin.fileno()
    pieces: asyncio.Queue[bytes] = asyncio.Queue()
    try:
        # Not as a pipe transport: that would make the terminal non-blocking for whoever shares it.
        loop.add_reader(descriptor, lambda: pieces.put_nowait(os.read(descriptor, LINE_BYTES_MAX)))
    except PermissionError:  # a file: nobody types
        return
    try:
        pending = b""
        while piece := await pieces.get():
            *lines, pending = (pending + piece).split(b"\n")
            for line in lines:
                if text := line.decode(errors="replace").strip():
                    yield text
    finally:
        with contextlib.suppress(ValueError):
            loop.remove_reader(descriptor)
