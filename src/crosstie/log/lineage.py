"""Whose a record is: it belongs to what its field `<noun>_id` names, and so on upwards; derived from the declarations.

A job belongs to its client by `client_id`, a photo by `job_id` to the job and so to the client. A field of another name
(`technician_id`) says who takes part, not whose the record is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from crosstie.db.statement import Statement, compiled
from crosstie.declare import kind as kinds
from crosstie.declare.catalogue import Catalogue
from crosstie.declare.field import Field
from crosstie.declare.resource import Resource
from crosstie.declare.row import Row
from crosstie.log.unit import Unit

Found = dict[str, tuple[Resource, dict[UUID, Row]]]


def parents(catalogue: Catalogue, resource: Resource) -> Iterator[tuple[str, Resource]]:
    """The fields by which a noun's records belong to others, and those others."""
    for column in resource.row.__table__.columns:
        declared = column.info.get("field")
        of = declared.kind.of if isinstance(declared, Field) and isinstance(declared.kind, kinds.Id) else None
        if of and column.key == f"{catalogue.resources[of].singular}_id":
            yield column.key, catalogue.resources[of]


def children(catalogue: Catalogue, resource: Resource) -> Iterator[tuple[str, Resource]]:
    """The nouns whose records belong to a noun's, and the fields by which they do; former versions of files too."""
    for other in catalogue.resources.values():
        for name, parent in parents(catalogue, other):
            if parent is resource:
                yield name, other
    for each in resource.lists:
        if "blob" in each.noun.row.__table__.c:
            yield each.by.key, each.noun


async def above(unit: Unit, resource: Resource, row: Row) -> set[tuple[str, str]]:
    """The record itself and all that it belongs to, as subjects."""
    catalogue = unit.log.catalogue
    found = {(resource.singular, str(row.id))}
    for name, parent in parents(catalogue, resource):
        id = row.__dict__.get(name)
        if id is not None and (parent.singular, str(id)) not in found:
            found |= await above(unit, parent, await unit.get(parent.row, id))
    return found


async def below(unit: Unit, resource: Resource, id: UUID) -> Found:
    """A record and all that belongs to it, by the name of the noun. Raises NotFound where there is no such record."""
    catalogue = unit.log.catalogue
    found: Found = {resource.name: (resource, {id: await unit.get(resource.row, id)})}
    queue: list[tuple[Resource, list[UUID]]] = [(resource, [id])]
    while queue:
        parent, owners = queue.pop()
        for name, child in children(catalogue, parent):
            rows = await unit.fetch(_of(child, name), owners=owners)
            known = found.setdefault(child.name, (child, {}))[1]
            fresh = {row["id"]: child.row.view(row) for row in rows if row["id"] not in known}
            known |= fresh
            if fresh:
                queue.append((child, list(fresh)))
    return {name: each for name, each in found.items() if each[1]}


_statements: dict[tuple[str, str], Statement] = {}


def _of(resource: Resource, name: str) -> Statement:
    if (resource.name, name) not in _statements:
        table: Any = resource.row.__table__
        owners = sa.bindparam("owners", type_=sa.ARRAY(sa.Uuid()))
        query = sa.select(table).where(table.c[name] == sa.any_(owners)).order_by(table.c.id)
        _statements[resource.name, name] = compiled(query)
    return _statements[resource.name, name]
