"""Events into arrays: the arguments of the statements that write many events at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from crosstie.db import statement
from crosstie.log.event import Event

QUERIES = statement.named(Path(__file__).with_name("queries.sql"))


def columns(events: Sequence[Event], epoch: int) -> list[Any]:
    """$1 … $16 of `append` and `ingest`."""
    return [
        [e.tenant_id for e in events],
        [e.id for e in events],
        epoch,
        [e.event_id for e in events],
        [e.type for e in events],
        [e.version for e in events],
        [e.at for e in events],
        [e.subject_type for e in events],
        [e.subject_id for e in events],
        [e.actor_type for e in events],
        [e.actor_id for e in events],
        [e.source for e in events],
        [e.correlation_id for e in events],
        [e.causation_id for e in events],
        [e.trace for e in events],
        [e.data for e in events],
    ]
