"""What a visitor's run, or a hand-over, means for the chat: opened, written to, begun anew.

Source: specs/giosg.md sections 6.2 and 7.3.
"""

from __future__ import annotations

from dataclasses import dataclass

from broker.domain.events import Linked
from broker.domain.subjects import Kind
from broker.errors import DeskRefusedError, LinkNotSavedError
from workers.giosg.cases.case import EndReason
from workers.giosg.cases.endings import Endings
from workers.giosg.cases.store import now_ms
from workers.giosg.cases.transitions import is_settled
from workers.giosg.hearing.messages import Messages
from workers.giosg.runs import marks
from workers.giosg.runs.content import said_in
from workers.giosg.runs.history import History
from workers.giosg.runs.introducing import Introducing
from workers.giosg.runs.opening import Opening
from workers.giosg.runs.refusing import Refusing
from workers.giosg.runs.run import TAKEN
from workers.giosg.runs.sending import TextSender
from workers.giosg.runs.standing import Standings
from workers.giosg.runs.talk import Talk

CHATS_MAX = 4
"""So many chats may end just as one text is sent."""
SAVED_WITHIN_MS = 600_000
"""So long a linker may take to save what it has told; then the next text sees to the hand-over."""
DATA_KINDS: frozenset[str] = frozenset((Kind.USERDATA, Kind.CONFIGURATION))


@dataclass(frozen=True, slots=True)
class ChatSteps:
    """What is done with a chat, in this order."""

    opening: Opening
    sender: TextSender
    endings: Endings
    messages: Messages


