"""Event types: what may stand in the log, with the schema of its data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Direction = Literal["out", "in", "both"]
#: who may send an event or wait for one: Crosstie, the ERP, its services, outside parties, whoever subscribes
SYSTEMS = frozenset({
    "crosstie", "erp", "auth", "treasury", "inventory", "logistics", "pos", "iot", "projects", "notifications",
    "partners", "subscribers",
})  # fmt: skip


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
    #: of SYSTEMS: who sends it, and who acts on it; webhooks, brokers and streams carry every type to whoever asks
    producers: tuple[str, ...] = ("crosstie",)
    consumers: tuple[str, ...] = ("subscribers",)
    personal: tuple[str, ...] = ()
    since: str = "0.1.0"
    deprecated: bool = False
    #: outside parties may send it (POST /api/v1/events)
    open: bool = field(default=False)
    #: what the sender must be allowed beside: the directory may name any tenant, others speak of their own
    scope: str | None = None
