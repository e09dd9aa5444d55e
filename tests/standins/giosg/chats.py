"""What happens in chats, whoever does it; each function changes the world and emits what webhooks tell.

Source: specs/giosg.md sections 5 and 10. ``added`` comes first, then the ``changed`` of the chat that follows from it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tests.standins.giosg import views
from tests.standins.giosg.world import Agent, Body, Chat, Event, Member, Message, Room, Visitor, World

IDLE = "idle"


class LockedError(Exception):
    """The chat has ended, and nothing in it can be altered any more."""


class InvisibleError(Exception):
    """No agent can see the chat yet: its visitor has not written."""


def owned_chats(world: World) -> str:
    """The channel of chats."""
    return f"/api/v5/orgs/{world.configuration.organization_id}/owned_chats"


def open_chat(world: World, visitor: Visitor, room: Room, chat_type: str = "visitor") -> Chat:
    """A chat in which nothing was said yet."""
    at_ms = world.stamp_ms()
    chat = Chat(world.new_id(), world.new_id(), visitor.id, room.id, chat_type, at_ms, at_ms)
    world.chats[chat.id] = chat
    chat.members[visitor.id] = Member(visitor.id, "visitor", at_ms, at_ms)
    world.emit(Event(owned_chats(world), "added", chat.id, views.chat(world, chat)))
    _tell_member(world, chat, visitor.id, "added")
    return chat


def visitor_says(world: World, chat: Chat, text: str) -> Message:
    """The first such message makes the chat wait for an agent."""
    _refuse_if_locked(world, chat)
    with changing(world, chat):
        if not chat.is_ended and chat.waiting_started_at_ms is None:
            chat.waits = True
            chat.waiting_started_at_ms = world.now_ms()
        return add(world, chat, "msg", "visitor", chat.visitor_id, text=text)


def agent_joins(world: World, chat: Chat, agent: Agent) -> None:
    """Nothing if that agent is there already."""
    _refuse_if_locked(world, chat)
    if world.enforces("silent_chats") and not any(one.sender_type == "visitor" for one in chat.messages):
        raise InvisibleError
    member = chat.members.get(agent.id)
    if member is not None and member.is_participating:
        return
    with changing(world, chat):
        if member is None:
            at_ms = world.stamp_ms()
            chat.members[agent.id] = Member(agent.id, "user", at_ms, at_ms)
            _tell_member(world, chat, agent.id, "added")
        else:
            _change_member(world, chat, agent.id, is_participating=True)
        _take(world, chat)
        add(world, chat, "join", "user", agent.id)


def agent_says(world: World, chat: Chat, agent: Agent, content: Message) -> Message:
    """``content`` brings type, text, attachments and the like; who, when and the id are set here."""
    _refuse_if_locked(world, chat)
    with changing(world, chat):
        _take(world, chat)
        chat.is_encrypted = chat.is_encrypted or content.is_encrypted
        if agent.id in chat.members:
            _change_member(world, chat, agent.id, composing=IDLE)
        content.sender_id = agent.id if content.sender_type == "user" else None
        return _append(world, chat, content)


def types(world: World, chat: Chat, member_id: str, composing: str) -> None:
    """Somebody of the chat begins or stops writing."""
    _refuse_if_locked(world, chat)
    _change_member(world, chat, member_id, composing=composing)


def leaves(world: World, chat: Chat, member_id: str) -> None:
    """An agent or the visitor goes; this happens in ended chats too, some time after the end."""
    member = chat.members[member_id]
    if not member.is_participating:
        return
    with changing(world, chat):
        _change_member(world, chat, member_id, is_participating=False, composing=IDLE)
        add(world, chat, "leave", member.type, member_id)


def returns(world: World, chat: Chat, member_id: str) -> None:
    """The visitor takes part again."""
    _refuse_if_locked(world, chat)
    if not chat.members[member_id].is_participating:
        with changing(world, chat):
            _change_member(world, chat, member_id, is_participating=True)


def end(world: World, chat: Chat, by: str) -> None:
    """For good; nothing if it has ended already."""
    if chat.is_ended:
        return
    with changing(world, chat):
        chat.ended_at_ms = world.stamp_ms()
        chat.ended_by = by
        chat.waits = False


def tag(world: World, chat: Chat, name: str) -> None:
    """A tag, and the message that tells of it; ended chats get tags too."""
    with changing(world, chat):
        chat.tags.append(name)
        add(world, chat, "tag_created", None, None, text=name)


def remove(world: World, chat: Chat) -> None:
    """The chat is erased."""
    del world.chats[chat.id]
    world.removed_chat_ids.append(chat.id)
    world.emit(Event(owned_chats(world), "removed", chat.id))


def edit_message(world: World, chat: Chat, message: Message, text: str) -> None:
    """Another text."""
    _refuse_if_locked(world, chat)
    message.text = text
    told = {"id": message.id, "message": text}
    world.emit(Event(messages_channel(world, chat), "changed", message.id, told))


def remove_message(world: World, chat: Chat, message: Message) -> None:
    """One message is erased, in an ended chat too."""
    with changing(world, chat):
        chat.messages.remove(message)
        world.emit(Event(messages_channel(world, chat), "removed", message.id))


def end_idle(world: World) -> None:
    """Chats that end by themselves, if giosg does such a thing here."""
    limit_s = world.configuration.idle_close_s
    if limit_s is None:
        return
    for chat in [one for one in world.chats.values() if one.chat_type != "external"]:
        if world.now_ms() - chat.updated_at_ms >= limit_s * 1000:
            end(world, chat, "giosg")


def messages_channel(world: World, chat: Chat) -> str:
    """The channel of a chat's messages."""
    return f"{owned_chats(world)}/{chat.id}/messages"


