"""Which stored messages the linker folds, and how it reads them."""

from __future__ import annotations

from collections.abc import Mapping

from broker.codec import EVENT_DEPTH_MAX, decode
from broker.domain import headers as names
from broker.domain.grammar import parse_conversation
from broker.domain.incoming import Incoming, read_event, sender_of, thread_of
from broker.domain.registrations import mechanism_of
from broker.domain.subjects import LINK_FACTS, Kind
from broker.transport.pull import Delivery

NOT_FOLDED = tuple(f".{kind}" for kind in (*LINK_FACTS, Kind.RECEIPT))
"""Facts of the past, the linker's own among them: they tell the fold nothing."""
STORED_PREFIX_TOKENS = 12
"""``p.<n>.`` and a conversation's ten."""


def not_folded(delivery: Delivery) -> bool:
    """Whether the linker has nothing to do with it, told by the subject alone."""
    if not delivery.subject.endswith(NOT_FOLDED):
        return False
    tokens = delivery.subject.split(".", STORED_PREFIX_TOKENS)
    return len(tokens) > STORED_PREFIX_TOKENS and f".{tokens[-1]}" in NOT_FOLDED


def read(public_subject: str, data: bytes, headers: Mapping[str, str]) -> Incoming:
    """Read one event of the log.

    Raises:
        InvalidSubjectError: no row of subjects.md describes the subject.
        UndecodableBodyError: the body is neither msgpack nor JSON.
        InvalidBodyError: the body is not what the subject promises.
        NoSenderError: a link is wanted and nobody says for whom.
        InvalidNameError: a mechanism is named that there is not.
    """
    subject = parse_conversation(public_subject)
    body = decode(data, depth_max=EVENT_DEPTH_MAX)
    incoming = read_event(subject, body, sender_of(body, headers), thread_of(body, headers))
    mechanism = headers.get(names.MECHANISM)
    return incoming if mechanism is None else incoming._replace(emitted=mechanism_of(mechanism))
