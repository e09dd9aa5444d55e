"""The conversation that `heimdall demo giosg` plays: a bot, an agent, and the bot again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from broker.cli.demo.simulated_giosg import SimulatedGiosg
from broker.cli.demo.standin import Record
from broker.cli.demo.telling import STEP_WAIT_S, Story
from broker.cli.demo.web_visitor import WebVisitor
from broker.errors import DemoStuckError

LOOK_S = 0.05
AGENT = "Aino"
DESK = "giosg."


async def play(visitor: WebVisitor, giosg: SimulatedGiosg, story: Story) -> None:
    """From the bot's welcome to its next answer, with an agent in between.

    Raises:
        DemoStuckError: a step did not lead to the next one.
    """
    await visitor.until("Welcome")
    await visitor.writes("Hello")
    await visitor.until("You wrote 'Hello'")
    await visitor.writes("agent")
    await story.logged("linked", DESK)
    chat_id = await _waiting(giosg)
    story.tell("giosg", "waiting", "a chat waits in the console")
    await _agent(giosg, story, chat_id, "join")
    await visitor.until("agent.joined")
    await _agent(giosg, story, chat_id, "say", "Good day, what can I do for you?")
    await visitor.until("what can I do for you?")
    await visitor.writes("Where is my parcel?")
    await _shown(giosg, story, chat_id, "Where is my parcel?")
    await _agent(giosg, story, chat_id, "say", "It comes tomorrow.")
    await visitor.until("It comes tomorrow.")
    await _agent(giosg, story, chat_id, "end")
    await story.logged("linked", "reception.")
    await visitor.until("Hello again")
    await visitor.writes("Thanks")
    await visitor.until("You wrote 'Thanks'")


async def _agent(giosg: SimulatedGiosg, story: Story, chat_id: str, what: str, text: str | None = None) -> None:
    told = {"join": "joins the chat", "say": f"writes {text!r}", "end": "ends the chat"}[what]
    story.tell("agent", what, f"{AGENT} {told}")
    await giosg.act(chat_id, what, **({} if text is None else {"text": text}))


async def _waiting(giosg: SimulatedGiosg) -> str:
    """The chat that agents see once its visitor has written."""
    found = await _until(giosg, lambda chat: bool(chat["is_waiting"]), "no chat waits in giosg's console")
    return str(found["id"])


async def _shown(giosg: SimulatedGiosg, story: Story, chat_id: str, text: str) -> None:
    def shows(chat: Record) -> bool:
        return chat["id"] == chat_id and any(one["message"] == text for one in chat["messages"])

    await _until(giosg, shows, f"giosg's console does not show {text!r}")
    story.tell("giosg", "shown", f"the console shows {text!r}")


async def _until(giosg: SimulatedGiosg, fits: Callable[[Record], bool], otherwise: str) -> Record:
    """The first chat that fits, once there is one."""
    try:
        async with asyncio.timeout(STEP_WAIT_S):
            # The chat is in another process: there is no event to wait for.
            while (found := next(filter(fits, await giosg.chats()), None)) is None:  # noqa: ASYNC110
                await asyncio.sleep(LOOK_S)
            return found
    except TimeoutError as error:
        raise DemoStuckError(otherwise, wait_s=STEP_WAIT_S) from error
