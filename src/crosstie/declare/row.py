"""Rows: SQLAlchemy classes as the schema language. A row in memory is a read-only view; a Unit writes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Self
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from crosstie.declare import kind as kinds
from crosstie.declare.field import Field

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Row(DeclarativeBase):
    """The parent of every row class. Tables of tenants have the key (tenant_id, id)."""

    metadata = sa.MetaData(naming_convention=NAMES)

    tenant_id: Mapped[UUID] = mapped_column(sa.Uuid, primary_key=True)
    id: Mapped[UUID] = mapped_column(
        sa.Uuid, primary_key=True, info={"field": Field(kinds.Id(), doc="The record's id (UUIDv7).")}
    )

    @classmethod
    def view(cls, values: Mapping[str, Any] | asyncpg.Record) -> Self:
        """A row from the database's values.

        The instance has no SQLAlchemy state: its attributes can be read, not set, which is what a view is for, and it
        costs a tenth of a mapped instance.
        """
        row = cls.__new__(cls)
        row.__dict__.update(values)
        return row


class Record(Row):
    """A row of a noun: it also knows when it was made and changed, and how often."""

    __abstract__ = True

    created_at: Mapped[datetime] = mapped_column(
        sa.DateTime(timezone=True),
        info={"field": Field(kinds.Moment(), doc="When the record was made.")},
        sort_order=90,
    )
    updated_at: Mapped[datetime] = mapped_column(
        sa.DateTime(timezone=True),
        info={"field": Field(kinds.Moment(), doc="When the record last changed.")},
        sort_order=91,
    )
    revision: Mapped[int] = mapped_column(
        sa.BigInteger,
        info={"field": Field(kinds.Integer(1), doc="How often the record was written; its ETag follows from it.")},
        sort_order=92,
    )
