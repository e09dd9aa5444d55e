"""How the fold's state is kept."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from broker.codec import decode, encode
from broker.domain.ids import ActionName, ChannelName, ChatName, OrgId, SessionId, Stub
from broker.domain.session import Link, State
from broker.domain.stubsessions import StateRecord, index_key, session_key
from broker.domain.subjects import ChatPath
from broker.domain.wire import dump, validate

ORG = OrgId("0f6c2f58-8f43-5a0e-9b7e-2f1b6a1d7c90")
SESSION = SessionId("5b0c7f0e-2a41-4a55-8f7d-6c2f0e8a9d11")
PATH = ChatPath(ChannelName("webchat"), ORG, ChatName("draftshop"))

naturals = st.integers(0, 1 << 53)
links = st.builds(
    Link,
    stub=st.sampled_from(["demo.A", "desk-2.2024-11-11-ABCD"]).map(Stub.parse),
    feedback_action=st.sampled_from([None, ActionName("answer")]),
    epoch=naturals,
    expires_at_ms=naturals,
    timeout_hours=st.floats(0.0001, 720),
)
states = st.builds(
    State,
    last_sequence=naturals,
    link=st.none() | links,
    opened=st.booleans(),
    offered=st.booleans(),
    held=st.lists(naturals, max_size=64).map(tuple),
    held_until_ms=naturals,
)


@given(states)
def test_a_state_is_read_back_as_it_was_written(state: State) -> None:
    data = encode(dump(StateRecord.of(PATH, state)))
    record = validate(StateRecord, decode(data), what="state record")
    assert record.to_state() == state
    assert (record.channel, record.chat_name) == ("webchat", "draftshop")


def test_a_session_that_nobody_wrote_of_has_the_empty_state() -> None:
    assert StateRecord(channel="webchat", chat_name="draftshop", last_sequence=0).to_state() == State()


def test_keys_say_whose_the_state_is_and_which_stub_may_own_it() -> None:
    assert session_key(ORG, SESSION) == f"session.{ORG}.{SESSION}"
    assert index_key(ORG, Stub.parse("demo.A"), SESSION) == f"index.{ORG}.demo.A.{SESSION}"
