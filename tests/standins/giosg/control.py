"""What the control calls do: how a test, or a person at the console, plays the agents and giosg itself.

Source: specs/giosg.md section 10, "Control plane".
"""

from __future__ import annotations

import time
from typing import Any

from tests.standins.giosg import chats, views
from tests.standins.giosg.configuration import Configuration
from tests.standins.giosg.faults import Faults
from tests.standins.giosg.orders import (
    AgentOrder,
    ByAgent,
    ClockOrder,
    EndOrder,
    ExpireOrder,
    ForeignOrder,
    RoomOrder,
    SayOrder,
    TokensOrder,
    TypeOrder,
)
from tests.standins.giosg.webhooks import Courier
from tests.standins.giosg.world import ABSENT, Agent, Body, Chat, Event, Message, Room, World

OK = {"result": "ok"}


class UnknownError(Exception):
    """There is no such thing here."""


class Control:
    """Each returns the JSON that is answered; the webhooks that follow are sent by the caller."""

    def __init__(self, world: World, faults: Faults, courier: Courier) -> None:
        self.world = world
        self.faults = faults
        self.courier = courier

    async def reset(self) -> Body:
        """Begin anew: no chats, no faults, no records, the usual configuration."""
        await self.courier.forget()
        self.world.begin_anew()
        self.faults.waiting.clear()
        return OK

    def configure(self, changes: Body) -> Body:
        """Change some fields of the configuration; those of ``webhooks`` one by one as well."""
        now = self.world.configuration.model_dump()
        merged = {**now, **changes, "webhooks": {**now["webhooks"], **changes.get("webhooks", {})}}
        self.world.configuration = Configuration.model_validate(merged)
        return self.world.configuration.model_dump(mode="json")

    def set_room(self, room_id: str, order: RoomOrder) -> Body:
        """Open, close, staff a room, or make it."""
        world = self.world
        room = world.rooms.setdefault(room_id, Room(room_id, room_id, list(world.agents)))
        before = {one.id: views.room(world, one) for one in world.rooms.values()}
        if order.state is not None:
            room.is_open = order.state != "closed"
            room.has_router = room.has_router or order.state == "online"
        for field in ("has_router", "name", "language_code"):
            if getattr(order, field) is not None:
                setattr(room, field, getattr(order, field))
        humans = order.state == "online" if order.humans is None and order.state in ("online", "offline") else None
        self._staff(room, is_bot=False, is_online=humans if order.humans is None else order.humans)
        self._staff(room, is_bot=True, is_online=False if order.state == "offline" else None)
        self._staff(room, is_bot=True, is_online=order.bots)
        self._tell_rooms(before)
        return views.room(world, room)

    def _staff(self, room: Room, *, is_bot: bool, is_online: bool | None) -> None:
        for agent_id in room.agent_ids:
            if is_online is not None and self.world.agents[agent_id].is_bot == is_bot:
                self.world.agents[agent_id].is_online = is_online

    def _tell_rooms(self, before: dict[str, Body]) -> None:
        for room in self.world.rooms.values():
            chats.tell_room(self.world, room, before[room.id])

    def add_agent(self, order: AgentOrder) -> Body:
        """Another agent."""
        before = {one.id: views.room(self.world, one) for one in self.world.rooms.values()}
        agent = Agent(self.world.new_id(), order.public_name, order.name, order.is_online, order.is_bot)
        self.world.agents[agent.id] = agent
        for room in self.world.rooms.values():
            room.agent_ids.append(agent.id)
        self._tell_rooms(before)
        return agent_record(agent)

    def join(self, chat: Chat, order: ByAgent) -> Body:
        """The agent takes the chat."""
        chats.agent_joins(self.world, chat, self._agent(chat, order.agent_id))
        return views.whole_chat(self.world, chat)

    def say(self, chat: Chat, order: SayOrder) -> Body:
        """The agent, or giosg itself, writes."""
        agent = self._agent(chat, order.agent_id)
        if order.join and order.sender_type == "user":
            chats.agent_joins(self.world, chat, agent)
        attachments = [_attachment(self.world, one) for one in order.attachments]
        content = Message("", order.type, 0, order.sender_type, None, order.text, order.encrypted, attachments)
        content.extra = order.extra
        return views.message(self.world, chat, chats.agent_says(self.world, chat, agent, content))

    def type(self, chat: Chat, order: TypeOrder) -> Body:
        """The agent begins or stops writing."""
        chats.types(self.world, chat, self._member(chat, order.agent_id).id, order.composing_status)
        return views.whole_chat(self.world, chat)

    def leave(self, chat: Chat, order: ByAgent) -> Body:
        """The agent closes the window; the chat goes on."""
        chats.leaves(self.world, chat, self._member(chat, order.agent_id).id)
        return views.whole_chat(self.world, chat)

    def end(self, chat: Chat, order: EndOrder) -> Body:
        """The agent ends the chat; its tag and the leaving come after that."""
        member = self._member(chat, order.agent_id) if order.leave else None
        chats.end(self.world, chat, "user")
        if order.tag is not None:
            chats.tag(self.world, chat, order.tag)
        if member is not None:
            chats.leaves(self.world, chat, member.id)
        return views.whole_chat(self.world, chat)

    def foreign_chat(self, order: ForeignOrder) -> Body:
        """A visitor of the website, of whom nobody told the adapter."""
        world = self.world
        room = next(iter(world.rooms.values())) if order.room_id is None else self.room(order.room_id)
        visitor = world.new_visitor("website")
        visitor.presence[room.id] = None
        if order.visitor_name is not None:
            visitor.variables.append({"id": world.new_id(), "key": "username", "value": order.visitor_name})
        chat = chats.open_chat(world, visitor, room)
        if order.text is not None:
            chats.visitor_says(world, chat, order.text)
        return views.whole_chat(world, chat)

    def set_api_tokens(self, order: TokensOrder) -> Body:
        """All others are revoked."""
        self.world.api_tokens = set(order.tokens)
        return OK

    def expire_tokens(self, order: ExpireOrder) -> Body:
        """Visitors' tokens end now."""
        for token in self.world.tokens.values():
            if order.visitor_id in (None, token.visitor_id):
                token.expires_at_ms = self.world.now_ms()
        return OK

    def forget_secret(self, visitor_id: str) -> Body:
        """Its secret is worth nothing any more; the visitor and its tokens stay."""
        if visitor_id not in self.world.visitors:
            raise UnknownError(f"no visitor {visitor_id}")
        self.world.visitors[visitor_id].secret_until_ms = 0
        return OK

    def set_clock(self, order: ClockOrder) -> Body:
        """Stop the clock, let it go on from where it stands, put it forward."""
        world = self.world
        if order.frozen is True and world.frozen_at_ms is None:
            world.frozen_at_ms = time.time_ns() // 1_000_000
        elif order.frozen is False and world.frozen_at_ms is not None:
            world.clock_offset_ms += world.frozen_at_ms - time.time_ns() // 1_000_000
            world.frozen_at_ms = None
        world.clock_offset_ms += order.advance_ms
        chats.end_idle(world)
        return {"now_ms": world.now_ms(), "now": views.moment(world.now_ms())}

    def state(self) -> Body:
        """Everything."""
        world = self.world
        counts = {one: sum(chat.visitor_id == one for chat in world.chats.values()) for one in world.visitors}
        return {
            "now": views.moment(world.now_ms()),
            "configuration": world.configuration.model_dump(mode="json"),
            "rooms": [views.room(world, room) for room in world.rooms.values()],
            "agents": [agent_record(agent) for agent in world.agents.values()],
            "visitors": [views.visitor(one, number_of_chats=counts[one.id]) for one in world.visitors.values()],
            "chats": [views.whole_chat(world, chat) for chat in world.chats.values()],
            "removed_chat_ids": world.removed_chat_ids,
            "faults": [one.model_dump(exclude_defaults=True) for one in self.faults.waiting],
            "calls": world.calls,
            "deliveries": world.deliveries,
        }

    async def send(self, *, wait: bool) -> None:
        """The webhooks of what was just done."""
        events = self.world.take_events()
        self.world.changes.note()
        if wait:
            await self.courier.deliver(events)
        else:
            self.courier.send_soon(events)

    async def forge(self, body: Body, *, has_resource: bool) -> Body:
        """A webhook that nothing has caused."""
        resource: Any = body["resource"] if has_resource else ABSENT
        event = Event(body["channel"], body["action"], body["resource_id"], resource, is_forged=True)
        await self.courier.deliver([event])
        return OK

    def room(self, room_id: str) -> Room:
        """The room of that id.

        Raises:
            UnknownError: there is none.
        """
        if room_id not in self.world.rooms:
            raise UnknownError(f"no room {room_id}")
        return self.world.rooms[room_id]

    def chat(self, chat_id: str) -> Chat:
        """The chat of that id.

        Raises:
            UnknownError: there is none, or it was removed.
        """
        if chat_id not in self.world.chats:
            raise UnknownError(f"no chat {chat_id}")
        return self.world.chats[chat_id]

    def message(self, chat: Chat, message_id: str) -> Message:
        """The message of that id.

        Raises:
            UnknownError: there is none in the chat.
        """
        for message in chat.messages:
            if message.id == message_id:
                return message
        raise UnknownError(f"no message {message_id}")

    def _agent(self, chat: Chat, agent_id: str | None) -> Agent:
        """That one; else who is in the chat; else the first who is online, humans first."""
        agents = self.world.agents
        if agent_id is not None:
            if agent_id not in agents:
                raise UnknownError(f"no agent {agent_id}")
            return agents[agent_id]
        here = [agents[one.id] for one in chat.members.values() if one.type == "user" and one.is_participating]
        online = sorted((one for one in agents.values() if one.is_online), key=lambda one: one.is_bot)
        return next(iter([*here, *online, *agents.values()]))

    def _member(self, chat: Chat, agent_id: str | None) -> Agent:
        agent = self._agent(chat, agent_id)
        if agent.id not in chat.members:
            raise UnknownError(f"agent {agent.public_name} is not in the chat")
        return agent


def agent_record(agent: Agent) -> Body:
    """As the control plane shows an agent."""
    known = ("id", "public_name", "name", "is_online", "is_bot")
    return {name: getattr(agent, name) for name in known}


def _attachment(world: World, given: Body) -> Body:
    """With all members that giosg's have."""
    empty = dict.fromkeys(("title", "title_link_url", "text", "image_url", "image_link_url", "link_target"))
    action: Body = {"id": "", "text": "", "type": "button", "value": None, "style": None, "link_target": None}
    action |= {"is_disabled_on_selection": False, "is_disabled_on_visitor_message": False}
    actions = [{**action, "id": world.new_id(), **one} for one in given.get("actions", [])]
    return {"id": world.new_id(), **empty, **given, "actions": actions}
