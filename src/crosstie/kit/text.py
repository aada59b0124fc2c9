"""Text: patterns of event types, search tokens, safe cutting."""

import re
import unicodedata
from collections.abc import Callable, Iterable

TOKENS = 64
"""Different tokens taken from one text."""
TOKEN = 40
"""Characters of one token; the rest is cut off, on both sides of a search."""
SEARCHED = 10_000
"""Characters of one text that are looked at."""

_NAME = r"[a-z0-9_]+(?:\.[a-z0-9_]+)*"
_PATTERN = re.compile(rf"\*|{_NAME}|{_NAME}\.\*|\*\.{_NAME}")
_WORD = re.compile(r"[a-z0-9]+")
_TATWEEL = "\u0640"


def pattern(text: str) -> str:
    """Check a pattern of event types: `*`, `job.created`, `job.*` or `*.created`; return it.

    The star stands for one or more dotted parts. Raises ValueError for any other form.
    """
    if len(text) > 200 or _PATTERN.fullmatch(text) is None:
        raise ValueError("not a pattern of event types, such as *, job.*, *.created or job.created")
    return text


def matcher(patterns: Iterable[str]) -> Callable[[str], bool]:
    """A function that says whether an event type fits at least one pattern; raises ValueError for a bad pattern."""
    checked = {pattern(text) for text in patterns}
    if "*" in checked:
        return lambda name: True
    heads = tuple(text[:-1] for text in checked if text.endswith(".*"))
    tails = tuple(text[1:] for text in checked if text.startswith("*."))
    exact = frozenset(text for text in checked if "*" not in text)
    if not heads and not tails:  # asked for every event of every route: this takes a tenth of the time
        return exact.__contains__
    return lambda name: name in exact or name.startswith(heads) or name.endswith(tails)


def tokens(text: str) -> set[str]:
    """The words of a text in the form they are searched by.

    Case folded, compatibility forms resolved and accents dropped (é = e, ﬁ = fi, ß = ss, أ = ا); every script is kept.
    At most 64 words, the first ones, each cut to 40 characters.
    """
    folded = text[:SEARCHED].casefold()
    words = _WORD.findall(folded) if folded.isascii() else _words(folded)
    found: dict[str, None] = {}
    for word in words:
        found[word[:TOKEN]] = None
        if len(found) == TOKENS:
            break
    return set(found)


def _words(folded: str) -> list[str]:
    plain = unicodedata.normalize("NFKD", folded).casefold()
    return "".join(_letter(char) for char in plain).split()


def _letter(char: str) -> str:
    """The character itself, a space where words part, nothing for what only adorns or joins letters."""
    if char.isalnum():
        return "" if char == _TATWEEL else char
    category = unicodedata.category(char)
    if unicodedata.combining(char) or category == "Cf":
        return ""
    return char if category.startswith("M") else " "


def truncate(body: bytes, limit: int) -> bytes:
    """The first `limit` bytes or fewer; UTF-8 text is never cut inside a character."""
    if len(body) <= limit:
        return body
    start = limit
    while start > max(0, limit - 3) and body[start] & 0xC0 == 0x80:
        start -= 1
    return body[:start] if body[start] >= 0xC0 else body[:limit]
