"""`expand=` and `fields=`: references replaced by their records, answers narrowed to what was asked for."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import sqlalchemy as sa

from crosstie.access import scope
from crosstie.access.token import Grant
from crosstie.api.entry import Api
from crosstie.api.filters import Query, references
from crosstie.db.engine import Connection
from crosstie.db.statement import Statement, compiled
from crosstie.declare.resource import Resource


async def into(
    connection: Connection, api: Api, grant: Grant, resource: Resource, documents: list[dict[str, Any]], query: Query
) -> None:
    """Add the referred records to each document, one query per reference. The caller needs their read scope."""
    for name in query.expand:
        column, noun = references(resource)[name]
        other = api.resources[noun]
        scope.require(grant.actor, f"{other.scope_name}:read")
        wanted = sorted({UUID(str(d[column])) for d in documents if d[column] is not None})
        rows = await connection.fetch(_by_ids(other).text, wanted) if wanted else []
        found = {row["id"]: other.output.encode(other.row.view(row).__dict__) for row in rows}
        for document in documents:
            document[name] = found.get(document[column])


def narrowed(documents: list[dict[str, Any]], query: Query) -> list[dict[str, Any]]:
    """The documents with the fields that were asked for."""
    if not query.fields:
        return documents
    kept = {*query.fields, *query.expand}
    return [{name: value for name, value in document.items() if name in kept} for document in documents]


def _by_ids(resource: Resource) -> Statement:
    table = resource.row.__table__
    ids = sa.bindparam("ids", type_=sa.ARRAY(sa.Uuid()))
    return compiled(sa.select(table).where(table.c.id == sa.any_(ids)))
