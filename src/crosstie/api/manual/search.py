"""Search over the documentation and the reference: every word must be there, where it stands says what comes first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

#: results shown, and characters of a query that count
MOST, LONGEST = 30, 200
#: what a word counts in a title, and where a title begins with it
TITLE, BEGINNING = 20, 20
#: characters of text shown around the first word found
BEFORE, AFTER = 60, 140


@dataclass(frozen=True, slots=True)
class Target:
    """Something that can be found."""

    href: str
    kind: str
    title: str
    text: str
    #: what it counts beyond its words
    weight: int = 0


class Found(NamedTuple):
    """A result."""

    href: str
    kind: str
    title: str
    excerpt: str


def find(targets: Iterable[Target], query: str) -> list[Found]:
    """The best results first."""
    words = query[:LONGEST].lower().split()
    if not words:
        return []
    scored = [(score, number, target) for number, target in enumerate(targets) if (score := _score(target, words))]
    scored.sort(key=lambda each: (-each[0], each[1]))
    return [Found(t.href, t.kind, t.title, _excerpt(t.text, words)) for _, _, t in scored[:MOST]]


def _score(target: Target, words: Sequence[str]) -> int:
    """0 where a word is missing."""
    title, text = target.title.lower(), target.text.lower()
    total = 0
    for word in words:
        found = min(text.count(word), 9) + TITLE * (word in title) + BEGINNING * title.startswith(word)
        if not found:
            return 0
        total += found
    return total + target.weight


def _excerpt(text: str, words: Sequence[str]) -> str:
    """What stands around the first word, on one line."""
    places = [place for word in words if (place := text.lower().find(word)) >= 0]
    start = max(0, min(places, default=0) - BEFORE)
    shown = text[start : start + BEFORE + AFTER]
    cut = re.sub(r"^\S*\s", "", shown) if start else shown
    return ("… " if start else "") + " ".join(cut.split()) + (" …" if start + BEFORE + AFTER < len(text) else "")
