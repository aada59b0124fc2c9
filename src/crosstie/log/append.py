"""Events into arguments of the statements that write them: one event's values, or an array of each for many."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any

from crosstie.db import statement
from crosstie.db.statement import Statement
from crosstie.log.event import Event

QUERIES = statement.named(Path(__file__).with_name("queries.sql"))
#: $1, $2, $4 … $16
_VALUES = attrgetter(
    "tenant_id", "id", "event_id", "type", "version", "at", "subject_type", "subject_id", "actor_type", "actor_id",
    "source", "correlation_id", "causation_id", "trace", "data",
)  # fmt: skip


def columns(events: Sequence[Event], epoch: int) -> list[Any]:
    """$1 … $16 of `append` and `ingest`. There is at least one event."""
    tenants, ids, *others = map(list, zip(*map(_VALUES, events), strict=True))
    return [tenants, ids, epoch, *others]


def appended(events: Sequence[Event], epoch: int) -> tuple[Statement, list[Any]]:
    """The write that appends events, and its arguments."""
    if len(events) > 1:
        return QUERIES["append"], columns(events, epoch)
    tenant, id, *others = _VALUES(events[0])
    return QUERIES["append_one"], [tenant, id, epoch, *others]
