"""Events that nobody can take, each wrong in another way; every one must end as one dead letter."""

from __future__ import annotations

import random
from collections.abc import Callable
from uuid import uuid4

from broker.codec import encode
from broker.domain.ids import ChatName, SessionId
from broker.domain.subjects import ChatPath, Conversation, Kind

Piece = tuple[str, bytes]
"""Subject and body."""


def garbage(conversation: Conversation, chance: random.Random) -> Piece:
    """One of them, in the name of a conversation that goes on around it."""
    return chance.choice(_MAKERS)(conversation)


def _noise(conversation: Conversation) -> Piece:
    return conversation.subject(Kind.MESSAGE), b"\xc1\xff\x00 no body"


def _nothing(conversation: Conversation) -> Piece:
    return conversation.subject(Kind.MESSAGE), b""


def _list(conversation: Conversation) -> Piece:
    return conversation.subject(Kind.FIRSTMESSAGE), b"\x93\x01\x02\x03"


def _empty_map(conversation: Conversation) -> Piece:
    return conversation.subject(Kind.NOTIFICATION), encode({})


def _other_session(conversation: Conversation) -> Piece:
    body = {"heimdall": {"webchat": {"sessionuuid": str(uuid4())}}}
    return conversation.subject(Kind.MESSAGE), encode(body)


def _unknown_kind(conversation: Conversation) -> Piece:
    return f"{conversation.prefix}.webchatmessagetype.nonsense", encode({"heimdall": {}})


def _unknown_session(conversation: Conversation) -> Piece:
    nobody = conversation.path.conversation(SessionId(str(uuid4())))
    body = {"platforms": {"webchat": {"sessionuuid": nobody.session}}}
    return nobody.subject(Kind.NOTIFICATION), encode(body)


def _other_chat(conversation: Conversation) -> Piece:
    path = ChatPath(conversation.path.channel, conversation.path.org, ChatName("draftelsewhere"))
    elsewhere = path.conversation(conversation.session)
    body = {"platforms": {"webchat": {"sessionuuid": conversation.session}}}
    return elsewhere.subject(Kind.NOTIFICATION), encode(body)


def _no_sender(conversation: Conversation) -> Piece:
    wish = {"set_new_with_timeout_hours": 1.0}
    body = {"platforms": {"webchat": {"sessionuuid": conversation.session, "stubsession": wish}}}
    return conversation.subject(Kind.NOTIFICATION), encode(body)


def _no_time(conversation: Conversation) -> Piece:
    params = {"operation": "set", "sessionuuid": conversation.session, "set_new_with_timeout_hours": -1.0}
    return conversation.subject(Kind.SET), encode({"stub": "chaos.A", "params": {"webchat": params}})


_MAKERS: tuple[Callable[[Conversation], Piece], ...] = (
    _noise,
    _nothing,
    _list,
    _empty_map,
    _other_session,
    _unknown_kind,
    _unknown_session,
    _other_chat,
    _no_sender,
    _no_time,
)
