"""The documentation as it lies on disk: a folder is a section, a Markdown file a page, its first heading the title."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from crosstie.errors import ConfigurationError

#: the sections whose order or name says something; every other folder follows under its own name
SECTIONS = {
    "tutorials": "Tutorials",
    "how-to": "How to",
    "explanation": "Explanation",
    "reference": "Reference",
    "errors": "Problems",
    "decisions": "Decisions",
}
_COMMENT = re.compile(r"<!--.*?-->\s*", re.DOTALL)
_MARKS = re.compile(r"^#+ |^```\w*$|[*`]|\[([^]]*)]\([^)]*\)", re.MULTILINE)


@dataclass(frozen=True)
class Page:
    """One Markdown file. `path` is its place below the documentation, without `.md`; the front page has none."""

    path: str
    text: str

    @cached_property
    def title(self) -> str:
        """Its first heading; without one, its name."""
        found = re.search(r"^# +(.+?) *$", self.text, re.MULTILINE)
        return plain(found[1]) if found else self.path.rsplit("/")[-1]

    @cached_property
    def lead(self) -> str:
        """Its first paragraph, as plain text."""
        blocks = (block.strip() for block in re.split(r"\n\s*\n", self.text))
        return next((plain(" ".join(block.split())) for block in blocks if re.match(r"[^\W_]|`[^`]|[\"*[]", block)), "")

    @property
    def order(self) -> str:
        """Numbered files in their order, others by title."""
        name = self.path.rsplit("/")[-1]
        return name if name[0].isdigit() else self.title.lower()


@dataclass(frozen=True)
class Section:
    """One folder."""

    name: str
    title: str
    pages: tuple[Page, ...]


@dataclass(frozen=True)
class Shelf:
    """All of it."""

    front: Page
    sections: tuple[Section, ...]

    @property
    def pages(self) -> list[Page]:
        """Every page but the front one, in the order of reading."""
        return [page for section in self.sections for page in section.pages]


def plain(text: str) -> str:
    """Markdown without its marks."""
    return _MARKS.sub(lambda found: found[1] or "", text)


def folder() -> Path:
    """Where the documentation lies: in the package, or in a checkout."""
    here = Path(__file__).resolve().parents[2]
    for found in (here / "docs", here.parents[1] / "docs"):
        if (found / "index.md").is_file():
            return found
    raise ConfigurationError("The documentation is missing: reinstall Crosstie.")


def read(root: Path) -> Shelf:
    """The shelf of a folder: `index.md`, and each folder with Markdown in it."""
    names = {path.parent.name for path in root.glob("*/*.md")}
    ordered = [*(name for name in SECTIONS if name in names), *sorted(names - SECTIONS.keys())]
    return Shelf(_page(root, root / "index.md"), tuple(_section(root, name) for name in ordered))


def _section(root: Path, name: str) -> Section:
    pages = [_page(root, path) for path in (root / name).glob("*.md")]
    title = SECTIONS.get(name) or name.replace("-", " ").capitalize()
    return Section(name, title, tuple(sorted(pages, key=lambda page: page.order)))


def _page(root: Path, path: Path) -> Page:
    place = path.relative_to(root).with_suffix("").as_posix()
    return Page("" if place == "index" else place, _COMMENT.sub("", path.read_text("utf-8"), count=1))
