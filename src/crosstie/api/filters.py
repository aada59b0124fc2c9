"""Query parameters of lists: filters, order, search, page. What is unknown is refused (silent wrong data otherwise)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request

from crosstie.declare.field import described
from crosstie.declare.resource import Resource
from crosstie.declare.row import Record
from crosstie.errors import Fault, UnknownParameter
from crosstie.kit import text

LIMIT, MOST = 50, 200
OPERATORS = ("gte", "lte", "gt", "lt")
#: values of one filter, parted by commas
ANY = 100


@dataclass(frozen=True, slots=True)
class Condition:
    """One filter: column, operator (eq, in, gte, lte, gt, lt), value."""

    column: str
    operator: str
    value: Any


@dataclass(slots=True)
class Query:
    """What a list was asked for."""

    conditions: list[Condition] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    sort: str = "created_at"
    descending: bool = True
    limit: int = LIMIT
    cursor: str | None = None
    fields: tuple[str, ...] = ()
    expand: tuple[str, ...] = ()

    def mark(self) -> str:
        """What a cursor belongs to: the same filters in the same order."""
        return repr((sorted(map(repr, self.conditions)), self.words, self.sort, self.descending))


def parse(resource: Resource, pairs: Iterable[tuple[str, str]]) -> Query:
    """The query of a list of a noun. Raises UnknownParameter with every fault."""
    query = Query()
    faults: list[Fault] = []
    filters = {a.key: described(a) for a in resource.filter}
    if issubclass(resource.row, Record):
        filters.setdefault("created_at", described(resource.row.created_at))
    seen = set()
    for name, value in pairs:
        if name in seen:
            faults.append(Fault(name, "repeated", "send it once; several values go into one, parted by commas"))
        seen.add(name)
        column, bracket, operator = name.partition("[")
        if name in ("limit", "cursor", "sort", "q", "fields", "expand"):
            _page(resource, query, name, value, faults)
        elif column in filters:
            _filter(query, filters[column], column, bracket + operator, value, faults)
        else:
            faults.append(Fault(name, "unknown_parameter", "there is no such parameter"))
    if faults:
        raise UnknownParameter("A query parameter cannot be used: " + faults[0].message + ".", errors=faults)
    return query


def single(resource: Resource, pairs: Iterable[tuple[str, str]]) -> Query:
    """The query of one record: `fields` and `expand` alone."""
    query = Query()
    faults: list[Fault] = []
    for name, value in pairs:
        if name in ("fields", "expand"):
            _page(resource, query, name, value, faults)
        else:
            faults.append(Fault(name, "unknown_parameter", "there is no such parameter"))
    if faults:
        raise UnknownParameter("A query parameter cannot be used: " + faults[0].message + ".", errors=faults)
    return query


def none(request: Request) -> None:
    """Raise UnknownParameter where any was sent."""
    if request.scope["query_string"]:
        faults = [Fault(name, "unknown_parameter", "there is no such parameter") for name in request.query_params]
        raise UnknownParameter("No query parameters are taken here.", errors=faults)


def _filter(query: Query, declared: Any, column: str, operator: str, value: str, faults: list[Fault]) -> None:
    if operator[1:-1] in OPERATORS and operator == f"[{operator[1:-1]}]" and declared.kind.ordered:
        query.conditions.append(Condition(column, operator[1:-1], declared.kind.parse(value, column, faults)))
    elif operator:
        faults.append(Fault(f"{column}{operator}"[:200], "operator", "there is no such operator for this field"))
    elif "," in value:
        parts = value.split(",")
        if len(parts) > ANY:
            faults.append(Fault(column, "length", f"must name at most {ANY} values"))
            return
        query.conditions.append(Condition(column, "in", [declared.kind.parse(p, column, faults) for p in parts]))
    else:
        query.conditions.append(Condition(column, "eq", declared.kind.parse(value, column, faults)))


def _page(resource: Resource, query: Query, name: str, value: str, faults: list[Fault]) -> None:
    if name == "limit":
        if not re.fullmatch(r"\d{1,3}", value, re.ASCII) or not 1 <= int(value) <= MOST:
            faults.append(Fault(name, "range", f"must be a number from 1 to {MOST}"))
        else:
            query.limit = int(value)
    elif name == "cursor":
        query.cursor = value
    elif name == "sort":
        column = value.removeprefix("-")
        if column not in sortable(resource):
            faults.append(
                Fault(name, "choice", f"must be one of {', '.join(sorted(sortable(resource)))}, with - for falling")
            )
        query.sort, query.descending = column, value.startswith("-")
    elif name == "q":
        if not resource.search:
            faults.append(Fault(name, "unknown_parameter", "this list cannot be searched"))
        if len(value) > 200:
            faults.append(Fault(name, "length", "must have at most 200 characters"))
        query.words = sorted(text.tokens(value))
    elif name == "fields":
        query.fields = tuple(value.split(","))
        faults += [
            Fault(name, "choice", "names a field that does not exist")
            for part in query.fields
            if part not in resource.output.fields
        ]
    else:
        query.expand = tuple(value.split(","))
        faults += [
            Fault(name, "choice", "names a reference that does not exist")
            for part in query.expand
            if part not in references(resource)
        ]


def sortable(resource: Resource) -> set[str]:
    """The columns that a list can be sorted by."""
    return {a.key for a in resource.sort} | {"created_at"}


def references(resource: Resource) -> dict[str, tuple[str, str]]:
    """What can be expanded: `client` → (field `client_id`, noun `clients`)."""
    found = {}
    for name, declared in resource.output.fields.items():
        of = getattr(declared.kind, "of", None)
        if isinstance(of, str) and name.endswith("_id"):
            found[name.removesuffix("_id")] = (name, of)
    return found
