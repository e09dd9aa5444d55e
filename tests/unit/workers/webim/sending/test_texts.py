import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.webim.sending.texts import HTML_CHARACTERS_MAX, split_text, words_of

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"  # man, woman and girl, joined
THUMB = "\U0001f44d\U0001f3fd"  # a thumb and its skin
FLAG = "\U0001f1eb\U0001f1ee"


@pytest.mark.parametrize(
    ("text", "longest", "expected"),
    [
        pytest.param("abc", 3, ["abc"], id="what fits is left alone"),
        pytest.param("ab cd\nef gh", 8, ["ab cd", "ef gh"], id="a newline before a space"),
        pytest.param("ab cd ef", 6, ["ab cd", "ef"], id="the last space that fits"),
        pytest.param("abc def", 3, ["abc", "def"], id="a space just behind the limit"),
        pytest.param("abcdefgh", 3, ["abc", "def", "gh"], id="hard, if there is nothing else"),
        pytest.param(f"abc{THUMB}", 4, ["abc", THUMB], id="not between an emoji and its skin"),
        pytest.param(f"ab{FAMILY}c", 4, ["ab", f"{FAMILY[:4]}", f"{FAMILY[4:]}c"], id="what never fits is cut"),
        pytest.param(f"abcdef{FAMILY}", 8, ["abcdef", FAMILY], id="not within joined emoji"),
        pytest.param(f"{FLAG}{FLAG}", 3, [FLAG, FLAG], id="not within a flag"),
        pytest.param("abe\u0301", 3, ["ab", "e\u0301"], id="not between a letter and its accent"),
        pytest.param("a\n\n\n\nb", 2, ["a", "b"], id="blank parts are left out"),
        pytest.param("  ", 1, [], id="blanks alone are nothing"),
    ],
)
def test_a_long_text_is_cut_where_a_reader_minds_least(text: str, longest: int, expected: list[str]) -> None:
    assert split_text(text, longest) == expected


@given(st.text(alphabet=st.sampled_from(["a", "b", " ", "\n", *THUMB, *FLAG, *FAMILY, "\u0301"])), st.integers(1, 40))
def test_parts_fit_and_hold_every_character_in_its_order(text: str, longest: int) -> None:
    parts = split_text(text, longest)
    assert all(0 < len(part) <= longest for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())


def test_html_too_long_to_be_read_stays_as_it_is() -> None:
    page = "<b>" * HTML_CHARACTERS_MAX
    assert words_of(page) == page
