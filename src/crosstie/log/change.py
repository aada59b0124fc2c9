"""The changes that every declared noun knows: create, update, delete, move. REST, flows and connectors share them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from crosstie.db import lock
from crosstie.db.statement import Statement
from crosstie.declare.catalogue import event_key
from crosstie.declare.machine import Move
from crosstie.declare.resource import Action, Resource
from crosstie.declare.row import Record, Row
from crosstie.errors import Conflict, Fault, MoveRefused
from crosstie.kit import ids, text
from crosstie.log import hold
from crosstie.log.trail import Act
from crosstie.log.unit import Log, Unit

INDEX = Statement(
    "INSERT INTO search_tokens (tenant_id, noun, token, row_id)"
    " SELECT $1::uuid, $2::text, t, $3::uuid FROM unnest($4::text[]) AS t ON CONFLICT DO NOTHING",
    "1234",
)
UNINDEX = Statement(
    "DELETE FROM search_tokens"
    " WHERE tenant_id = $1::uuid AND noun = $2::text AND row_id = $3::uuid AND token <> ALL ($4::text[])",
    "1234",
)
#: raises the version of a tenant's routes; a trigger tells every process at the commit
REROUTE = Statement(
    "INSERT INTO route_versions AS r (tenant_id, version) VALUES ($1::uuid, 1)"
    " ON CONFLICT (tenant_id) DO UPDATE SET version = r.version + 1",
    "1",
)


async def addressed(unit: Unit, resource: Resource, value: str, *, lock: bool = False) -> Row | None:
    """The record that is addressed by this value of the noun's key, where there is one."""
    assert resource.keyed is not None
    column = resource.row.__table__.c[resource.keyed.key]
    query = sa.select(resource.row.__table__).where(column == sa.bindparam("value", type_=column.type))
    found = await unit.select(query.with_for_update() if lock else query, value=value)
    return resource.row.view(found[0]) if found else None


async def put(unit: Unit, resource: Resource, value: str, values: Mapping[str, Any]) -> tuple[Row, bool]:
    """The record that is addressed by this value, made or replaced; and whether it is new."""
    assert resource.keyed is not None
    found = await addressed(unit, resource, value, lock=True)
    if found is not None:
        return await update(unit, resource, found, values, "put"), False
    return await create(unit, resource, {**values, resource.keyed.key: value}, "put"), True


async def create(unit: Unit, resource: Resource, values: Mapping[str, Any], verb: str = "create") -> Row:
    """A new record from decoded values; `id` may be among them where the caller's own code chose it."""
    whole: dict[str, Any] = {name: field.initial() for name, field in resource.initial.items()}
    whole.update(values)
    whole["id"] = values.get("id") or ids.uuid7()
    if issubclass(resource.row, Record):
        whole |= {"created_at": unit.now, "updated_at": unit.now, "revision": 1}
    if resource.natural:
        twin = await _twin(unit, resource, values)
        if twin is not None:
            return twin
    if resource.most is not None:
        await _room(unit, resource, resource.most)
    if resource.rule:
        await resource.rule(unit, None, whole)
    row = unit.insert(resource.row, whole)
    if resource.search:
        unit.write(INDEX, [unit.tenant_id, resource.name, row.id, _tokens(resource, row)])
    _told(unit, resource, "created", row)
    if verb in resource.verbs:  # what nobody can ask for is no act but what follows from one
        note(unit, resource, verb, None, row)
    return row


async def update(unit: Unit, resource: Resource, row: Row, changes: Mapping[str, Any], verb: str = "update") -> Row:
    """Change a record that was read with `lock`. Nothing is written, and no event made, where nothing changes."""
    values = dict(changes)
    if resource.rule:
        await resource.rule(unit, row, values)
    values = {name: value for name, value in values.items() if row.__dict__.get(name) != value}
    if not values:
        return row
    after = unit.update(row, values)
    if any(a.key in values for a in resource.search):
        arguments = [unit.tenant_id, resource.name, row.id, _tokens(resource, after)]
        unit.write(UNINDEX, arguments)
        unit.write(INDEX, arguments)
    _told(unit, resource, "updated", after)
    note(unit, resource, verb, row, after)
    return after


async def delete(unit: Unit, resource: Resource, row: Row) -> None:
    """End a record that was read with `lock`. Raises LegalHold where it must be kept."""
    await hold.refuse(unit, resource, row)
    if resource.before_delete:
        await resource.before_delete(unit, row, {})
    unit.delete(row)
    if resource.search:
        unit.write(UNINDEX, [unit.tenant_id, resource.name, row.id, []])
    _told(unit, resource, "deleted", row)
    note(unit, resource, "delete", row, None)


