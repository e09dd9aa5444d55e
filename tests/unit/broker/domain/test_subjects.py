"""The builders: which subject each part of the contract gets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.domain.ids import NO_ORG, ActionName, OrgId, SessionId, Stub, channel_name, effective_chat_name, org_id
from broker.domain.subjects import (
    LINK_FACTS,
    VISITOR_KINDS,
    ChatPath,
    CommandSubject,
    Conversation,
    ConversationSubject,
    DeliverySubject,
    DueSubject,
    Kind,
    dead_letter_subject,
    partition_of,
)
from broker.errors import InvalidNameError

O = "0f6c2f58-8f43-5a0e-9b7e-2f1b6a1d7c90"  # noqa: E741 - as the contract writes it
S = "5b0c7f0e-2a41-4a55-8f7d-6c2f0e8a9d11"
P = f"stubber.systems.notifications.webchat.org.{O}.name.draftshop"
WEBCHAT = channel_name("webchat")


def path(name: str = "shop", *, live: bool = False, live_prefix: str = "live") -> ChatPath:
    chat = effective_chat_name("live" if live else "draft", name, live_prefix=live_prefix)
    return ChatPath(WEBCHAT, org_id(O), chat)


CONVERSATION = path().conversation(SessionId(S))


@pytest.mark.check(1)
def test_check_01_the_initialize_path_is_exactly_the_documented_one() -> None:
    assert path().initialize() == f"{P}.webchatmessagetype.initialize"


@pytest.mark.check(2)
def test_check_02_on_the_live_branch_the_name_token_has_the_live_prefix_or_none() -> None:
    assert path(live=True).prefix.endswith(".name.liveshop")
    assert path(live=True, live_prefix="").prefix.endswith(".name.shop")


@pytest.mark.check(8)
def test_check_08_a_configuration_event_is_published_with_its_session_once() -> None:
    subject = CONVERSATION.subject(Kind.CONFIGURATION)
    assert subject == f"{P}.sessionuuid.{S}.webchatmessagetype.configuration"
    assert subject.count("sessionuuid") == 1


@pytest.mark.parametrize(
    ("kind", "tail"),
    [
        pytest.param(Kind.INITIALIZE, "webchatmessagetype.initialize", id="initialize has no session pair"),
        pytest.param(Kind.FIRSTMESSAGE, f"sessionuuid.{S}.webchatmessagetype.firstmessage", id="a visitor's event"),
        pytest.param(Kind.ENDED, f"sessionuuid.{S}.webchatmessagetype.ended", id="the end"),
        pytest.param(Kind.NOTIFICATION, f"sessionuuid.{S}.notification", id="a stub's message"),
        pytest.param(Kind.LINKED, f"sessionuuid.{S}.stubsession.linked", id="a fact"),
        pytest.param(Kind.RECEIPT, f"sessionuuid.{S}.receipt", id="a receipt"),
    ],
)
def test_every_kind_of_event_has_its_subject(kind: Kind, tail: str) -> None:
    assert CONVERSATION.subject(kind) == f"{P}.{tail}"


def test_signals_and_timers_keep_the_tail_of_their_conversation() -> None:
    tail = f"webchat.org.{O}.name.draftshop.sessionuuid.{S}"
    assert CONVERSATION.tail == tail
    assert CONVERSATION.signal("typing") == f"stubber.systems.signals.{tail}.typing"
    assert CONVERSATION.timer("hold") == f"stubber.systems.timers.hold.{tail}"


def test_the_subjects_outside_the_log_are_as_the_design_writes_them() -> None:
    run = DeliverySubject(OrgId(O), Stub.parse("demo.2024-11-11-ABCD"), ActionName("_create"))
    assert str(run) == f"stubber.systems.stubs.org.{O}.service.demo.stubref.2024-11-11-ABCD.action._create"
    assert str(DueSubject(3)) == "stubber.systems.timers.due.partition.3"
    assert str(CommandSubject(OrgId(O), "links")) == f"stubber.systems.commands.org.{O}.links"
    assert dead_letter_subject(NO_ORG, "unrouted") == f"stubber.systems.deadletters.org.{NO_ORG}.reason.unrouted"


def test_a_dead_letter_needs_a_reason_that_is_one_token() -> None:
    with pytest.raises(InvalidNameError):
        dead_letter_subject(NO_ORG, "un.routed")


def test_a_parsed_event_knows_its_conversation_unless_it_is_an_initialize() -> None:
    assert ConversationSubject(path(), SessionId(S), Kind.MESSAGE).conversation == Conversation(path(), SessionId(S))
    assert ConversationSubject(path(), None, Kind.INITIALIZE).conversation is None


def test_a_log_line_holds_only_the_beginning_of_a_session() -> None:
    assert CONVERSATION.log_id == S[:8]


def test_no_kind_is_both_a_visitors_and_a_fact() -> None:
    assert not VISITOR_KINDS & LINK_FACTS


@pytest.mark.parametrize(
    ("tokens", "hashed"),
    [
        pytest.param(("",), 0x811C9DC5, id="nothing"),
        pytest.param(("a",), 0xE40C292C, id="one letter"),
        pytest.param(("foo", "bar"), 0xBF9CF968, id="tokens are joined without a dot"),
    ],
)
def test_the_partition_is_fnv_1a_over_the_tokens(tokens: tuple[str, ...], hashed: int) -> None:
    assert partition_of(tokens, 1 << 32) == hashed


@given(st.uuids(), st.integers(1, 64))
def test_a_session_always_falls_into_one_of_the_partitions(session: object, count: int) -> None:
    assert 0 <= partition_of((str(session),), count) < count
