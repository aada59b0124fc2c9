"""One request at a hook as its proof and its reading see it: the bytes as they came, read at most once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

from crosstie.errors import CrosstieError
from crosstie.kit import clock, json

FORM = "application/x-www-form-urlencoded"
#: fields of one form, and characters of an id or type that a sender gives
FIELDS, LONGEST = 1000, 300


class Refused(CrosstieError):
    """A request that nobody vouches for. `reason` is for the owner of the source; the sender gets a plain 401."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Reply:
    """Where a provider answers a question about a request later, what it was asked last, and its answer to that."""

    #: of the question that this look may put: later ones have higher numbers
    number: int
    address: str = field(repr=False)
    asked: Mapping[str, Any] | None = None
    answer: bytes | None = None


@dataclass(frozen=True)
class Knock:
    """A request. Header names are in small letters; of one that came twice the first counts."""

    headers: Mapping[str, str]
    body: bytes
    #: the address as the sender knows it, with what follows the question mark
    url: str = field(default="", repr=False)
    ip: str | None = None
    trace: str | None = None
    at: datetime = field(default_factory=clock.now)
    #: in a second look
    reply: Reply | None = None

    @cached_property
    def media(self) -> str:
        """What the sender calls the body, without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @cached_property
    def document(self) -> Any:
        """The body as JSON; None where it is none, or holds what we do not take."""
        try:
            return json.loads(self.body)
        except json.BadJson:
            return None

    @cached_property
    def form(self) -> list[tuple[str, str]]:
        """The fields of a form, in order; none where the body is no form that we take. Bytes that are no UTF-8 stay."""
        if self.media != FORM:
            return []
        try:
            return parse_qsl(
                self.body.decode("utf-8", "surrogateescape"),
                keep_blank_values=True,
                errors="surrogateescape",
                max_num_fields=FIELDS,
            )
        except ValueError:
            return []


#: something that a sender says in a request, or None where it does not
Find = Callable[[Knock], str | None]


def head(name: str) -> Find:
    """The value of a header."""
    return lambda knock: _said(knock.headers.get(name))


def at(*path: str) -> Find:
    """A text or number inside the JSON of the body."""

    def find(knock: Knock) -> str | None:
        found = knock.document
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        return _said(found)

    return find


def entry(name: str) -> Find:
    """A field of the form."""
    return lambda knock: _said(dict(knock.form).get(name))


def first(*finds: Find) -> Find:
    """The first of these that is there."""
    return lambda knock: next((found for find in finds if (found := find(knock)) is not None), None)


def joined(*finds: Find) -> Find:
    """All of these with hyphens between; None unless all are there."""

    def find(knock: Knock) -> str | None:
        found = [each(knock) for each in finds]
        return "-".join(part for part in found if part is not None) if None not in found else None

    return find


def nothing(knock: Knock) -> str | None:
    """A sender that does not say."""
    return None


def named(place: str | None) -> Find:
    """What an option names: `header:X-Event-Id`, or a path into the JSON such as `/data/id`."""
    if not place:
        return nothing
    if place.startswith("header:"):
        return head(place.removeprefix("header:").lower())
    return at(*(part.replace("~1", "/").replace("~0", "~") for part in place[1:].split("/")))


def clean(text: str) -> str:
    """A text that every column and every JSON holds."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace").replace("\0", "\ufffd")


def _said(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = clean(str(value))
    return text if 0 < len(text) <= LONGEST else None
