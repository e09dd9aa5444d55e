import pytest

from workers.webchat.markup import (
    HTML_CHARACTERS_MAX,
    MARKDOWN_CHARACTERS_MAX,
    clean_html,
    markdown_to_html,
    text_to_html,
)

DEAD_LINK = '<a target="_blank" rel="noopener noreferrer">x</a>'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("hei", "hei", id="plain text stays"),
        pytest.param("a < b & c", "a &lt; b &amp; c", id="markup characters are shown as they are"),
        pytest.param("<script>x</script>", "&lt;script&gt;x&lt;/script&gt;", id="a script is only letters"),
        pytest.param("one\ntwo", "one\ntwo", id="line breaks are left to the style sheet"),
    ],
)
def test_text_is_shown_character_by_character(text: str, expected: str) -> None:
    assert text_to_html(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("**hei**", "<p><strong>hei</strong></p>", id="bold"),
        pytest.param("one\ntwo", "<p>one<br>\ntwo</p>", id="a line break in a chat is a line break"),
        pytest.param(
            "[x](https://example.org)",
            '<p><a href="https://example.org" target="_blank" rel="noopener noreferrer">x</a></p>',
            id="a link opens apart and tells nothing of us",
        ),
        pytest.param("[x](javascript:alert(1))", "<p>[x](javascript:alert(1))</p>", id="a script is no link"),
        pytest.param("<img src=x onerror=alert(1)>", "<p>&lt;img src=x onerror=alert(1)&gt;</p>", id="html is shown"),
        pytest.param("![a](https://example.org/a.png)", "<p></p>", id="no picture is fetched from elsewhere"),
        pytest.param("~~old~~", "<p><s>old</s></p>", id="struck out"),
    ],
)
def test_markdown_is_rendered_without_anything_that_acts(text: str, expected: str) -> None:
    assert markdown_to_html(text) == expected


def test_markdown_longer_than_the_parser_may_take_is_shown_as_text() -> None:
    text = "*" * (MARKDOWN_CHARACTERS_MAX + 1)
    assert markdown_to_html(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("<b>hei</b>", "<b>hei</b>", id="plain formatting stays"),
        pytest.param("<script>alert(1)</script>x", "x", id="scripts go with their content"),
        pytest.param("<style>*{display:none}</style>x", "x", id="styles go with their content"),
        pytest.param('<b onclick="alert(1)">x</b>', "<b>x</b>", id="handlers go"),
        pytest.param('<p style="position:fixed">x</p>', "<p>x</p>", id="inline styles go"),
        pytest.param('<p id="input" class="composer">x</p>', "<p>x</p>", id="names that our own page uses go"),
        pytest.param('<iframe src="https://example.org"></iframe>x', "x", id="frames go"),
        pytest.param('<form action="/x"><input name="a"></form>x', "x", id="forms go"),
        pytest.param('<img src="https://example.org/a.png">x', "x", id="pictures go"),
        pytest.param("<svg><a xlink:href='javascript:alert(1)'>x</a></svg>", "", id="drawings cannot carry scripts"),
        pytest.param('<a href="JaVaScRiPt:alert(1)">x</a>', DEAD_LINK, id="a script is no link, whatever its case"),
        pytest.param('<a href="data:text/html,x">x</a>', DEAD_LINK, id="data are no link"),
        pytest.param("<p>open", "<p>open</p>", id="what is left open is closed, so it cannot swallow the page"),
    ],
)
def test_html_keeps_only_what_is_on_the_list(text: str, expected: str) -> None:
    assert clean_html(text) == expected


def test_html_longer_than_the_cleaner_may_take_is_shown_as_text() -> None:
    text = "<div>" * (HTML_CHARACTERS_MAX // 5 + 1)
    assert clean_html(text) == text_to_html(text)
