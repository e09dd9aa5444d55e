"""One chat of the demo: what its visitor and its operator do, each act told, and what the program answers."""

from __future__ import annotations

import asyncio
from typing import Any

from broker.cli.demo.simulated_webim import SimulatedWebim
from broker.cli.demo.standin import Record
from broker.cli.demo.telling import STEP_WAIT_S, Story, Who
from broker.errors import DemoStuckError

LOOK_S = 0.05
ENDPOINT = "/chatapi/webim/"
TOKEN_SHOWN = 4
BOT = "bot"
CLOSED = "closed"
OPERATOR = "Olga"


class DemoChat:
    """A chat that was opened; ``answers()`` brings up what others have written since the last look."""

    def __init__(self, webim: SimulatedWebim, story: Story, chat_id: object) -> None:
        self._webim = webim
        self._story = story
        self._id = chat_id
        self._told = 0

    @classmethod
    async def opened(cls, webim: SimulatedWebim, story: Story, *, text: str | None = None, place: str) -> DemoChat:
        """A visitor comes, from a place on the site, and says something or nothing."""
        said = "" if text is None else f" and writes {text!r}"
        story.tell("visitor", "opened", f"opens a chat at {place!r}{said or ', says nothing yet'}", query=text)
        messages: dict[str, object] = {} if text is None else {"messages": [text]}
        found = await webim.open_chat(fields={"name": "Vera"}, location={"address": place}, **messages)
        chat = cls(webim, story, found["chat_id"])
        chat._deliveries(found["deliveries"])
        return chat

    async def writes(self, text: str) -> None:
        """The visitor writes."""
        self._story.tell("visitor", "wrote", f"writes {text!r}", query=text)
        await self._as_visitor(text=text)

    async def presses(self, text: str) -> None:
        """The visitor presses a button that was shown; where none has that text, those that are there are told."""
        shown = [button for message in (await self._webim.chat(self._id))["messages"] for button in _buttons(message)]
        for button in reversed(shown):
            if button["text"].lower() == text.lower():
                self._story.tell("visitor", "pressed", f"presses [{button['text']}]", button=button["id"])
                await self._as_visitor(button=button["id"])
                return
        there = " ".join(dict.fromkeys(f"[{button['text']}]" for button in shown)) or "none"
        self._story.tell("heimdall", "refused", f"no button {text!r} was shown; those of this chat: {there}")

    async def operator_writes(self, text: str) -> None:
        """A person at Webim's workplace writes."""
        self._story.tell("operator", "wrote", f"{OPERATOR} writes {text!r}")
        await self._webim.act(self._id, "operator", text=text)

    async def closes(self) -> None:
        """The operator closes the chat."""
        self._story.tell("operator", "closed", f"{OPERATOR} closes the chat")
        self._deliveries((await self._webim.act(self._id, "close"))["handler"])

    async def owner(self) -> str:
        """Who has the chat: bot, queue, operator:<id>, closed."""
        return str((await self._webim.chat(self._id))["owner"])

    async def answers(self) -> int:
        """Tell what the program has said since the last look; how many messages that were.

        Looks count, acts do not: while one is under way, another task may look, and have seen what it adds.
        """
        new = (await self._webim.chat(self._id))["messages"][self._told :]
        self._told += len(new)
        ours = [message for message in new if message["author"] == BOT]
        for message in ours:
            self._story.tell("program", "answered", _words(message))
        return len(ours)

    async def answered(self, count: int) -> None:
        """Return when the program has said so many more things.

        Raises:
            DemoStuckError: they do not come.
        """
        try:
            async with asyncio.timeout(STEP_WAIT_S):
                # The chat is in another process: there is no event to wait for.
                while (count := count - await self.answers()) > 0:  # noqa: ASYNC110
                    await asyncio.sleep(LOOK_S)
        except TimeoutError as error:
            raise DemoStuckError("the program's answer is not in the chat", wait_s=STEP_WAIT_S) from error

    async def _as_visitor(self, **order: Any) -> None:
        await self.answers()
        found = await self._webim.act(self._id, "visitor", **order)
        self._deliveries(found["deliveries"])
        if not found["deliveries"]:
            self._webim_says("kept", "keeps it for the operator: the program is not told")

    def _deliveries(self, deliveries: list[Record]) -> None:
        for one in deliveries:
            token, _, handler = one["url"].rpartition(ENDPOINT)[2].partition("/")
            result = one["error"] or f"{one['status']} in {one['ms']:.0f} ms"
            told = f"POST {ENDPOINT}{token[:TOKEN_SHOWN]}… {handler or one['event']} → {result}"
            self._webim_says("called", told, event=one["event"], status=one["status"], took_ms=one["ms"])

    def _webim_says(self, did: str, text: str, **facts: Any) -> None:
        who: Who = "webim"
        self._story.tell(who, did, text, **facts)


def _buttons(message: Record) -> list[dict[str, str]]:
    return [button for row in message.get("data", {}).get("buttons", []) for button in row]


def _words(message: Record) -> str:
    if buttons := _buttons(message):
        return " ".join(f"[{button['text']}]" for button in buttons)
    return str(message.get("text") or message.get("data", {}).get("url", ""))
