"""Reports: a record as a page for people, declared beside its noun."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from crosstie.declare import kind as kinds
from crosstie.declare.field import Field

#: what every report knows of its record, beside the record itself; headers and footers of a firm may name these
FLAT = (
    Field(kinds.Text(200), name="client", doc="Whom it is for.", nullable=True),
    Field(kinds.Text(200), name="job", doc="The work that it is about.", nullable=True),
    Field(kinds.Text(200), name="number", doc="The number by which people know the record.", nullable=True),
    Field(kinds.Moment(), name="date", doc="The day that stands on it.", nullable=True),
)


@dataclass(frozen=True, slots=True)
class Report:
    """`GET /api/v1/<noun>/{id}/report`: the record as an HTML page, by the tenant's template or else by `body`.

    `find` is async (unit, row) and returns the values of FLAT and `also`, in the form of the wire. `words` are the
    labels by language; `title` is the word above the page. Readers need the read scopes of `needs`, too.
    """

    title: str
    body: str
    words: Mapping[str, Mapping[str, str]]
    find: Callable[..., Awaitable[Mapping[str, Any]]]
    also: tuple[Field, ...] = ()
    needs: tuple[str, ...] = ()
