"""Blanking personal fields later: in the row, its events, their dead letters and attempts. Ids and cursors stay."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from crosstie.db.statement import Statement, compiled
from crosstie.declare import kind as kinds
from crosstie.declare.catalogue import event_key
from crosstie.declare.field import Field
from crosstie.declare.resource import Action, Resource
from crosstie.declare.row import Row
from crosstie.log import change, hold
from crosstie.log.loose import loose_files, loosen
from crosstie.log.trail import Act
from crosstie.log.unit import Unit

ERASED = "[erased]"

EVENTS = Statement(
    "UPDATE events e SET data = coalesce((SELECT d || jsonb_object_agg(k, 'null'::jsonb) FILTER (WHERE d ? k)"
    " FROM (SELECT e.data::jsonb AS d) AS held, unnest($3::text[]) AS k GROUP BY d)::json, e.data)"
    " WHERE e.subject_type = $1::text AND e.subject_id = $2::text",
    "123",
)
LETTERS = Statement(
    "UPDATE dead_letters l SET event = jsonb_set(l.event::jsonb, ARRAY['data'],"
    " (SELECT d || coalesce(jsonb_object_agg(k, 'null'::jsonb) FILTER (WHERE d ? k), jsonb_build_object())"
    " FROM (SELECT l.event::jsonb -> 'data' AS d) AS held, unnest($3::text[]) AS k GROUP BY d))::json"
    " WHERE l.event::jsonb -> 'subject' ->> 'type' = $1::text AND l.event::jsonb -> 'subject' ->> 'id' = $2::text"
    " AND jsonb_typeof(l.event::jsonb -> 'data') = 'object'",
    "123",
)
ANSWERS = Statement(
    # a receiver may have echoed what it got
    "UPDATE attempts a SET response_body = NULL, response_headers = NULL FROM events e JOIN deliveries d"
    " ON d.tenant_id = e.tenant_id AND d.log_id = e.id WHERE e.subject_type = $1::text AND e.subject_id = $2::text"
    " AND a.tenant_id = d.tenant_id AND a.delivery_id = d.id",
    "12",
)

#: personal parts of what waits to be sealed in the audit log; the rest goes when this erasure is sealed
TRAIL = Statement("SELECT audit_blank($1, $2)", ("kind", "subject"))


def blank_values(resource: Resource, id: UUID) -> dict[str, Any]:
    """What personal columns of a record hold after they were blanked."""
    found: dict[str, Any] = {}
    for name, field in resource.kept.fields.items():
        if field.personal and name in resource.row.__table__.c:
            found[name] = _blank(field, id)
    return found


def _blank(field: Field, id: UUID) -> Any:
    if field.nullable:
        return None
    if isinstance(field.kind, kinds.Many):
        return []
    if isinstance(field.kind, kinds.Data):
        return {}
    if isinstance(field.kind, kinds.Text) and field.kind.format == "email":
        return f"{id}@erased.invalid"  # still an address, and still the only one of its kind (RFC 2606 §2)
    return ERASED


async def blank(unit: Unit, resource: Resource, row: Row, only: Mapping[str, Any] | None = None) -> Row:
    """Blank the personal fields of one record, wherever the log keeps them, and take its file away.

    With `only` these fields alone get these values, and nothing else of the record goes. The row was read with `lock`.
    Raises LegalHold where it must be kept.
    """
    await hold.refuse(unit, resource, row)
    subject = change.subject(resource, row.id)
    values = dict(only) if only is not None else blank_values(resource, row.id)
    keys = [event_key(resource, name) for name in values]
    unit.write(EVENTS, [*subject, keys])
    unit.write(LETTERS, [*subject, keys])
    unit.write(ANSWERS, [*subject])
    await unit.fetch(TRAIL, kind=subject[0], subject=subject[1])
    unit.note(Act(f"{resource.name}.erase", *subject, after={"fields": keys}, final=True))
    for projection in unit.log.catalogue.projections:
        if projection.blank is not None:
            await projection.blank(unit, subject, keys)
    if only is None:
        if resource.search:
            unit.write(change.UNINDEX, [unit.tenant_id, resource.name, row.id, []])
        if resource.forget is not None:
            values |= await resource.forget(unit, row)
        if row.__dict__.get("blob"):
            values["blob"] = await _taken(unit, resource, row)
    return unit.update(row, values) if values else row


async def _taken(unit: Unit, resource: Resource, row: Row) -> str:
    """The record lets go of its file, which goes when no other has it: what then stands for it."""
    blob, others = row.__dict__["blob"], 0
    for table in unit.log.catalogue.tables:
        if "blob" in table.c and table.name != loose_files.name:
            (found,) = await unit.fetch(_sharing(table), blob=blob)
            others += found["n"]
    if others == 1:
        loosen(unit, blob)
    return ""


@cache
def _sharing(table: sa.Table) -> Statement:
    query = sa.select(sa.func.count().label("n")).select_from(table)
    return compiled(query.where(table.c.blob == sa.bindparam("blob", type_=sa.Text())))


def erasing(noun: str, singular: str) -> Action:
    """The action that erases a record's personal fields: `POST /api/v1/clients/{id}/erase`."""

    async def run(unit: Unit, row: Row, given: Mapping[str, Any]) -> Row:
        resource = unit.log.catalogue.resources[noun]
        after = await blank(unit, resource, row)
        await unit.flush()
        change.tell(unit, resource, f"{singular}.erased", after)
        return after

    doc = "Personal fields were blanked, here and in the log."
    return Action("erase", run, doc, events=(f"{singular}.erased",))
