"""Messages become text: a subject of one line, and paragraphs for HTML where a template has none."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from crosstie.kit import template

SUBJECT = 200
SPACE = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+")
PARAGRAPH = re.compile(r"\n\s*\n")
ADDRESS = re.compile(r"https?://[^\s<>\"]+")


def subject(source: str, values: Mapping[str, Any]) -> str:
    """A line of a header: one line, whatever the values hold. Raises Unusable."""
    return SPACE.sub(" ", template.plain(source, values)).strip()[:SUBJECT]


def paragraphs(text: str) -> Iterator[list[tuple[str, str | None]]]:
    """A text as HTML wants it: paragraphs, each of runs, which are words or addresses (text, address or None)."""
    for each in PARAGRAPH.split(text.strip()):
        runs: list[tuple[str, str | None]] = []
        at = 0
        for found in ADDRESS.finditer(each):
            runs += [(each[at : found.start()], None), (found[0], found[0])]
            at = found.end()
        yield [run for run in (*runs, (each[at:], None)) if run[0]]
