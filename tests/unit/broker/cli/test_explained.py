from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from broker.cli.explained import message_text, page
from broker.domain import headers as names
from broker.domain.replay import LogEvent
from broker.domain.story import Story, tell
from tests.unit.broker.domain.test_replay import PLACE, notified, said
from tests.unit.broker.domain.test_story import LINKED, SAID, evidence, letter, run


def shown(story: Story, *, width: int = 80, with_text: bool = False) -> list[str]:
    console = Console(file=io.StringIO(), width=width, highlight=False, emoji=False, markup=False)
    console.print(page(story, with_text=with_text), soft_wrap=False)
    out = console.file
    assert isinstance(out, io.StringIO)
    return [line.rstrip() for line in out.getvalue().splitlines()]


STORY = tell(evidence(SAID, before=tuple(LINKED), runs=(run(applied=True),)))


def test_a_story_is_a_title_a_decision_with_its_reason_and_the_steps() -> None:
    title, identity, decision, blank, *steps = shown(STORY)
    assert title.startswith("event 3  message  ")
    assert title.endswith("5b0c7f0e  draftshop")
    assert identity == "id none"
    assert decision == "delivered  the link of epoch 2 to demo.A-1 was alive, with 59 min 59 s left"
    assert (blank, steps) == (
        "",
        [
            "+0 ms  stored     as 3 of the log",
            "+2 ms  delivered  _update_from_webchat on demo.A-1 (run 7)",
            "       run        7 is done: demo has kept what it changed",
        ],
    )


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    story = tell(evidence(said(1), letters=(letter("unrouted", 1),)))
    assert max(map(len, shown(story, width=width))) <= width


def test_the_text_shows_only_where_it_is_asked_for() -> None:
    assert not any("hei" in line for line in shown(STORY))
    assert "text  hei" in shown(STORY, with_text=True)


def test_no_session_uuid_is_shown_whole() -> None:
    event = replace(said(1), headers={names.MESSAGE_ID: f"{PLACE.session}-run-7-1"})
    outside = LogEvent(2, 0, f"{PLACE.prefix}.nonsense", {}, {})
    for story in (tell(evidence(event)), tell(evidence(outside))):
        assert PLACE.session not in "\n".join(shown(story, width=300))


def test_what_a_visitor_wrote_cannot_steer_the_terminal() -> None:
    body = {
        "heimdall": {"webchat": {"sessionuuid": PLACE.session, "webchat_message": {"type": "text", "value": "\x1b[2J"}}}
    }
    event = replace(said(1), body=body)
    assert "\x1b" not in "\n".join(shown(tell(evidence(event)), with_text=True))


def test_a_text_that_cannot_be_read_is_none() -> None:
    assert message_text(LogEvent(1, 0, said(1).subject, {}, None)) is None
    assert message_text(LogEvent(1, 0, said(1).subject, {}, {"a": 1})) is None
    assert message_text(notified(1, hours=1.0)) == "[link 1 h]"
