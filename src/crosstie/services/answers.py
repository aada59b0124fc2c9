"""Answers of remote services that are kept: used again while they are fresh, marked with their age while it is away.

An event that the operation names ends the freshness of all its answers, in every process: the sink of this module
hears of such events for tenants whose provider is remote, and for no others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from uuid import UUID, uuid5

import asyncpg
import msgspec
import sqlalchemy as sa

from crosstie.db import session
from crosstie.db.engine import Connection
from crosstie.declare.catalogue import Catalogue
from crosstie.declare.row import Row
from crosstie.declare.service import Operation, Stale
from crosstie.kit import clock, text
from crosstie.log.event import Event
from crosstie.log.sink import Lease, Outcome, Result, Route
from crosstie.services.remote import Call

MOMENT = sa.DateTime(timezone=True)
answers = sa.Table(
    "service_answers",
    Row.metadata,
    sa.Column("tenant_id", sa.Uuid, primary_key=True),
    sa.Column("operation", sa.Text, primary_key=True),
    sa.Column("asked", sa.LargeBinary, primary_key=True),
    sa.Column("asked_at", MOMENT, nullable=False),
    sa.Column("document", sa.dialects.postgresql.JSON, nullable=False),
    sa.Index("ix_service_answers_asked_at", "asked_at"),
)
changes = sa.Table(
    "service_changes",
    Row.metadata,
    sa.Column("tenant_id", sa.Uuid, primary_key=True),
    sa.Column("operation", sa.Text, primary_key=True),
    sa.Column("changed_at", MOMENT, nullable=False),
    info={"reach": "batch", "app": "SELECT", "batch": "SELECT, INSERT, UPDATE"},
)
FIND = (
    "SELECT clock_timestamp() AS now, a.document, a.asked_at, c.changed_at FROM (SELECT 1) AS one"
    " LEFT JOIN service_answers a ON a.operation = $1 AND a.asked = $2"
    " LEFT JOIN service_changes c ON c.operation = a.operation"
)
KEEP = (
    "INSERT INTO service_answers AS a (tenant_id, operation, asked, asked_at, document) VALUES ($1, $2, $3, $4, $5)"
    " ON CONFLICT (tenant_id, operation, asked) DO UPDATE SET asked_at = excluded.asked_at,"
    " document = excluded.document WHERE a.asked_at < excluded.asked_at"
)
CHANGED = (
    "INSERT INTO service_changes AS c (tenant_id, operation, changed_at) SELECT $1, o, clock_timestamp()"
    " FROM unnest($2::text[]) AS o ON CONFLICT (tenant_id, operation) DO UPDATE SET changed_at = excluded.changed_at"
)
REMOTE = "SELECT tenant_id, service FROM service_providers WHERE mode = 'remote' AND tenant_id = ANY ($1::uuid[])"
#: seconds between tries to note that something changed
SCHEDULE = (1.0, 5.0, 30.0, 300.0)


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer that is kept, and its age in seconds."""

    document: bytes
    age: float
    fresh: bool

    def serves(self, operation: Operation) -> bool:
        """Whether it may stand in while the service is away."""
        return isinstance(operation.fallback, Stale) and self.age <= operation.fallback.seconds


@dataclass(frozen=True, slots=True)
class Question:
    """A question to a peer: by what its answer is kept."""

    tenant_id: UUID
    operation: str
    digest: bytes

    @classmethod
    def of(cls, call: Call) -> Question:
        """The question of a call. Another peer, or the same with another credential, is asked anew."""
        plain = msgspec.json.encode([call.peer.name, dict(call.given)], order="deterministic")
        return cls(call.peer.tenant_id, call.name, sha256(plain).digest())


class Answers:
    """Keeps answers, and is the sink that ends their freshness. One per process."""

    kind = "service_answers"

    def __init__(self, pool: asyncpg.Pool, worker: asyncpg.Pool, catalogue: Catalogue) -> None:
        self._pool = pool
        self._worker = worker
        #: by service: what its answers wait for, and the operations that do
        self._waiting: dict[str, list[tuple[Callable[[str], bool], str]]] = {
            service.name: [
                (text.matcher(each.cached.until), f"{service.name}.{each.name}")
                for each in service.operations
                if each.cached and each.cached.until
            ]
            for service in catalogue.services.values()
        }

    async def find(self, question: Question, seconds: float) -> tuple[Kept | None, datetime]:
        """The answer to a question, where one is kept, fresh for so many seconds; and the database's present time."""
        async with session.of_tenant(self._pool, question.tenant_id) as connection:
            (row,) = await connection.fetch(FIND, question.operation, question.digest)
        if row["document"] is None:
            return None, row["now"]
        age = (row["now"] - row["asked_at"]).total_seconds()
        unchanged = row["changed_at"] is None or row["changed_at"] < row["asked_at"]
        return Kept(row["document"].encode(), max(0.0, age), unchanged and age < seconds), row["now"]

    async def keep(self, question: Question, asked_at: datetime, document: bytes) -> None:
        """Keep the answer to a question that was put at this time of the database."""
        values = question.tenant_id, question.operation, question.digest, asked_at, document.decode()
        async with session.of_tenant(self._pool, question.tenant_id) as connection:
            await connection.execute(KEEP, *values)

    # the sink

    async def routes(self, connection: Connection, tenants: Sequence[UUID]) -> list[Route]:
        """A route per tenant and remote service whose answers wait for events."""
        rows = await connection.fetch(REMOTE, list(tenants))
        return [
            Route(
                tenant_id=row["tenant_id"],
                id=uuid5(row["tenant_id"], f"answers of {row['service']}"),
                sink=self.kind,
                wants=_any([wants for wants, _ in self._waiting[row["service"]]]),
                schedule=SCHEDULE,
                max_in_flight=4,
                target=row["service"],
            )
            for row in rows
            if self._waiting.get(row["service"])
        ]

    async def send(self, lease: Lease, route: Route) -> Outcome:
        """End the freshness of the answers that wait for such an event."""
        started, began = clock.now(), time.perf_counter()
        names = [name for wants, name in self._waiting[route.target] if wants(lease.event.type)]
        async with session.of_tenants(self._worker, [lease.tenant_id]) as connection:
            await connection.execute(CHANGED, lease.tenant_id, names)
        return Outcome(True, started, round((time.perf_counter() - began) * 1000))

    async def settled(self, connection: Connection, results: Sequence[Result]) -> Sequence[Event]:
        """Nothing follows but the record."""
        return ()


def _any(tests: Sequence[Callable[[str], bool]]) -> Callable[[str], bool]:
    return lambda name: any(test(name) for test in tests)
