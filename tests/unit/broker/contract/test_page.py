"""subjects.md: what it must hold, and what happens when it is stale."""

from __future__ import annotations

import re
import shlex
import typing
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from broker.codec import decode
from broker.contract import desks, dialogs, phones
from broker.contract.__main__ import COMMAND, main
from broker.contract.codes import CODES
from broker.contract.fields import FieldRow, field_rows
from broker.contract.markdown import render
from broker.contract.notes import NOTES, note_for
from broker.contract.row import STUB, Row
from broker.contract.rows import ROWS
from broker.contract.sections import shell_lines, table
from broker.contract.stores import BUCKET_NOTES, STREAM_NOTES
from broker.contract.tokens import HEADERS, PLACEHOLDERS, Placeholder
from broker.domain import headers
from broker.domain.desks import DeskAgent, DeskEvent, DeskEventType
from broker.domain.dialogs import request_in, response_in
from broker.domain.events import DeadLetter, notification_model, read_notification
from broker.domain.grammar import parse_conversation, parse_subject
from broker.domain.ids import ChannelName
from broker.domain.incoming import read_event
from broker.domain.patterns import read_pattern
from broker.domain.session import LinkSet, SetAside
from broker.domain.subjects import Kind
from broker.domain.wire import Wire
from broker.errors import (
    BackboneError,
    BodyError,
    CommandRefusedError,
    GrammarError,
    InvalidNameError,
    bodies,
    conversations,
    grammar,
    services,
)
from broker.transport.topology import BUCKETS, STREAMS

PAGE = render()
each_row = pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in ROWS])
MODELS: list[type[Wire]] = [
    *dict.fromkeys(row.model for row in ROWS if row.model is not None),
    phones.SAID,
    phones.TASK,
    phones.NOTIFIED,
    dialogs.Asked,
    dialogs.Answered,
    desks.Told,
]


@each_row
def test_every_subject_has_its_section_with_shell_lines(row: Row) -> None:
    section = PAGE.split(f"\n### {row.name}\n")[1].split("\n## ")[0].split("\n### ")[0]
    assert row.template in section
    assert row.meaning in section
    assert row.stream in section
    assert all(line in section for line in shell_lines(row))
    assert list(shell_lines(row))


@each_row
def test_shell_lines_are_what_the_command_line_takes(row: Row) -> None:
    for line in shell_lines(row):
        program, verb, subject, *body = shlex.split(line)
        assert (program, subject) == ("heimdall", row.sample)
        assert verb == ("publish" if body else "tap")
        for text in body:
            decode(text.encode())


def commands() -> Iterator[list[str]]:
    """Every line of every shell block of the page, as a shell splits it."""
    for block in re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            if not line.startswith("#"):
                yield shlex.split(line)


def test_every_line_of_the_page_has_a_subject_or_pattern_that_can_be_read() -> None:
    lines = list(commands())
    assert len(lines) > len(ROWS)
    for program, verb, subject, *body in lines:
        assert program == "heimdall"
        if verb == "tap":
            read_pattern(subject)
        else:
            parse_subject(subject)
            assert decode(body[0].encode()) is not None


def test_links_inside_the_page_lead_somewhere() -> None:
    titles = re.findall(r"^#+ (.*)$", PAGE, flags=re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 _-]", "", title.lower()).replace(" ", "-") for title in titles}
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= anchors


def test_tables_have_the_same_number_of_cells_in_each_line() -> None:
    for block in re.findall(r"(?:^\|.*\n)+", PAGE, flags=re.MULTILINE):
        cells = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(cells) == 1, block


def test_a_pipe_in_a_cell_does_not_end_it() -> None:
    assert list(table(("a",), [("x|y",)])) == ["| a |", "|---|", "| x\\|y |"]


# Bodies.


def test_a_field_table_tells_type_need_and_default() -> None:
    rows = {row.path: row for row in field_rows(notification_model(ChannelName("webchat")))}
    assert rows["sessionuuid"] == FieldRow("sessionuuid", "uuid", required=True, default="")
    assert rows["webchat_agent.name"].default == '"Agent"'
    assert rows["webchat_message.type"].type == '"text" or "markdown" or "html" or "form"'
    assert rows["webchat_message.value.form_name"].required
    assert rows["webchat_client_configuration.<label>.value"].type == "anything"
    assert rows["stubsession.set_new_with_timeout_hours"].default == "24"
    assert rows["stubsession.set_new_with_timeout_hours"].type == "number, above 0"


def test_types_without_a_limit_or_a_form_in_json_are_told_too() -> None:
    rows = {row.path: row.type for row in field_rows(DeadLetter)}
    assert (rows["detail"], rows["sequence"], rows["body"]) == ("text", "whole number", "bytes")


@pytest.mark.parametrize("model", MODELS, ids=[model.__name__ for model in MODELS])
def test_every_member_of_every_body_is_explained(model: type[Wire]) -> None:
    assert [row.path for row in field_rows(model) if note_for(row.path) is None] == []


def test_every_explanation_explains_something() -> None:
    replies = [row.reply_model for row in ROWS if row.reply_model is not None]
    paths = {row.path for model in (*MODELS, *replies) for row in field_rows(model)}
    assert {key for key in NOTES if not any(path == key or path.endswith(f".{key}") for path in paths)} == set()


