"""Makes what a stub wrote safe to insert into a page: everything not on a short list is taken out."""

from __future__ import annotations

import html

import nh3
from markdown_it import MarkdownIt

MARKDOWN_CHARACTERS_MAX = 16_384
"""Longer markdown is shown as text: hostile input costs the parser up to the square of its length."""
HTML_CHARACTERS_MAX = 32_768
"""So is longer html, for the same reason: a megabyte of open elements would stop the whole process for a minute."""

TAGS = frozenset(
    [
        "a",
        "b",
        "blockquote",
        "br",
        "code",
        "del",
        "em",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "i",
        "li",
        "ol",
        "p",
        "pre",
        "s",
        "strong",
        "sub",
        "sup",
        "table",
        "tbody",
        "td",
        "th",
        "thead",
        "tr",
        "u",
        "ul",
    ]
)
ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}, "td": {"colspan", "rowspan"}, "th": {"colspan", "rowspan"}}
URL_SCHEMES = frozenset(("http", "https", "mailto", "tel"))

_markdown = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])


def text_to_html(text: str) -> str:
    """The text itself, every character shown as it is; line breaks are left to the style sheet."""
    return html.escape(text)


def markdown_to_html(text: str) -> str:
    """Rendered markdown; html inside it is shown, not obeyed."""
    if len(text) > MARKDOWN_CHARACTERS_MAX:
        return text_to_html(text)
    return _cleaned(_markdown.render(text).strip())


def clean_html(text: str) -> str:
    """The html without scripts, styles, handlers, images, frames and forms; links open apart and tell nothing of us."""
    if len(text) > HTML_CHARACTERS_MAX:
        return text_to_html(text)
    return _cleaned(text)


def _cleaned(text: str) -> str:
    return nh3.clean(
        text,
        tags=set(TAGS),
        attributes=ATTRIBUTES,
        url_schemes=set(URL_SCHEMES),
        link_rel="noopener noreferrer",
        set_tag_attribute_values={"a": {"target": "_blank"}},
    )
