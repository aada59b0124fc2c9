"""Event types: what may stand in the log, with the schema of its data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Direction = Literal["out", "in", "both"]


@dataclass(frozen=True, slots=True)
class EventType:
    """One type of event. Its name and the names of its fields are permanent: a break is a new name."""

    name: str
    summary: str
    data_schema: dict[str, Any]
    example: dict[str, Any]
    version: int = 1
    direction: Direction = "out"
    subject: str | None = None
    #: the field of `data` that holds the subject's id, for events that come from outside
    subject_field: str | None = None
    personal: tuple[str, ...] = ()
    since: str = "0.1.0"
    deprecated: bool = False
    #: outside parties may send it (POST /api/v1/events)
    open: bool = field(default=False)
    #: what the sender must be allowed beside: the directory may name any tenant, others speak of their own
    scope: str | None = None
