"""Long texts in parts: where they are cut, and that nothing is lost."""

from __future__ import annotations

import random

import pytest

from workers.giosg.runs.splitting import split

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
FLAG = "\U0001f1eb\U0001f1ee"
THUMB = "\U0001f44d\U0001f3fd"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        pytest.param("hei", ["hei"], id="a short text stays whole"),
        pytest.param("", [], id="nothing is sent for nothing"),
        pytest.param(" \n\t ", [], id="nothing is sent for blanks"),
        pytest.param("aaaa bb.\n\ncccc", ["aaaa bb.\n\n", "cccc"], id="behind a paragraph first of all"),
        pytest.param("aaaa. bb cccc", ["aaaa. ", "bb cccc"], id="else behind a sentence"),
        pytest.param("aaaa bbb cccc", ["aaaa bbb ", "cccc"], id="else behind a word"),
        pytest.param("a" * 25, ["a" * 10, "a" * 10, "a" * 5], id="else anywhere"),
        pytest.param("a b" + "c" * 14, ["a b" + "c" * 7, "c" * 7], id="a part is not much shorter than it may be"),
        pytest.param("a" * 9 + THUMB, ["a" * 9, THUMB], id="a skin tone stays with its hand"),
        pytest.param("a" * 9 + FLAG, ["a" * 9, FLAG], id="the halves of a flag stay together"),
        pytest.param("a" * 7 + FAMILY, ["a" * 7, FAMILY], id="a family stays together"),
        pytest.param("a" * 9 + "e\u0301", ["a" * 9, "e\u0301"], id="an accent stays with its letter"),
        pytest.param("e" + "\u0301" * 14, ["e" + "\u0301" * 9, "\u0301" * 5], id="one cluster too long is cut"),
        pytest.param("a" * 10 + " " * 12 + "b", ["a" * 10, "  b"], id="blanks alone are no message"),
    ],
)
def test_a_text_is_cut_where_it_hurts_least(text: str, parts: list[str]) -> None:
    assert split(text, characters_max=10) == parts


def test_check_31_4500_characters_become_three_messages_whose_concatenation_is_the_text() -> None:
    text = ("Hello there, this is a long story. " * 200)[:4500]
    parts = split(text, characters_max=2000)
    assert len(parts) == 3
    assert max(map(len, parts)) <= 2000
    assert "".join(parts) == text


@pytest.mark.parametrize("seed", range(30))
def test_the_parts_of_any_text_are_the_text(seed: int) -> None:
    drawn = random.Random(seed)  # noqa: S311 - the same texts each time
    pieces = ["a", "word ", "end. ", "\n\n", FAMILY, FLAG, THUMB, "e\u0301", "\U0001f600"]
    text = "x" + "".join(drawn.choice(pieces) for _ in range(200)) + "x"
    limit = drawn.randrange(8, 60)
    parts = split(text, characters_max=limit)
    assert "".join(parts) == text
    assert all(0 < len(part) <= limit for part in parts)
