"""The table of subjects: each row is whole, true to the grammar, and has an example that validates."""

from __future__ import annotations

import re

import pytest

from broker.codec import decode, encode, to_json
from broker.contract.row import AREAS, ROLES, SAMPLE, STUB, Row
from broker.contract.rows import ROWS, row_of
from broker.domain.events import (
    Delivery,
    read_notification,
    read_visitor,
)
from broker.domain.grammar import parse_subject
from broker.domain.ids import NO_ORG, ChannelName
from broker.domain.managing import read_manage_link
from broker.domain.registrations import read_register
from broker.domain.subjects import (
    CHANNEL_VERBS,
    VERBS,
    VISITOR_KINDS,
    WEBHOOK_OUTCOMES,
    ChannelCommandSubject,
    CommandSubject,
    ConversationSubject,
    DeadLetterSubject,
    DeliverySubject,
    DueSubject,
    Kind,
    SignalSubject,
    TimerSubject,
    WebhookSubject,
)
from broker.domain.wire import Body, validate
from broker.errors import InvalidSubjectError

WEBCHAT = ChannelName("webchat")
each_row = pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in ROWS])


def inside(body: Body, path: tuple[str, ...]) -> Body:
    for part in path:
        body = body[part]
    return body


@each_row
def test_the_sample_is_a_subject_that_the_grammar_reads_and_its_row_is_found(row: Row) -> None:
    assert row_of(parse_subject(row.sample)) is row


@each_row
def test_the_template_is_the_sample_with_its_values_named(row: Row) -> None:
    pattern = re.sub(r"<[a-z]+>", "[^.]+", row.template.replace(".", r"\."))
    assert re.fullmatch(pattern, row.sample)
    assert row.template != row.sample
    with pytest.raises(InvalidSubjectError):
        parse_subject(row.template)


@each_row
def test_examples_are_valid_in_both_encodings(row: Row) -> None:
    for body in (row.example, row.typed):
        if body is None:
            continue
        assert decode(encode(body)) == body
        if row.name != "dead letter":  # JSON has no bytes, and nobody types a dead letter
            assert decode(to_json(body).encode()) == body
        if row.model is not None:
            validate(row.model, inside(body, row.inside), what=row.name)


@pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in ROWS if row.is_command])
def test_the_reply_of_a_command_is_what_its_model_says(row: Row) -> None:
    assert row.reply is not None
    assert row.reply_model is not None
    assert validate(row.reply_model, row.reply, what=row.name).model_dump(exclude_unset=True) == row.reply


@each_row
def test_a_row_is_whole(row: Row) -> None:
    assert row.meaning.endswith(".")
    assert row.publishers
    assert row.consumers
    assert set(row.publishers) | set(row.consumers) <= set(ROLES)
    assert row.area in AREAS
    assert (row.reply is not None) == row.is_command
    assert not (row.is_command and row.is_stored)
    assert row.example is not None or not row.by_hand


def test_names_are_unique() -> None:
    assert len({row.name for row in ROWS}) == len({row.template for row in ROWS}) == len(ROWS)


def test_every_kind_of_event_and_every_verb_has_its_row() -> None:
    names = {row.name for row in ROWS}
    assert {str(kind) for kind in Kind} | set(VERBS) | {f"channel.{verb}" for verb in CHANNEL_VERBS} <= names
    assert {f"webhook.{outcome}" for outcome in WEBHOOK_OUTCOMES} <= names


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        pytest.param(ConversationSubject(SAMPLE.path, SAMPLE.session, Kind.SET), "stubsession.set", id="event"),
        pytest.param(SignalSubject(SAMPLE, "typing"), "typing", id="signal"),
        pytest.param(DeliverySubject(SAMPLE.path.org, STUB, "_create"), "run", id="run"),  # type: ignore[arg-type] # a name
        pytest.param(TimerSubject("hold", SAMPLE), "hold timer", id="timer"),
        pytest.param(DueSubject(3), "due timer", id="firing"),
        pytest.param(DeadLetterSubject(NO_ORG, "unrouted"), "dead letter", id="dead letter"),  # type: ignore[arg-type] # a name
        pytest.param(CommandSubject(NO_ORG, "links"), "links", id="command"),
        pytest.param(ChannelCommandSubject(NO_ORG, WEBCHAT, "show"), "channel.show", id="command about channels"),
        pytest.param(WebhookSubject(NO_ORG, WEBCHAT, "support", "passed"), "webhook.passed", id="webhook"),  # type: ignore[arg-type] # a name
    ],
)
def test_every_type_of_subject_has_its_row(
    subject: ConversationSubject
    | SignalSubject
    | DeliverySubject
    | TimerSubject
    | DueSubject
    | DeadLetterSubject
    | CommandSubject
    | ChannelCommandSubject
    | WebhookSubject,
    name: str,
) -> None:
    assert row_of(subject).name == name


def example_of(name: str) -> Body:
    (row,) = [row for row in ROWS if row.name == name]
    assert row.example is not None
    return row.example


@pytest.mark.parametrize("kind", sorted(VISITOR_KINDS))
def test_the_workers_read_the_examples_of_what_a_visitor_does(kind: Kind) -> None:
    content, _ = read_visitor(WEBCHAT, example_of(kind))
    assert content.sessionuuid == SAMPLE.session


def test_the_workers_read_the_examples_of_what_a_stub_says() -> None:
    assert read_notification(WEBCHAT, example_of(Kind.NOTIFICATION)).stubsession is not None
    assert read_notification(WEBCHAT, example_of("notify")).message is not None
    for kind in (Kind.SET, "linkset"):
        assert read_manage_link(WEBCHAT, example_of(kind), operation="set").sessionuuid == SAMPLE.session
    for kind in (Kind.DELETE, "linkdelete"):
        assert read_manage_link(WEBCHAT, example_of(kind), operation="delete").sessionuuid == SAMPLE.session
    assert read_register(example_of("register")["params"], org=SAMPLE.path.org).on_trigger_method == "keep"


def test_the_example_of_a_run_is_one_that_the_kit_reads() -> None:
    (row,) = [row for row in ROWS if row.name == "run"]
    assert row.example is not None
    assert validate(Delivery, row.example, what="run").stubpost.message == "hello again"


def test_facts_and_timers_are_for_reading_alone() -> None:
    reserved = [row for row in ROWS if row.area in ("facts", "timers", "deadletters", "webhooks")]
    assert not any(row.by_hand for row in reserved)