def test_the_workers_read_the_examples_of_a_phone_number() -> None:
    for kind, body in ((Kind.MESSAGE, phones.SAYS), (Kind.SET, phones.LINKS)):
        subject = parse_conversation(phones.CONVERSATION.subject(kind))
        assert read_event(subject, body, STUB).number == phones.NUMBER


def test_the_examples_of_a_desk_are_a_hand_over_and_what_its_pages_and_programs_read() -> None:
    change = read_event(parse_conversation(desks.CONVERSATION.subject(Kind.SET)), desks.HAND_OVER, STUB).change
    assert isinstance(change, LinkSet)
    assert str(change.stub) == desks.DESK
    told = read_notification(desks.WEBCHAT, desks.TELLS)
    assert DeskEvent.model_validate(told.control_event).agent == DeskAgent(name=told.agent.name)
    assert DeskEvent.model_validate(desks.RETURNS["stubpost"]["data"]["_incoming_giosg_data"]).desk == desks.DESK
    assert set(desks.EVENTS) == set(typing.get_args(DeskEventType))


def test_the_examples_of_a_question_and_its_answer_are_what_programs_and_adapters_read() -> None:
    asks, answers = dialogs.ASKS["heimdall"]["webim"], dialogs.ANSWERS["platforms"]["webim"]
    request, response = request_in(dialogs.WEBIM, asks), response_in(dialogs.WEBIM, answers)
    assert request is not None
    assert response is not None
    assert request.question_id == response.question_id
    for kind, body in ((Kind.NOTICE, dialogs.ASKS), (Kind.NOTIFICATION, dialogs.ANSWERS)):
        assert read_event(parse_conversation(dialogs.CONVERSATION.subject(kind)), body, STUB)


# Names, headers, streams and codes.


@pytest.mark.parametrize("placeholder", PLACEHOLDERS, ids=[placeholder.name for placeholder in PLACEHOLDERS])
def test_the_rule_of_a_token_is_the_one_that_is_kept(placeholder: Placeholder) -> None:
    if placeholder.check is None:
        assert placeholder.example.isdecimal()
        return
    assert placeholder.check(placeholder.example) == placeholder.example
    with pytest.raises(InvalidNameError) as refused:
        placeholder.check("")
    assert str(refused.value).endswith(f"expected {placeholder.rule}")


def test_every_token_of_every_template_is_explained() -> None:
    used = {name for row in ROWS for name in re.findall(r"<([a-z]+)>", row.template)}
    assert used == {placeholder.name for placeholder in PLACEHOLDERS}


def test_every_header_of_the_contract_is_explained() -> None:
    named = {value for name, value in vars(headers).items() if name.isupper()}
    assert {name for name, _, _ in HEADERS} == named


def test_every_stream_and_bucket_is_explained() -> None:
    assert set(STREAM_NOTES) == {spec.name for spec in STREAMS}
    assert set(BUCKET_NOTES) == set(BUCKETS)
    assert {row.stream for row in ROWS if row.is_stored} == {spec.name for spec in STREAMS}


def test_every_reason_of_the_fold_is_explained() -> None:
    reasons = set(typing.get_args(typing.get_type_hints(SetAside)["code"]))
    assert reasons <= {code.code for code in CODES}


@pytest.mark.parametrize("module", [grammar, bodies, conversations, services])
def test_every_error_of_a_sender_or_a_service_is_explained(module: ModuleType) -> None:
    codes = {
        error.code
        for error in vars(module).values()
        if isinstance(error, type) and issubclass(error, BackboneError) and error.__module__ == module.__name__
    }
    never_met = {GrammarError.code, BodyError.code, CommandRefusedError.code}  # bases, and a reply's code in disguise
    assert codes - never_met <= {code.code for code in CODES}


def test_codes_are_unique_and_told_where_they_are_met() -> None:
    assert len({code.code for code in CODES}) == len(CODES)
    assert {code.places for code in CODES} == {"dead letters", "replies", "dead letters and replies"}
    assert all(issubclass(type(code.meaning), str) and code.meaning.endswith(".") for code in CODES)
    assert BackboneError.code not in {code.code for code in CODES}


# The program.


def test_the_page_is_written_and_then_found_fresh(tmp_path: Path) -> None:
    page = tmp_path / "subjects.md"
    assert main([], page=page) == 0
    assert page.read_text(encoding="utf-8") == PAGE
    assert main(["--check"], page=page) == 0


@pytest.mark.parametrize(("content", "state"), [(None, "missing"), ("old", "stale")], ids=["missing", "stale"])
def test_a_stale_page_is_one_line_with_the_command_that_mends_it(
    content: str | None, state: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "subjects.md"
    if content is not None:
        page.write_text(content, encoding="utf-8")
    assert main(["--check"], page=page) == 1
    assert capsys.readouterr().err == f"subjects.md is {state}: run '{COMMAND}' and commit what it writes\n"


def test_arguments_that_nobody_knows_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--chekc"]) == 2
    assert capsys.readouterr().err == f"usage: {COMMAND} [--check]\n"
