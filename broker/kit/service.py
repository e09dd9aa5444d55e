"""A service: the program that owns stubs and runs their actions."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from broker.domain.deliveries import default_feedback_action
from broker.domain.events import TIMEOUT_HOURS_DEFAULT
from broker.domain.ids import ActionName, Branch, Stub, Stubref, action_name, service_name, stubref
from broker.domain.subjects import Conversation
from broker.errors import UnknownStubError
from broker.kit.bus import ServiceBus
from broker.kit.records import StubRecord
from broker.kit.run import Cause, Run

Action = Callable[[Run], Awaitable[object]]
"""What an action returns is its result: it goes to whoever asked for it, and to nobody else."""


@dataclass(frozen=True, slots=True)
class _Offered:
    """An action, and the states of its stub that it may be run in; None: any."""

    function: Action
    states: frozenset[str] | None

    def allows(self, state: str) -> bool:
        return self.states is None or state in self.states


@dataclass(frozen=True, slots=True)
class OnDemand:
    """Stubs that others name before they are made: their references begin with ``prefix``; see StubRecord."""

    prefix: str
    context: str
    kept_s: int | None = None


class Service:
    """Collects a program's actions; ``broker.kit.main.serve()`` runs it.

    Args:
        name: the service's name in subjects; two services with one name share their runs. The setting ``version``
            is added to it, so that versions of one program answer side by side.
        branch: which version of the program this is; new stubs belong to it.
        link_hours: for how long the program's links are to last, for its own use.
    """

    def __init__(self, name: str, *, branch: Branch = "draft", link_hours: float = TIMEOUT_HOURS_DEFAULT) -> None:
        self.name = service_name(name)
        self.branch: Branch = branch
        self.link_hours = link_hours
        self._actions: dict[tuple[str, ActionName], list[_Offered]] = {}
        self._starts: dict[str, Action] = {}
        self._on_demand: dict[str, OnDemand] = {}
        self._checks: list[Callable[[], object]] = []

    def action(
        self, name: str, *, context: str = "default", states: Iterable[str] | None = None
    ) -> Callable[[Action], Action]:
        """Run the decorated function for an action of the stubs in a context.

        ``states``: only while ``run.state`` was one of these when the stub's last run ended. The same action may have
        a function for each state; of several that fit, the one that was decorated last runs.
        """

        def register(function: Action) -> Action:
            allowed = None if states is None else frozenset(states)
            self._actions.setdefault((context, action_name(name)), []).insert(0, _Offered(function, allowed))
            return function

        return register

    def at_start(self, context: str = "create") -> Callable[[Action], Action]:
        """Run the decorated function each time the service starts, on its one long-lived stub of a context."""

        def register(function: Action) -> Action:
            self._starts[context] = function
            return function

        return register

    def make_on_demand(self, stubs: OnDemand) -> None:
        """Make such a stub when the first run about a conversation comes for it."""
        self._on_demand[stubs.prefix] = stubs

    def check_at_start(self, check: Callable[[], object]) -> None:
        """Do not start where the check raises."""
        self._checks.append(check)

    def demanded(self, ref: Stubref, conversation: Conversation, *, at_ms: int) -> StubRecord | None:
        """The record that a stub begins with which is made on demand; None if it is none of these."""
        found = next((one for prefix, one in self._on_demand.items() if ref.startswith(prefix)), None)
        if found is None:
            return None
        return StubRecord(
            stubref=ref,
            context=found.context,
            branch=self.branch,
            created_at_ms=at_ms,
            conversation=conversation.prefix,
            kept_s=found.kept_s,
        )

    async def start(self, bus: ServiceBus) -> None:
        """Make the long-lived stubs, at the first start, and run what is to run at each start.

        Raises:
            BackboneError: a check of the program's own parts has failed, or the bus did.
        """
        for check in self._checks:
            check()
        for context, function in self._starts.items():
            stub = Stub(bus.service, stubref(f"{context}-{self.branch}"))
            now_ms = time.time_ns() // 1_000_000
            await bus.create(
                stub, StubRecord(stubref=stub.ref, context=context, branch=self.branch, created_at_ms=now_ms)
            )
            record, revision = await bus.load(stub)
            if record is None:
                raise UnknownStubError(str(stub))
            run = Run(bus, stub, record, Cause(f"{stub}-start-{now_ms}", ActionName("_start"), at_ms=now_ms))
            await function(run)
            kept = await run.finish()
            if kept != record:  # under traffic the stub's runs write it all the time, and no start would come to an end
                await bus.save(stub, kept, revision=revision)

    def function(
        self, context: str, state: str, action: ActionName, conversation: Conversation | None
    ) -> Action | None:
        """What runs for an action; a feedback action that is missing or barred falls back to the default one.

        Source: specs/stubber-webchat.md section 9.2, decision 9.
        """
        found = self._offered(context, state, action)
        if found is not None or conversation is None or action == "_create":
            return found
        return self._offered(context, state, default_feedback_action(conversation.path.channel))

    def _offered(self, context: str, state: str, action: ActionName) -> Action | None:
        offered = self._actions.get((context, action), ())
        return next((one.function for one in offered if one.allows(state)), None)
