"""Plain callbacks for channels that ask questions: one for what visitors say, one for each event, one for the end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import structlog

from broker.domain.channels import platform_of
from broker.domain.deliveries import default_feedback_action
from broker.domain.dialogs import FILE_EVENT, NEW_CHAT_STARTED, NEWS, DialogRequest, DialogResponse, request_in
from broker.domain.ids import channel_name
from broker.domain.wire import Body, dump
from broker.errors import QueriesUnansweredError
from broker.kit.dialog import Dialog, EndedDialog
from broker.kit.run import Run
from broker.kit.service import OnDemand, Service

OnDialog = Callable[[Dialog], Awaitable[object]]
OnEnd = Callable[[EndedDialog], Awaitable[object]]
_OnDialog = TypeVar("_OnDialog", bound=OnDialog)
_OnEnd = TypeVar("_OnEnd", bound=OnEnd)

CONTEXT = "dialog"
STUB_PREFIX = "chat-"
"""A channel's adapter links each session to a stub of its own, whose reference begins so, and tells nobody."""
SESSION = "session"
"""Where the stub's data hold what the session knows."""
KEPT_S = 40 * 86_400
"""How long a dialog's stub outlasts its last run. A session lasts 30 days without a word at most, and a run that was
done may come again for as long as DELIVERIES keeps it, so a stub is never forgotten at once: it would answer twice."""

log = structlog.get_logger()


class Dialogs:
    """The dialogs of a service: ``on_query``, ``on_event``, ``on_file`` and ``on_end`` decorate its callbacks.

    At the end of a callback one notification with the whole answer is published; if the callback raises, none is. An
    event without a callback is answered with nothing. Actions of the service in context ``dialog`` run on the same
    stubs.

    Args:
        service: the service that answers.
        channel: the channel that asks.
    """

    def __init__(self, service: Service, *, channel: str = "webim") -> None:
        self._channel = channel_name(channel)
        self._service = service
        self._on_query: OnDialog | None = None
        self._on_event: dict[str, OnDialog] = {}
        self._on_end: OnEnd | None = None
        service.make_on_demand(OnDemand(STUB_PREFIX, CONTEXT, KEPT_S))
        service.check_at_start(self._query_callback)
        service.action(default_feedback_action(self._channel), context=CONTEXT)(self._run)

    def on_query(self) -> Callable[[_OnDialog], _OnDialog]:
        """Answer what visitors say with the decorated function; a service with dialogs does not start without one."""

        def register(function: _OnDialog) -> _OnDialog:
            self._on_query = function
            return function

        return register

    def on_event(self, name: str) -> Callable[[_OnDialog], _OnDialog]:
        """Run the decorated function for an event of that name, such as ``newChatStarted``."""

        def register(function: _OnDialog) -> _OnDialog:
            self._on_event[name] = function
            return function

        return register

    def on_file(self) -> Callable[[_OnDialog], _OnDialog]:
        """Run the decorated function where a visitor sent files and said nothing: ``dialog.data.files``."""
        return self.on_event(FILE_EVENT)

    def on_end(self) -> Callable[[_OnEnd], _OnEnd]:
        """Run the decorated function when a session has ended."""

        def register(function: _OnEnd) -> _OnEnd:
            self._on_end = function
            return function

        return register

    async def _run(self, run: Run) -> None:
        """The one action of a dialog's stub."""
        payload = self._payload(run)
        session = _session(run)
        request = request_in(self._channel, payload)
        if request is not None:
            await self._ask(run, request, session)
        elif isinstance(control := payload.get(f"{self._channel}_control_event"), dict):
            await self._end(run, session, str(control.get("reason", "")))
        else:
            run.memory[SESSION] = session
            log.debug("run_without_question", stubref=str(run.stub))

    async def _ask(self, run: Run, request: DialogRequest, session: dict[str, Any]) -> None:
        state = run.state
        dialog = Dialog(run, request, session)
        callback = self._query_callback() if request.event is None else self._on_event.get(request.event)
        if callback is not None:
            await callback(dialog)
        if request.event == NEW_CHAT_STARTED:
            run.state = state
        run.memory[SESSION] = dialog.session
        run.kept()  # whatever cannot be kept is told before anybody has seen an answer that rests on it
        answer = dialog.answer()
        if request.event not in NEWS or _says_something(answer):
            await run.notify(more={"response": dump(answer)})

    async def _end(self, run: Run, session: dict[str, Any], reason: str) -> None:
        """What the session knew goes with it; the bare stub stays for a while, see ``KEPT_S``."""
        if self._on_end is not None:
            await self._on_end(EndedDialog(run, session, reason))

    def _payload(self, run: Run) -> Body:
        """What the channel told, by whichever way it came: the session's link, or a registration."""
        linked = run.data.get(platform_of(self._channel).data_key)
        registered = run.data.get("heimdall")
        found = linked if linked is not None or not isinstance(registered, dict) else registered.get(self._channel)
        return found if isinstance(found, dict) else {}

    def _query_callback(self) -> OnDialog:
        if self._on_query is None:
            raise QueriesUnansweredError(self._service.name)
        return self._on_query


def _session(run: Run) -> dict[str, Any]:
    """Take it out of what the stub knows, and with it all that this run brought: that would be kept for nothing."""
    found = run.memory.pop(SESSION, None)
    for name in run.data:
        run.memory.pop(name, None)
    return found if isinstance(found, dict) else {}


def _says_something(answer: DialogResponse) -> bool:
    return bool(answer.replies or answer.actions or answer.newSessionStarted or answer.endSession)
