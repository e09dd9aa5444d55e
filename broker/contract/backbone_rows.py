"""The rows outside the log: runs for stubs, timers and dead letters."""

from __future__ import annotations

from broker.contract.row import ORG, SAMPLE, SESSION, STUB, TEMPLATE, Row
from broker.domain.events import DeadLetter, Delivery
from broker.domain.ids import ActionName, OrgId, ServiceName, Stub, Stubref
from broker.domain.subjects import TIMERS, DeadLetterSubject, DeliverySubject, DueSubject, Kind, TimerKind
from broker.domain.wire import Body, dump

_RUN: Body = {
    "stubpost": {
        "message": "hello again",
        "data": {
            "_incoming_webchat_data": {
                "sessionuuid": SESSION,
                "webchat_message": {"type": "text", "value": "hello again"},
                "webchat_configuration": {"branch": "draft", "pass_through_data": "page=pricing"},
            }
        },
    }
}


def _delivery() -> Row:
    placeholder = Stub(ServiceName("<service>"), Stubref("<stubref>"))
    return Row(
        name="run",
        area="runs",
        template=str(DeliverySubject(OrgId("<org>"), placeholder, ActionName("<action>"))),
        sample=str(DeliverySubject(ORG, STUB, ActionName("_update_from_webchat"))),
        publishers=("linker", "service"),
        consumers=("service", "developer"),
        stream="DELIVERIES",
        meaning="One run of one action for one stub, such as a visitor's event on its way to whoever answers.",
        model=Delivery,
        example=_RUN,
        typed={"stubpost": {"message": "hello", "data": {}}},
        by_hand=True,
        remarks=(
            "The linker publishes it for a visitor's event; a service for what one of its stubs wants of another.",
            (
                "By link or by the chat's profile: the action is the link's feedback action, or "
                "`_update_from_<channel>`; the event is at `stubpost.data._incoming_<channel>_data`, its text in "
                "`stubpost.message`."
            ),
            (
                "By registration: the action, the message and the data are the registration's; the event is laid "
                "over them as `stubpost.data.heimdall`, and `stubpost.data.heimdall_event` names the matching event."
            ),
            (
                "With the header `Heimdall-Reply` the service publishes the result there, after a crash perhaps twice: "
                '`{"stub": "<service>.<stubref>", "action": …, "result": <map or null>}`, and where the run failed '
                '`"error": {"code", "message"}`.'
            ),
            (
                "A service reads exactly its own with "
                "`stubber.systems.stubs.org.*.service.<service>.>`, in order, and does each message id once."
            ),
        ),
    )


def _timer(kind: TimerKind, meaning: str) -> Row:
    return Row(
        name=f"{kind} timer",
        area="timers",
        template=TEMPLATE.timer(kind),
        sample=SAMPLE.timer(kind),
        publishers=("linker", "expiry"),
        consumers=("server",),
        stream="TIMERS",
        meaning=meaning,
        remarks=("The body is empty: the server's schedule headers and `Heimdall-Epoch` say it all.",),
    )


def _due() -> Row:
    return Row(
        name="due timer",
        area="timers",
        template=f"{TIMERS}.due.partition.<partition>",
        sample=str(DueSubject(3)),
        publishers=("server",),
        consumers=("expiry",),
        stream="TIMERS",
        meaning="A deadline may have passed: look at the link. It never means that the link has expired.",
        remarks=("The header `Nats-Scheduler` names the timer that fired.",),
    )


def _dead_letter() -> Row:
    letter = DeadLetter(
        reason="unrouted",
        detail="nobody is linked or registered for firstmessage",
        subject=SAMPLE.subject(Kind.FIRSTMESSAGE),
        stream="CONVERSATIONS",
        sequence=1205,
        stored_at_ms=1_735_725_600_000,
        attempts=1,
        headers={"Content-Type": "application/json"},
        body=b'{"heimdall":{"webchat":{"sessionuuid":"5b0c7f0e-2a41-4a55-8f7d-6c2f0e8a9d11"}}}',
    )
    return Row(
        name="dead letter",
        area="deadletters",
        template=str(DeadLetterSubject(OrgId("<org>"), ActionName("<code>"))),
        sample=str(DeadLetterSubject(ORG, ActionName("unrouted"))),
        publishers=("linker", "expiry", "adapter", "service"),
        consumers=("developer",),
        stream="DEADLETTERS",
        meaning="What nobody could take, with the reason and the original as it was. The visitor sees no error.",
        model=DeadLetter,
        example=dump(letter),
        remarks=(
            "`body` holds the original's bytes; `heimdall tap` shows them as text where they are text.",
            (
                "`heimdall deadletters list` and `show` tell more; `redrive` publishes the original again, marked "
                "`Heimdall-Redriven`, behind what came meanwhile; `drop` ends the letter."
            ),
            "Where the original named no org that could be read, `<org>` is the nil uuid.",
        ),
    )


BACKBONE_ROWS: tuple[Row, ...] = (
    _delivery(),
    _timer("link", "The server's reminder of a link's deadline; one per conversation, armed anew when it comes early."),
    _timer("hold", "The server's reminder of the moment until which messages are held for a first answer."),
    _due(),
    _dead_letter(),
)
