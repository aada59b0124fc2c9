"""Events in memory, and their envelope: one form on every wire."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from crosstie.kit import clock, json


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something: a person, an app, an API key, a connection, or Crosstie itself."""

    type: str
    id: str | None = None
    scopes: frozenset[str] = frozenset()

    @property
    def principal(self) -> str:
        """Who it is for idempotency: the same before and after a roll of the secret."""
        return f"{self.type}:{self.id}"

    def wire(self) -> dict[str, str | None]:
        """As envelopes show it."""
        return {"type": self.type, "id": self.id}


#: the scope of an outside auth service, whose events and calls may name any tenant
DIRECTORY = "directory:write"
SYSTEM = Actor("system")
#: whoever works on the installation itself
OPERATOR = Actor("operator", None, frozenset("*"))
#: whoever has shown no credential
NOBODY = Actor("anonymous")


class Origin:
    """Where a request came from: its id, and its address, which is looked at only where somebody asks."""

    __slots__ = ("_find", "_found", "request_id")

    def __init__(self, request_id: str | None = None, find: Callable[[], str | None] | None = None) -> None:
        self.request_id = request_id
        self._find = find
        self._found: str | None = None

    @property
    def ip(self) -> str | None:
        """The address, or None where there is none to be known."""
        if self._find is not None:
            self._found, self._find = self._find(), None
        return self._found


#: the request that is being answered; what is done for nobody's request has none
ORIGIN: ContextVar[Origin] = ContextVar("origin", default=Origin())  # noqa: B039  # never changed but by itself


class Event(msgspec.Struct, frozen=True):
    """One entry of the log. `id` is the log's own, `event_id` the one on the wire; `data` is JSON text."""

    tenant_id: UUID
    id: UUID
    event_id: str
    type: str
    version: int
    at: datetime
    data: str
    subject_type: str | None = None
    subject_id: str | None = None
    sequence: int | None = None
    actor_type: str = "system"
    actor_id: str | None = None
    source: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    trace: str | None = None

    @property
    def lane(self) -> str | None:
        """The key of its order: the subject."""
        return f"{self.subject_type}:{self.subject_id}" if self.subject_id is not None else None

    def envelope(self) -> bytes:
        """The envelope on the wire (CONTRACT §5). The same bytes at every attempt."""
        return json.dumps(
            {
                "event_id": self.event_id,
                "event_type": self.type,
                "tenant_id": self.tenant_id,
                "timestamp": clock.format(self.at),
                "data": msgspec.Raw(self.data.encode()),
                "version": self.version,
                "subject": {"type": self.subject_type, "id": self.subject_id} if self.subject_id is not None else None,
                "sequence": self.sequence,
                "actor": {"type": self.actor_type, "id": self.actor_id},
                "correlation_id": self.correlation_id,
                "causation_id": self.causation_id,
            }
        )

    def cloudevent(self, source: str) -> bytes:
        """The same as a CloudEvent 1.0 in structured mode; `source` is the installation's address."""
        found: dict[str, Any] = {
            "specversion": "1.0",
            "id": self.event_id,
            "source": source,
            "type": self.type,
            "time": clock.format(self.at),
            "datacontenttype": "application/json",
            "tenantid": str(self.tenant_id),
            "data": msgspec.Raw(self.data.encode()),
        }
        if self.subject_id is not None:
            found["subject"] = f"{self.subject_type}/{self.subject_id}"
            found["sequence"] = str(self.sequence)
        if self.trace:
            found["traceparent"] = self.trace
        return json.dumps(found)


def read(record: asyncpg.Record) -> Event:
    """The event of a row of the table `events`."""
    return Event(
        tenant_id=record["tenant_id"],
        id=record["id"],
        event_id=record["event_id"],
        type=record["type"],
        version=record["version"],
        at=record["at"],
        data=record["data"],
        subject_type=record["subject_type"],
        subject_id=record["subject_id"],
        sequence=record["sequence"],
        actor_type=record["actor_type"],
        actor_id=record["actor_id"],
        source=record["source"],
        correlation_id=record["correlation_id"],
        causation_id=record["causation_id"],
        trace=record["trace"],
    )