@contextlib.contextmanager
def changing(world: World, chat: Chat) -> Iterator[None]:
    """What the block changes of the chat is told at its end, with the id and the changed members only."""
    before = views.chat(world, chat)
    yield
    chat.updated_at_ms = world.stamp_ms()
    after = views.chat(world, chat)
    told = {"id": chat.id, **{name: value for name, value in after.items() if value != before[name]}}
    if len(told) > 2:  # not the id and updated_at alone
        world.emit(Event(owned_chats(world), "changed", chat.id, told))


def tell_room(world: World, room: Room, before: Body) -> None:
    """What is different about a room, if anything."""
    after = views.room(world, room)
    told = {"id": room.id, **{name: value for name, value in after.items() if value != before[name]}}
    if len(told) > 1:
        channel = f"/api/v5/orgs/{world.configuration.organization_id}/rooms"
        world.emit(Event(channel, "changed", room.id, told))


def add(
    world: World, chat: Chat, kind: str, sender_type: str | None, sender_id: str | None, *, text: str | None = None
) -> Message:
    """Another entry of the chat, as it is."""
    return _append(world, chat, Message("", kind, 0, sender_type, sender_id, text))


def _append(world: World, chat: Chat, message: Message) -> Message:
    message.id, message.created_at_ms = world.new_id(), world.stamp_ms()
    chat.messages.append(message)
    told = views.message(world, chat, message)
    world.emit(Event(messages_channel(world, chat), "added", message.id, told))
    return message


def _refuse_if_locked(world: World, chat: Chat) -> None:
    if chat.is_ended and world.enforces("ended"):
        raise LockedError


def _take(world: World, chat: Chat) -> None:
    chat.waits = False
    if chat.taken_at_ms is None:
        chat.taken_at_ms = world.now_ms()


def _change_member(
    world: World, chat: Chat, member_id: str, *, is_participating: bool | None = None, composing: str | None = None
) -> None:
    member = chat.members[member_id]
    before = views.membership(world, chat, member)
    member.is_participating = member.is_participating if is_participating is None else is_participating
    member.composing = member.composing if composing is None else composing
    after = views.membership(world, chat, member)
    told = {name: value for name, value in after.items() if value != before[name]}
    if told:
        member.updated_at_ms = world.stamp_ms()
        keys = {"member_id": member_id, "member_type": member.type, "updated_at": views.moment(member.updated_at_ms)}
        channel = f"{owned_chats(world)}/{chat.id}/memberships"
        world.emit(Event(channel, "changed", member_id, {**keys, **told}))


def _tell_member(world: World, chat: Chat, member_id: str, action: str) -> None:
    told = views.membership(world, chat, chat.members[member_id])
    world.emit(Event(f"{owned_chats(world)}/{chat.id}/memberships", action, member_id, told))