class Conversing:
    """One per process."""

    def __init__(
        self, history: History, standings: Standings, steps: ChatSteps, introducing: Introducing, refusing: Refusing
    ) -> None:
        self._history = history
        self._standings = standings
        self._opening = steps.opening
        self._sender = steps.sender
        self._endings = steps.endings
        self._messages = steps.messages
        self._introducing = introducing
        self._refusing = refusing

    @staticmethod
    def text_of(talk: Talk) -> str:
        """What the visitor wrote in the run, as giosg would have it."""
        return said_in(talk.run.channel, talk.run.payload, talk.run.text).text

    async def visited(self, talk: Talk) -> None:
        """The visitor wrote, sent files, pressed a button, or its data changed.

        Raises:
            RoomClosedError, DeskRefusedError: there is no chat, and will be none now.
            ChannelError: not now, or giosg will not have it.
        """
        if talk.run.kind in DATA_KINDS:
            await self._introducing.update(talk)
        said = said_in(talk.run.channel, talk.run.payload, talk.run.text)
        if said.unsupported:
            await self._refusing.files_unsupported(talk)
        if not said.text:
            return
        await self._note_link(talk)
        await self._say(talk, said.text, talk.run.event, done=talk.run.sequence)

    async def taken(self, talk: Talk) -> None:
        """A stub has handed the conversation over, or the desk hears of what it has taken itself.

        Raises:
            LinkNotSavedError: the linker tells of a link before it saves it, and has not yet done so.
        """
        await self._check_saved(talk)
        await self._note_link(talk)

    async def _check_saved(self, talk: Talk) -> None:
        run = talk.run
        fact = await self._history.fact(run.conversation, run.event)
        if not isinstance(fact, Linked) or fact.stub != talk.desk or fact.expires_at_ms <= now_ms():
            return
        if now_ms() - run.stored_at_ms > SAVED_WITHIN_MS:
            return
        live = await self._standings.live(talk)
        if live is None and await self._history.has_ended(run.conversation, epoch=fact.epoch):
            return
        if live is None or live.epoch < fact.epoch:
            raise LinkNotSavedError(talk.desk, epoch=fact.epoch)

    async def _note_link(self, talk: Talk) -> None:
        """What follows from a link that is new: the chat is opened, and the visitor's last words are sent.

        A text may come before the run that tells of the link it was delivered by: whichever is first sees to it.
        """
        link = await self._standings.live(talk)
        if link is not None and (str(link.stub) != talk.desk or link.epoch <= talk.case.epoch):
            return
        conversation = talk.run.conversation
        links = await self._history.links(conversation, after=talk.case.epoch)
        new = [fact for fact in links if fact.stub == talk.desk and not _is_before(talk, fact.epoch)]
        if not new:
            return
        epoch, has_left = new[-1].epoch, link is None
        if has_left and not (links[-1] is new[-1] and await self._is_left(talk, epoch)):
            return
        given = await self._history.given(conversation, new)
        is_longer = given.is_renewal and talk.case.is_open
        if not given.is_own and not is_longer:
            await talk.change(lambda case: marks.given(case, given.giver, given.hours))
            await self._hand_over(talk, [one.epoch for one in new if one.replaces] or [epoch], has_left=has_left)
        until_ms = 0 if link is None else link.expires_at_ms
        await talk.change(lambda case: marks.linked(case, epoch, until_ms))

    async def _is_left(self, talk: Talk, epoch: int) -> bool:
        """Whether the link of that epoch ended because the visitor has gone: agents still read its last words."""
        return await self._history.given_up_since(talk.run.conversation, after=epoch) == "left"

    async def _hand_over(self, talk: Talk, epochs: list[int], *, has_left: bool) -> None:
        """Send what the visitor wrote last before each of these links, or have an open chat at least."""
        await self._finish_end(talk)
        unsent = []
        for epoch in epochs if talk.connection.hand_over_text == "last" else ():
            last = await self._last_text(talk, before=epoch)
            if last is not None and not self._sender.has_sent(talk, last[1], last[0]):
                unsent.append(last)
        for event, text in dict.fromkeys(unsent):
            await self._say(talk, text, event, is_handed_over=True)
        if not unsent:
            await self._settle_all(talk)
            if not has_left:
                await self._opening.open(talk)

    async def _last_text(self, talk: Talk, *, before: int) -> tuple[int, str] | None:
        """The visitor's last words before that place in the log, and where they stand."""
        channel = talk.run.channel
        for visited in reversed(await self._history.visits(talk.run.conversation, before=before)):
            said = said_in(channel, visited.visit.payload, visited.visit.content.text)
            if said.text:
                return visited.sequence, said.text
        return None

    async def _say(self, talk: Talk, text: str, event: int, *, done: int = 0, is_handed_over: bool = False) -> None:
        """Have giosg take the text, in the chat that there is or in a new one, once."""
        await self._sender.settle(talk, text, event)
        if self._sender.has_sent(talk, text, event):
            return  # be it that its chat has ended since
        for _ in range(CHATS_MAX):
            if not talk.case.is_open and not await self._reopened(talk, text, is_handed_over=is_handed_over):
                return
            await self._standings.take_if_free(talk)
            outcome = await self._sender.send(talk, text, event, done=done)
            if outcome == "sent":
                return
            await self._leave_chat(talk, outcome)
        raise DeskRefusedError(talk.desk, problem=f"{CHATS_MAX} chats ended before they took the text")

    async def _reopened(self, talk: Talk, text: str, *, is_handed_over: bool) -> bool:
        """Whether there is a chat now; if not, the text is seen to."""
        await self._finish_end(talk)
        if not is_handed_over and not await self._standings.is_ours(talk):
            await self._refusing.not_taken(talk, text)
            return False
        had_chat = talk.case.chat is not None or bool(talk.case.past)
        if had_chat and not is_handed_over and talk.connection.after_end_policy == "reject":
            await self._refusing.reject(talk)
            return False
        await self._opening.open(talk)
        if had_chat and not is_handed_over:
            await self._refusing.new_conversation(talk)
        return True

    async def _leave_chat(self, talk: Talk, reason: EndReason) -> None:
        """The chat is over: with another one allowed, this one is left without a word."""
        chat = talk.case.chat
        if chat is None or not talk.case.is_open:
            return
        if talk.connection.after_end_policy == "reject" and reason != "identity_lost":
            talk.case = await self._endings.end(talk.case, reason)
        else:
            # what its agents wrote at last, and no webhook told of, is looked for while it is the conversation's chat
            await self._messages.catch_up(talk.connection, talk.case, chat.id)
            # whoever tells of its end meanwhile lets go of the link as well, which must not be the next chat's
            await talk.change(lambda case: marks.chat_left(case, chat.id, reason, now_ms()) if case.is_open else None)

    async def _finish_end(self, talk: Talk) -> None:
        """An end that somebody began to tell of, and crashed, is told now."""
        case = talk.case
        if case.chat is not None and case.end_reason is not None and not is_settled(case):
            talk.case = await self._endings.end(case, case.end_reason)

    async def _settle_all(self, talk: Talk) -> None:
        """Nothing is to be sent, so nothing is in doubt any more."""
        if talk.case.sending is not None:
            await talk.change(marks.not_sending)


def _is_before(talk: Talk, epoch: int) -> bool:
    """Whether the run's text was written under an older link: it goes before the words of the newer hand-over."""
    return talk.run.action != TAKEN and 0 < talk.run.event < epoch
