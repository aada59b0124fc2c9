"""Legal holds: until one is released, its subject, and what belongs to that, is neither deleted nor erased."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped

from crosstie.db.statement import compiled
from crosstie.declare.field import identifier, moment, state, text
from crosstie.declare.machine import Machine, Move
from crosstie.declare.resource import Resource
from crosstie.declare.row import Record, Row
from crosstie.declare.shape import fault
from crosstie.errors import LegalHold as Held
from crosstie.errors import NotFound
from crosstie.log import lineage
from crosstie.log.unit import Unit


class LegalHold(Record):
    """An order to keep a record, and all that belongs to it, whatever else is asked."""

    __tablename__ = "legal_holds"

    subject_type: Mapped[str] = text(128, min=1, doc="What kind of record is kept: client, user, job …")
    subject_id: Mapped[UUID] = identifier(doc="Which record is kept.")
    reason: Mapped[str] = text(500, min=1, doc="Why; whoever is refused reads it.")
    status: Mapped[str] = state("active", "released", doc="Whether it holds.")
    released_at: Mapped[datetime | None] = moment(nullable=True, doc="When it was released.")


async def _rule(unit: Unit, before: LegalHold | None, values: dict[str, Any]) -> None:
    if before is not None:
        return
    resource = unit.log.catalogue.singulars.get(values["subject_type"])
    if resource is None:
        raise fault("/subject_type", "subject", "there is no such kind of record")
    try:
        await unit.get(resource.row, values["subject_id"])
    except NotFound:
        raise fault("/subject_id", "reference", "there is no such record") from None


LEGAL_HOLDS = Resource(
    row=LegalHold,
    name="legal-holds",
    read=(
        LegalHold.id,
        LegalHold.subject_type,
        LegalHold.subject_id,
        LegalHold.reason,
        LegalHold.status,
        LegalHold.released_at,
        LegalHold.created_at,
        LegalHold.updated_at,
    ),
    write=(LegalHold.reason,),
    once=(LegalHold.subject_type, LegalHold.subject_id),
    filter=(LegalHold.subject_id, LegalHold.status),
    verbs=frozenset(("list", "create", "retrieve", "update")),
    machine=Machine(
        LegalHold.status,
        (
            Move(
                "release", ("active",), "released", "legal_hold.released", "A legal hold was released.",
                stamp=LegalHold.released_at,
            ),
        ),
    ),
    rule=_rule,
)  # fmt: skip

_TABLE = LegalHold.__table__
_ACTIVE = compiled(
    sa.select(_TABLE.c.subject_type, _TABLE.c.subject_id, _TABLE.c.reason)
    .where(_TABLE.c.status == sa.literal_column("'active'"))
    .order_by(_TABLE.c.id)
)


async def refuse(unit: Unit, resource: Resource, row: Row) -> None:
    """Raise LegalHold where a record, or what it belongs to, must be kept."""
    holds = await _holds(unit)
    if holds:
        _refuse(holds, await lineage.above(unit, resource, row))


async def refuse_any(unit: Unit, subjects: Iterable[tuple[str, str]]) -> None:
    """Raise LegalHold where one of these subjects must be kept itself."""
    _refuse(await _holds(unit), set(subjects))


async def _holds(unit: Unit) -> dict[tuple[str, str], str]:
    rows = await unit.fetch(_ACTIVE)
    return {(each["subject_type"], str(each["subject_id"])): each["reason"] for each in rows}


def _refuse(holds: Mapping[tuple[str, str], str], subjects: set[tuple[str, str]]) -> None:
    held = sorted(holds.keys() & subjects)
    if held:
        kind, id = held[0]
        raise Held(f"A legal hold keeps the {kind} {id}: {holds[kind, id]}")
