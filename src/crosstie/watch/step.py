"""Moves that nobody asked for: they are in the log of events, and among the acts of no one."""

from __future__ import annotations

from typing import Any, TypeVar

from crosstie.declare.machine import Move
from crosstie.declare.resource import Resource
from crosstie.declare.row import Row
from crosstie.log import change
from crosstie.log.unit import Unit

R = TypeVar("R", bound=Row)


def take(unit: Unit, resource: Resource, row: R, step: Move, **changes: Any) -> R:
    """Move a record that is held, with the event that the move emits; the record as it is then."""
    assert resource.machine is not None
    column = resource.machine.column.key
    stamped = {} if step.stamp is None else {step.stamp.key: unit.now}
    after = unit.update(row, {column: step.target, **stamped, **changes})
    data = change.fact(resource, after, unit.log) | {"previous_status": row.__dict__[column]}
    unit.append(step.event, data, change.subject(resource, after.id))
    return after
