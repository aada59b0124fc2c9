"""Statements: SQLAlchemy Core compiled once to the text and parameter order that asyncpg takes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import asyncpg as dialect

DIALECT = dialect.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped
PARAMETER = re.compile(r"\$(\d+)")
LABEL = re.compile(r"\{(\w+)\}")


class Statement:
    """One statement: its text with $1 …, and the names of its parameters in that order.

    A write may have several parts: sub-statements with labels, which the parts after them read as {label}.
    """

    __slots__ = ("names", "parts", "text")

    def __init__(self, text: str, names: Sequence[str] = (), parts: Sequence[tuple[str, str]] = ()) -> None:
        self.text = text
        self.names = tuple(names)
        self.parts = tuple(parts) or (("", text),)

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        """The values in the order of the parameters."""
        return [values[name] for name in self.names]


def compiled(element: sa.sql.ClauseElement) -> Statement:
    """The statement of a Core element."""
    found = element.compile(dialect=DIALECT)
    return Statement(str(found), found.positiontup or ())  # type: ignore[attr-defined]  # a compiled SQL statement


@cache
def joined(statements: tuple[Statement, ...]) -> str:
    """Several writes as one statement, so that they cost one round trip.

    PostgreSQL runs data-modifying sub-statements on one snapshot: they may not write the same row twice, and keys
    between them are checked at the end.
    """
    found, shift = [], 0
    for number, statement in enumerate(statements):
        for label, text in statement.parts:
            body = LABEL.sub(rf"w{number}\1", _shifted(text, shift))
            found.append(f"w{number}{label} AS ({body})")
        shift += len(statement.names)
    return f"WITH {', '.join(found)} SELECT 1"


def _shifted(text: str, by: int) -> str:
    return PARAMETER.sub(lambda match: f"${int(match[1]) + by}", text)


@cache
def insert(table: sa.Table) -> Statement:
    """Insert one whole row."""
    return compiled(sa.insert(table))


@cache
def update(table: sa.Table, columns: frozenset[str]) -> Statement:
    """Update the named columns of one row."""
    key = (table.c.tenant_id == sa.bindparam("key_tenant", type_=sa.Uuid())) & (
        table.c.id == sa.bindparam("key_id", type_=sa.Uuid())
    )
    values = {name: sa.bindparam(name, type_=table.c[name].type) for name in columns}
    return compiled(sa.update(table).where(key).values(values))


@cache
def delete(table: sa.Table) -> Statement:
    """Delete one row."""
    return compiled(
        sa.delete(table).where(
            table.c.tenant_id == sa.bindparam("key_tenant", type_=sa.Uuid()),
            table.c.id == sa.bindparam("key_id", type_=sa.Uuid()),
        )
    )


@cache
def fetch(table: sa.Table, lock: bool = False) -> Statement:
    """One row by id; with `lock` held until the end of the transaction."""
    query = sa.select(table).where(
        table.c.tenant_id == sa.bindparam("key_tenant", type_=sa.Uuid()),
        table.c.id == sa.bindparam("key_id", type_=sa.Uuid()),
    )
    return compiled(query.with_for_update() if lock else query)


def named(path: Path) -> dict[str, Statement]:
    """The statements of a .sql file, by the name in the line `-- name: …` above each.

    `-- part: label` lines cut a statement into parts that can be joined with other writes.
    """
    found = {}
    for block in path.read_text("utf-8").split("-- name: ")[1:]:
        name, text = block.split("\n", 1)
        pieces = [piece.split("\n", 1) for piece in text.split("-- part: ")]
        parts = [(label.strip(), stripped(body)) for label, body in pieces[1:]]
        whole = stripped(text)
        count = max((int(number) for number in PARAMETER.findall(whole)), default=0)
        found[name.strip()] = Statement(whole, [str(n + 1) for n in range(count)], parts)
    return found


def stripped(text: str) -> str:
    """The text without its comments."""
    return "\n".join(line for line in text.splitlines() if not line.startswith("--")).strip()
