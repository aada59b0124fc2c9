"""Markdown as HTML: headings get their anchors, links between files become links between pages, code its colours."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Sequence
from html import escape
from itertools import pairwise
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

#: where the pages are served
ROOT = "/docs"


class Heading(NamedTuple):
    """A heading below the title."""

    id: str
    words: str


class Drawn(NamedTuple):
    """A page's HTML, and its parts."""

    html: str
    headings: list[Heading]


def coloured(code: str, language: str) -> str:
    """Code as HTML, its words in classes."""
    try:
        lexer = get_lexer_by_name(language)
    except ClassNotFound:
        return escape(code)
    return str(highlight(code, lexer, HtmlFormatter(nowrap=True)))


_MARKDOWN = MarkdownIt("commonmark", {"html": False, "highlight": lambda code, name, _: coloured(code, name)})
_MARKDOWN.enable("table")
# what is too wide scrolls in a box of its own, also by keyboard
_MARKDOWN.add_render_rule("table_open", lambda *_: '<div class="scroll" tabindex="0"><table>\n')
_MARKDOWN.add_render_rule("table_close", lambda *_: "</table></div>\n")


def inline(text: str) -> str:
    """One line of Markdown as HTML, without a paragraph around it."""
    return str(_MARKDOWN.renderInline(text))


def draw(text: str, path: str) -> Drawn:
    """A page. `path` is its place below the documentation: relative links begin there."""
    tokens = _MARKDOWN.parse(text)
    headings = list(_anchored(tokens))
    for token in tokens:
        for child in token.children or ():
            if child.type == "link_open":
                child.attrSet("href", target(str(child.attrGet("href")), path))
    return Drawn(str(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {})), headings)


def target(href: str, path: str) -> str:
    """Where a link of a page leads: to a file beside it, as the address of that page; all others as they are."""
    place, hash, part = href.partition("#")
    if not place.endswith(".md") or ":" in place:
        return href
    found = posixpath.normpath(posixpath.join(ROOT, posixpath.dirname(path), place.removesuffix(".md")))
    return found.removesuffix("/index") + hash + part


def _anchored(tokens: Sequence[Token]) -> list[Heading]:
    """Give every heading an id as code hosts do; answers those of the second level."""
    found, seen = [], Counter[str]()
    for opening, words in pairwise(tokens):
        if opening.type != "heading_open":
            continue
        text = "".join(child.content for child in words.children or ())
        slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        id = f"{slug}-{seen[slug]}" if seen[slug] else slug
        seen[slug] += 1
        opening.attrSet("id", id)
        if opening.tag == "h2":
            found.append(Heading(id, text))
    return found
