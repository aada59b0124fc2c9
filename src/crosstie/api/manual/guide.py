"""The pages of `/docs`: the front page, one per folder, one per file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from markupsafe import Markup

from crosstie.api.manual.frame import Entry, Frame, Group
from crosstie.api.manual.markdown import ROOT, draw
from crosstie.api.manual.shelf import Page, Section, Shelf

#: address → the page's HTML
Pages = dict[str, Callable[[], str]]


def navigation(shelf: Shelf) -> tuple[Group, ...]:
    """A group per folder, an entry per file."""
    return tuple(
        Group(f"{ROOT}/{each.name}", each.title, [Entry(f"{ROOT}/{page.path}", page.title) for page in each.pages])
        for each in shelf.sections
    )


def pages(shelf: Shelf, frame: Frame) -> Pages:
    """Every page."""
    return dict(_pages(shelf, frame))


def _pages(shelf: Shelf, frame: Frame) -> Iterator[tuple[str, Callable[[], str]]]:
    yield ROOT, partial(_front, shelf, frame)
    for section in shelf.sections:
        yield f"{ROOT}/{section.name}", partial(_section, section, frame)
    ordered = shelf.pages
    for before, page, after in zip([None, *ordered], ordered, [*ordered[1:], None], strict=False):
        yield f"{ROOT}/{page.path}", partial(_page, page, frame, _near(before, page), _near(after, page))


def _near(page: Page | None, other: Page) -> Entry | None:
    """The page before or after, within the section."""
    if page is None or page.path.split("/")[0] != other.path.split("/")[0]:
        return None
    return Entry(f"{ROOT}/{page.path}", page.title)


def _front(shelf: Shelf, frame: Frame) -> str:
    html, _ = draw(shelf.front.text, "")
    content = Markup(html)  # noqa: S704  # drawn by us, without HTML of its own
    return frame.draw("front", ROOT, shelf.front.title, content=content, sections=shelf.sections, root=ROOT)


def _section(section: Section, frame: Frame) -> str:
    return frame.draw("section", f"{ROOT}/{section.name}", section.title, section=section, root=ROOT)


def _page(page: Page, frame: Frame, before: Entry | None, after: Entry | None) -> str:
    html, headings = draw(page.text, page.path)
    content = Markup(html)  # noqa: S704  # as above
    return frame.draw(
        "page", f"{ROOT}/{page.path}", page.title, content=content, headings=headings, before=before, after=after
    )
