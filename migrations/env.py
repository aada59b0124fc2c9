"""How Alembic meets the database: as the owner, one migrator at a time, never waiting long for a lock."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context

from crosstie.catalog import catalogue
from crosstie.declare.row import Row

catalogue()


def _mine(thing: object, name: str | None, kind: str, reflected: bool, other: object) -> bool:
    """Partitions are made at run time, not by migrations."""
    return not (kind == "table" and reflected and name not in Row.metadata.tables)


connection: sa.Connection | None = context.config.attributes.get("connection")
if connection is None:
    raise SystemExit("run migrations with `crosstie migrate`")
context.configure(
    connection=connection,
    target_metadata=Row.metadata,
    include_object=_mine,
    compare_type=True,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
