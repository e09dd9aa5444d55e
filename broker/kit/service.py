"""A service: the program that owns stubs and runs their actions."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import structlog

from broker.codec import decode
from broker.domain import headers as names
from broker.domain.deliveries import default_feedback_action
from broker.domain.events import TIMEOUT_HOURS_DEFAULT
from broker.domain.events import Delivery as DeliveryBody
from broker.domain.grammar import parse_conversation_prefix, parse_subject
from broker.domain.ids import ActionName, Branch, Stub, action_name, service_name, stubref
from broker.domain.subjects import Conversation, DeliverySubject
from broker.domain.wire import validate
from broker.errors import ActionMissingError, InvalidSubjectError, UnknownStubError
from broker.kit.bus import ServiceBus
from broker.kit.records import StubRecord
from broker.kit.run import Cause, Run
from broker.runtime.deadletters import Original

Action = Callable[[Run], Awaitable[None]]

log = structlog.get_logger()


class Service:
    """Collects a program's actions; ``broker.kit.main.serve()`` runs it.

    Args:
        name: the service's name in subjects; two services with one name share their runs.
        branch: which version of the program this is; new stubs belong to it.
        link_hours: for how long the program's links are to last, for its own use.
    """

    def __init__(self, name: str, *, branch: Branch = "draft", link_hours: float = TIMEOUT_HOURS_DEFAULT) -> None:
        self.name = service_name(name)
        self.branch: Branch = branch
        self.link_hours = link_hours
        self._actions: dict[tuple[str, ActionName], Action] = {}
        self._starts: dict[str, Action] = {}

    def action(self, name: str, *, context: str = "default") -> Callable[[Action], Action]:
        """Run the decorated function for an action of the stubs in a context."""

        def register(function: Action) -> Action:
            self._actions[context, action_name(name)] = function
            return function

        return register

    def at_start(self, context: str = "create") -> Callable[[Action], Action]:
        """Run the decorated function each time the service starts, on its one long-lived stub of a context."""

        def register(function: Action) -> Action:
            self._starts[context] = function
            return function

        return register

    async def start(self, bus: ServiceBus) -> None:
        """Make the long-lived stubs, at the first start, and run what is to run at each start."""
        for context, function in self._starts.items():
            stub = Stub(self.name, stubref(f"{context}-{self.branch}"))
            now_ms = time.time_ns() // 1_000_000
            await bus.create(
                stub, StubRecord(stubref=stub.ref, context=context, branch=self.branch, created_at_ms=now_ms)
            )
            record, revision = await bus.load(stub)
            if record is None:
                raise UnknownStubError(str(stub))
            run = Run(bus, stub, record, Cause(f"{stub}-start-{now_ms}", ActionName("_start"), at_ms=now_ms))
            await function(run)
            await bus.save(stub, await run.finish(), revision=revision)

    def function(self, context: str, action: ActionName, conversation: Conversation | None) -> Action | None:
        """What runs for an action in a context; a feedback action that is missing falls back to the default one.

        Source: specs/stubber-webchat.md section 9.2, decision 9.
        """
        found = self._actions.get((context, action))
        if found is not None or conversation is None or action == "_create":
            return found
        return self._actions.get((context, default_feedback_action(conversation.path.channel)))


class HandleRun:
    """Runs one delivery: what it publishes first, the stub's record second, the acknowledgement last."""

    def __init__(self, service: Service, bus: ServiceBus) -> None:
        self._service = service
        self._bus = bus

    async def __call__(self, original: Original) -> None:
        """Handle one run.

        Raises:
            BackboneError: the run cannot be taken (``retryable`` false), or not now.
        """
        subject, cause = _read(original)
        record, revision = await self._bus.load(subject.stub)
        if record is None:
            raise UnknownStubError(str(subject.stub))
        if original.sequence <= record.last_sequence:
            log.debug("run_seen_before", stubref=str(subject.stub), sequence=original.sequence)
            return
        function = self._service.function(record.context, subject.action, cause.conversation)
        if function is None:
            raise ActionMissingError(subject.action, stub=str(subject.stub), context=record.context)
        run = Run(self._bus, subject.stub, record, cause)
        await function(run)
        await self._bus.save(subject.stub, await run.finish(), revision=revision)
        log.info("run_finished", stubref=str(subject.stub), action=subject.action, sequence=original.sequence)


def _read(original: Original) -> tuple[DeliverySubject, Cause]:
    """The run that a stored message asks for."""
    subject = parse_subject(original.subject)
    if not isinstance(subject, DeliverySubject):
        raise InvalidSubjectError(original.subject, problem="expected a run for a stub")
    post = validate(DeliveryBody, decode(original.data), what="run").stubpost
    prefix = original.headers.get(names.CONVERSATION)
    conversation = None if prefix is None else parse_conversation_prefix(prefix)
    if conversation is not None and conversation.path.org != subject.org:
        raise InvalidSubjectError(prefix or "", problem=f"a run of org {subject.org} cannot be about it")
    # Ids begin with something that an outsider cannot guess, so nobody can have them taken for duplicates.
    secret = subject.stub.ref if conversation is None else conversation.session
    cause = Cause(
        id=f"{secret}-run-{original.sequence}",
        action=subject.action,
        sequence=original.sequence,
        at_ms=original.stored_at_ms,
        message=post.message,
        data=dict(post.data),
        conversation=conversation,
    )
    return subject, cause
