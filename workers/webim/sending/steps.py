"""Pure: what a notification asks of Webim, step by step, and whether the chat is the bot's to do it in.

Source: specs/webim.md sections 3.2.1, 3.2.3, 4.3 and 5.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from broker.domain.dialogs import DialogResponse
from broker.domain.events import NotificationContent
from workers.webim.channel import Channel
from workers.webim.chat.chats import MS_PER_S, Chat, settled
from workers.webim.sending.messages import Action, Message
from workers.webim.sending.render import Dropped, Rendered, render, render_plain

QUEUE_REDIRECT_SINCE = (10, 4)
LATE_MS = 2 * MS_PER_S
"""A v1 call that is over by the clock may just be writing down how it ended."""

LATE = "late_reply"

ACTED, ENDING = 0, 1
"""Behind the last step: the action was taken, and else that the session is to end."""

Step: TypeAlias = Message | Action


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing of it is shown."""

    code: str


@dataclass(frozen=True, slots=True)
class AnswersCall:
    """A v1 call is waiting for it; whoever holds the call says what becomes of it."""


@dataclass(frozen=True, slots=True)
class Done:
    """It was carried out before; nothing is left to do."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done, in order; ``withheld``: replies that are not to be shown were among it."""

    steps: tuple[Step, ...] = ()
    ends: bool = False
    withheld: bool = False
    dropped: tuple[Dropped, ...] = ()

    @property
    def action(self) -> Action | None:
        """The last step, if that ends the bot's part."""
        last = self.steps[-1] if self.steps else None
        return last if isinstance(last, Action) else None

    @property
    def skipped(self) -> str | None:
        """Why there is nothing to be shown or done, None if there is something."""
        if self.steps or self.ends:
            return None
        if self.withheld:
            return "init_reply"
        return self.dropped[0].code if self.dropped else "nothing_to_show"


@dataclass(frozen=True, slots=True)
class Unfinished:
    """Webim has taken all of it; what follows may not have been told yet.

    ``acted``: its action was taken, too. ``failed``: the code of the first step that was refused.
    """

    plan: Plan
    acted: bool
    failed: str | None


@dataclass(frozen=True, slots=True)
class Asked:
    """A notification: its place in the log, and the parts of it that are for Webim."""

    session: str
    sequence: int
    content: NotificationContent
    response: DialogResponse | None = None


Verdict: TypeAlias = Refused | AnswersCall | Done | Unfinished | Plan


def judge(chat: Chat | None, channel: Channel, asked: Asked, *, now_ms: int) -> Verdict:
    """What a notification means for the chat that its session leads to."""
    if chat is None or chat.session != asked.session or chat.channel_id != channel.id:
        return Refused("chat_not_owned")
    if asked.sequence <= chat.done:
        sending, plan = chat.sending, plan_of(chat, channel, asked)
        if sending is None or sending.sequence != asked.sequence:
            return Done()
        return Unfinished(plan, acted=sending.step == len(plan.steps) + ACTED, failed=sending.failed)
    if chat.dialect == "1":
        open_now = chat.question is not None and now_ms < chat.question.until_ms + LATE_MS
        return AnswersCall() if open_now else Refused(LATE)
    if settled(chat, now_ms=now_ms, idle_s=channel.settings.session_idle_ttl_s).state != "active":
        return Refused("chat_not_owned")
    return plan_of(chat, channel, asked)


def plan_of(chat: Chat, channel: Channel, asked: Asked) -> Plan:
    """The steps of a notification: a plain message, then the replies, then the first action."""
    longest = channel.settings.max_text_len
    message, response = asked.content.message, asked.response
    plain = Rendered() if message is None else render_plain(message, text_characters_max=longest)
    told = Rendered() if response is None else render(response, text_characters_max=longest)
    messages = (*plain.messages, *told.messages)
    quiet = is_quiet(chat, response) and not channel.settings.deliver_init_replies
    steps: tuple[Step, ...] = () if quiet else messages
    if told.action is not None:
        steps = (*steps, told.action)
    return Plan(
        steps,
        ends=response is not None and response.endSession,
        withheld=quiet and bool(messages),
        dropped=(*plain.dropped, *told.dropped),
    )


def is_quiet(chat: Chat, response: DialogResponse | None) -> bool:
    """Whether it answers the newChatStarted: by its question, else because nothing else has happened yet."""
    if chat.quiet_question is None:
        return False
    question = None if response is None else response.question_id
    return not chat.more if question is None else question == chat.quiet_question


def redirects_to_queue(webim_version: str | None) -> bool:
    """Whether that Webim takes a chat back without a target; one that did not say its version may."""
    if webim_version is None:
        return True
    parts = webim_version.split(".")[:2]
    if not all(part.isascii() and part.isdecimal() for part in parts):
        return True
    return tuple(int(part) for part in parts) >= QUEUE_REDIRECT_SINCE
