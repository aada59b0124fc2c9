"""Sealed columns: where secrets lie at rest. One mark on the column, and sealing, rotation and tests all go by it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import MappedColumn, mapped_column

#: the row's part of the place that a value is sealed to, from the columns of its primary key
Place = Callable[[Mapping[str, Any]], UUID]
MARK = "sealed"


def mark(place: Place = itemgetter("id")) -> dict[str, Place]:
    """The `info` of a column that holds sealed values. The vault seals to no other column."""
    return {MARK: place}


def sealed(*, nullable: bool = False) -> MappedColumn[Any]:
    """A column of a noun that holds sealed values, bound to the row's id. It is no field: no answer shows it."""
    return mapped_column(sa.LargeBinary, nullable=nullable, info=mark())


@dataclass(frozen=True, slots=True)
class Sealed:
    """One column of sealed values: its table, the other columns of the table's key, the place of a row."""

    table: str
    column: str
    key: tuple[str, ...]
    place: Place


def columns(tables: Iterable[sa.Table]) -> tuple[Sealed, ...]:
    """Every column of these tables that holds sealed values."""
    return tuple(
        Sealed(
            table.name,
            column.name,
            tuple(c.name for c in table.primary_key.columns if c.name != "tenant_id"),
            column.info[MARK],
        )
        for table in tables
        for column in table.columns
        if MARK in column.info
    )
