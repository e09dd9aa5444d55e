"""Which function runs for an action: by context, by the stub's state, and the channel's default where it is barred."""

from __future__ import annotations

import pytest

from broker import Run, Service
from broker.domain.ids import ActionName, ChannelName, ChatName, OrgId, SessionId
from broker.domain.subjects import ChatPath

CONVERSATION = ChatPath(
    ChannelName("webchat"), OrgId("0f6c2f58-8f43-5a0e-9b7e-2f1b6a1d7c90"), ChatName("draftshop")
).conversation(SessionId("5b0c7f0e-2a41-4a55-8f7d-6c2f0e8a9d11"))


def shop() -> Service:
    service = Service("shop")

    @service.action("answer", states=["open", "waiting"])
    async def answer(run: Run) -> None: ...

    @service.action("answer", states=["paid"])
    async def thank(run: Run) -> None: ...

    @service.action("_update_from_webchat", states=["open", "done"])
    async def default(run: Run) -> None: ...

    @service.action("_create")
    async def create(run: Run) -> None: ...

    return service


@pytest.mark.parametrize(
    ("state", "action", "expected"),
    [
        pytest.param("open", "answer", "answer", id="allowed"),
        pytest.param("waiting", "answer", "answer", id="allowed in another state"),
        pytest.param("paid", "answer", "thank", id="a function for each state"),
        pytest.param("done", "answer", "default", id="barred: the channel's default"),
        pytest.param("shut", "answer", None, id="barred, and the default as well"),
        pytest.param("open", "nothing", "default", id="missing: the channel's default"),
        pytest.param("shut", "_create", "create", id="no states named: in any"),
    ],
)
def test_check_28_an_action_that_the_state_does_not_allow_falls_back_to_the_default_one(
    state: str, action: str, expected: str | None
) -> None:
    found = shop().function("default", state, ActionName(action), CONVERSATION)
    assert getattr(found, "__name__", None) == expected


@pytest.mark.parametrize(
    ("context", "action"),
    [
        pytest.param("default", "nothing", id="no conversation, no default"),
        pytest.param("other", "answer", id="another context's action"),
    ],
)
def test_what_is_not_about_a_conversation_has_no_default(context: str, action: str) -> None:
    assert shop().function(context, "open", ActionName(action), None) is None


def test_creation_never_falls_back() -> None:
    service = Service("shop")

    @service.action("_update_from_webchat")
    async def default(run: Run) -> None: ...

    assert service.function("default", "new", ActionName("_create"), CONVERSATION) is None
