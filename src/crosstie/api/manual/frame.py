"""The frame around every page: one style, strict headers, no script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from crosstie import __version__
from crosstie.api.link import page_headers
from crosstie.api.manual.markdown import coloured, inline
from crosstie.log.idempotency import Answer

HERE = Path(__file__).parent
STYLE = (HERE / "manual.css").read_text("utf-8")
HEADERS = page_headers(STYLE) | {"cache-control": "public, max-age=300"}
_PAGES = Environment(
    loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_PAGES.filters["inline"] = lambda text: Markup(inline(text))  # noqa: S704  # drawn by us, without HTML of its own
_PAGES.filters["coloured"] = lambda code, language: Markup(coloured(code, language))  # noqa: S704  # escaped by Pygments


class Entry(NamedTuple):
    """A line of the navigation."""

    href: str
    title: str


class Group(NamedTuple):
    """A part of the navigation; it is open on its own pages."""

    href: str
    title: str
    entries: Sequence[Entry]


@dataclass(frozen=True, slots=True)
class Frame:
    """What the pages of one part share. `live`: served by an installation, not published as files."""

    navigation: tuple[Group, ...]
    live: bool = True

    def draw(self, template: str, here: str, title: str, **values: Any) -> str:
        """The page `<template>.html` for the address `here`."""
        return _PAGES.get_template(f"{template}.html").render(
            here=here,
            title=title,
            style=Markup(STYLE),  # noqa: S704  # our own
            groups=self.navigation,
            live=self.live,
            version=__version__,
            **({"headings": ()} | values),
        )


def answer(page: str) -> Answer:
    """A page as an answer."""
    return Answer(200, page.encode(), HEADERS)