async def move(unit: Unit, resource: Resource, row: Row, step: Move, given: Mapping[str, Any]) -> Row:
    """Move a record that was read with `lock` to another state. Raises MoveRefused from any other state."""
    assert resource.machine is not None
    column = resource.machine.column.key
    present = row.__dict__[column]
    if present not in step.sources:
        allowed = " or ".join(step.sources)
        raise MoveRefused(
            f"A {resource.singular.replace('_', ' ')} that is {present} cannot {step.verb}; it must be {allowed}."
        )
    changes: dict[str, Any] = {column: step.target}
    if step.stamp is not None:
        changes[step.stamp.key] = unit.now
    if step.run:
        changes |= await step.run(unit, row, given) or {}
    after = unit.update(row, changes)
    unit.append(step.event, fact(resource, after, unit.log) | {"previous_status": present}, subject(resource, after.id))
    if resource.routes:
        reroute(unit)
    note(unit, resource, step.verb, row, after)
    return after


async def act(unit: Unit, resource: Resource, action: Action, row: Row | None, given: Mapping[str, Any]) -> Any:
    """Run an action; what it answers. A record must have been read with `lock` where the action writes."""
    found = await action.run(unit, row, given)
    if action.method == "POST":
        after = found if isinstance(found, resource.row) else row
        hidden = {field.name for field in action.given if field.write_only}
        told = {name: value for name, value in given.items() if value is not None and name not in hidden}
        note(unit, resource, action.verb, row, after, told)
    return found


async def _twin(unit: Unit, resource: Resource, values: Mapping[str, Any]) -> Row | None:
    """The record with the same natural key, of which this creation is a repeat. Raises Conflict where it says more.

    The key is locked until the end, so that of two at once the second finds the first.
    """
    key = {a.key: values.get(a.key) for a in resource.natural}
    if None in key.values():
        return None
    await _in_turn(unit, resource.name, sorted(key.items()))
    table = resource.row.__table__
    query = sa.select(table).where(*(table.c[k] == sa.bindparam(k, type_=table.c[k].type) for k in key))
    found = await unit.select(query, **key)
    if not found:
        return None
    twin = resource.row.view(found[0])
    other = [name for name, value in values.items() if value is not None and value != twin.__dict__.get(name)]
    if other:
        raise Conflict(
            f"There is a {resource.singular} with the same {' and '.join(key)}, and it differs.",
            errors=[Fault(f"/{name}", "differs", "is not that of the earlier one") for name in other],
        )
    return twin


async def _in_turn(unit: Unit, *what: Any) -> None:
    """Go on when nobody else of the tenant is at the same, and let nobody until the end."""
    await unit.flush()
    named = repr((unit.tenant_id, *what)).encode()
    await unit.connection.fetchval("SELECT pg_advisory_xact_lock($1)", lock.number(named))


async def _room(unit: Unit, resource: Resource, most: int) -> None:
    """Raise Conflict where the tenant has as many records as it may. Those who make one come one after the other."""
    await _in_turn(unit, resource.name)
    (row,) = await unit.select(sa.select(sa.func.count()).select_from(resource.row.__table__))
    if row[0] >= most:
        raise Conflict(f"There are {most} {resource.name.replace('-', ' ')} already: a tenant may have no more.")


def fact(resource: Resource, row: Row, log: Log) -> dict[str, Any]:
    """The data of an event about a record: the record as answers show it, its id under the noun's name."""
    values = row.__dict__
    compute = resource.extra
    if compute and resource.extra_told:
        values = values | compute(row, log)
    found = resource.fact.encode(values)
    return {event_key(resource, name): value for name, value in found.items()}


def tell(unit: Unit, resource: Resource, event: str, row: Row, extra: Mapping[str, Any] | None = None) -> None:
    """Append an event about a record. Where nobody notes the act itself, the event stands for it in the audit log."""
    named = subject(resource, row.id)
    unit.append(event, fact(resource, row, unit.log) | dict(extra or {}), named)
    unit.note(Act(f"{resource.name}.{event.rsplit('.', 1)[-1]}", *named, hint=True))


def subject(resource: Resource, id: UUID) -> tuple[str, str]:
    """The subject of a record's events."""
    return resource.singular, str(id)


def note(
    unit: Unit,
    resource: Resource,
    verb: str,
    before: Row | None,
    after: Row | None,
    given: Mapping[str, Any] | None = None,
) -> None:
    """Have a change of a record in the audit log, under the id of the operation that makes such a change."""
    row = after or before
    target = str(row.id) if row is not None else None
    unit.note(
        Act(
            f"{resource.name}.{verb.replace('-', '_')}", resource.singular, target, before, after, resource, given=given
        )
    )


def _told(unit: Unit, resource: Resource, change: Any, row: Row) -> None:
    name = resource.event(change)
    if name:
        tell(unit, resource, name, row)
    if resource.routes:
        reroute(unit)


def reroute(unit: Unit) -> None:
    """Say, with the commit, that who hears of what has changed."""
    unit.write(REROUTE, [unit.tenant_id])
    unit.after.append(lambda: unit.log.rerouted(unit.tenant_id))


def _tokens(resource: Resource, row: Row) -> list[str]:
    words = " ".join(str(row.__dict__.get(a.key) or "") for a in resource.search)
    return sorted(text.tokens(words))
