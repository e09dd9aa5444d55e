"""giosg's agents in a chaos run: they take whatever waits, answer, go, come back, and end chats."""

from __future__ import annotations

import asyncio
import random

from tests.standins.giosg_control import Chat, Giosg

LOOK_S = 0.2
SLOW_S = (0.0, 1.0)
GAP_S = (0.0, 0.4)
TAKEN_SHARE = 0.85
"""Of the chats are taken; the others wait in vain."""
BURST_SHARE = 0.4
"""Of the agents write all they have in one go."""
LEAVES_SHARE = 0.3
ENDS_SHARE = 0.55
ANSWERS = (1, 5)


class Agents:
    """Looks at giosg's chats as its console does; which chat is treated how follows from the seed and its number."""

    def __init__(self, giosg: Giosg, seed: int) -> None:
        self.said = 0
        self._giosg = giosg
        self._seed = seed
        self._known: set[str] = set()

    async def work(self, stop: asyncio.Event) -> None:
        """Take what waits until ``stop`` is set, and finish what was taken."""
        async with asyncio.TaskGroup() as taken:
            while not stop.is_set():
                for number, chat in enumerate(await self._giosg.chats()):
                    if chat.id not in self._known and not chat.is_ended and chat.texts("visitor"):
                        self._known.add(chat.id)
                        taken.create_task(self._serve(chat, number))
                await asyncio.sleep(LOOK_S)

    async def _serve(self, chat: Chat, number: int) -> None:
        chance = random.Random(f"agents-{self._seed}-{number}")  # noqa: S311 - a seed, not a secret
        await asyncio.sleep(chance.uniform(*SLOW_S))
        if chance.random() > TAKEN_SHARE:
            return
        try:
            await self._giosg.join(chat.id, wait=False)
            await self._answer(chat, chance)
            if chance.random() < LEAVES_SHARE:
                await self._giosg.leave(chat.id, wait=False)
                await asyncio.sleep(chance.uniform(*GAP_S))
                await self._answer(chat, chance)
            if chance.random() < ENDS_SHARE:
                tag = chance.choice((None, "done"))
                await self._giosg.end(chat.id, tag=tag, leave=chance.random() < LEAVES_SHARE, wait=False)
        except AssertionError:  # the visitor has ended the chat: nothing is written in it any more
            return

    async def _answer(self, chat: Chat, chance: random.Random) -> None:
        is_burst = chance.random() < BURST_SHARE
        for _ in range(chance.randint(*ANSWERS)):
            if not is_burst:
                await asyncio.sleep(chance.uniform(*GAP_S))
            self.said += 1
            await self._giosg.say(chat.id, f"a-{chat.id[:8]}-{self.said:05d}", wait=False)
