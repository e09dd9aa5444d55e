"""Reading subjects: what builds comes back, and whatever else is refused with one sentence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.domain.grammar import (
    SUBJECT_CHARACTERS_MAX,
    parse_conversation,
    parse_conversation_prefix,
    parse_subject,
)
from broker.domain.ids import (
    ActionName,
    ChannelName,
    ChatName,
    ConnectionName,
    OrgId,
    ServiceName,
    SessionId,
    Stub,
    Stubref,
)
from broker.domain.subjects import (
    CHANNEL_VERBS,
    VERBS,
    WEBHOOK_OUTCOMES,
    AnySubject,
    ChannelCommandSubject,
    ChatPath,
    CommandSubject,
    Conversation,
    ConversationSubject,
    DeadLetterSubject,
    DeliverySubject,
    DueSubject,
    Kind,
    SignalSubject,
    TimerSubject,
    WebhookSubject,
)
from broker.errors import InvalidSubjectError

O = "0f6c2f58-8f43-5a0e-9b7e-2f1b6a1d7c90"  # noqa: E741 - as the contract writes it
S = "5b0c7f0e-2a41-4a55-8f7d-6c2f0e8a9d11"
P = f"stubber.systems.notifications.webchat.org.{O}.name.draftshop"
TAIL = f"webchat.org.{O}.name.draftshop.sessionuuid.{S}"
W = f"stubber.systems.webhooks.org.{O}.channel.giosg"
PATH = ChatPath(ChannelName("webchat"), OrgId(O), ChatName("draftshop"))
CONVERSATION = PATH.conversation(SessionId(S))

uuids = st.uuids().map(str)
actions = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,30}", fullmatch=True).map(ActionName)
paths = st.builds(
    ChatPath,
    st.from_regex(r"[a-z][a-z0-9]{0,31}", fullmatch=True).map(ChannelName),
    uuids.map(OrgId),
    st.from_regex(r"[a-z0-9_-]{1,68}", fullmatch=True).map(ChatName),
)
conversations = st.builds(Conversation, paths, uuids.map(SessionId))
stubs = st.builds(
    Stub,
    st.from_regex(r"[a-z0-9][a-z0-9_-]{0,62}", fullmatch=True).map(ServiceName),
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}", fullmatch=True).map(Stubref),
)
session_kinds = st.sampled_from([kind for kind in Kind if kind is not Kind.INITIALIZE])
built: st.SearchStrategy[tuple[str, AnySubject]] = st.one_of(
    paths.map(lambda path: (path.initialize(), ConversationSubject(path, None, Kind.INITIALIZE))),
    st.builds(
        lambda conversation, kind: (
            conversation.subject(kind),
            ConversationSubject(conversation.path, conversation.session, kind),
        ),
        conversations,
        session_kinds,
    ),
    st.builds(
        lambda conversation, signal: (conversation.signal(signal), SignalSubject(conversation, signal)),
        conversations,
        st.sampled_from(["typing", "presence"]),
    ),
    st.builds(
        lambda conversation, kind: (conversation.timer(kind), TimerSubject(kind, conversation)),
        conversations,
        st.sampled_from(["link", "hold"]),
    ),
    st.builds(DeliverySubject, uuids.map(OrgId), stubs, actions).map(lambda subject: (str(subject), subject)),
    st.builds(DueSubject, st.integers(0, 9999)).map(lambda subject: (str(subject), subject)),
    st.builds(DeadLetterSubject, uuids.map(OrgId), actions).map(lambda subject: (str(subject), subject)),
    st.builds(CommandSubject, uuids.map(OrgId), st.sampled_from(VERBS)).map(lambda subject: (str(subject), subject)),
    st.builds(
        ChannelCommandSubject,
        uuids.map(OrgId),
        st.from_regex(r"[a-z][a-z0-9]{0,31}", fullmatch=True).map(ChannelName),
        st.sampled_from(CHANNEL_VERBS),
    ).map(lambda subject: (str(subject), subject)),
    st.builds(
        WebhookSubject,
        uuids.map(OrgId),
        st.from_regex(r"[a-z][a-z0-9]{0,31}", fullmatch=True).map(ChannelName),
        st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}", fullmatch=True).map(ConnectionName),
        st.sampled_from(WEBHOOK_OUTCOMES),
    ).map(lambda subject: (str(subject), subject)),
)
"""A subject as a builder writes it, with what it was built from."""


@given(built)
def test_parsing_undoes_building(pair: tuple[str, AnySubject]) -> None:
    text, subject = pair
    assert parse_subject(text) == subject


@given(conversations)
def test_a_conversations_prefix_is_read_back(conversation: Conversation) -> None:
    assert parse_conversation_prefix(conversation.prefix) == conversation


@given(built, st.data())
def test_a_changed_subject_is_refused_or_is_itself_the_subject_of_what_was_read(
    pair: tuple[str, AnySubject], data: st.DataObject
) -> None:
    """One token is dropped, doubled or replaced: whatever is still let in must be canonical."""
    tokens = pair[0].split(".")
    place = data.draw(st.integers(0, len(tokens) - 1))
    other = data.draw(st.one_of(st.sampled_from(tokens), st.text(max_size=6), st.just("*"), st.just("007")))
    change = data.draw(st.sampled_from(["drop", "double", "replace"]))
    tokens[place : place + 1] = {"drop": [], "double": [tokens[place]] * 2, "replace": [other]}[change]
    text = ".".join(tokens)
    try:
        found = parse_subject(text)
    except InvalidSubjectError:
        return
    assert _built_again(found) == text


def _built_again(subject: AnySubject) -> str:
    match subject:
        case ConversationSubject(path, None, _):
            return path.initialize()
        case ConversationSubject(path, session, kind):
            assert session is not None
            return path.conversation(session).subject(kind)
        case SignalSubject(conversation, signal):
            return conversation.signal(signal)
        case TimerSubject(kind, conversation):
            return conversation.timer(kind)
        case _:
            return str(subject)


@given(
    st.one_of(
        st.text(max_size=80),
        st.lists(st.sampled_from([*P.split("."), *TAIL.split("."), "timers", "link", "due", "", "*", ">"])).map(
            ".".join
        ),
    )
)
def test_noise_is_refused_with_our_error_alone(text: str) -> None:
    for parse in (parse_subject, parse_conversation, parse_conversation_prefix):
        try:
            parse(text)
        except InvalidSubjectError as error:
            assert error.code == "bad_subject"  # noqa: PT017 - any other error fails the test by itself


@pytest.mark.check(8)
def test_check_08_a_doubled_session_pair_is_read_as_one() -> None:
    doubled = f"{P}.sessionuuid.{S}.sessionuuid.{S}.webchatmessagetype.configuration"
    assert parse_conversation(doubled) == ConversationSubject(PATH, SessionId(S), Kind.CONFIGURATION)


@pytest.mark.parametrize(
    ("subject", "problem"),
    [
        pytest.param("nats.something", "begin", id="another tree"),
        pytest.param("stubber.systems", "begin", id="the root alone"),
        pytest.param("stubber.systems.nothing.x", "unknown area 'nothing'", id="an area that is none"),
        pytest.param(f"stubber.systems.notifications.webchat.org.{O.upper()}.name.a", "org uuid", id="a bad org"),
        pytest.param(f"stubber.systems.notifications.webchat.org.{O}", "'name'", id="too short"),
        pytest.param("stubber.systems.notifications", "a channel", id="no channel"),
        pytest.param(f"{P[:-9]}Shop.webchatmessagetype.initialize", "chat name", id="upper case in the chat name"),
        pytest.param(f"{P}.webchatmessagetype.message", "sessionuuid.<uuid>", id="a message without its session"),
        pytest.param(
            f"{P}.sessionuuid.{S}.webchatmessagetype.initialize", "after its session", id="a session too many"
        ),
        pytest.param(
            f"{P}.sessionuuid.{S}.webimmessagetype.message", "webchatmessagetype", id="another channel's type"
        ),
        pytest.param(f"{P}.sessionuuid.{S}.stubsession.stolen", "stubsession.linked", id="a fact that is none"),
        pytest.param(f"{P}.notification", "its chat", id="a notification without a session"),
        pytest.param(f"stubber.systems.signals.{TAIL}.shouting", "'typing' or 'presence'", id="a signal that is none"),
        pytest.param(f"stubber.systems.signals.{TAIL}", "11 tokens", id="a signal cut short"),
        pytest.param(f"stubber.systems.stubs.org.{O}.service.demo.stubref.A", "'action'", id="a run without an action"),
        pytest.param(
            f"stubber.systems.stubs.org.{O}.service.demo.stubref.A.action.b.c", "11 tokens", id="a run too long"
        ),
        pytest.param("stubber.systems.timers", "'link', 'hold' or 'due'", id="a timer of nothing"),
        pytest.param(f"stubber.systems.timers.soon.{TAIL}", "'link', 'hold' or 'due'", id="a timer that is none"),
        pytest.param("stubber.systems.timers.due.partition.07", "a number", id="a partition with a leading nought"),
        pytest.param("stubber.systems.timers.due.partition.7.8", "6 tokens", id="a firing too long"),
        pytest.param(f"stubber.systems.deadletters.org.{O}.reason.a.b", "7 tokens", id="a reason of two tokens"),
        pytest.param(f"stubber.systems.commands.org.{O}.please", "one of register", id="a verb that is none"),
        pytest.param(f"stubber.systems.commands.org.{O}.links.all", "6 tokens", id="a command too long"),
        pytest.param(f"stubber.systems.commands.org.{O}.channel", "a value after 'channel'", id="no channel"),
        pytest.param(f"stubber.systems.commands.org.{O}.channel.webim", "8 tokens", id="no verb for the channel"),
        pytest.param(f"stubber.systems.commands.org.{O}.channel.webim.x", "one of create", id="a channel's verb"),
        pytest.param(f"{W}.connection.>.taken", "connection name", id="a wildcard for a connection"),
        pytest.param(f"{W}.connection.support", "10 tokens", id="a webhook without its outcome"),
        pytest.param(f"{W}.connection.support.lost", "one of taken", id="an outcome that is none"),
        pytest.param(f"{P}." + "x" * SUBJECT_CHARACTERS_MAX, "longer than", id="too long to read"),
    ],
)
def test_a_subject_outside_the_grammar_is_refused_and_told_where(subject: str, problem: str) -> None:
    with pytest.raises(InvalidSubjectError, match="outside the grammar") as refused:
        parse_subject(subject)
    assert problem in str(refused.value)


@pytest.mark.parametrize(
    "subject",
    [
        pytest.param(
            f"stubber.systems.signals.webchat.org.{O}.name.draftshop.webchatmessagetype.initialize", id="area"
        ),
        pytest.param(
            f"other.systems.notifications.webchat.org.{O}.name.draftshop.webchatmessagetype.initialize", id="root"
        ),
    ],
)
def test_only_a_subject_of_the_log_is_a_conversations(subject: str) -> None:
    with pytest.raises(InvalidSubjectError):
        parse_conversation(subject)


@pytest.mark.parametrize(
    "prefix",
    [
        pytest.param(PATH.prefix, id="a chat only"),
        pytest.param(f"{CONVERSATION.prefix}.notification", id="an event"),
        pytest.param(CONVERSATION.prefix.replace("notifications", "signals"), id="another area"),
        pytest.param(CONVERSATION.prefix.replace("stubber", "rubber"), id="another root"),
    ],
)
def test_what_is_no_conversations_prefix_is_refused(prefix: str) -> None:
    with pytest.raises(InvalidSubjectError):
        parse_conversation_prefix(prefix)
